/** @file What a control variate does to the variance of dq, against plain sampling of as many entries, by the spread of the
 *  scores and the degree of the polynomial (one head of 256 random queries and keys of width 16, causal, c = 16, Bernoulli).
 *
 *  Without the gate, the expected ratios are those of the table below; rows that the gate sends to plain sampling can only
 *  make them smaller, and do where the control variate is worse than nothing (deviation 2, degree 0: 2.8). */

import { afterAll, expect, it } from "vitest";
import { taylor } from "../../ir/approximation.ts";
import { drawOf, gradientOf, problemOf } from "./sus-support.ts";
import type { Problem } from "./sus-support.ts";

const DRAWS = 60;

/** [deviation of the scores, degree, expected ratio] */
const TABLE: readonly (readonly [number, number, number])[] = [
  [0.25, 0, 0.038], [0.25, 2, 1e-4], [0.5, 0, 0.14], [0.5, 2, 0.0009], [1, 0, 0.6], [1, 2, 0.037], [2, 0, 2.8], [2, 2, 0.81],
];

/** Trace of the covariance of dq over draws. */
const varianceOf = (p: Problem, ...center: readonly Float64Array[]): number => {
  const draws = Array.from({ length: DRAWS }, (_, r) => gradientOf(p, drawOf(p, r + 1, ...center))[0]!);
  const mean = draws[0]!.map((_, i) => draws.reduce((sum, g) => sum + g[i]!, 0) / DRAWS);
  return draws.reduce((sum, g) => sum + g.reduce((s, x, i) => s + (x - mean[i]!) ** 2, 0), 0) / (DRAWS - 1);
};

const plain = new Map<number, number>();

const ratioOf = (sharpness: number, degree: number): number => {
  const p = problemOf({ n: 256, d: 16, causal: true, sharpness, c: 16, sampler: "bernoulli" });
  const reference = plain.get(sharpness) ?? varianceOf(p);
  plain.set(sharpness, reference);
  const controlled: Problem = { ...p, attrs: { ...p.attrs, control: [...taylor(degree)] } };
  return varianceOf(controlled, new Float64Array(p.d)) / reference;
};

const observed: string[] = [];
afterAll(() => void process.stdout.write(`${observed.map((line) => `  ${line}\n`).join("")}`));

it.each(TABLE)("scores of deviation %f, degree %i: %f", (sharpness, degree, expected) => {
  const ratio = ratioOf(sharpness, degree);
  observed.push(`deviation ${sharpness}, degree ${degree}: ratio ${ratio.toPrecision(3)}, expected ${expected}`);
  expect(ratio).toBeLessThan(1.5 * Math.min(expected, 0.7));
  if (expected > 1e-4 && expected <= 0.6) expect(ratio).toBeGreaterThan(expected / 1.5);
});
