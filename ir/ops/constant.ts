/** @file Tensors made of nothing: `constant` (one number everywhere) and `iota` (the index along an axis). */

import * as attr from "../attrs.ts";
import type { Op, TensorType } from "../core.ts";
import { defineOp, violates } from "../core.ts";
import * as poly from "../poly.ts";
import { empty, offsets } from "../tensor-data.ts";
import { named } from "../types.ts";
import { inferNone } from "./infer.ts";

const f32 = named("f32", [["B", 3], ["T", 4]]);

/** C1  an i32 constant is an integer, an i1 constant is 0 or 1 */
export const constant: Op<[], { readonly value: number; readonly type: TensorType }> = defineOp({
  mnemonic: "constant",
  summary: "one number everywhere",
  operands: [],
  results: ["y"],
  attrs: { value: attr.f64, type: attr.type },
  infer: inferNone(({ value, type }) => {
    const fits = type.dtype === "f32" || (type.dtype === "i32" ? Number.isInteger(value) : value === 0 || value === 1);
    return fits ? [type] : violates("C1", `${value} is not an ${type.dtype}`);
  }),
  evaluate: ({ attrs: { value, type } }) => [empty(type).fill(value)],
  vjp: "inactive",
  expand: null,
  flops: () => poly.ZERO,
  examples: [
    { operands: [], attrs: { value: 0.1, type: f32 } },
    { operands: [], attrs: { value: -3, type: named("i32", []) } },
  ],
});

/** C1  `axis` is an axis of `type`    C2  `type` is i32 or f32 */
export const iota: Op<[], { readonly axis: number; readonly type: TensorType }> = defineOp({
  mnemonic: "iota",
  summary: "the index along an axis: 0, 1, 2, …",
  operands: [],
  results: ["y"],
  attrs: { axis: attr.i64, type: attr.type },
  infer: inferNone(({ axis, type }) => {
    if (type.shape[axis] === undefined) return violates("C1", `axis ${axis} of a tensor of rank ${type.shape.length}`);
    return type.dtype === "i1" ? violates("C2", "an index does not fit i1") : [type];
  }),
  evaluate: ({ attrs: { axis, type } }) => {
    const step = type.shape.map((_, i) => (i === axis ? 1 : 0));
    return [Float64Array.from(offsets(type.shape, step))];
  },
  vjp: "inactive",
  expand: null,
  flops: () => poly.ZERO,
  examples: [
    { operands: [], attrs: { axis: 0, type: f32 } },
    { operands: [], attrs: { axis: 1, type: named("i32", [["B", 3], ["T", 4], ["D", 2]]) } },
  ],
});
