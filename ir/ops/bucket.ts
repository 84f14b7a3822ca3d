/** @file What scatter_add becomes in kernels, which can only read: a linked list of the updates of each row, built by
 *  bucket_heads and bucket_next and summed by bucket_sum. Constraint C0: operand count. */

import * as attr from "../attrs.ts";
import type { Builder } from "../builder.ts";
import type { Op, Value } from "../core.ts";
import { defineOp, violates } from "../core.ts";
import * as poly from "../poly.ts";
import { at, empty } from "../tensor-data.ts";
import { describe, named, tensor, volume } from "../types.ts";
import { einsum } from "./contract.ts";
import { iota } from "./constant.ts";
import { inferOne, inferThree } from "./infer.ts";
import type { NoAttrs } from "./infer.ts";
import { compare, convert } from "./logic.ts";

const n = named("i32", [["T", 6]]);

/** heads[i] = smallest t with ids[t] = i, else -1   C1  ids are i32 [n]    C2  `rows` is positive */
export const bucketHeads: Op<[ids: Value], { readonly rows: number }> = defineOp({
  mnemonic: "bucket_heads",
  summary: "for each row, the first position with that index; -1 where there is none",
  operands: ["ids"],
  results: ["heads"],
  attrs: { rows: attr.i64 },
  infer: inferOne((ids, { rows }) => {
    if (ids.dtype !== "i32" || ids.shape.length !== 1) return violates("C1", `takes i32 [n], given ${describe(ids)}`);
    return rows > 0 ? [tensor("i32", [rows])] : violates("C2", `${rows} rows`);
  }),
  evaluate: ({ operands, attrs: { rows } }) => {
    const heads = new Float64Array(rows).fill(-1);
    at(operands, 0).forEach((id, t) => {
      if (heads[id] === -1) heads[id] = t;
    });
    return [heads];
  },
  vjp: "inactive",
  expand: null,
  flops: () => poly.ZERO,
  examples: [{ operands: [{ type: n, elements: "index", below: 5 }], attrs: { rows: 5 } }],
});

/** next[t] = smallest u > t with ids[u] = ids[t], else -1   C1  ids are i32 [n] */
export const bucketNext: Op<[ids: Value], NoAttrs> = defineOp({
  mnemonic: "bucket_next",
  summary: "for each position, the next one with the same index; -1 at the last",
  operands: ["ids"],
  results: ["next"],
  attrs: {},
  infer: inferOne((ids) =>
    ids.dtype === "i32" && ids.shape.length === 1 ? [ids] : violates("C1", `takes i32 [n], given ${describe(ids)}`),
  ),
  evaluate: ({ operands }) => {
    const ids = at(operands, 0);
    const next = new Float64Array(ids.length).fill(-1);
    const seen = new Map<number, number>();
    for (let t = ids.length - 1; t >= 0; t--) {
      const id = ids[t] ?? Number.NaN;
      next[t] = seen.get(id) ?? -1;
      seen.set(id, t);
    }
    return [next];
  },
  vjp: "inactive",
  expand: null,
  flops: () => poly.ZERO,
  examples: [{ operands: [{ type: n, elements: "index", below: 5 }], attrs: {} }],
});

/** Membership m[i, t] = 1 where t is on list i: the lists' sum of the rows of the identity.  d updates = m^T ct.
 *  Quadratic, and never on a training path, where differentiation comes before the lists. */
const bucketSumTransposed = (b: Builder, heads: Value, next: Value, updates: Value, ct: Value): Value => {
  const [positions, dim] = [at(updates.type.shape, 0), at(updates.type.dims, 0)];
  const square = tensor("i32", [positions, positions], [dim, dim]);
  const [row, column] = [b.one(iota, [], { axis: 0, type: square }), b.one(iota, [], { axis: 1, type: square })];
  const identity = b.one(convert, [b.one(compare, [row, column], { direction: "eq" })], { to: "f32" });
  return b.one(einsum, [b.one(bucketSum, [heads, next, identity], {}), ct], { spec: "i t, i r -> t r" });
};

/** y[i, r] = sum of updates[t, r] over the list t = heads[i], next[t], next[next[t]], … until -1 (n steps at most)
 *  C1  heads and next are i32 [N] and i32 [n]    C2  updates are f32 [n, r] */
export const bucketSum: Op<[heads: Value, next: Value, updates: Value], NoAttrs> = defineOp({
  mnemonic: "bucket_sum",
  summary: "for each row, the sum of updates along its list",
  operands: ["heads", "next", "updates"],
  results: ["y"],
  attrs: {},
  infer: inferThree((heads, next, updates) => {
    const lists = [heads, next].every((list) => list.dtype === "i32" && list.shape.length === 1);
    if (!lists) return violates("C1", `takes i32 [N] and i32 [n], given ${describe(heads)} and ${describe(next)}`);
    const [rows, width] = updates.shape;
    if (updates.dtype !== "f32" || updates.shape.length !== 2 || rows !== next.shape[0] || width === undefined)
      return violates("C2", `updates ${describe(updates)} for positions ${describe(next)}`);
    return [tensor("f32", [at(heads.shape, 0), width], [at(heads.dims, 0), at(updates.dims, 1)])];
  }),
  evaluate: ({ operands, resultTypes, tally }) => {
    const [heads, next, updates] = [at(operands, 0), at(operands, 1), at(operands, 2)];
    const type = at(resultTypes, 0);
    const width = at(type.shape, 1);
    const out = empty(type);
    heads.forEach((head, i) => {
      for (let t = head, steps = 0; t >= 0 && steps < next.length; t = next[t] ?? -1, steps++) {
        for (let j = 0; j < width; j++) out[i * width + j]! += updates[t * width + j]!;
        tally.flops += width;
      }
    });
    return [out];
  },
  vjp: ({ b, cotangents: [ct], operands: [heads, next, updates], wanted }) => [
    null,
    null,
    ct && wanted[2] ? bucketSumTransposed(b, heads, next, updates, ct) : null,
  ],
  expand: null,
  flops: ({ operandTypes: [, , updates] }) => (updates ? volume(updates) : poly.ZERO),
  examples: [
    {
      operands: [
        { type: named("i32", [["N", 4]]), elements: "index", values: [2, -1, 0, 1] },
        { type: n, elements: "index", values: [3, -1, 5, 4, -1, -1] },
        { type: named("f32", [["T", 6], ["D", 2]]), elements: "normal" },
      ],
      attrs: {},
    },
  ],
});
