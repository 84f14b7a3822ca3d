/** @file The bounds of low-rank gradients hold, and are not idle, on random data whose scores are within the bound. */

import { describe, expect, it } from "vitest";
import { approximation, derivativeOf, FAMILIES, polynomialAt } from "../../ir/approximation.ts";
import { boundRemark, gradientBound } from "../../passes/attention/gradient-bound.ts";
import { source } from "../numeric/support.ts";

type Rows = readonly (readonly number[])[];

const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, x, i) => sum + x * (b[i] ?? 0), 0);
const total = (list: readonly number[]): number => list.reduce((sum, x) => sum + x, 0);
const norm = (a: readonly number[]): number => Math.sqrt(dot(a, a));
const minus = (a: readonly number[], b: readonly number[]): number[] => a.map((x, i) => x - (b[i] ?? 0));

/** Σ_n weights[n] rows[n] */
const combine = (weights: readonly number[], rows: Rows): number[] =>
  (rows[0] ?? []).map((_, x) => total(rows.map((row, n) => (weights[n] ?? 0) * (row[x] ?? 0))));

const column = (rows: Rows, j: number): number[] => rows.map((row) => row[j] ?? 0);

interface Problem {
  readonly q: Rows;
  readonly k: Rows;
  readonly v: Rows;
  readonly dO: Rows;
  readonly scale: number;
  readonly scores: Rows;
  /** 1 where i may attend to j. */
  readonly allowed: (i: number, j: number) => number;
}

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

interface Gradients {
  readonly weights: Rows;
  readonly dS: Rows;
  readonly dq: Rows;
  readonly dk: Rows;
  readonly dv: Rows;
}

/** The gradient with `weigh` for exp; `slope` in dS. */
const gradients = ({ q, k, v, dO, scale, scores, allowed }: Problem, weigh: (s: number) => number, slope: (s: number) => number): Gradients => {
  const raw = scores.map((row, i) => row.map((s, j) => allowed(i, j) * weigh(s)));
  const weights = raw.map((row) => row.map((x) => x / total(row)));
  const inDS = scores.map((row, i) => row.map((s, j) => (allowed(i, j) * slope(s)) / total(raw[i] ?? [])));
  const o = weights.map((row) => combine(row, v));
  const dS = inDS.map((row, i) => row.map((w, j) => w * (dot(dO[i] ?? [], v[j] ?? []) - dot(dO[i] ?? [], o[i] ?? []))));
  return {
    weights,
    dS,
    dq: dS.map((row) => combine(row, k).map((x) => scale * x)),
    dk: k.map((_, j) => combine(column(dS, j), q).map((x) => scale * x)),
    dv: v.map((_, j) => combine(column(weights, j), dO)),
  };
};

/** The largest error of each gradient as a share of its bound. */
const shares = (at: Problem, exact: Gradients, low: Gradients, found: ReturnType<typeof gradientBound>): Readonly<Record<"dq" | "dk" | "dv", number>> => {
  const { v, dO, k, q, scale } = at;
  const { weight, score, query } = found;
  const delta = dO.map((row, i) => dot(row, combine(exact.weights[i] ?? [], v)));
  const b = dO.map((row, i) => v.map((value) => Math.abs(dot(row, value) - (delta[i] ?? 0))));
  const beta = b.map((row, i) => dot(row, exact.weights[i] ?? []));
  const longest = Math.max(...k.map(norm));
  const dq = exact.dq.map((row, i) => norm(minus(row, low.dq[i] ?? [])) / (scale * query * (beta[i] ?? 0) * longest || 1));
  const dv = exact.dv.flatMap((row, j) => {
    const most = combine(column(exact.weights, j), dO.map((own) => own.map(Math.abs)));
    return minus(row, low.dv[j] ?? []).map((x, e) => Math.abs(x) / (weight * (most[e] ?? 0)));
  });
  const dk = exact.dk.map((row, j) => {
    const terms = q.map((own, i) =>
      (exact.weights[i]?.[j] ?? 0) * (score * (b[i]?.[j] ?? 0) + (1 + score) * weight * (beta[i] ?? 0)) * norm(own));
    return norm(minus(row, low.dk[j] ?? [])) / (scale * total(terms));
  });
  return { dq: Math.max(...dq), dk: Math.max(...dk), dv: Math.max(...dv) };
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
