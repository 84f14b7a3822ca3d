/** @file What a model costs: FLOPs and bytes by kind of operation, as polynomials in its dimensions and as numbers.
 *  Forward is the `loss` function; backward is what `grad` does beyond it; the optimizer what `step` does beyond `grad`. */

import type { Module, Operation } from "../../ir/core.ts";
import { costOf, costOfFunc } from "../../ir/cost.ts";
import type { Cost, FuncCost, KindCost } from "../../ir/cost.ts";
import * as poly from "../../ir/poly.ts";
import type { Poly } from "../../ir/poly.ts";
import { short, table } from "./table.ts";

/** FLOPs, and bytes that one kernel an operation would read and write: polynomials in the model's dimensions, in the text
 *  that `poly.parse` reads, and their values at the sizes the model was compiled for. */
export interface Costs {
  readonly flops: string;
  readonly flopsValue: number;
  readonly bytes: string;
  readonly bytesValue: number;
}

export interface CostLine extends Costs {
  /** Mnemonic, or "total". */
  readonly op: string;
  /** How many there are; negative for operations of the part before that this one does without. */
  readonly count: number;
}

/** One operation of a function, in program order. */
export interface OperationLine extends Costs {
  readonly op: string;
  /** Its first result, and that one's shape. */
  readonly result: string;
  readonly shape: string;
  /** Where in the model: `Block.0.SelfAttention`. */
  readonly path: string;
}

export interface FunctionLine extends Costs {
  readonly name: string;
  /** Only where every operation was asked for. */
  readonly operations?: readonly OperationLine[];
}

export interface CostOptions {
  /** List every operation. */
  readonly each?: boolean;
  /** Only these functions in `functions`. */
  readonly entries?: readonly string[];
}

export interface CostSection {
  readonly part: "forward" | "backward" | "optimizer";
  readonly lines: readonly CostLine[];
  readonly total: CostLine;
}

export interface CostReport {
  readonly dims: Readonly<Record<string, number>>;
  readonly sections: readonly CostSection[];
  /** Whole functions: the counts the interpreter takes when it runs them. */
  readonly functions: readonly FunctionLine[];
}

const NOTHING: FuncCost = { flops: poly.ZERO, bytes: poly.ZERO, byOp: new Map() };

/** The cost of a differentiated module (before decomposition). */
export const costReport = (module: Module, { each = false, entries }: CostOptions = {}): CostReport => {
  const costs = new Map(module.funcs.map((func) => [func.name, costOfFunc(func)]));
  const cost = (name: string): FuncCost | null => costs.get(name) ?? null;
  const forward = cost("train_loss") ?? cost("loss") ?? cost("forward");
  const [grad, step] = [cost("grad"), cost("step")];
  const section = (part: CostSection["part"], whole: FuncCost, before: FuncCost): CostSection =>
    sectionOf(part, whole, before, module.dims);
  return {
    dims: Object.fromEntries(module.dims),
    sections: [
      ...(forward === null ? [] : [section("forward", forward, NOTHING)]),
      ...(forward === null || grad === null ? [] : [section("backward", grad, forward)]),
      ...(grad === null || step === null ? [] : [section("optimizer", step, grad)]),
    ],
    functions: module.funcs
      .filter(({ name }) => entries === undefined || entries.includes(name))
      .map(({ name, ops }) => ({
        name,
        ...costsOf(cost(name) ?? NOTHING, module.dims),
        ...(each ? { operations: ops.map((operation) => operationLine(operation, module.dims)) } : {}),
      })),
  };
};

const operationLine = (operation: Operation, dims: ReadonlyMap<string, number>): OperationLine => {
  const [result] = operation.results;
  const shape = (result?.type.dims ?? []).map((dim) => poly.print(dim)).join(", ");
  return { op: operation.op.mnemonic, result: result?.name ?? "", shape: `[${shape}]`, path: operation.path, ...costsOf(costOf(operation), dims) };
};

const sectionOf = (
  part: CostSection["part"],
  whole: FuncCost,
  before: FuncCost,
  dims: ReadonlyMap<string, number>,
): CostSection => {
  const kinds = new Set([...whole.byOp.keys(), ...before.byOp.keys()]);
  const lines = [...kinds].flatMap((op): CostLine[] => {
    const [a, b] = [whole.byOp.get(op), before.byOp.get(op)];
    const count = (a?.count ?? 0) - (b?.count ?? 0);
    const [flops, bytes] = [minus(a, b, "flops"), minus(a, b, "bytes")];
    return count === 0 && flops.terms.size === 0 && bytes.terms.size === 0 ? [] : [{ op, count, ...costsOf({ flops, bytes }, dims) }];
  });
  lines.sort((a, b) => b.flopsValue - a.flopsValue || b.bytesValue - a.bytesValue || (a.op < b.op ? -1 : 1));
  const count = lines.reduce((sum, line) => sum + line.count, 0);
  const total = { op: "total", count, ...costsOf({ flops: poly.sub(whole.flops, before.flops), bytes: poly.sub(whole.bytes, before.bytes) }, dims) };
  return { part, lines, total };
};

const minus = (a: KindCost | undefined, b: KindCost | undefined, key: "flops" | "bytes"): Poly =>
  poly.sub(a?.[key] ?? poly.ZERO, b?.[key] ?? poly.ZERO);

const costsOf = ({ flops, bytes }: Cost, dims: ReadonlyMap<string, number>): Costs => ({
  flops: poly.print(flops),
  flopsValue: poly.evaluate(flops, dims),
  bytes: poly.print(bytes),
  bytesValue: poly.evaluate(bytes, dims),
});

const TITLES = { forward: "forward (loss)", backward: "backward (grad beyond loss)", optimizer: "optimizer (step beyond grad)" };

const right = "right" as const;

export const printCost = (report: CostReport): string => {
  const dims = Object.entries(report.dims).map(([name, size]) => `${name}=${size}`).join(" ");
  const sections = report.sections.map(({ part, lines, total }) => {
    const numbers = table(
      [{ title: "op" }, { title: "count", align: right }, { title: "FLOPs", align: right }, { title: "bytes", align: right }],
      [...lines, total].map((line) => [line.op, String(line.count), short(line.flopsValue), short(line.bytesValue)]),
    );
    const formulas = [...lines, total].flatMap((line) => [`  ${line.op}`, `    FLOPs ${line.flops}`, `    bytes ${line.bytes}`]);
    return `${TITLES[part]}\n\n${numbers}\n${formulas.join("\n")}\n`;
  });
  return `dims: ${dims}\n\n${[...sections, printFunctions(report.functions)].join("\n")}`;
};

/** A line a function; with every operation, a table of each function's. */
const printFunctions = (functions: readonly FunctionLine[]): string => {
  const columns = [{ title: "FLOPs", align: right }, { title: "bytes", align: right }, { title: "FLOPs as formula" }, { title: "bytes as formula" }];
  const numbers = (line: Costs): string[] => [short(line.flopsValue), short(line.bytesValue), line.flops, line.bytes];
  const whole = table([{ title: "function" }, ...columns], functions.map((line) => [line.name, ...numbers(line)]));
  const each = functions.flatMap(({ name, operations }) => {
    if (operations === undefined) return [];
    const rows = operations.map((line) => [line.op, line.result === "" ? "" : `%${line.result}`, line.shape, line.path, ...numbers(line)]);
    return [`\n${name}, every operation\n\n${table([{ title: "op" }, { title: "result" }, { title: "shape" }, { title: "in" }, ...columns], rows)}`];
  });
  return `whole functions\n\n${whole}${each.join("")}`;
};
