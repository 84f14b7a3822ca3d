/** @file exp and what is built on it: logistic, tanh.
 *
 *  e^x = 2^n e^r,  n = nearest(x / ln 2),  r = x - n ln 2 in [-ln 2 / 2, ln 2 / 2]  (Cody and Waite, "Software manual for the
 *  elementary functions", 1980). All polynomials in these files are minimax for relative error: Remez exchange on Chebyshev
 *  points, then the coefficients rounded to float32 one after the other, those that are left fitted again each time. */

import type { FunctionBuilder } from "./builder.ts";
import { bits, choose, f32, i32, keep, polynomial, withSignOf } from "./math-lanes.ts";
import type { Lanes } from "./math-lanes.ts";

const LOG2_E = Math.LOG2E;

/** ln 2 = HIGH + LOW. HIGH has 15 bits, so that n HIGH is exact for |n| < 2^9. */
export const LN2_HIGH = 0.693145751953125;
export const LN2_LOW = 1.428606765330187e-6;

/** Added and taken away again, rounds to a whole number, which is then in the low bits of the sum. */
const ROUND = 1.5 * 2 ** 23;

/** (e^r - 1 - r) / r^2; relative error of e^r 2^-28.1. */
const EXP = [0.49999994, 0.16666517, 0.04166828, 0.008369247, 0.0013820728];

/** Below, e^x is 0 in float32; above, infinite. */
const EXP_LEAST = -105;
const EXP_MOST = 89;

const powerOfTwo = (n: Lanes): Lanes => i32.shl(i32.add(n, i32.of(127)), 23);

/** e^x within 1 ulp for x in [EXP_LEAST, EXP_MOST] or NaN. 2^n is two factors: n = 128 has no float, n < -126 no normal one;
 *  only the second product rounds. */
const expWithin = (f: FunctionBuilder, x: Lanes): Lanes => {
  const rounded = keep(f, "rounded", f32.add(f32.mul(x, f32.of(LOG2_E)), f32.of(ROUND)));
  const n = keep(f, "n", f32.sub(rounded, f32.of(ROUND)));
  const r = keep(f, "r", f32.sub(f32.sub(x, f32.mul(n, f32.of(LN2_HIGH))), f32.mul(n, f32.of(LN2_LOW))));
  const power = f32.add(f32.add(f32.mul(f32.mul(r, r), polynomial(f, f32, r, EXP)), r), f32.of(1));
  const whole = keep(f, "whole", i32.sub(rounded, f32.of(ROUND)));
  const half = keep(f, "half", i32.shrS(whole, 1));
  return f32.mul(f32.mul(power, powerOfTwo(half)), powerOfTwo(i32.sub(whole, half)));
};

/** Lanes that vanish are taken out before: products that underflow take a processor ten times as long, and in the softmax of
 *  a masked row half of them do. */
const expOrZero = (f: FunctionBuilder, x: Lanes, bounded: Lanes): Lanes => {
  const vanishes = keep(f, "vanishes", f32.lt(x, f32.of(EXP_LEAST)));
  return bits.andNot(expWithin(f, keep(f, "x_", bits.andNot(bounded, vanishes))), vanishes);
};

export const exp = (f: FunctionBuilder, x: Lanes): Lanes => expOrZero(f, x, f32.smaller(x, f32.of(EXP_MOST)));

/** e^x for x <= 0. */
export const expDown = (f: FunctionBuilder, x: Lanes): Lanes => expOrZero(f, x, x);

/** Weights below e^this, 1e-26 of a row whose weights add up to 1, are 0: then neither they nor their products underflow. */
const WEIGHT_LEAST = -60;

/** The weight e^x, x <= 88, of an entry whose row's weights add up to 1: within 1 ulp where it is not taken to be 0. 2^n is added
 *  to the exponent, which cannot overflow; what `rounded` has above n is shifted out. */
export const expWeight = (f: FunctionBuilder, x: Lanes): Lanes => {
  const rounded = keep(f, "rounded", f32.add(f32.mul(x, f32.of(LOG2_E)), f32.of(ROUND)));
  const n = keep(f, "n", f32.sub(rounded, f32.of(ROUND)));
  const r = keep(f, "r", f32.sub(f32.sub(x, f32.mul(n, f32.of(LN2_HIGH))), f32.mul(n, f32.of(LN2_LOW))));
  const power = f32.add(f32.add(f32.mul(f32.mul(r, r), polynomial(f, f32, r, EXP)), r), f32.of(1));
  return bits.andNot(i32.add(power, i32.shl(rounded, 23)), f32.lt(x, f32.of(WEIGHT_LEAST)));
};

/** With z = e^-|x| <= 1 and s = z / (1 + z) <= 1/2:  1 - s for x >= 0, z - z s = s below. Nothing overflows, tails keep their
 *  bits, and the error of s, 1.5 ulp by itself, counts half at most. */
export const logistic = (f: FunctionBuilder, x: Lanes): Lanes => {
  const z = keep(f, "z", expDown(f, keep(f, "down", f32.neg(f32.abs(x)))));
  const scale = keep(f, "scale", choose(f32.lt(x, f32.of(0)), z, f32.of(1)));
  return f32.sub(scale, f32.mul(scale, f32.div(z, f32.add(z, f32.of(1)))));
};

/** (tanh x / x - 1) / x^2 in x^2, |x| <= 1; relative error of tanh 2^-27.7. */
const TANH = [-0.33333296, 0.13332346, -0.053879846, 0.021486675, -0.00794601, 0.0023012224, -0.00035839473];

/** From here on tanh is 1 in float32. */
const TANH_FLAT = 9.02;

/** |x| <= 1: the polynomial, odd, so that small x keep their bits.  Above: sign(x) (1 - 2 / (e^(2 |x|) + 1)). */
export const tanh = (f: FunctionBuilder, x: Lanes): Lanes => {
  const size = keep(f, "size", f32.abs(x));
  const square = keep(f, "square", f32.mul(x, x));
  const near = keep(f, "near", f32.add(f32.mul(f32.mul(x, square), polynomial(f, f32, square, TANH)), x));
  const twice = keep(f, "twice", f32.mul(f32.smaller(size, f32.of(TANH_FLAT)), f32.of(2)));
  const far = f32.sub(f32.of(1), f32.div(f32.of(2), f32.add(expWithin(f, twice), f32.of(1))));
  return withSignOf(choose(f32.gt(size, f32.of(1)), far, near), x);
};
