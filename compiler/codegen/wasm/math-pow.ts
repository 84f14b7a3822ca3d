/** @file x^y = 2^(y log2 |x|) in float64, two lanes at a time: y log2 |x| reaches 150, so a float32 would have 2^-16 of it.
 *  It costs about three exp and is within 0.53 ulp; overflow and gradual underflow are the last
 *  rounding's. Edges are JavaScript's, where 1 ** NaN and 1 ** Infinity are NaN (C's pow says 1). */

import type { FunctionBuilder } from "./builder.ts";
import { bits, choose, f32, f64, i32, i64, keep, nan, polynomial, shuffle } from "./math-lanes.ts";
import type { Lanes } from "./math-lanes.ts";

/** log2(m) / s in s^2, s = (m - 1) / (m + 1), m in [sqrt(1/2), sqrt 2]; relative error 2^-37.8. Made like the polynomials of
 *  `math-exp.ts`, not rounded. */
const LOG2 = [2.885390081790092, 0.9617966733331093, 0.5770835867365848, 0.4116726073002923, 0.3407322625499301];

/** 2^r, |r| <= 1/2; relative error 2^-29. */
const EXP2 = [
  1.0000000005541994, 0.6931472057356127, 0.24022646890286287, 0.05550328777946159, 0.009618488980670248, 0.0013399931150914265, 0.00015345808357254665,
];

const LEAST_NORMAL = 2 ** -126;
const ROOT_HALF = 0x3f3504f3;
const MANTISSA = 0x007fffff;
const SIGN = 0x80000000;
const ROUND = 1.5 * 2 ** 52;
/** 2^LIMIT is infinite in float32, 2^-LIMIT is 0. */
const LIMIT = 160;

/** 2^(y (e + log2 m)) of two lanes. */
const powerOfPair = (f: FunctionBuilder, m: Lanes, e: Lanes, y: Lanes): Lanes => {
  const mantissa = keep(f, "mantissa", f64.fromLow(m));
  const s = keep(f, "s", f64.div(f64.sub(mantissa, f64.of(1)), f64.add(mantissa, f64.of(1))));
  const square = keep(f, "square", f64.mul(s, s));
  const logarithm = f64.add(f64.fromLow(e), f64.mul(s, polynomial(f, f64, square, LOG2)));
  const exponent = keep(f, "exponent", f64.larger(f64.smaller(f64.mul(logarithm, f64.fromLow(y)), f64.of(LIMIT)), f64.of(-LIMIT)));
  const rounded = keep(f, "rounded", f64.add(exponent, f64.of(ROUND)));
  const r = keep(f, "r", f64.sub(exponent, f64.sub(rounded, f64.of(ROUND))));
  const scale = i64.shl(i64.add(rounded, i64.of(1023n)), 52);
  return keep(f, "power", f64.toLow(f64.mul(polynomial(f, f64, r, EXP2), scale)));
};

export const pow = (f: FunctionBuilder, x: Lanes, y: Lanes): Lanes => {
  const size = keep(f, "size", f32.abs(x));
  const tiny = keep(f, "tiny", f32.lt(size, f32.of(LEAST_NORMAL)));
  const scaled = choose(tiny, f32.mul(size, f32.of(2 ** 23)), size);
  const above = keep(f, "above", i32.sub(scaled, i32.of(ROOT_HALF)));
  const exponent = f32.sub(f32.fromI32(i32.shrS(above, 23)), bits.and(tiny, f32.of(23)));
  const isZero = f32.eq(size, f32.of(0));
  const e = keep(f, "e", choose(isZero, f32.of(-Infinity), choose(f32.lt(size, f32.of(Infinity)), exponent, size)));
  const m = keep(f, "m", i32.add(bits.and(above, i32.of(MANTISSA)), i32.of(ROOT_HALF)));
  const upper = (lanes: Lanes): Lanes => shuffle(lanes, lanes, [2, 3, 2, 3]);
  const low = powerOfPair(f, m, e, y);
  const high = powerOfPair(f, upper(m), upper(e), upper(y));
  const power = shuffle(low, high, [0, 1, 4, 5]);
  const half = keep(f, "half", f32.mul(y, f32.of(0.5)));
  const isWhole = keep(f, "is_whole", f32.eq(f32.floor(y), y));
  const isOdd = bits.andNot(isWhole, f32.eq(f32.floor(half), half));
  const signed = bits.or(power, bits.and(bits.and(isOdd, x), i32.of(SIGN)));
  const noRoot = bits.andNot(bits.and(f32.lt(x, f32.of(0)), f32.gt(x, f32.of(-Infinity))), isWhole);
  const value = choose(bits.and(noRoot, f32.eq(y, y)), nan, signed);
  return choose(f32.eq(y, f32.of(0)), f32.of(1), value);
};
