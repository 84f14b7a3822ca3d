/** @file What a model costs: FLOPs and bytes by kind of operation, as polynomials in its dimensions and as numbers.
 *  Forward is the `loss` function; backward is what `grad` does beyond it; the optimizer what `step` does beyond `grad`. */

import type { Func, Module } from "../../ir/core.ts";
import { costOfFunc } from "../../ir/cost.ts";
import type { FuncCost, KindCost } from "../../ir/cost.ts";
import * as poly from "../../ir/poly.ts";
import type { Poly } from "../../ir/poly.ts";
import { short, table } from "./table.ts";

export interface CostLine {
  /** Mnemonic, or "total". */
  readonly op: string;
  readonly count: number;
  /** Polynomial in the model's dimensions, canonical text, and its value at their sizes. */
  readonly flops: string;
  readonly flopsValue: number;
  readonly bytes: string;
  readonly bytesValue: number;
}

export interface CostSection {
  readonly part: "forward" | "backward" | "optimizer";
  readonly lines: readonly CostLine[];
  readonly total: CostLine;
}

export interface CostReport {
  readonly dims: Readonly<Record<string, number>>;
  readonly sections: readonly CostSection[];
}

const NOTHING: FuncCost = { flops: poly.ZERO, bytes: poly.ZERO, byOp: new Map() };

/** The cost of a differentiated module (before decomposition). */
export const costReport = (module: Module): CostReport => {
  const cost = (name: string): FuncCost | null => {
    const func = module.funcs.find((candidate: Func) => candidate.name === name);
    return func === undefined ? null : costOfFunc(func);
  };
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
  };
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
    return count === 0 && flops.terms.size === 0 && bytes.terms.size === 0 ? [] : [lineOf(op, count, flops, bytes, dims)];
  });
  lines.sort((a, b) => b.flopsValue - a.flopsValue || b.bytesValue - a.bytesValue || (a.op < b.op ? -1 : 1));
  const count = lines.reduce((sum, line) => sum + line.count, 0);
  const total = lineOf("total", count, poly.sub(whole.flops, before.flops), poly.sub(whole.bytes, before.bytes), dims);
  return { part, lines, total };
};

const minus = (a: KindCost | undefined, b: KindCost | undefined, key: "flops" | "bytes"): Poly =>
  poly.sub(a?.[key] ?? poly.ZERO, b?.[key] ?? poly.ZERO);

const lineOf = (op: string, count: number, flops: Poly, bytes: Poly, dims: ReadonlyMap<string, number>): CostLine => ({
  op,
  count,
  flops: poly.print(flops),
  flopsValue: poly.evaluate(flops, dims),
  bytes: poly.print(bytes),
  bytesValue: poly.evaluate(bytes, dims),
});

const TITLES = { forward: "forward (loss)", backward: "backward (grad beyond loss)", optimizer: "optimizer (step beyond grad)" };

export const printCost = (report: CostReport): string => {
  const dims = Object.entries(report.dims).map(([name, size]) => `${name}=${size}`).join(" ");
  const sections = report.sections.map(({ part, lines, total }) => {
    const numbers = table(
      [{ title: "op" }, { title: "count", align: "right" }, { title: "FLOPs", align: "right" }, { title: "bytes", align: "right" }],
      [...lines, total].map((line) => [line.op, String(line.count), short(line.flopsValue), short(line.bytesValue)]),
    );
    const formulas = [...lines, total].flatMap((line) => [`  ${line.op}`, `    FLOPs ${line.flops}`, `    bytes ${line.bytes}`]);
    return `${TITLES[part]}\n\n${numbers}\n${formulas.join("\n")}\n`;
  });
  return `dims: ${dims}\n\n${sections.join("\n")}`;
};
