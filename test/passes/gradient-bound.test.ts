/** @file The bounds of low-rank gradients hold, and are not idle, on random data whose scores are within the bound. */

import { describe, expect, it } from "vitest";
import { approximation, derivativeOf, FAMILIES, polynomialAt } from "../../ir/approximation.ts";
import { boundRemark, gradientBound } from "../../passes/attention/gradient-bound.ts";
import { source } from "../numeric/support.ts";
import { dot, gradients, norm, shares } from "./head-gradients.ts";
import type { Problem, Rows } from "./head-gradients.ts";

const N = 12;
const WIDTH = 4;

/** Queries and keys of norms that make |score| at most `radius`, and often near it. */
const problem = (radius: number, seed: number, causal: boolean): Problem => {
  const draw = source(seed);
  const rows = (size: (row: number[]) => number): Rows =>
    Array.from({ length: N }, () => {
      const row = Array.from({ length: WIDTH }, () => draw() - 0.5);
      return row.map((x) => x * size(row));
    });
  const unit = rows((row) => 1 / norm(row));
  // Half of the keys lie along queries, so that scores of ±R occur.
  const k = unit.map((row, j) => (j % 2 === 0 ? row : rows((own) => 1 / norm(own))[0] ?? row)).map((row) => row.map((x) => x * 2));
  const q = unit.map((row, i) => row.map((x) => (i % 3 === 0 ? -x : x)));
  const scale = radius / 2;
  return {
    q, k, scale,
    v: rows(() => 3),
    dO: rows(() => 5),
    scores: q.map((row) => k.map((key) => scale * dot(row, key))),
    allowed: (i, j) => (causal && j > i ? 0 : 1),
  };
};

describe.each(["plugin", "surrogate"] as const)("%s", (form) => {
  it.each(FAMILIES)("with %s polynomials keeps to the bounds, and comes near them", (family) => {
    const worst = { dq: 0, dk: 0, dv: 0 };
    for (const radius of [0.25, 0.5, 1, 2])
      for (const degree of [2, 4])
        for (const causal of [false, true])
          for (const seed of [1, 2, 3, 4]) {
            const at = problem(radius, seed, causal);
            expect(Math.max(...at.scores.flat().map(Math.abs))).toBeLessThanOrEqual(radius * (1 + 1e-12));
            const found = gradientBound(radius, family, degree, form);
            if (!Number.isFinite(found.query)) continue;
            const coefficients = approximation(family, degree, radius);
            const inDS = form === "plugin" ? coefficients : derivativeOf(coefficients);
            const low = gradients(at, (s) => polynomialAt(coefficients, s), (s) => polynomialAt(inDS, s));
            const share = shares(at, gradients(at, Math.exp, Math.exp), low, found);
            for (const key of ["dq", "dk", "dv"] as const) {
              expect(share[key]).toBeLessThanOrEqual(1 + 1e-9);
              worst[key] = Math.max(worst[key], share[key]);
            }
          }
    expect(Math.min(worst.dq, worst.dk, worst.dv)).toBeGreaterThan(0.05);
  });
});

it("weights are within η of the exact ones, entry by entry", () => {
  const at = problem(1, 9, false);
  const coefficients = approximation("taylor", 2, 1);
  const low = gradients(at, (s) => polynomialAt(coefficients, s), Math.exp);
  const exact = gradients(at, Math.exp, Math.exp);
  const { weight } = gradientBound(1, "taylor", 2);
  low.weights.forEach((row, i) => row.forEach((w, j) => expect(Math.abs(w / (exact.weights[i]?.[j] ?? 0) - 1)).toBeLessThanOrEqual(weight)));
});

it("says what follows, and that nothing does", () => {
  expect(boundRemark(1, "taylor", 2)).toBe(
    "proven |score| <= 1: taylor of degree 2 is within 36 % of exp, so weights and dv are within 110 % entry by entry, and " +
      "‖Δdq_i‖ <= 2.2 · scale · β_i · max‖k_j‖ with β_i = Σ_j W_ij |d_o_i·v_j - δ_i|",
  );
  expect(boundRemark(0.05, "chebyshev", 4)).toContain("of exp, so weights and dv are within ");
  expect(boundRemark(4, "taylor", 2)).toBe("proven |score| <= 4: taylor of degree 2 is within 27000 % of exp, which bounds nothing");
  expect(gradientBound(4, "taylor", 2, "surrogate").query).toBe(Infinity);
});
