/** @file Running sums along an axis, in linear work and logarithmic depth: what carries a state over the chunks of a
 *  sequence. Constraint C0: operand count. */

import * as attr from "../attrs.ts";
import type { Example, Op, TensorType, Value } from "../core.ts";
import { defineOp, violates } from "../core.ts";
import * as poly from "../poly.ts";
import { at } from "../tensor-data.ts";
import { named, volume } from "../types.ts";
import { plus, reshaped } from "./arithmetic.ts";
import { inferOne } from "./infer.ts";
import { sumsByHalving } from "./running-sums.ts";

interface CumsumAttrs {
  readonly axis: number;
  /** Sums run from the end. */
  readonly reverse: boolean;
  /** An element's own value is not part of its sum. */
  readonly exclusive: boolean;
}

/** x as [before, n, after] around the scanned axis. */
const asLines = (x: TensorType, axis: number): TensorType => {
  const side = (from: number, to: number): readonly [number, poly.Poly] => [
    x.shape.slice(from, to).reduce((product, size) => product * size, 1),
    poly.mul(...x.dims.slice(from, to)),
  ];
  const sides = [side(0, axis), side(axis, axis + 1), side(axis + 1, x.shape.length)];
  return { dtype: x.dtype, shape: sides.map(([size]) => size), dims: sides.map(([, dim]) => dim) };
};

const T = named("f32", [["T", 5]]);
const BTD = named("f32", [["B", 2], ["T", 19], ["D", 2]]);
const BT = named("i32", [["B", 2], ["T", 16]]);

const examplesOf = (type: TensorType, axis: number): readonly Example<CumsumAttrs>[] =>
  [false, true].flatMap((reverse) => [false, true].map((exclusive): Example<CumsumAttrs> => ({
    operands: [type.dtype === "f32" ? { type, elements: "normal" } : { type, elements: "index", below: 9 }],
    attrs: { axis, reverse, exclusive },
  })));

/** y_i = sum of x_j over j <= i along the axis; over j < i if exclusive; over j >= i, or j > i, in reverse.
 *  Cost: one addition an element, as of a running sum; the expansion takes up to twice as many.
 *  C1  the elements are f32 or i32    C2  `axis` is an axis */
export const cumsum: Op<[x: Value], CumsumAttrs> = defineOp({
  mnemonic: "cumsum",
  summary: "running sums along an axis",
  operands: ["x"],
  results: ["y"],
  attrs: { axis: attr.i64, reverse: attr.flag, exclusive: attr.flag },
  infer: inferOne((x, { axis }) => {
    if (x.dtype === "i1") return violates("C1", "takes f32 or i32 elements, given i1");
    return x.shape[axis] === undefined ? violates("C2", `axis ${axis} of a tensor of rank ${x.shape.length}`) : [x];
  }),
  evaluate: ({ operands, operandTypes, attrs: { axis, reverse, exclusive }, tally }) => {
    const x = at(operands, 0);
    const type = at(operandTypes, 0);
    const [before = 0, n = 0, after = 0] = asLines(type, axis).shape;
    const out = new Float64Array(x.length);
    for (let line = 0; line < before * after; line++) {
      const start = Math.floor(line / after) * n * after + (line % after);
      let sum = 0;
      for (let step = 0; step < n; step++) {
        const i = start + (reverse ? n - 1 - step : step) * after;
        if (exclusive) out[i] = sum;
        sum += x[i] ?? Number.NaN;
        if (!exclusive) out[i] = sum;
      }
    }
    if (type.dtype === "f32") tally.flops += x.length;
    return [out];
  },
  vjp: ({ b, cotangents: [ct], attrs }) => [ct ? b.one(cumsum, [ct], { ...attrs, reverse: !attrs.reverse }) : null],
  expand: (b, [x], { axis, reverse, exclusive }) => {
    const lines = reshaped(b, x, asLines(x.type, axis));
    const sums = sumsByHalving(b, lines, reverse);
    return [reshaped(b, exclusive ? sums : plus(b, sums, lines), x.type)];
  },
  flops: ({ operandTypes: [x] }) => (x?.dtype === "f32" ? volume(x) : poly.ZERO),
  examples: [...examplesOf(T, 0), ...examplesOf(BTD, 1), ...examplesOf(BT, 1), ...examplesOf(BTD, 2)],
});
