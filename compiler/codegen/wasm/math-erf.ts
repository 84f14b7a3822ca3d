/** @file The error function: near 0 by a polynomial in which small x keep their bits, beyond by a polynomial of its complement. */

import type { FunctionBuilder } from "./builder.ts";
import { choose, f32, keep, polynomial, withSignOf } from "./math-lanes.ts";
import type { Lanes } from "./math-lanes.ts";

/** Where the second polynomial takes over: the errors of both are about equal there. */
const SPLIT = 1.0625;

/** erf x / x - 1 in x^2, |x| <= SPLIT; relative error of erf 2^-28.2. Both are made like the polynomials of `math-exp.ts`. */
const NEAR = [0.12837917, -0.37612617, 0.1128345, -0.02684734, 0.00517501, -0.0007886809, 0.00007431087];

/** 1 - erf x in x - CENTRE, SPLIT <= x <= FLAT; relative error of erf 2^-25.6. */
const FAR = [
  0.00040693497, -0.0021781784, 0.005446522, -0.008351792, 0.008616123, -0.0061092516, 0.0028163951, -0.00055977085, -0.00028475677,
  0.00026987612, -0.00006267078, -0.000017376582, 0.00000925477, -5.690635e-7,
];
const CENTRE = 2.5;

/** From here on erf is 1 in float32. */
const FLAT = 3.95;

export const erf = (f: FunctionBuilder, x: Lanes): Lanes => {
  const size = keep(f, "size", f32.smaller(f32.abs(x), f32.of(FLAT)));
  const square = keep(f, "square", f32.mul(size, size));
  const near = keep(f, "near", f32.add(f32.mul(size, polynomial(f, f32, square, NEAR)), size));
  const complement = polynomial(f, f32, keep(f, "from_centre", f32.sub(size, f32.of(CENTRE))), FAR);
  return withSignOf(choose(f32.gt(size, f32.of(SPLIT)), f32.sub(f32.of(1), complement), near), x);
};
