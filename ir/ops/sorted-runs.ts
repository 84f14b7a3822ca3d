/** @file Sorting by merging, in kernels that can only read. Each row of `keys` consists of runs that ascend, and `order` says
 *  where each key came from; merge_runs merges the runs two by two, lower_bound reads the counts off the end result.
 *
 *  Each output position finds for itself how many of the merged elements before it come from the first run: a binary search
 *  along a diagonal of the merge matrix (Green, McColl, Bader: GPU Merge Path, ICS 2012). Constraint C0: operand count. */

import * as attr from "../attrs.ts";
import type { Data, Op, TensorType, Value } from "../core.ts";
import { defineOp, violates } from "../core.ts";
import * as poly from "../poly.ts";
import { at } from "../tensor-data.ts";
import { describe, named, sameShape } from "../types.ts";
import { inferOne, inferTwo } from "./infer.ts";

const BP = named("i32", [["B", 2], ["P", 7]]);

const areLists = (lists: readonly TensorType[]): boolean =>
  lists.every((list) => list.dtype === "i32" && list.shape.length > 0 && sameShape(list, at(lists, 0)));

/** order[low … high - 1], sorted up to `middle` and from there on, as one run; of equal keys the earlier stay first. */
const mergePair = (out: Data, [keys, order]: readonly [Data, Data], [low, middle, high]: readonly [number, number, number]): void => {
  for (let i = low, j = middle, k = low; k < high; k++) {
    const first = i < middle && (j >= high || keys[i]! <= keys[j]!);
    out[k] = order[first ? i++ : j++]!;
  }
};

const lastAxis = ({ shape }: TensorType): number => at(shape, shape.length - 1);

/** merged[r…, :] = order[r…, :] where the runs 2i and 2i + 1 of `run` keys each are merged to one (the last may be shorter, or
 *  alone), stably
 *  C1  keys and order are i32 [r…, P]    C2  `run` is positive */
export const mergeRuns: Op<[keys: Value, order: Value], { readonly run: number }> = defineOp({
  mnemonic: "merge_runs",
  summary: "what the keys of sorted runs belong to, the runs merged two by two",
  operands: ["keys", "order"],
  results: ["merged"],
  attrs: { run: attr.i64 },
  infer: inferTwo((keys, order, { run }) => {
    if (!areLists([keys, order]))
      return violates("C1", `keys and order must be i32 of one shape with an axis, given ${describe(keys)} and ${describe(order)}`);
    return run > 0 ? [order] : violates("C2", `runs of ${run}`);
  }),
  evaluate: ({ operands, operandTypes, attrs: { run } }) => {
    const [keys, order] = [at(operands, 0), at(operands, 1)];
    const size = lastAxis(at(operandTypes, 0));
    const merged = new Float64Array(order.length);
    for (let end = size; end <= order.length; end += size) {
      for (let low = end - size; low < end; low += 2 * run)
        mergePair(merged, [keys, order], [low, Math.min(low + run, end), Math.min(low + 2 * run, end)]);
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
        { type: BP, elements: "index", values: [1, 3, 3, 5, 0, 2, 9, 4, 4, 4, 4, 0, 4, 7] },
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

/** y[r…, j] = number of p with keys[r…, p] < j, for j < `rows`; the keys must ascend
 *  C1  keys are i32 [r…, P]    C2  `rows` is positive */
export const lowerBound: Op<[keys: Value], { readonly rows: number }> = defineOp({
  mnemonic: "lower_bound",
  summary: "for each number below `rows`, how many of the sorted keys are smaller",
  operands: ["keys"],
  results: ["y"],
  attrs: { rows: attr.i64 },
  infer: inferOne((keys, { rows }) => {
    if (!areLists([keys])) return violates("C1", `keys must be i32 with an axis, given ${describe(keys)}`);
    if (rows <= 0) return violates("C2", `${rows} rows`);
    return [{ dtype: "i32", shape: [...keys.shape.slice(0, -1), rows], dims: [...keys.dims.slice(0, -1), poly.constant(rows)] }];
  }),
  evaluate: ({ operands, operandTypes, attrs: { rows } }) => {
    const keys = at(operands, 0);
    const size = lastAxis(at(operandTypes, 0));
    const out = new Float64Array((keys.length / size) * rows);
    for (let row = 0, o = 0; row < keys.length; row += size) {
      for (let j = 0, p = 0; j < rows; j++) {
        while (p < size && keys[row + p]! < j) p++;
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
      operands: [{ type: BP, elements: "index", values: [0, 1, 2, 3, 3, 5, 9, 0, 0, 4, 4, 4, 4, 7] }],
      attrs: { rows: 8 },
    },
  ],
});
