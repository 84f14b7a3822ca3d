/** @file The distinct monomials of several variables: what the features of a polynomial kernel are.
 *
 *      P(x · y) = Σ_m w_m μ_m(x) μ_m(y),    w_m = a_p p! / Π e_v!    for a monomial of degree p with exponents e_v
 *
 *  A monomial of degree p is the sorted list of its variables, i_1 <= … <= i_p. Monomials are numbered by degree, then by
 *  the largest variable, the next largest, …, so that those of degree <= g are a prefix of those of degree <= g + 1:
 *
 *      number = C(width + p - 1, p - 1) + Σ_t C(i_t + t - 1, t)
 *
 *  (the combinatorial number system; Knuth, TAOCP 4A, 7.2.1.3). */

import { rankOf } from "./approximation.ts";
import * as poly from "./poly.ts";
import type { Poly } from "./poly.ts";

/** Numbers of monomials stay below this, so that float32 arithmetic on them is exact, products and quotients included. */
export const MOST_MONOMIALS = 2 ** 20;
export const LARGEST_DEGREE = 7;

export interface Monomials {
  /** Variables. */
  readonly width: number;
  /** The largest degree. */
  readonly degree: number;
}

/** Is C(width + degree, degree) a number of monomials that the tables can count? */
export const isCountable = ({ width, degree }: Monomials): boolean =>
  Number.isInteger(width) && width >= 1 && Number.isInteger(degree) && degree >= 0 && degree <= LARGEST_DEGREE
  && rankOf(width, degree) <= MOST_MONOMIALS;

/** All monomials of degree <= `degree`, in the order of their numbers, one list of sorted variables each. */
export const monomialsOf = ({ width, degree }: Monomials): readonly (readonly number[])[] => {
  const ofDegree = (p: number, most: number): readonly (readonly number[])[] => {
    if (p === 0) return [[]];
    return Array.from({ length: most + 1 }, (_, last) => ofDegree(p - 1, last).map((head) => [...head, last])).flat();
  };
  return Array.from({ length: degree + 1 }, (_, p) => ofDegree(p, width - 1)).flat();
};

/** C(width + degree, degree) as a polynomial: Π_{t=1}^{g} (K + t) / g!. */
export const rankPoly = (width: Poly, degree: number): Poly => {
  const known = width.terms.get("");
  if (poly.isConstant(width)) return poly.constant(rankOf(known ?? 0, degree));
  const factors = Array.from({ length: degree }, (_, t) => poly.add(width, poly.constant(t + 1)));
  return poly.scale(poly.mul(...factors), 1 / factors.reduce((product, _, t) => product * (t + 1), 1));
};

/** p! / Π e_v!: in how many orders the variables of a monomial can be multiplied. */
export const ordersOf = (variables: readonly number[]): number =>
  variables.reduce((product, variable, t) => (product * (t + 1)) / (t + 1 - variables.indexOf(variable)), 1);
