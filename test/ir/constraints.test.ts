/** @file Every labelled constraint of every op has a text that violates it: function `@softmax_c1` in
 *  `verify/softmax.ir`, with the label expected as an error (the file tests run it). BLESS=1 writes what is missing. */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { AnyOp, Operation, TensorType, Value } from "../../ir/core.ts";
import { OPS } from "../../ir/ops/index.ts";
import { parseModule } from "../../ir/parse.ts";
import { printOperation, printingOf } from "../../ir/print.ts";
import { tensor } from "../../ir/types.ts";
import { verify } from "../../ir/verify.ts";
import { BLESSING } from "../filetest/bless.ts";
import { ROOT } from "../tools.ts";
import { functionOf } from "./modules.ts";
import { rejectedUses } from "./mutations.ts";

const functionName = (op: AnyOp, constraint: string): string => `${op.mnemonic}_${constraint.toLowerCase()}`;

/** The same operation with types that need no alias, so that functions can be appended to a file. */
const spelledBySizes = (operation: Operation): Operation => {
  const plain = ({ type, name }: Value): Value => ({ type: plainType(type), name });
  const attrs = Object.entries(operation.attrs).map(([key, value]: [string, unknown]): [string, unknown] => [
    key,
    key === "type" ? plainType(value as TensorType) : value,
  ]);
  return { ...operation, operands: operation.operands.map(plain), results: operation.results.map(plain), attrs: Object.fromEntries(attrs) };
};

const plainType = ({ dtype, shape }: TensorType): TensorType => tensor(dtype, shape);

/** A function with one wrong operation, if it can be said: it parses, and is rejected for this reason alone. */
const textOf = (rejected: Operation, name: string, constraint: string): string | null => {
  const operation = spelledBySizes(rejected);
  const { names, types } = printingOf(functionOf(operation));
  const params = operation.operands.map((value) => `%${names.of(value)}: ${types.print(value.type)}`).join(", ");
  const [result] = operation.results;
  const type = result === undefined ? "" : types.print(result.type);
  const lines = [
    `func.func @${name}(${params}) -> ${type} {`,
    `  // expected-error@+1 {{${constraint}}}`,
    `  ${printOperation(operation, { names, types, locs: false })}`,
    `  return %${result === undefined ? "" : names.of(result)} : ${type}`,
    "}",
  ];
  const text = lines.join("\n").replace(/!scalar(?:_(\w+))?/g, (_, dtype?: string) => `tensor<${dtype ?? "f32"}>`);
  const read = parseModule(text);
  const errors = verify(read.module, "gradient");
  return read.diagnostics.length === 0 && errors.length === 1 && errors[0]?.constraint === constraint ? text : null;
};

/** The first text for each constraint that some wrong use violates. */
const reachable = (op: AnyOp): ReadonlyMap<string, string> => {
  const texts = new Map<string, string>();
  for (const { constraint, operation } of rejectedUses(op)) {
    if (texts.has(constraint)) continue;
    const text = textOf(operation, functionName(op, constraint), constraint);
    if (text !== null) texts.set(constraint, text);
  }
  return new Map([...texts].sort(([a], [b]) => (a < b ? -1 : 1)));
};

/** One file an op, its functions in the order of their constraints. */
const appended = (file: string, texts: ReadonlyMap<string, string>): string => {
  const before = existsSync(file) ? readFileSync(file, "utf8") : "// test: verify\n";
  return `${before}${[...texts.values()].join("\n")}\n`;
};

describe("every constraint has a text that violates it", () => {
  it.each(OPS.map((op) => [`sq.${op.mnemonic}`, op] as const))("%s", (_, op) => {
    const file = join(ROOT, "test/ir/verify", `${op.mnemonic}.ir`);
    const text = existsSync(file) ? readFileSync(file, "utf8") : "";
    const all = reachable(op);
    const missing = new Map([...all].filter(([constraint]) => !text.includes(`@${functionName(op, constraint)}(`)));
    if (BLESSING && missing.size > 0) writeFileSync(file, appended(file, missing));
    expect(all.size).toBeGreaterThan(0);
    expect(BLESSING ? [] : [...missing.keys()]).toEqual([]);
  });
});
