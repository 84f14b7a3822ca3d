/** @file What the tests of sampled attention share: a problem with its exact gradient and its weights written out here, what
 *  the estimator's expectation and variance should be, and the function that judges whether draws agree. */

import type { Data, TensorType } from "../../ir/core.ts";
import { evaluateOp } from "../../ir/interpret.ts";
import { attention, attentionSampled, attentionVjp, attentionVjpSampled } from "../../ir/ops/index.ts";
import type { SampledAttrs } from "../../ir/ops/attention-sampled-attrs.ts";
import { tensor } from "../../ir/types.ts";
import { exampleData, source } from "./support.ts";

export interface Setup {
  readonly n: number;
  readonly d: number;
  readonly causal: boolean;
  /** Factor of the queries: the larger, the sharper the rows. */
  readonly sharpness: number;
  readonly c: number;
  readonly sampler: SampledAttrs["sampler"];
}

/** One head: q, k, v, d_o as kernels hold them, its weights, and its gradient. */
export interface Problem extends Setup {
  readonly attrs: SampledAttrs;
  readonly q: Data;
  readonly k: Data;
  readonly v: Data;
  readonly dO: Data;
  readonly o: Data;
  /** [n, n], 0 where masked */
  readonly w: Data;
  /** delta_i = d_o_i . o_i */
  readonly delta: Data;
  /** dq, dk, dv */
  readonly exact: readonly Data[];
}

export const sampledAttrs = ({ d, causal, c, sampler }: Pick<Setup, "d" | "causal" | "c" | "sampler">): SampledAttrs =>
  ({ causal, window: 0, scale: 1 / Math.sqrt(d), extras: [], dropout: 0, site: "", backward: "exact", c, sampler, control: [] });

export const dot = (x: Data, i: number, y: Data, j: number, d: number): number => {
  let sum = 0;
  for (let a = 0; a < d; a++) sum += x[i * d + a]! * y[j * d + a]!;
  return sum;
};

export const problemOf = (setup: Setup, seed = 1): Problem => {
  const { n, d, causal, sharpness } = setup;
  const uniform = source(seed);
  const x = tensor("f32", [1, 1, n, d]);
  const draw = (factor: number): Data => exampleData({ type: x, elements: "normal" }, uniform).map((y) => Math.fround(factor * y));
  const [q, k, v, dO] = [draw(sharpness), draw(1), draw(1), draw(1)];
  const attrs = sampledAttrs(setup);
  const row = tensor("f32", [1, 1, n]);
  const [o, lse] = evaluateOp(attention, [q, k, v], [x, x, x], [x, row], attrs).results as [Data, Data];
  const operands: readonly TensorType[] = [x, x, x, x, row, x];
  const exact = evaluateOp(attentionVjp, [q, k, v, o, lse, dO], operands, [x, x, x], attrs).results;
  const w = Float64Array.from({ length: n * n }, (_, at) => {
    const [i, j] = [Math.floor(at / n), at % n];
    return causal && j > i ? 0 : Math.exp(attrs.scale * dot(q, i, k, j, d) - lse[i]!);
  });
  const delta = Float64Array.from({ length: n }, (_, i) => dot(dO, i, o, i, d));
  return { ...setup, attrs, q, k, v, dO, o, w, delta, exact };
};

export const key = (seed: number): Data => {
  const uniform = source(seed);
  return Float64Array.from({ length: 4 }, () => Math.floor(uniform() * 2 ** 16));
};

export interface Draw {
  readonly kept: Data;
  readonly weights: Data;
}

/** What attention_sampled keeps, in float64; with the centre of a control variate, if it has one. */
export const drawOf = (p: Problem, seed: number, ...center: readonly Data[]): Draw => {
  const x = tensor("f32", [1, 1, p.n, p.d]);
  const types = [x, x, x, tensor("i32", [4]), ...center.map(() => tensor("f32", [1, 1, p.d]))];
  const results = attentionSampled.infer(types, p.attrs) as readonly TensorType[];
  const [, , kept, weights] = evaluateOp(attentionSampled, [p.q, p.k, p.v, key(seed), ...center], types, results, p.attrs).results as [Data, Data, Data, Data];
  return { kept, weights };
};

/** dq, dk, dv of a draw, in float64; `o` is the exact output unless another is given. */
export const gradientOf = (p: Problem, { kept, weights }: Draw, o: Data = p.o): readonly Data[] => {
  const x = tensor("f32", [1, 1, p.n, p.d]);
  const slots = tensor("i32", [1, 1, p.n, kept.length / p.n]);
  const types = [x, x, x, x, slots, { ...slots, dtype: "f32" as const }, x];
  return evaluateOp(attentionVjpSampled, [p.q, p.k, p.v, o, kept, weights, p.dO], types, [x, x, x], p.attrs).results;
};

/** tr Var of dq, dk and dv for independent draws:  v_ij = w max(1 / c - w, 0),  b_ij = d_o_i . v_j - delta_i,
 *  s^2 sum v b^2 |k_j|^2,   s^2 sum v b^2 |q_i|^2,   sum v |d_o_i|^2 */
export const closedForm = (p: Problem): readonly [number, number, number] => {
  const { n, d, c, w, q, k, v, dO } = p;
  const out: [number, number, number] = [0, 0, 0];
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) {
      const variance = w[i * n + j]! * Math.max(1 / c - w[i * n + j]!, 0);
      if (variance === 0) continue;
      const b = p.attrs.scale * (dot(dO, i, v, j, d) - p.delta[i]!);
      out[0] += variance * b * b * dot(k, j, k, j, d);
      out[1] += variance * b * b * dot(q, i, q, i, d);
      out[2] += variance * dot(dO, i, dO, i, d);
    }
  return out;
};

/** Sums over draws of a gradient and of its squared distance from the exact one. */
export interface Moments {
  readonly draws: number;
  readonly sum: readonly Data[];
  readonly squares: readonly number[];
}

export const momentsOf = (p: Problem, draws: number, gradient: (draw: number) => readonly Data[]): Moments => {
  const sum = p.exact.map(({ length }) => new Float64Array(length));
  const squares = p.exact.map(() => 0);
  for (let r = 0; r < draws; r++)
    gradient(r).forEach((g, which) => {
      for (let at = 0; at < g.length; at++) {
        sum[which]![at]! += g[at]!;
        squares[which]! += (g[at]! - p.exact[which]![at]!) ** 2;
      }
    });
  return { draws, sum, squares };
};

/** |mean - exact| over what the spread of the draws makes of it, sqrt(tr Var / R), for dq, dk, dv: 1 if they are unbiased.
 *  Draws that do not vary at all count as infinitely far off, unless they are exact. */
export const biasRatios = (p: Problem, { draws, sum, squares }: Moments): readonly number[] =>
  p.exact.map((exact, which) => {
    const off = Math.hypot(...exact.map((x, at) => sum[which]![at]! / draws - x));
    const variance = squares[which]! / draws - off ** 2;
    return off === 0 ? 0 : variance <= 1e-12 * squares[which]! / draws ? Number.POSITIVE_INFINITY : off / Math.sqrt(variance / draws);
  });

/** The test of claim 3: all ratios near 1. */
export const isUnbiased = (p: Problem, moments: Moments): boolean =>
  biasRatios(p, moments).every((ratio) => ratio >= 0.85 && ratio <= 1.15);

export const varianceRatios = (p: Problem, { draws, squares }: Moments): readonly number[] =>
  closedForm(p).map((expected, which) => squares[which]! / draws / expected);
