/** @file Reductions over axes and their transpose: reduce_sum, reduce_max, broadcast. */

import * as attr from "../attrs.ts";
import type { CostContext, Data, EvaluateContext, Op, TensorType, Value } from "../core.ts";
import { defineOp, violates } from "../core.ts";
import * as poly from "../poly.ts";
import type { Poly } from "../poly.ts";
import { at, empty, offsets, pick } from "../tensor-data.ts";
import { describe, filterAxes, named, strides, volume } from "../types.ts";
import { div, mul } from "./elementwise.ts";
import { broadcastAlong, sumAndBack, without } from "./helpers.ts";
import { areAxes, inferOne } from "./infer.ts";
import type { Inferred } from "./infer.ts";
import { compare, convert } from "./logic.ts";

interface Axes {
  readonly axes: readonly number[];
}

/** C1  the elements are f32 or i32    C2  `axes` increases strictly and names axes of x */
const inferReduction = (x: TensorType, { axes }: Axes): Inferred => {
  if (x.dtype === "i1") return violates("C1", "takes f32 or i32 elements, given i1");
  if (!areAxes(axes, x.shape.length))
    return violates("C2", `axes [${axes.join(", ")}] of a tensor of rank ${x.shape.length}`);
  return [without(x, axes)];
};

/** Where each element of x is gathered: strides of the result, 0 along the reduced axes. */
const targets = (x: TensorType, axes: readonly number[]): Int32Array => {
  const kept = [...strides(without(x, axes).shape)];
  return offsets(x.shape, x.shape.map((_, i) => (axes.includes(i) ? 0 : (kept.shift() ?? 0))));
};

const reduceWith = (ctx: EvaluateContext<Axes>, start: number, f: (sum: number, x: number) => number): Data => {
  const x = at(ctx.operands, 0);
  const type = at(ctx.operandTypes, 0);
  const out = empty(at(ctx.resultTypes, 0)).fill(start);
  const to = targets(type, ctx.attrs.axes);
  for (let i = 0; i < x.length; i++) {
    const o = to[i] ?? 0;
    out[o] = f(out[o] ?? Number.NaN, x[i] ?? Number.NaN);
  }
  if (type.dtype === "f32") ctx.tally.flops += x.length;
  return out;
};

/** One operation an element of the operand. */
const perOperandElement = ({ operandTypes: [x] }: CostContext<Axes>): Poly =>
  x?.dtype === "f32" ? volume(x) : poly.ZERO;

const btd = named("f32", [["B", 3], ["T", 4], ["D", 2]]);

export const reduceSum: Op<[x: Value], Axes> = defineOp({
  mnemonic: "reduce_sum",
  summary: "the sum over axes, which disappear",
  operands: ["x"],
  results: ["y"],
  attrs: { axes: attr.i64s },
  infer: inferOne(inferReduction),
  evaluate: (ctx) => [reduceWith(ctx, 0, (sum, x) => sum + x)],
  vjp: ({ b, cotangents: [ct], operands: [x], attrs: { axes } }) => [ct ? broadcastAlong(b, ct, x.type, axes) : null],
  expand: null,
  flops: perOperandElement,
  examples: [
    { operands: [{ type: btd, elements: "normal" }], attrs: { axes: [2] } },
    { operands: [{ type: btd, elements: "normal" }], attrs: { axes: [0, 2] } },
    { operands: [{ type: btd, elements: "normal" }], attrs: { axes: [0, 1, 2] } },
    { operands: [{ type: { ...btd, dtype: "i32" }, elements: "index", below: 9 }], attrs: { axes: [1] } },
  ],
});

/** The cotangent goes to the largest elements, evenly where several are largest:
 *  m = (x == max),  dx = m ct / sum(m) */
export const reduceMax: Op<[x: Value], Axes> = defineOp({
  mnemonic: "reduce_max",
  summary: "the maximum over axes, which disappear",
  operands: ["x"],
  results: ["y"],
  attrs: { axes: attr.i64s },
  infer: inferOne(inferReduction),
  evaluate: (ctx) => [reduceWith(ctx, Number.NEGATIVE_INFINITY, (most, x) => Math.max(most, x))],
  vjp: ({ b, cotangents: [ct], operands: [x], results: [y], attrs: { axes } }) => {
    if (!ct || !y) return [null];
    const reached = b.one(compare, [x, broadcastAlong(b, y, x.type, axes)], { direction: "eq" });
    const mark = b.one(convert, [reached], { to: "f32" });
    const part = b.one(div, [mark, sumAndBack(b, mark, axes)], {});
    return [b.one(mul, [part, broadcastAlong(b, ct, x.type, axes)], {})];
  },
  expand: null,
  flops: perOperandElement,
  examples: [
    { operands: [{ type: btd, elements: "distinct" }], attrs: { axes: [2] } },
    { operands: [{ type: btd, elements: "distinct" }], attrs: { axes: [0, 1] } },
    { operands: [{ type: { ...btd, dtype: "i32" }, elements: "index", below: 9 }], attrs: { axes: [1] } },
  ],
});

/** y[i0, i1, …] = x[i_axes[0], i_axes[1], …]: axis j of x becomes axis axes[j] of the result.
 *  C1  one entry of `axes` for each axis of x    C2  `axes` increases strictly and names axes of `type`
 *  C3  dtype and the sizes of the axes kept are those of x */
export const broadcast: Op<[x: Value], { readonly axes: readonly number[]; readonly type: TensorType }> = defineOp({
  mnemonic: "broadcast",
  summary: "repeats a tensor along new axes",
  operands: ["x"],
  results: ["y"],
  attrs: { axes: attr.i64s, type: attr.type },
  infer: inferOne((x, { axes, type }) => {
    if (axes.length !== x.shape.length)
      return violates("C1", `${axes.length} axes for a tensor of rank ${x.shape.length}`);
    if (!areAxes(axes, type.shape.length))
      return violates("C2", `axes [${axes.join(", ")}] of a result of rank ${type.shape.length}`);
    if (x.dtype !== type.dtype) return violates("C3", `${x.dtype} becomes ${type.dtype}`);
    const wrong = axes.findIndex((axis, i) => type.shape[axis] !== x.shape[i]);
    return wrong < 0 ? [type] : violates("C3", `axis ${wrong} of ${describe(x)} as axis ${axes[wrong]} of ${describe(type)}`);
  }),
  evaluate: ({ operands, operandTypes, attrs: { axes, type } }) => {
    const own = strides(at(operandTypes, 0).shape);
    const step = new Array<number>(type.shape.length).fill(0);
    axes.forEach((axis, i) => (step[axis] = own[i] ?? 0));
    return [pick(at(operands, 0), offsets(type.shape, step))];
  },
  vjp: ({ b, cotangents: [ct], attrs: { axes, type } }) => {
    const added = type.shape.map((_, i) => i).filter((i) => !axes.includes(i));
    return [ct ? (added.length === 0 ? ct : b.one(reduceSum, [ct], { axes: added })) : null];
  },
  expand: null,
  flops: () => poly.ZERO,
  examples: [
    { operands: [{ type: filterAxes(btd, (i) => i === 1), elements: "normal" }], attrs: { axes: [1], type: btd } },
    { operands: [{ type: filterAxes(btd, (i) => i !== 1), elements: "normal" }], attrs: { axes: [0, 2], type: btd } },
    { operands: [{ type: named("f32", []), elements: "normal" }], attrs: { axes: [], type: btd } },
    {
      operands: [{ type: named("i1", [["T", 4]]), elements: "bool" }],
      attrs: { axes: [1], type: { ...btd, dtype: "i1" } },
    },
  ],
});
