/** @file Constraints of the kernel-stage ops: each label is violated by a line of the table, and types prefer names. */

import { describe, expect, it } from "vitest";
import type { AnyOp, TensorType } from "../../ir/core.ts";
import { isViolation } from "../../ir/core.ts";
import * as ops from "../../ir/ops/index.ts";
import { named, tensor } from "../../ir/types.ts";

const x = named("f32", [["T", 3], ["D", 4]]);
const int = tensor("i32", [3, 4]);
const bool = tensor("i1", [3, 4]);
const ids = tensor("i32", [6]);
const wide = tensor("f32", [3, 5]);
const key = tensor("i32", [4]);
const start = tensor("i32", []);
const slots = tensor("i32", [2, 4, 3, 2]);
const rows = tensor("f32", [2, 2, 5, 3]);
const huge = tensor("f32", [5000, 2 ** 13, 2 ** 12]);

type Refusal = readonly [constraint: string, op: AnyOp, operands: readonly TensorType[], attrs: object];

const REFUSALS: readonly Refusal[] = [
  ["C0", ops.constant, [x], { value: 0, type: x }],
  ["C1", ops.constant, [], { value: 0.5, type: ids }],
  ["C1", ops.constant, [], { value: 2, type: bool }],
  ["C0", ops.iota, [x], { axis: 0, type: x }],
  ["C1", ops.iota, [], { axis: 2, type: x }],
  ["C2", ops.iota, [], { axis: 0, type: bool }],
  ["C0", ops.not, [], {}],
  ["C1", ops.not, [x], {}],
  ["C0", ops.compare, [x], { direction: "eq" }],
  ["C1", ops.compare, [bool, bool], { direction: "eq" }],
  ["C2", ops.compare, [x, int], { direction: "eq" }],
  ["C0", ops.select, [bool, x], {}],
  ["C1", ops.select, [x, x, x], {}],
  ["C2", ops.select, [bool, wide, wide], {}],
  ["C3", ops.select, [bool, x, int], {}],
  ["C0", ops.convert, [], { to: "i32" }],
  ["C1", ops.convert, [x], { to: "i1" }],
  ...[ops.reduceSum, ops.reduceMax].flatMap((op): readonly Refusal[] => [
    ["C0", op, [], { axes: [] }],
    ["C1", op, [bool], { axes: [0] }],
    ["C2", op, [x], { axes: [2] }],
    ["C2", op, [x], { axes: [1, 0] }],
    ["C2", op, [x], { axes: [0, 0] }],
  ]),
  ["C0", ops.broadcast, [], { axes: [], type: x }],
  ["C1", ops.broadcast, [ids], { axes: [], type: ids }],
  ["C2", ops.broadcast, [ids], { axes: [2], type: int }],
  ["C3", ops.broadcast, [tensor("i32", [4])], { axes: [1], type: x }],
  ["C3", ops.broadcast, [tensor("f32", [4])], { axes: [0], type: x }],
  ["C0", ops.reshape, [x, x], { type: x }],
  ["C1", ops.reshape, [x], { type: wide }],
  ["C1", ops.reshape, [x], { type: int }],
  ["C0", ops.transpose, [], { perm: [] }],
  ["C1", ops.transpose, [x], { perm: [0, 0] }],
  ["C1", ops.transpose, [x], { perm: [0] }],
  ["C0", ops.slice, [], { starts: [], limits: [] }],
  ["C1", ops.slice, [x], { starts: [0], limits: [3, 4] }],
  ["C2", ops.slice, [x], { starts: [0, 0], limits: [3, 5] }],
  ["C2", ops.slice, [x], { starts: [-1, 0], limits: [3, 4] }],
  ["C2", ops.slice, [x], { starts: [2, 0], limits: [2, 4] }],
  ["C0", ops.pad, [], { low: [], high: [] }],
  ["C1", ops.pad, [x], { low: [0, 0], high: [0] }],
  ["C2", ops.pad, [x], { low: [0, -1], high: [0, 0] }],
  ["C1", ops.concat, [], { axis: 0 }],
  ["C2", ops.concat, [x], { axis: 2 }],
  ["C3", ops.concat, [x, wide], { axis: 0 }],
  ["C3", ops.concat, [x, int], { axis: 0 }],
  ["C0", ops.gather, [x], {}],
  ["C1", ops.gather, [x, x], {}],
  ["C2", ops.gather, [tensor("f32", []), ids], {}],
  ["C0", ops.scatterAdd, [ids], { type: x }],
  ["C1", ops.scatterAdd, [x, x], { type: x }],
  ["C2", ops.scatterAdd, [ids, x], { type: x }],
  ["C3", ops.scatterAdd, [ids, tensor("f32", [6, 5])], { type: x }],
  ["C0", ops.bucketHeads, [], { rows: 3 }],
  ["C1", ops.bucketHeads, [int], { rows: 3 }],
  ["C2", ops.bucketHeads, [ids], { rows: 0 }],
  ["C0", ops.bucketNext, [], {}],
  ["C1", ops.bucketNext, [x], {}],
  ["C0", ops.bucketSum, [ids, ids], {}],
  ["C1", ops.bucketSum, [int, ids, x], {}],
  ["C2", ops.bucketSum, [ids, ids, x], {}],
  ["C0", ops.takeRows, [rows], {}],
  ["C1", ops.takeRows, [rows, ids], {}],
  ["C2", ops.takeRows, [x, slots], {}],
  ["C2", ops.takeRows, [tensor("f32", [1, 2, 5, 3]), slots], {}],
  ["C3", ops.takeRows, [tensor("f32", [2, 3, 5, 3]), slots], {}],
  ["C0", ops.takeAlong, [x], {}],
  ["C1", ops.takeAlong, [x, x], {}],
  ["C1", ops.takeAlong, [x, tensor("i32", [])], {}],
  ["C2", ops.takeAlong, [x, ids], {}],
  ["C0", ops.mergeRuns, [int], { run: 1 }],
  ["C1", ops.mergeRuns, [int, ids], { run: 1 }],
  ["C1", ops.mergeRuns, [x, int], { run: 1 }],
  ["C2", ops.mergeRuns, [int, int], { run: 0 }],
  ["C0", ops.lowerBound, [int, int], { rows: 1 }],
  ["C1", ops.lowerBound, [x], { rows: 1 }],
  ["C2", ops.lowerBound, [int], { rows: 0 }],
  ["C0", ops.segmentSum, [int, int], {}],
  ["C1", ops.segmentSum, [tensor("i32", [2, 3, 1]), tensor("i32", [2, 3, 5]), tensor("f32", [2, 3, 5, 1])], {}],
  ["C1", ops.segmentSum, [tensor("i32", [2, 3, 4]), tensor("i32", [2, 2, 5]), tensor("f32", [2, 2, 5, 1])], {}],
  ["C2", ops.segmentSum, [tensor("i32", [2, 3, 4]), tensor("i32", [2, 3, 5]), tensor("f32", [2, 3, 4, 1])], {}],
  ["C0", ops.einsum, [x], { spec: "a, b -> a b" }],
  ["C1", ops.einsum, [x, x], { spec: "a b, b c" }],
  ["C2", ops.einsum, [x, x], { spec: "a a, b c -> b c" }],
  ["C3", ops.einsum, [x, x], { spec: "a b, c d -> a c d" }],
  ["C3", ops.einsum, [x, x], { spec: "a b, a b -> z" }],
  ["C4", ops.einsum, [x, x], { spec: "a, b -> a b" }],
  ["C5", ops.einsum, [x, x], { spec: "a b, b c -> a c" }],
  ["C6", ops.einsum, [x, int], { spec: "a b, a b -> a" }],
  ["C0", ops.randomUniform, [], { site: 0, type: x }],
  ["C1", ops.randomUniform, [ids], { site: 0, type: x }],
  ["C2", ops.randomUniform, [key], { site: 4096, type: x }],
  ["C3", ops.randomUniform, [key], { site: 0, type: int }],
  ["C3", ops.randomUniform, [key], { site: 0, type: huge }],
  ...[ops.monomials, ops.monomialProducts].flatMap((op): readonly Refusal[] => [
    ["C0", op, [x], { width: 3, degree: 2 }],
    ["C1", op, [], { width: 0, degree: 2 }],
    ["C1", op, [], { width: 3, degree: 0 }],
    ["C1", op, [], { width: 3, degree: 8 }],
    ["C1", op, [], { width: 128, degree: 4 }],
  ]),
  ["C0", ops.monomialWeights, [x], { width: 3, coefficients: [1] }],
  ["C1", ops.monomialWeights, [], { width: 3, coefficients: [] }],
  ["C1", ops.monomialWeights, [], { width: 3, coefficients: [1, Number.NaN] }],
  ["C0", ops.barrier, [], {}],
  ["C0", ops.dynamicSlice, [x], { axis: 0, size: 2 }],
  ["C1", ops.dynamicSlice, [x, start], { axis: 2, size: 2 }],
  ["C2", ops.dynamicSlice, [x, start], { axis: 0, size: 4 }],
  ["C3", ops.dynamicSlice, [x, ids], { axis: 0, size: 2 }],
  ["C1", ops.dynamicUpdateSlice, [x, wide, start], { axis: 2 }],
  ["C2", ops.dynamicUpdateSlice, [x, wide, start], { axis: 0 }],
  ["C3", ops.dynamicUpdateSlice, [x, x, ids], { axis: 0 }],
  ["C1", ops.randomAt, [ids, int, int], { site: 0 }],
  ["C2", ops.randomAt, [key, int, int], { site: 2 ** 12 }],
  ["C3", ops.randomAt, [key, int, x], { site: 0 }],
  ["C1", ops.systematic, [int, x, start], { slots: 2, width: 2 }],
  ["C2", ops.systematic, [x, x, x], { slots: 2, width: 2 }],
  ["C3", ops.systematic, [x, wide, tensor("f32", [3])], { slots: 0, width: 2 }],
  ["C4", ops.systematic, [x, wide, tensor("f32", [3])], { slots: 2, width: 2 }],
];

/** Ops whose constraints follow one scheme: C0 operand count, C1 dtype, and C2 agreement where there are two operands. */
const ELEMENTWISE = ops.OPS.filter((op) => op.expand === null && Object.keys(op.attrs).length === 0)
  .filter((op) => op.operands.join() === "x" || op.operands.join() === "a,b");

const KERNEL_OPS = ops.OPS.filter((op) => op.expand === null);

it.each(REFUSALS.map(([label, op, types, attrs]) => [op.mnemonic, label, { op, types, attrs }] as const))(
  "%s refuses by %s",
  (_, constraint, { op, types, attrs }) => expect(op.infer(types, attrs)).toMatchObject({ constraint }),
);

it.each(ELEMENTWISE.map((op) => [op.mnemonic, op] as const))("%s refuses wrong counts, dtypes and pairs", (_, op) => {
  const { type } = op.examples[0]!.operands[0]!;
  const odd = type.dtype === "i1" ? { ...type, dtype: "f32" as const } : { ...type, dtype: "i1" as const };
  const all = (t: TensorType): readonly TensorType[] => op.operands.map(() => t);
  expect(op.infer([], {})).toMatchObject({ constraint: "C0" });
  expect(op.infer([type, type, type], {})).toMatchObject({ constraint: "C0" });
  expect(op.infer(all(odd), {})).toMatchObject({ constraint: "C1" });
  if (op.operands.length === 2)
    expect(op.infer([type, tensor(type.dtype, [2])], {})).toMatchObject({ constraint: "C2" });
});

it("every kernel-stage op is refused something", () => {
  const covered = new Set([...REFUSALS.map(([, op]) => op.mnemonic), ...ELEMENTWISE.map((op) => op.mnemonic)]);
  expect(KERNEL_OPS.filter((op) => !covered.has(op.mnemonic)).map((op) => op.mnemonic)).toEqual([]);
});

it("every example is accepted", () => {
  for (const op of ops.OPS)
    for (const { operands, attrs } of op.examples) {
      const types = op.infer(operands.map(({ type }: { type: TensorType }) => type), attrs);
      expect(isViolation(types) ? `${op.mnemonic}: ${types.message}` : "").toBe("");
    }
});

describe("names of dimensions", () => {
  const plain = tensor("f32", [3, 4]);

  it("are preferred to numbers, from whichever operand has them", () => {
    expect(ops.add.infer([plain, x], {})).toEqual([x]);
    expect(ops.select.infer([bool, plain, x], {})).toEqual([x]);
    expect(ops.einsum.infer([plain, x], { spec: "t d, t d -> t d" })).toEqual([x]);
  });

  it("are kept by what moves data", () => {
    expect(ops.transpose.infer([x], { perm: [1, 0] })).toEqual([named("f32", [["D", 4], ["T", 3]])]);
    expect(ops.slice.infer([x], { starts: [0, 1], limits: [3, 3] })).toMatchObject([{ shape: [3, 2], dims: [x.dims[0], {}] }]);
    expect(ops.gather.infer([x, named("i32", [["B", 2]])], {})).toEqual([named("f32", [["B", 2], ["D", 4]])]);
  });
});
