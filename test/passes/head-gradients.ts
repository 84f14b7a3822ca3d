/** @file Attention of one head and its gradient in float64, with any function in the place of exp; and the share of its bound
 *  (passes/attention/gradient-bound.ts) that an approximate gradient's error is. */

import type { GradientBound } from "../../passes/attention/gradient-bound.ts";

export type Rows = readonly (readonly number[])[];

export const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, x, i) => sum + x * (b[i] ?? 0), 0);
const total = (list: readonly number[]): number => list.reduce((sum, x) => sum + x, 0);
export const norm = (a: readonly number[]): number => Math.sqrt(dot(a, a));
const minus = (a: readonly number[], b: readonly number[]): number[] => a.map((x, i) => x - (b[i] ?? 0));

/** Σ_n weights[n] rows[n] */
const combine = (weights: readonly number[], rows: Rows): number[] =>
  (rows[0] ?? []).map((_, x) => total(rows.map((row, n) => (weights[n] ?? 0) * (row[x] ?? 0))));

const column = (rows: Rows, j: number): number[] => rows.map((row) => row[j] ?? 0);

export interface Problem {
  readonly q: Rows;
  readonly k: Rows;
  readonly v: Rows;
  readonly dO: Rows;
  readonly scale: number;
  readonly scores: Rows;
  /** 1 where i may attend to j. */
  readonly allowed: (i: number, j: number) => number;
}

export interface OperandGradients {
  readonly dq: Rows;
  readonly dk: Rows;
  readonly dv: Rows;
}

export interface Gradients extends OperandGradients {
  readonly weights: Rows;
}

/** The gradient with `weigh` for exp; `slope` in dS. */
export const gradients = ({ q, k, v, dO, scale, scores, allowed }: Problem, weigh: (s: number) => number, slope: (s: number) => number): Gradients => {
  const raw = scores.map((row, i) => row.map((s, j) => allowed(i, j) * weigh(s)));
  const weights = raw.map((row) => row.map((x) => x / total(row)));
  const inDS = scores.map((row, i) => row.map((s, j) => (allowed(i, j) * slope(s)) / total(raw[i] ?? [])));
  const o = weights.map((row) => combine(row, v));
  const dS = inDS.map((row, i) => row.map((w, j) => w * (dot(dO[i] ?? [], v[j] ?? []) - dot(dO[i] ?? [], o[i] ?? []))));
  return {
    weights,
    dq: dS.map((row) => combine(row, k).map((x) => scale * x)),
    dk: k.map((_, j) => combine(column(dS, j), q).map((x) => scale * x)),
    dv: v.map((_, j) => combine(column(weights, j), dO)),
  };
};

/** The largest error of each gradient as a share of its bound. */
export const shares = (
  at: Problem, exact: Gradients, low: OperandGradients, found: GradientBound,
): Readonly<Record<"dq" | "dk" | "dv", number>> => {
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

