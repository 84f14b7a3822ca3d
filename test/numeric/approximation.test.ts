/** @file Polynomials for exp: smallest degrees, ranks and break-even lengths against tables computed elsewhere; the error
 *  against dense sampling; the bounds above the error. */

import { describe, expect, it } from "vitest";
import {
  approximation, besselI, breakEvenLength, chebyshev, derivativeOf, epsilonFor, errorBound, FAMILIES, polynomialAt, rankOf, relativeError,
  smallestDegree, taylor, weightError,
} from "../../ir/approximation.ts";

const RADII = [0.25, 0.5, 1, 2, 4, 8];
const EPSILONS = [0.1, 0.01, 0.001, 1e-6];

/** Smallest degrees for RADII by EPSILONS. */
const DEGREES = {
  taylor: [[1, 2, 3, 5], [2, 3, 4, 7], [3, 5, 6, 9], [7, 8, 10, 14], [14, 15, 17, 21], [28, 30, 31, 36]],
  chebyshev: [[1, 2, 2, 4], [1, 2, 3, 6], [3, 4, 5, 7], [5, 6, 7, 10], [9, 10, 12, 15], [18, 19, 20, 24]],
} as const;

describe.each(FAMILIES)("%s", (family) => {
  it("needs the degrees of the table", () => {
    expect(RADII.map((radius) => EPSILONS.map((epsilon) => smallestDegree(family, radius, epsilon, false)))).toEqual(DEGREES[family]);
  });

  it("rounds up to even degrees", () => {
    const even = DEGREES[family].map((row) => row.map((degree) => degree + (degree % 2)));
    expect(RADII.map((radius) => EPSILONS.map((epsilon) => smallestDegree(family, radius, epsilon, true)))).toEqual(even);
  });

  it("has the error that a dense sample shows, below its bound", () => {
    for (const radius of RADII)
      for (const degree of [0, 1, 2, 3, 4, 7, 12]) {
        const coefficients = approximation(family, degree, radius);
        const samples = Array.from({ length: 4001 }, (_, i) => (i / 2000 - 1) * radius);
        const sampled = Math.max(...samples.map((x) => Math.abs(polynomialAt(coefficients, x) * Math.exp(-x) - 1)));
        const exact = relativeError(coefficients, radius);
        expect(exact).toBeGreaterThanOrEqual(sampled * (1 - 1e-9) - 1e-13);
        expect(exact).toBeLessThanOrEqual(sampled * (1 + 1e-4) + 1e-13);
        expect(exact).toBeLessThanOrEqual(errorBound(family, degree, radius) * (1 + 1e-9) + 1e-12);
      }
  });
});

it("Bessel functions have their tabulated values", () => {
  const TABLE = [[0, 1, 1.2660658777520084], [1, 1, 0.5651591039924851], [0, 5, 27.239871823604442], [3, 2, 0.2127399592398526], [10, 4, 0.00040378896132693]] as const;
  for (const [order, x, value] of TABLE) expect(besselI(order, x) / value).toBeCloseTo(1, 9);
});

it("the Chebyshev series is that of its definition, cos(k acos t)", () => {
  const coefficients = chebyshev(5, 3);
  for (const x of [-3, -1.1, 0, 0.4, 3]) {
    const terms = [1, 2, 3, 4, 5].map((k) => 2 * besselI(k, 3) * Math.cos(k * Math.acos(x / 3)));
    expect(polynomialAt(coefficients, x)).toBeCloseTo(terms.reduce((sum, term) => sum + term, besselI(0, 3)), 10);
  }
});

it("is the Taylor polynomial on a vanishing interval", () => {
  for (const radius of [0, 1e-5, 1e-3]) chebyshev(4, radius).forEach((a, k) => expect(a).toBeCloseTo(taylor(4)[k] ?? Number.NaN, 5));
  expect(FAMILIES.map((family) => errorBound(family, 2, 0))).toEqual([0, 0]);
});

it("even Taylor polynomials are positive everywhere, with the known minima", () => {
  const minimum = (degree: number): number => Math.min(...Array.from({ length: 20_001 }, (_, i) => polynomialAt(taylor(degree), i / 500 - 20)));
  expect([2, 4, 6].map((degree) => Number(minimum(degree).toFixed(2)))).toEqual([0.5, 0.27, 0.15]);
  expect([1, 3].every((degree) => minimum(degree) < 0)).toBe(true);
});

it("the derivative of a Taylor polynomial is the one before", () => {
  expect(derivativeOf(taylor(5))).toHaveLength(5);
  derivativeOf(taylor(5)).forEach((a, k) => expect(a).toBeCloseTo(taylor(4)[k] ?? Number.NaN, 15));
});

it("normalised weights are within 2ε/(1 - ε), which is attained in the limit of one light key", () => {
  expect(weightError(0.1)).toBeCloseTo(0.2 / 0.9, 15);
  expect([weightError(1), weightError(2)]).toEqual([Infinity, Infinity]);
  expect(weightError(epsilonFor(0.3))).toBeCloseTo(0.3, 14);
  // One key of 1000 is overestimated by ε, all others underestimated by it.
  const [epsilon, keys] = [0.05, 1000];
  const wrong = ((1 + epsilon) / (1 + epsilon + (keys - 1) * (1 - epsilon))) * keys;
  expect(wrong - 1).toBeLessThanOrEqual(weightError(epsilon));
  expect(wrong - 1).toBeGreaterThan(0.99 * weightError(epsilon));
});

it("ranks are those of the table", () => {
  const ranks = [16, 32, 64, 128].map((width) => [1, 2, 3, 4, 5, 6].map((degree) => rankOf(width, degree)));
  expect(ranks).toEqual([
    [17, 153, 969, 4845, 20_349, 74_613],
    [33, 561, 6545, 58_905, 435_897, 2_760_681],
    [65, 2145, 47_905, 814_385, 11_238_513, 131_115_985],
    [129, 8385, 366_145, 12_082_785, 321_402_081, 7_177_979_809],
  ]);
  expect([rankOf(4, 3), rankOf(64, 0)]).toEqual([35, 1]);
});

it("breaks even at the lengths of the table", () => {
  const at = (width: number, degree: number, causal: boolean, chunk = 64): number => breakEvenLength(width, rankOf(width, degree), causal, chunk);
  expect([at(64, 1, false), at(64, 2, false), at(16, 2, false), at(16, 3, false)]).toEqual([65, 2145, 153, 969]);
  expect(Math.round(at(64, 1, true))).toBe(259);
  expect(Math.round(at(64, 2, true))).toBe(6915);
  expect(Math.round(at(16, 2, true))).toBe(1092);
  expect(Math.round(at(16, 2, true, 8))).toBe(404);
});
