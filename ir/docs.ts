/** @file The reference page of the ops, written from their records. `OPS.md` is its output; a test keeps it so. */

import type { AnyOp, Example, Value } from "./core.ts";
import { isViolation } from "./core.ts";
import { OPS } from "./ops/index.ts";
import { printOperation } from "./print.ts";
import { UNKNOWN } from "./span.ts";
import { STAGES, STAGE_NAMES } from "./stages.ts";

/** The text of `ir/OPS.md`. `rejections` are, by mnemonic, messages of the constraints, as some wrong use provokes them. */
export const opsReference = (rejections: ReadonlyMap<string, readonly string[]>): string =>
  [
    "<!-- Generated from the op records by `npm run bless`. Do not edit. -->",
    "# Operations",
    "",
    `${OPS.length} operations. Stage *kernel*: kernels are made of it; the others are expanded into those by \`decompose\`.`,
    "Constraints are shown by a message that each gives; `test/ir/verify/` has the texts that provoke them.",
    "",
    "| op | operands | results | stages | gradient | |",
    "|---|---|---|---|---|---|",
    ...OPS.map(row),
    "",
    ...OPS.flatMap((op) => section(op, rejections.get(op.mnemonic) ?? [])),
  ].join("\n");

const stagesOf = (op: AnyOp): string => STAGE_NAMES.filter((stage) => STAGES[stage].has(op)).join(" ");

const gradientOf = (op: AnyOp): string => {
  if (op.vjp === "inactive") return "none";
  return op.vjp === "by-expansion" ? "of its expansion" : "own rule";
};

const cell = (text: string): string => text.replaceAll("|", "\\|");

const row = (op: AnyOp): string => {
  const name = `[\`sq.${op.mnemonic}\`](#sq${op.mnemonic})`;
  const cells = [name, op.operands.join(", "), op.results.join(", "), stagesOf(op), gradientOf(op), cell(op.summary)];
  return `| ${cells.join(" | ")} |`;
};

const section = (op: AnyOp, messages: readonly string[]): string[] => [
  `## sq.${op.mnemonic}`,
  "",
  op.summary,
  "",
  ...attributes(op),
  ...example(op),
  ...messages.map((message) => `- ${message}`),
  ...(messages.length === 0 ? [] : [""]),
];

const attributes = (op: AnyOp): string[] => {
  const lines = Object.keys(op.attrs).map((key) => {
    const codec = op.attrs[key];
    const optional = codec?.decode(null) === undefined ? "" : " (optional)";
    return `- attribute \`${key}\`${optional}: ${codec?.expects ?? ""}`;
  });
  return lines.length === 0 ? [] : [...lines, ""];
};

const example = (op: AnyOp): string[] => {
  const [first]: readonly Example<object>[] = op.examples;
  if (first === undefined) return [];
  const operands = first.operands.map(({ type }, i): Value => ({ type, name: operandName(op, i) }));
  const types = op.infer(first.operands.map(({ type }) => type), first.attrs);
  if (isViolation(types)) return [];
  const results = types.map((type, i): Value => ({ type, name: op.results[i] ?? "" }));
  const line = printOperation({ op, operands, attrs: first.attrs, results, path: "", loc: UNKNOWN, inline: false });
  return ["```mlir", line, "```", ""];
};

const operandName = (op: AnyOp, index: number): string => (op.operands[index] ?? op.operands.at(-1) ?? "").replace("...", "");
