/** @file The kept set by keys: slots are lists of keys by query, gradients of keys and values need the lists of queries by key. The same
 *  as turning a sparse matrix from rows to columns (CSR to CSC), in time linear in the slots but for logarithms.
 *  Constraint C0: operand count. */

import * as attr from "../attrs.ts";
import type { Builder } from "../builder.ts";
import type { Op, TensorType, Value } from "../core.ts";
import { defineOp, violates } from "../core.ts";
import * as poly from "../poly.ts";
import { at } from "../tensor-data.ts";
import { describe, named, tensor} from "../types.ts";
import { iota } from "./constant.ts";
import { full, zeros } from "./helpers.ts";
import { inferOne } from "./infer.ts";
import { compare, select } from "./logic.ts";
import { reshape } from "./shape.ts";
import { lowerBound, mergeRuns } from "./sorted-runs.ts";
import { takeAlong } from "./take.ts";

interface KeptAttrs {
  /** Key heads. */
  readonly groups: number;
  /** Keys of a head. */
  readonly keys: number;
}

/** i32 [B, G, P]: the slots of a key head's query heads, in one row of P = (H / G) N S positions. */
const positionsOf = (kept: TensorType, groups: number): TensorType => {
  const [batch = 1, heads = 1, queries = 1, slots = 1] = kept.shape;
  const count = (heads / groups) * queries * slots;
  const [dB = poly.ONE, dH = poly.ONE, ...rest] = kept.dims;
  const single = groups === heads;
  const spelled = single ? poly.mul(...rest) : poly.scale(poly.mul(dH, ...rest), 1 / groups);
  const whole = [...spelled.terms.values()].every(Number.isInteger);
  return tensor("i32", [batch, groups, count], [dB, single ? dH : poly.constant(groups), whole ? spelled : poly.constant(count)]);
};

const startsOf = ({ shape: [batch = 1, groups = 1], dims }: TensorType, keys: number): TensorType =>
  tensor("i32", [batch, groups, keys + 1], [at(dims, 0), at(dims, 1), poly.constant(keys + 1)]);

/** Counting sort of each row of positions by key; -1 counts as a key after all others. */
const sortByKey = (kept: Float64Array, count: number, keys: number): readonly [starts: Float64Array, entries: Float64Array] => {
  const rows = kept.length / count;
  const [starts, entries] = [new Float64Array(rows * (keys + 1)), new Float64Array(kept.length)];
  for (let row = 0; row < rows; row++) {
    const own = kept.subarray(row * count, (row + 1) * count).map((key) => (key < 0 ? keys : key));
    const next = new Float64Array(keys + 2);
    for (const key of own) {
      if (key > keys) throw new RangeError(`key ${key} of ${keys}`);
      next[key + 1]! += 1;
    }
    for (let key = 0; key <= keys; key++) next[key + 1]! += next[key]!;
    starts.set(next.subarray(0, keys + 1), row * (keys + 1));
    own.forEach((key, position) => (entries[row * count + next[key]!++] = position));
  }
  return [starts, entries];
};

/** Slots of a query ascend, so they are sorted runs to begin with; every kernel doubles the length of the runs. */
const mergeSort = (b: Builder, kept: Value, { groups, keys }: KeptAttrs): readonly [Value, Value] => {
  const type = positionsOf(kept.type, groups);
  const flat = b.one(reshape, [kept], { type });
  const empties = b.one(compare, [flat, zeros(b, type)], { direction: "lt" });
  const key = b.one(select, [empties, full(b, keys, type), flat], {}, "key");
  let [sorted, order] = [key, b.one(iota, [], { axis: 2, type })];
  for (let run = at(kept.type.shape, 3); run < at(type.shape, 2); run *= 2) {
    order = b.one(mergeRuns, [sorted, order], { run }, `runs_of_${Math.min(2 * run, at(type.shape, 2))}`);
    sorted = b.one(takeAlong, [key, order], {}, "sorted");
  }
  return [b.one(lowerBound, [sorted], { rows: keys + 1 }), order];
};

/** entries[b, g, :] = the positions p of kept[b, heads of g, :, :] read in row-major order, sorted by (kept[p], p), empty slots
 *  (-1) last; those that keep key j are entries[b, g, starts[j] … starts[j + 1] - 1]. Rows of kept must ascend, -1 at the end.
 *  C1  kept is i32 [B, H, N, S]    C2  `groups` is positive and divides H    C3  `keys` is positive */
export const transposeKept: Op<[kept: Value], KeptAttrs> = defineOp({
  mnemonic: "transpose_kept",
  summary: "the slots that keep each key: starts of its list, and the lists",
  operands: ["kept"],
  results: ["starts", "entries"],
  attrs: { groups: attr.i64, keys: attr.i64 },
  infer: inferOne((kept, { groups, keys }) => {
    if (kept.dtype !== "i32" || kept.shape.length !== 4) return violates("C1", `slots must be i32 [B, H, N, S], given ${describe(kept)}`);
    if (!(groups > 0 && at(kept.shape, 1) % groups === 0)) return violates("C2", `${groups} key heads for ${at(kept.shape, 1)} heads`);
    if (keys <= 0) return violates("C3", `${keys} keys`);
    const entries = positionsOf(kept, groups);
    return [startsOf(entries, keys), entries];
  }),
  evaluate: ({ operands, resultTypes, attrs: { keys } }) => sortByKey(at(operands, 0), at(at(resultTypes, 1).shape, 2), keys),
  vjp: "inactive",
  expand: (b, [kept], attrs) => mergeSort(b, kept, attrs),
  flops: () => poly.ZERO,
  examples: [
    {
      operands: [
        {
          type: named("i32", [["B", 1], ["H", 4], ["N", 3], ["S", 2]]),
          elements: "index",
          values: [0, 3, 1, -1, 0, 2, 2, 3, -1, -1, 0, 1, 1, 3, 0, 3, -1, -1, 2, 3, 2, -1, 0, 2],
        },
      ],
      attrs: { groups: 2, keys: 4 },
    },
    {
      operands: [
        {
          type: named("i32", [["B", 2], ["H", 1], ["N", 5], ["S", 3]]),
          elements: "index",
          values: [0, 1, 2, 0, 1, 3, 1, 2, -1, 0, 3, 4, 4, -1, -1, 2, 3, 4, -1, -1, -1, 0, 4, -1, 0, 1, 2, 1, 2, 3],
        },
      ],
      attrs: { groups: 1, keys: 5 },
    },
  ],
});
