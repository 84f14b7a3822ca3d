/** @file The error function: near 0 by a polynomial in which small x keep their bits, above 1 from the logarithm of erfc. */

import type { FunctionBuilder } from "./builder.ts";
import { expDown } from "./math-exp.ts";
import { choose, f32, keep, polynomial, withSignOf } from "./math-lanes.ts";
import type { Lanes } from "./math-lanes.ts";

/** erf x / x - 1 in x^2, |x| <= 1; relative error of erf 2^-29.4. Both are made like the polynomials of `math-exp.ts`. */
const NEAR = [0.12837917, -0.37612626, 0.11283579, -0.026853347, 0.005187162, -0.0007997853, 0.00007806904];

/** log(erfc x) / x, 1 <= x <= FLAT; relative error of erf 2^-31.3. */
const FAR = [-1.1286943, -0.6349697, -0.10653055, 0.02400978, -0.0037573334, 0.0003505552, -0.0000139585975];

/** From here on erf is 1 in float32. */
const FLAT = 3.95;

export const erf = (f: FunctionBuilder, x: Lanes): Lanes => {
  const size = keep(f, "size", f32.smaller(f32.abs(x), f32.of(FLAT)));
  const square = keep(f, "square", f32.mul(size, size));
  const near = keep(f, "near", f32.add(f32.mul(size, polynomial(f, f32, square, NEAR)), size));
  const complement = expDown(f, keep(f, "exponent", f32.mul(size, polynomial(f, f32, size, FAR))));
  return withSignOf(choose(f32.gt(size, f32.of(1)), f32.sub(f32.of(1), complement), near), x);
};
