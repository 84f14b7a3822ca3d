/** @file Entries of kept sets: rows of keys or values (`take_rows`) and numbers of a row (`take_along`) at slots, where an empty
 *  slot holds -1 and gives 0. An index beyond the axis is an error of the caller; reference evaluation throws.
 *
 *  Kernels need not store what is taken: `fuse` puts the load inside the contraction that uses it. Constraint C0: operand
 *  count. */

import type { Builder } from "../builder.ts";
import type { Op, TensorType, Value } from "../core.ts";
import { defineOp, violates } from "../core.ts";
import * as poly from "../poly.ts";
import { at, empty } from "../tensor-data.ts";
import { describe, elements, filterAxes, named, sameShape, tensor, volume, withDType } from "../types.ts";
import { iota } from "./constant.ts";
import { add, idiv, max, mul } from "./elementwise.ts";
import { scatterAdd } from "./gather.ts";
import { broadcastAlong, full, zeros } from "./helpers.ts";
import { inferTwo } from "./infer.ts";
import type { NoAttrs } from "./infer.ts";
import { compare, select } from "./logic.ts";
import { reshape } from "./shape.ts";

const inside = (id: number, size: number): number => {
  if (!(id < size)) throw new RangeError(`index ${id} into ${size} entries`);
  return id;
};

/** Σ of ct, by slots, into the rows of x that were taken: `rows[i]` is the coordinate of the slot's row on axis i of x. An
 *  empty slot adds 0, to row 0. */
const scatterInto = (b: Builder, x: TensorType, ids: Value, rows: readonly Value[], ct: Value): Value => {
  const row = rows.reduce((flat, own, axis) => {
    const size = full(b, at(x.shape, axis), ids.type);
    return b.one(add, [b.one(mul, [flat, size], {}), own], {});
  });
  const [heads, width] = [filterAxes(x, (axis) => axis < rows.length), filterAxes(x, (axis) => axis >= rows.length)];
  const type = tensor("f32", [elements(heads), ...width.shape], [volume(heads), ...width.dims]);
  const added = width.shape.map((_, i) => ids.type.shape.length + i);
  const empties = broadcastAlong(b, b.one(compare, [ids, zeros(b, ids.type)], { direction: "lt" }), ct.type, added);
  const updates = b.one(select, [empties, zeros(b, ct.type), ct], {});
  return b.one(reshape, [b.one(scatterAdd, [row, updates], { type })], { type: x });
};

const index = (b: Builder, axis: number, type: TensorType): Value => b.one(iota, [], { axis, type });

const atLeastZero = (b: Builder, ids: Value): Value => b.one(max, [ids, zeros(b, ids.type)], {});

/** y[b, h, n, s, :] = x[b, floor(h / (H / G)), ids[b, h, n, s], :], 0 where ids < 0
 *  C1  ids are i32 [B, H, N, S]    C2  x is [B, G, M, E]    C3  G divides H */
export const takeRows: Op<[x: Value, ids: Value], NoAttrs> = defineOp({
  mnemonic: "take_rows",
  summary: "for each slot, the row of the query head's key head; 0 where it is empty",
  operands: ["x", "ids"],
  results: ["y"],
  attrs: {},
  infer: inferTwo((x, ids) => {
    if (ids.dtype !== "i32" || ids.shape.length !== 4) return violates("C1", `slots must be i32 [B, H, N, S], given ${describe(ids)}`);
    const [groups, width] = [x.shape[1], x.shape[3]];
    if (x.shape.length !== 4 || x.shape[0] !== ids.shape[0] || groups === undefined || width === undefined)
      return violates("C2", `rows ${describe(x)} for slots ${describe(ids)}`);
    if (at(ids.shape, 1) % groups !== 0) return violates("C3", `${groups} key heads for ${at(ids.shape, 1)} heads`);
    return [{ dtype: x.dtype, shape: [...ids.shape, width], dims: [...ids.dims, at(x.dims, 3)] }];
  }),
  evaluate: ({ operands, operandTypes, resultTypes }) => {
    const [x, ids] = [at(operands, 0), at(operands, 1)];
    const [, groups = 1, keys = 1, width = 1] = at(operandTypes, 0).shape;
    const [, heads = 1, queries = 1, slots = 1] = at(operandTypes, 1).shape;
    const out = empty(at(resultTypes, 0));
    const perGroup = (heads / groups) * queries * slots;
    ids.forEach((id, i) => {
      if (id < 0) return;
      const row = Math.floor(i / perGroup) * keys + inside(id, keys);
      out.set(x.subarray(row * width, (row + 1) * width), i * width);
    });
    return [out];
  },
  vjp: ({ b, cotangents: [ct], operands: [x, ids], wanted }) => {
    if (!ct || !wanted[0]) return [null, null];
    const group = at(ids.type.shape, 1) / at(x.type.shape, 1);
    const head = b.one(idiv, [index(b, 1, ids.type), full(b, group, ids.type)], {});
    return [scatterInto(b, x.type, ids, [index(b, 0, ids.type), head, atLeastZero(b, ids)], ct), null];
  },
  expand: null,
  flops: () => poly.ZERO,
  examples: [
    {
      operands: [
        { type: named("f32", [["B", 2], ["G", 2], ["M", 3], ["E", 2]]), elements: "normal" },
        {
          type: named("i32", [["B", 2], ["H", 4], ["N", 1], ["S", 2]]),
          elements: "index",
          values: [0, 2, 1, -1, 2, 0, -1, -1, 1, 1, 0, 1, 2, -1, 0, -1],
        },
      ],
      attrs: {},
    },
    {
      operands: [
        { type: named("f32", [["B", 1], ["H", 2], ["M", 4], ["E", 3]]), elements: "normal" },
        { type: named("i32", [["B", 1], ["H", 2], ["N", 3], ["S", 2]]), elements: "index", below: 4 },
      ],
      attrs: {},
    },
  ],
});

/** y[i…, s] = x[i…, ids[i…, s]], 0 where ids < 0   C1  ids are i32 with an axis    C2  x has the other axes of ids and one more */
export const takeAlong: Op<[x: Value, ids: Value], NoAttrs> = defineOp({
  mnemonic: "take_along",
  summary: "for each slot, the number of its row; 0 where it is empty",
  operands: ["x", "ids"],
  results: ["y"],
  attrs: {},
  infer: inferTwo((x, ids) => {
    const last = ids.shape.length - 1;
    if (ids.dtype !== "i32" || last < 0) return violates("C1", `slots must be i32 with an axis, given ${describe(ids)}`);
    const rows = (type: TensorType): TensorType => filterAxes(type, (axis) => axis < last);
    if (x.shape.length !== ids.shape.length || !sameShape(rows(x), rows(ids)))
      return violates("C2", `rows ${describe(x)} for slots ${describe(ids)}`);
    return [withDType(ids, x.dtype)];
  }),
  evaluate: ({ operands, operandTypes, resultTypes }) => {
    const [x, ids] = [at(operands, 0), at(operands, 1)];
    const [size, slots] = operandTypes.map(({ shape }) => at(shape, shape.length - 1));
    const out = empty(at(resultTypes, 0));
    ids.forEach((id, i) => {
      if (id >= 0) out[i] = x[Math.floor(i / (slots ?? 1)) * (size ?? 1) + inside(id, size ?? 1)] ?? Number.NaN;
    });
    return [out];
  },
  vjp: ({ b, cotangents: [ct], operands: [x, ids], wanted }) => {
    if (!ct || !wanted[0]) return [null, null];
    const leading = ids.type.shape.slice(0, -1).map((_, axis) => index(b, axis, ids.type));
    return [scatterInto(b, x.type, ids, [...leading, atLeastZero(b, ids)], ct), null];
  },
  expand: null,
  flops: () => poly.ZERO,
  examples: [
    {
      operands: [
        { type: named("f32", [["B", 2], ["T", 3], ["M", 4]]), elements: "normal" },
        {
          type: named("i32", [["B", 2], ["T", 3], ["S", 2]]),
          elements: "index",
          values: [0, 3, 1, -1, -1, -1, 2, 2, 3, 0, 1, -1],
        },
      ],
      attrs: {},
    },
    {
      operands: [
        { type: named("f32", [["M", 5]]), elements: "normal" },
        { type: named("i32", [["S", 3]]), elements: "index", below: 5 },
      ],
      attrs: {},
    },
  ],
});
