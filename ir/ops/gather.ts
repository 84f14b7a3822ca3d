/** @file Rows by index: gather, its transpose scatter_add, and the three ops that scatter_add becomes in kernels, which can
 *  only read: linked lists of the updates of each row, built by bucket_heads and bucket_next and summed by bucket_sum.
 *  An index outside the table is an error of the caller; reference evaluation throws. Constraint C0: operand count. */

import * as attr from "../attrs.ts";
import type { Builder } from "../builder.ts";
import type { Op, TensorType, Value } from "../core.ts";
import { defineOp, violates } from "../core.ts";
import * as poly from "../poly.ts";
import { at, empty } from "../tensor-data.ts";
import { describe, elements, named, sameShape, tensor, volume } from "../types.ts";
import { einsum } from "./contract.ts";
import { iota } from "./constant.ts";
import { inferOne, inferThree, inferTwo } from "./infer.ts";
import type { NoAttrs } from "./infer.ts";
import { compare, convert } from "./logic.ts";
import { reshape } from "./shape.ts";

const ND = named("f32", [["N", 5], ["D", 2]]);
const BT = named("i32", [["B", 3], ["T", 4]]);
const n = named("i32", [["T", 6]]);

const rowAt = (id: number, rows: number): number => {
  if (!(id >= 0 && id < rows)) throw new RangeError(`index ${id} into a table of ${rows} rows`);
  return id;
};

/** y[s…, r…] = table[ids[s…], r…]   C1  ids are i32    C2  the table has an axis */
export const gather: Op<[table: Value, ids: Value], NoAttrs> = defineOp({
  mnemonic: "gather",
  summary: "rows of a table by index",
  operands: ["table", "ids"],
  results: ["y"],
  attrs: {},
  infer: inferTwo((table, ids) => {
    if (ids.dtype !== "i32") return violates("C1", `indices must be i32, given ${ids.dtype}`);
    if (table.shape.length === 0) return violates("C2", "a scalar has no rows");
    return [{
      dtype: table.dtype,
      shape: [...ids.shape, ...table.shape.slice(1)],
      dims: [...ids.dims, ...table.dims.slice(1)],
    }];
  }),
  evaluate: ({ operands, operandTypes, resultTypes }) => {
    const [table, ids] = [at(operands, 0), at(operands, 1)];
    const rows = at(at(operandTypes, 0).shape, 0);
    const width = rows === 0 ? 0 : table.length / rows;
    const out = empty(at(resultTypes, 0));
    ids.forEach((id, i) => out.set(table.subarray(rowAt(id, rows) * width, (id + 1) * width), i * width));
    return [out];
  },
  vjp: ({ b, cotangents: [ct], operands: [table, ids], wanted }) => [
    ct && wanted[0] ? b.one(scatterAdd, [ids, ct], { type: table.type }) : null,
    null,
  ],
  expand: null,
  flops: () => poly.ZERO,
  examples: [
    { operands: [{ type: ND, elements: "normal" }, { type: BT, elements: "index", below: 5 }], attrs: {} },
    {
      operands: [{ type: named("f32", [["N", 5]]), elements: "normal" }, { type: named("i32", []), elements: "index", below: 5 }],
      attrs: {},
    },
  ],
});

/** The first `rank` axes as one. */
const flattened = (type: TensorType, rank: number): TensorType => {
  const head = { ...type, shape: type.shape.slice(0, rank), dims: type.dims.slice(0, rank) };
  return tensor(type.dtype, [elements(head)], [volume(head)]);
};

const asMatrix = (type: TensorType, rank: number): TensorType => {
  const rows = flattened(type, rank);
  const rest = flattened({ ...type, shape: type.shape.slice(rank), dims: type.dims.slice(rank) }, type.shape.length - rank);
  return tensor(type.dtype, [...rows.shape, ...rest.shape], [...rows.dims, ...rest.dims]);
};

const scatterByBuckets = (b: Builder, [ids, updates]: readonly [Value, Value], type: TensorType): readonly Value[] => {
  const rank = ids.type.shape.length;
  const flat = b.one(reshape, [ids], { type: flattened(ids.type, rank) });
  const heads = b.one(bucketHeads, [flat], { rows: at(type.shape, 0) });
  const next = b.one(bucketNext, [flat], {});
  const matrix = b.one(reshape, [updates], { type: asMatrix(updates.type, rank) });
  return [b.one(reshape, [b.one(bucketSum, [heads, next, matrix], {})], { type })];
};

/** y[i, r…] = sum of updates[s…, r…] over the s with ids[s…] = i
 *  C1  ids are i32    C2  updates are f32, and their first axes those of ids
 *  C3  `type` is f32, a table whose rows are shaped like the rest of updates */
export const scatterAdd: Op<[ids: Value, updates: Value], { readonly type: TensorType }> = defineOp({
  mnemonic: "scatter_add",
  summary: "sums rows into a table by index: the transpose of gather",
  operands: ["ids", "updates"],
  results: ["y"],
  attrs: { type: attr.type },
  infer: inferTwo((ids, updates, { type }) => {
    if (ids.dtype !== "i32") return violates("C1", `indices must be i32, given ${ids.dtype}`);
    const rank = ids.shape.length;
    if (updates.dtype !== "f32" || !sameShape(ids, { ...updates, shape: updates.shape.slice(0, rank) }))
      return violates("C2", `updates ${describe(updates)} for indices ${describe(ids)}`);
    const rows = { ...type, shape: type.shape.slice(1) };
    if (type.dtype !== "f32" || type.shape.length === 0 || !sameShape(rows, { ...updates, shape: updates.shape.slice(rank) }))
      return violates("C3", `updates ${describe(updates)} into ${describe(type)}`);
    return [type];
  }),
  evaluate: ({ operands, attrs: { type }, tally }) => {
    const [ids, updates] = [at(operands, 0), at(operands, 1)];
    const out = empty(type);
    const rows = at(type.shape, 0);
    const width = out.length / rows;
    ids.forEach((id, i) => {
      const base = rowAt(id, rows) * width;
      for (let j = 0; j < width; j++) out[base + j] = (out[base + j] ?? Number.NaN) + (updates[i * width + j] ?? Number.NaN);
      tally.flops += width;
    });
    return [out];
  },
  vjp: ({ b, cotangents: [ct], operands: [ids], wanted }) => [null, ct && wanted[1] ? b.one(gather, [ct, ids], {}) : null],
  expand: (b, operands, { type }) => scatterByBuckets(b, operands, type),
  flops: ({ operandTypes: [, updates] }) => (updates ? volume(updates) : poly.ZERO),
  examples: [
    {
      operands: [
        { type: BT, elements: "index", below: 5 },
        { type: named("f32", [["B", 3], ["T", 4], ["D", 2]]), elements: "normal" },
      ],
      attrs: { type: ND },
    },
    {
      operands: [{ type: n, elements: "index", below: 5 }, { type: named("f32", [["T", 6]]), elements: "normal" }],
      attrs: { type: named("f32", [["N", 5]]) },
    },
  ],
});

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
        for (let j = 0; j < width; j++)
          out[i * width + j] = (out[i * width + j] ?? Number.NaN) + (updates[t * width + j] ?? Number.NaN);
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
