/** @file Sorting by merging, in kernels that can only read. `order` is a permutation of the positions of each row, in runs that are
 *  sorted by (key, position); merge_runs merges the runs two by two, lower_bound reads the counts off the end result.
 *
 *  Each output position finds for itself how many of the merged elements before it come from the first run: a binary search
 *  along a diagonal of the merge matrix (Green, McColl, Bader: GPU Merge Path, ICS 2012). Constraint C0: operand count. */

import * as attr from "../attrs.ts";
import type { Data, Op, TensorType, Value, Violation } from "../core.ts";
import { defineOp, violates } from "../core.ts";
import * as poly from "../poly.ts";
import { at } from "../tensor-data.ts";
import { describe, named, sameShape } from "../types.ts";
import { inferTwo } from "./infer.ts";

const BP = named("i32", [["B", 2], ["P", 7]]);

const notLists = (keys: TensorType, order: TensorType): Violation | null =>
  keys.dtype === "i32" && order.dtype === "i32" && keys.shape.length > 0 && sameShape(keys, order)
    ? null
    : violates("C1", `keys and order must be i32 of one shape with an axis, given ${describe(keys)} and ${describe(order)}`);

/** order[low … high - 1], where its runs of `run` are sorted, with the pairs of runs merged, equal keys in the given order. */
const mergePair = (out: Data, order: Data, key: (place: number) => number, [low, middle, high]: readonly [number, number, number]): void => {
  for (let i = low, j = middle, k = low; k < high; k++) {
    const first = i < middle && (j >= high || key(i) <= key(j));
    out[k] = order[first ? i++ : j++] ?? Number.NaN;
  }
};

/** merged[r…, p]: order[r…, :] with the runs 2i and 2i + 1 of `run` positions each merged to one (the last may be shorter, or alone)
 *  C1  keys and order are i32 [r…, P]    C2  `run` is positive */
export const mergeRuns: Op<[keys: Value, order: Value], { readonly run: number }> = defineOp({
  mnemonic: "merge_runs",
  summary: "merges neighbouring sorted runs of positions two by two, stably by key",
  operands: ["keys", "order"],
  results: ["merged"],
  attrs: { run: attr.i64 },
  infer: inferTwo((keys, order, { run }) => notLists(keys, order) ?? (run > 0 ? [order] : violates("C2", `runs of ${run}`))),
  evaluate: ({ operands, operandTypes, attrs: { run } }) => {
    const [keys, order] = [at(operands, 0), at(operands, 1)];
    const size = at(at(operandTypes, 0).shape, at(operandTypes, 0).shape.length - 1);
    const merged = new Float64Array(order.length);
    for (let row = 0; row < order.length; row += size) {
      const key = (place: number): number => keys[row + (order[place] ?? 0)] ?? Number.NaN;
      const end = row + size;
      for (let low = row; low < end; low += 2 * run) mergePair(merged, order, key, [low, Math.min(low + run, end), Math.min(low + 2 * run, end)]);
    }
    return [merged];
  },
  vjp: "inactive",
  expand: null,
  flops: () => poly.ZERO,
  examples: [
    {
      operands: [
        { type: BP, elements: "index", values: [3, 5, 1, 3, 0, 9, 2, 4, 4, 4, 4, 0, 0, 7] },
        { type: BP, elements: "index", values: [0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4, 5, 6] },
      ],
      attrs: { run: 2 },
    },
    {
      operands: [
        { type: BP, elements: "index", values: [3, 5, 1, 3, 0, 9, 2, 4, 4, 4, 4, 0, 0, 7] },
        { type: BP, elements: "index", values: [2, 0, 3, 1, 4, 6, 5, 0, 1, 2, 3, 4, 5, 6] },
      ],
      attrs: { run: 4 },
    },
    {
      operands: [
        { type: named("i32", [["P", 5]]), elements: "index", values: [2, 1, 2, 0, 0] },
        { type: named("i32", [["P", 5]]), elements: "index", values: [0, 1, 2, 3, 4] },
      ],
      attrs: { run: 1 },
    },
  ],
});

/** y[r…, j] = number of positions p with keys[r…, order[r…, p]] < j, for j < `rows`; the keys must ascend along order
 *  C1  keys and order are i32 [r…, P]    C2  `rows` is positive */
export const lowerBound: Op<[keys: Value, order: Value], { readonly rows: number }> = defineOp({
  mnemonic: "lower_bound",
  summary: "for each number below `rows`, how many of the sorted keys are smaller",
  operands: ["keys", "order"],
  results: ["y"],
  attrs: { rows: attr.i64 },
  infer: inferTwo((keys, order, { rows }) => {
    if (rows <= 0) return notLists(keys, order) ?? violates("C2", `${rows} rows`);
    const [shape, dims] = [[...keys.shape.slice(0, -1), rows], [...keys.dims.slice(0, -1), poly.constant(rows)]];
    return notLists(keys, order) ?? [{ dtype: "i32", shape, dims }];
  }),
  evaluate: ({ operands, operandTypes, attrs: { rows } }) => {
    const [keys, order] = [at(operands, 0), at(operands, 1)];
    const size = at(at(operandTypes, 0).shape, at(operandTypes, 0).shape.length - 1);
    const out = new Float64Array((keys.length / size) * rows);
    for (let row = 0, o = 0; row < keys.length; row += size) {
      const sorted = order.subarray(row, row + size).map((p) => keys[row + p] ?? Number.NaN);
      for (let j = 0, p = 0; j < rows; j++) {
        while (p < size && (sorted[p] ?? Number.NaN) < j) p++;
        out[o++] = p;
      }
    }
    return [out];
  },
  vjp: "inactive",
  expand: null,
  flops: () => poly.ZERO,
  examples: [
    {
      operands: [
        { type: BP, elements: "index", values: [3, 5, 1, 3, 0, 9, 2, 4, 4, 4, 4, 0, 0, 7] },
        { type: BP, elements: "index", values: [4, 2, 6, 0, 3, 1, 5, 4, 5, 0, 1, 2, 3, 6] },
      ],
      attrs: { rows: 8 },
    },
  ],
});
