/** @file Polynomials in place of exp, and what they cost in accuracy and in features: the numbers behind low-rank attention.
 *
 *      P(x) = a_0 + a_1 x + … + a_g x^g      ε = sup |P(x) / e^x - 1| over |x| <= R      η = 2ε / (1 - ε)
 *
 *  If every score s_ij of a row is in [-R, R], the weights made of P(s_ij) instead of exp(s_ij) are within η of the true
 *  ones, entry by entry: with P = e^s (1 + e_j), |e_j| <= ε, numerator and normaliser are each within ε of their own,
 *  so their quotient is within (1 + ε) / (1 - ε) - 1 = 2ε / (1 - ε).
 *
 *  Pure arithmetic: no operations, no tensors. */

export const FAMILIES = ["taylor", "chebyshev"] as const;

/** taylor: the series at 0.  chebyshev: the truncated Chebyshev series on [-R, R]. */
export type Family = (typeof FAMILIES)[number];

/** Coefficients a_0 … a_g in the monomial basis. */
export type Coefficients = readonly number[];

const upTo = (degree: number): readonly number[] => Array.from({ length: degree + 1 }, (_, k) => k);

const coefficientAt = (coefficients: Coefficients, k: number): number => coefficients[k] ?? 0;

/** T_g(x) = Σ_{k<=g} x^k / k! */
export const taylor = (degree: number): Coefficients => {
  let term = 1;
  return upTo(degree).map((k) => (term = k === 0 ? 1 : term / k));
};

/** Modified Bessel function I_k(x) = Σ_m (x/2)^{2m+k} / (m! (m+k)!), for x >= 0. */
export const besselI = (order: number, x: number): number => {
  const half = x / 2;
  let term = upTo(order).reduce((product, k) => (k === 0 ? product : (product * half) / k), 1);
  let sum = term;
  for (let m = 1; term > sum * Number.EPSILON; m++) {
    term *= (half * half) / (m * (m + order));
    sum += term;
  }
  return sum;
};

/** Powers of a smaller radius vanish in float64. */
const SMALLEST_RADIUS = 1e-4;

/** I_0(R) + 2 Σ_{1<=k<=g} I_k(R) T_k(x/R): e^x on [-R, R] by Chebyshev polynomials, in monomials of x.
 *  T_0 = 1, T_1 = t, T_{k+1} = 2t T_k - T_{k-1} give the monomials of each T_k. As R falls to 0 it becomes T_g(x). */
export const chebyshev = (degree: number, radius: number): Coefficients => {
  if (radius < SMALLEST_RADIUS) return taylor(degree);
  const sum = upTo(degree).map(() => 0);
  let [before, current]: [readonly number[], readonly number[]] = [[0, 1], [1]];
  for (const k of upTo(degree)) {
    const weight = (k === 0 ? 1 : 2) * besselI(k, radius);
    current.forEach((c, power) => (sum[power] = coefficientAt(sum, power) + weight * c));
    // T_{-1} = T_1, so the recurrence gives T_1 = 2t - t from it.
    const next = upTo(k + 1).map((power) => 2 * coefficientAt(current, power - 1) - coefficientAt(before, power));
    [before, current] = [current, next];
  }
  return sum.map((c, power) => c / radius ** power);
};

export const approximation = (family: Family, degree: number, radius: number): Coefficients =>
  family === "taylor" ? taylor(degree) : chebyshev(degree, radius);

/** P(x), by Horner. */
export const polynomialAt = (coefficients: Coefficients, x: number): number => coefficients.reduceRight((sum, a) => sum * x + a, 0);

/** Coefficients of P'. */
export const derivativeOf = (coefficients: Coefficients): Coefficients => coefficients.slice(1).map((a, k) => a * (k + 1));

/** The real roots of P in [from, to]: between neighbouring roots of P' it is monotone, so that bisection finds them all. */
const rootsIn = (coefficients: Coefficients, from: number, to: number): readonly number[] => {
  if (coefficients.length <= 1) return [];
  const turns = [from, ...rootsIn(derivativeOf(coefficients), from, to), to];
  return turns.slice(1).flatMap((right, i) => {
    const left = turns[i] ?? from;
    const rising = polynomialAt(coefficients, right) > polynomialAt(coefficients, left);
    if (polynomialAt(coefficients, left) * polynomialAt(coefficients, right) > 0) return [];
    let [a, b] = [left, right];
    for (let step = 0; step < 60; step++) {
      const middle = (a + b) / 2;
      if (polynomialAt(coefficients, middle) > 0 === rising) b = middle;
      else a = middle;
    }
    return [(a + b) / 2];
  });
};

/** sup over [-R, R] of |P(x) e^{-x} - 1|. Its extrema are at the ends and at the roots of P' - P, all of which are found,
 *  so that this is the supremum up to rounding, not a sample of it. */
export const relativeError = (coefficients: Coefficients, radius: number): number => {
  const slope = derivativeOf(coefficients);
  const turning = coefficients.map((a, k) => coefficientAt(slope, k) - a);
  const error = (x: number): number => Math.abs(polynomialAt(coefficients, x) * Math.exp(-x) - 1);
  return [-radius, radius, ...rootsIn(turning, -radius, radius)].reduce((most, x) => Math.max(most, error(x)), 0);
};

/** What the relative error on [-R, R] cannot exceed, without evaluating the polynomial:
 *  taylor     R^{g+1}/(g+1)! e^R: Lagrange's remainder is |x|^{g+1}/(g+1)! e^{max(x, 0)}, divided by e^x;
 *  chebyshev  2 e^R Σ_{k>g} I_k(R): what the series leaves out, with |T_k| <= 1, divided by the smallest e^x. */
export const errorBound = (family: Family, degree: number, radius: number): number => {
  if (radius === 0) return 0;
  if (family === "taylor")
    return upTo(degree + 1).reduce((product, k) => (k === 0 ? product : (product * radius) / k), Math.exp(radius));
  let [sum, k] = [0, degree + 1];
  for (let term = besselI(k, radius); term > sum * Number.EPSILON; term = besselI(++k, radius)) sum += term;
  return 2 * Math.exp(radius) * sum;
};

/** Beyond this no feature map is affordable for any width. */
const LARGEST_DEGREE = 64;

/** The smallest degree with a relative error of at most ε on [-R, R], among the even ones if `even`; null beyond 64.
 *  Even Taylor polynomials are positive everywhere, so that normalisers are, whatever the scores turn out to be. */
export const smallestDegree = (family: Family, radius: number, epsilon: number, even: boolean): number | null => {
  for (let degree = 0; degree <= LARGEST_DEGREE; degree += even ? 2 : 1)
    if (relativeError(approximation(family, degree, radius), radius) <= epsilon) return degree;
  return null;
};

/** η = 2ε / (1 - ε): the relative error of normalised weights; Infinity where ε >= 1, since a normaliser may then vanish. */
export const weightError = (epsilon: number): number => (epsilon < 1 ? (2 * epsilon) / (1 - epsilon) : Infinity);

/** The ε that gives this η. */
export const epsilonFor = (eta: number): number => eta / (2 + eta);

/** Distinct monomials of degree <= g in `width` variables, C(width + g, g): the rank of the matrix of P(q_i · k_j). */
export const rankOf = (width: number, degree: number): number =>
  upTo(degree).reduce((product, k) => (k === 0 ? product : (product * (width + k)) / k), 1);

/** The length from which feature maps of degree g beat the dense backward pass in FLOPs, for heads of width d = E = K.
 *  With r the rank at degree g for the surrogate form, g + 1 for the plug-in form (∫P has one degree more):
 *  not causal  10 n r d                        against 10 n² d:   n > r
 *  causal      n (10 r d + 2C (3r + 2d))       against  5 n² d:   n > 2r + 1.2 C r/d + 0.8 C,   C the chunk
 *  The causal count is that of chunks computed from features. Chunks computed from scores cost less: `auto` compares the
 *  cost polynomials of the operations, and this is the estimate from the width alone. */
export const breakEvenLength = (width: number, rank: number, causal: boolean, chunk = 64): number =>
  causal ? 2 * rank + (1.2 * chunk * rank) / width + 0.8 * chunk : rank;
