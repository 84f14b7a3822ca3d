/** @file Prefix sums along an axis, in linear work and logarithmic depth: what carries a state over the chunks of a
 *  sequence, and what inverts a discrete distribution. Constraint C0: operand count. */

import * as attr from "../attrs.ts";
import type { Builder } from "../builder.ts";
import type { Example, Op, TensorType, Value } from "../core.ts";
import { defineOp, violates } from "../core.ts";
import * as poly from "../poly.ts";
import { at } from "../tensor-data.ts";
import { named, tensor, volume, withDType } from "../types.ts";
import { plus, reshaped } from "./arithmetic.ts";
import { iota } from "./constant.ts";
import { broadcastAlong, sumOver, zeros } from "./helpers.ts";
import { inferOne } from "./infer.ts";
import { compare, select } from "./logic.ts";
import { pad, slice } from "./shape.ts";

interface CumsumAttrs {
  readonly axis: number;
  /** Sums run from the end. */
  readonly reverse: boolean;
  /** An element's own value is not part of its sum. */
  readonly exclusive: boolean;
}

/** Lines of at most this length are summed directly, length / 2 additions an element: further halving would save less
 *  than the two kernels it takes. */
const DIRECT = 8;

/** x as [before, n, after] around the scanned axis. */
const asLines = (x: TensorType, axis: number): TensorType => {
  const side = (from: number, to: number): readonly [number, poly.Poly] => [
    x.shape.slice(from, to).reduce((product, size) => product * size, 1),
    poly.mul(...x.dims.slice(from, to)),
  ];
  const sides = [side(0, axis), side(axis, axis + 1), side(axis + 1, x.shape.length)];
  return { dtype: x.dtype, shape: sides.map(([size]) => size), dims: sides.map(([, dim]) => dim) };
};

/** [a, n, c] as [a, n / 2, 2, c]. */
const paired = (x: TensorType): TensorType => {
  const [a = 1, n = 1, c = 1] = x.shape;
  const [da = poly.ONE, , dc = poly.ONE] = x.dims;
  return { dtype: x.dtype, shape: [a, n / 2, 2, c], dims: [da, poly.constant(n / 2), poly.constant(2), dc] };
};

/** [a, n, c] with the scanned axis cut or filled with zeros to length `to`. */
const resized = (b: Builder, x: Value, to: number): Value => {
  const [a = 1, n = 1, c = 1] = x.type.shape;
  if (to === n) return x;
  return to > n
    ? b.one(pad, [x], { low: [0, 0, 0], high: [0, to - n, 0] })
    : b.one(slice, [x], { starts: [0, 0, 0], limits: [a, to, c] });
};

/** y_i = sum of the x_j before i (behind i, in reverse), as one kernel that looks at every j. */
const direct = (b: Builder, x: Value, reverse: boolean): Value => {
  const [a = 1, n = 1, c = 1] = x.type.shape;
  const [da = poly.ONE, dn = poly.ONE, dc = poly.ONE] = x.type.dims;
  const square = tensor(x.type.dtype, [a, n, n, c], [da, dn, dn, dc]);
  const index = withDType(square, "i32");
  const [i, j] = [1, 2].map((axis) => b.one(iota, [], { axis, type: index })) as [Value, Value];
  const counts = b.one(compare, [j, i], { direction: reverse ? "gt" : "lt" });
  return sumOver(b, b.one(select, [counts, broadcastAlong(b, x, square, [1]), zeros(b, square)], {}), [2]);
};

/** Exclusive sums of lines by halving. With s the exclusive sums of the pairs x_2i + x_2i+1,
 *      y_2i = s_i,   y_2i+1 = s_i + x_2i        (in reverse: y_2i+1 = s_i,  y_2i = s_i + x_2i+1)
 *  One kernel adds the pairs, one spreads s: below 2n additions for all levels together, and the rounding error of a
 *  sum grows with log n instead of n (Blelloch, "Prefix sums and their applications", 1990). */
const exclusiveSums = (b: Builder, x: Value, reverse: boolean): Value => {
  const [a = 1, n = 1, c = 1] = x.type.shape;
  if (n <= DIRECT) return direct(b, x, reverse);
  const even = resized(b, x, n + (n % 2));
  const pairs = reshaped(b, even, paired(even.type));
  const sums = exclusiveSums(b, sumOver(b, pairs, [2]), reverse);
  const other = reverse ? 1 : 0;
  const one = b.one(slice, [pairs], { starts: [0, 0, other, 0], limits: [a, pairs.type.shape[1] ?? 1, other + 1, c] });
  const within = b.one(pad, [one], { low: [0, 0, 1 - other, 0], high: [0, 0, other, 0] });
  const spread = plus(b, broadcastAlong(b, sums, pairs.type, [2]), within);
  return resized(b, reshaped(b, spread, even.type), n);
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
    const sums = exclusiveSums(b, lines, reverse);
    return [reshaped(b, exclusive ? sums : plus(b, sums, lines), x.type)];
  },
  flops: ({ operandTypes: [x] }) => (x?.dtype === "f32" ? volume(x) : poly.ZERO),
  examples: [...examplesOf(T, 0), ...examplesOf(BTD, 1), ...examplesOf(BT, 1), ...examplesOf(BTD, 2)],
});
