/** @file Exclusive running sums of lines [a, n, c], along n: in one kernel of quadratic work, and by halving in linear work. */

import type { Builder } from "../builder.ts";
import type { TensorType, Value } from "../core.ts";
import * as poly from "../poly.ts";
import { tensor, withDType } from "../types.ts";
import { plus, reshaped } from "./arithmetic.ts";
import { iota } from "./constant.ts";
import { broadcastAlong, sumOver, zeros } from "./helpers.ts";
import { compare, select } from "./logic.ts";
import { pad, slice } from "./shape.ts";

/** Lines of at most this length are summed directly, length / 2 additions an element: further halving would save less
 *  than the two kernels it takes. */
const DIRECT = 8;

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

/** The exclusive sums of lines: y_i = sum of the x_j before i (behind i, in reverse), in order, as one kernel that looks at
 *  every j. Where no x is negative the y never decrease by rounding, and stand still where x is 0. */
export const directSums = (b: Builder, x: Value, reverse: boolean): Value => {
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
export const sumsByHalving = (b: Builder, x: Value, reverse: boolean): Value => {
  const [a = 1, n = 1, c = 1] = x.type.shape;
  if (n <= DIRECT) return directSums(b, x, reverse);
  const even = resized(b, x, n + (n % 2));
  const pairs = reshaped(b, even, paired(even.type));
  const sums = sumsByHalving(b, sumOver(b, pairs, [2]), reverse);
  const other = reverse ? 1 : 0;
  const one = b.one(slice, [pairs], { starts: [0, 0, other, 0], limits: [a, pairs.type.shape[1] ?? 1, other + 1, c] });
  const within = b.one(pad, [one], { low: [0, 0, 1 - other, 0], high: [0, 0, other, 0] });
  const spread = plus(b, broadcastAlong(b, sums, pairs.type, [2]), within);
  return resized(b, reshaped(b, spread, even.type), n);
};
