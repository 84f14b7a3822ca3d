/** @file log, and the reciprocal square root.
 *
 *  x = 2^e m, m in [sqrt(1/2), sqrt 2), r = m - 1:  log x = e ln 2 + r - r^2/2 + r^3 P(r). */

import type { FunctionBuilder } from "./builder.ts";
import { LN2_HIGH, LN2_LOW } from "./math-exp.ts";
import { bits, choose, f32, i32, keep, nan, polynomial } from "./math-lanes.ts";
import type { Lanes } from "./math-lanes.ts";

/** (log(1 + r) - r + r^2/2) / r^3; relative error of log 2^-27.3. Made like the polynomials of `math-exp.ts`. */
const LOG = [0.3333333, -0.2500082, 0.20001242, -0.1662341, 0.14201586, -0.13159598, 0.12762143, -0.07636363];

const LEAST_NORMAL = 2 ** -126;
/** The bits of sqrt(1/2). */
const ROOT_HALF = 0x3f3504f3;
const MANTISSA = 0x007fffff;

export const log = (f: FunctionBuilder, x: Lanes): Lanes => {
  const tiny = keep(f, "tiny", f32.lt(x, f32.of(LEAST_NORMAL)));
  const scaled = choose(tiny, f32.mul(x, f32.of(2 ** 23)), x);
  const above = keep(f, "above", i32.sub(scaled, i32.of(ROOT_HALF)));
  const exponent = f32.fromI32(i32.shrS(above, 23));
  const e = keep(f, "e", f32.sub(exponent, bits.and(tiny, f32.of(23))));
  const r = keep(f, "r", f32.sub(i32.add(bits.and(above, i32.of(MANTISSA)), i32.of(ROOT_HALF)), f32.of(1)));
  const square = keep(f, "square", f32.mul(r, r));
  const cubic = f32.add(f32.mul(f32.mul(square, r), polynomial(f, f32, r, LOG)), f32.mul(e, f32.of(LN2_LOW)));
  const fraction = f32.add(f32.sub(cubic, f32.mul(square, f32.of(0.5))), r);
  const value = keep(f, "value", f32.add(fraction, f32.mul(e, f32.of(LN2_HIGH))));
  const edge = choose(f32.eq(x, f32.of(0)), f32.of(-Infinity), choose(f32.lt(x, f32.of(0)), nan, x));
  return choose(bits.and(f32.gt(x, f32.of(0)), f32.lt(x, f32.of(Infinity))), value, edge);
};

/** Two correctly rounded instructions. */
export const rsqrt = (_f: FunctionBuilder, x: Lanes): Lanes => f32.div(f32.of(1), f32.sqrt(x));
