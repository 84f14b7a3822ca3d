/** @file Rows by index: gather and its transpose, scatter_add, which kernels do by the lists of `bucket.ts`. An index outside
 *  the table is an error of the caller; reference evaluation throws. Constraint C0: operand count. */

import * as attr from "../attrs.ts";
import type { Builder } from "../builder.ts";
import type { Op, TensorType, Value } from "../core.ts";
import { defineOp, violates } from "../core.ts";
import * as poly from "../poly.ts";
import { at, empty } from "../tensor-data.ts";
import { describe, elements, filterAxes, named, sameShape, tensor, volume } from "../types.ts";
import { bucketHeads, bucketNext, bucketSum } from "./bucket.ts";
import { inferTwo } from "./infer.ts";
import type { NoAttrs } from "./infer.ts";
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
      operands: [
        { type: named("f32", [["N", 5]]), elements: "normal" },
        { type: named("i32", []), elements: "index", below: 5 },
      ],
      attrs: {},
    },
  ],
});

/** The first `rank` axes as one. */
const flattened = (type: TensorType, rank: number): TensorType => {
  const head = filterAxes(type, (axis) => axis < rank);
  return tensor(type.dtype, [elements(head)], [volume(head)]);
};

const asMatrix = (type: TensorType, rank: number): TensorType => {
  const rows = flattened(type, rank);
  const width = filterAxes(type, (axis) => axis >= rank);
  return tensor(type.dtype, [...rows.shape, elements(width)], [...rows.dims, volume(width)]);
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
    if (updates.dtype !== "f32" || !sameShape(ids, filterAxes(updates, (axis) => axis < rank)))
      return violates("C2", `updates ${describe(updates)} for indices ${describe(ids)}`);
    const isTable = type.dtype === "f32" && type.shape.length > 0;
    if (!isTable || !sameShape(filterAxes(type, (axis) => axis > 0), filterAxes(updates, (axis) => axis >= rank)))
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
      for (let j = 0; j < width; j++) out[base + j]! += updates[i * width + j]!;
      tally.flops += width;
    });
    return [out];
  },
  vjp: ({ b, cotangents: [ct], operands: [ids], wanted }) => [
    null,
    ct && wanted[1] ? b.one(gather, [ct, ids], {}) : null,
  ],
  expand: (b, operands, { type }) => scatterByBuckets(b, operands, type),
  whole: ([, updates], { type }) => updates !== undefined && elements(updates) > 0 && elements(type) > 0,
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
