/** @file The meaning of attention by a polynomial and of its gradients, in float64, pair by pair on the true scores: nothing
 *  here knows of features, so that the expansion is tested against something else than itself.
 *
 *  s_ij = scale q_i . k_j     Z_i = Σ_j P(s_ij)     f_ij = gate_i P(s_ij) / Z_i     o_i = Σ_j f_ij v_j */

import { polynomialAt } from "../approximation.ts";
import type { Data, EvaluateContext } from "../core.ts";
import { attentionSizes } from "./attention-attrs.ts";
import { isOrdered, lowRankOperands, slope } from "./attention-lowrank-attrs.ts";
import type { LowRankAttrs, LowRankVjpAttrs } from "./attention-lowrank-attrs.ts";
import { lowRankTally, lowRankVjpTally } from "./attention-lowrank-cost.ts";

const get = (data: Data, index: number): number => data[index] as number;

const dot = (a: Data, ai: number, b: Data, bi: number, width: number): number => {
  let sum = 0;
  for (let x = 0; x < width; x++) sum += get(a, ai + x) * get(b, bi + x);
  return sum;
};

/** to[at…] += factor * from[start…] */
const accumulate = (to: Data, at: number, from: Data, start: number, width: number, factor: number): void => {
  for (let x = 0; x < width; x++) to[at + x] = get(to, at + x) + factor * get(from, start + x);
};

/** One query and the keys it sees. */
interface Row {
  /** Index of (b, h, i): times K into q, times E into o. */
  readonly query: number;
  /** Index of (b, g, 0): plus j, times K into k, times E into v. */
  readonly keys: number;
  /** Scores of the keys 0, 1, … that it sees. */
  readonly scores: Data;
  /** Σ_j P(s_ij), or 1 where that is 0: rows without keys. */
  readonly total: number;
}

const forEachRow = (ctx: EvaluateContext<LowRankAttrs>, visit: (row: Row) => void): void => {
  const sizes = attentionSizes(lowRankOperands(ctx.operandTypes, ctx.attrs.extras));
  const data = lowRankOperands(ctx.operands, ctx.attrs.extras);
  const [q, k, lengths] = [data.need("q"), data.need("k"), data.maybe("lengths")];
  const { B, H, G, N, M, K } = sizes;
  for (let query = 0; query < B * H * N; query++) {
    const [b, h, i] = [Math.floor(query / (H * N)), Math.floor(query / N) % H, query % N];
    const keys = (b * G + Math.floor((h * G) / H)) * M;
    const seen = isOrdered(ctx.attrs, sizes) ? Math.max(0, i + 1 + M - N) : M;
    const count = Math.min(seen, lengths === null ? M : get(lengths, b));
    const scores = Float64Array.from({ length: count }, (_, j) => ctx.attrs.scale * dot(q, query * K, k, (keys + j) * K, K));
    const total = scores.reduce((sum, s) => sum + polynomialAt(ctx.attrs.coefficients, s), 0);
    visit({ query, keys, scores, total: total === 0 ? 1 : total });
  }
};

export const evaluateLowRank = (ctx: EvaluateContext<LowRankAttrs>): readonly Data[] => {
  const types = lowRankOperands(ctx.operandTypes, ctx.attrs.extras);
  const { B, H, N, E } = attentionSizes(types);
  const v = lowRankOperands(ctx.operands, ctx.attrs.extras).need("v");
  const o = new Float64Array(B * H * N * E);
  forEachRow(ctx, ({ query, keys, scores, total }) =>
    scores.forEach((s, j) => accumulate(o, query * E, v, (keys + j) * E, E, polynomialAt(ctx.attrs.coefficients, s) / total)),
  );
  ctx.tally.flops += lowRankTally(ctx);
  return [o];
};

/** dS_ij = gate_i F'(s_ij) / Z_i (d_o_i . v_j - δ_i), F' = P (plugin) or P' (surrogate), δ_i given or d_o_i . o_i
 *  dq = scale dS k     dk = scale dS^T q     dv = f^T d_o */
export const evaluateLowRankVjp = (ctx: EvaluateContext<LowRankVjpAttrs>): readonly Data[] => {
  const { coefficients, scale, extras } = ctx.attrs;
  const { K, E } = attentionSizes(lowRankOperands(ctx.operandTypes, extras));
  const data = lowRankOperands(ctx.operands, extras);
  const [q, k, v, dO] = [data.need("q"), data.need("k"), data.need("v"), data.need("d_o")];
  const [givenDelta, gates] = [data.maybe("delta"), data.maybe("gate")];
  const [dq, dk, dv] = [new Float64Array(q.length), new Float64Array(k.length), new Float64Array(v.length)];
  const rate = slope(ctx.attrs);
  forEachRow(ctx, ({ query, keys, scores, total }) => {
    const gate = (gates === null ? 1 : get(gates, query)) / total;
    const weights = scores.map((s) => gate * polynomialAt(coefficients, s));
    const products = scores.map((_, j) => dot(dO, query * E, v, (keys + j) * E, E));
    const delta = givenDelta === null ? dot(weights, 0, products, 0, weights.length) : get(givenDelta, query);
    scores.forEach((s, j) => {
      const key = keys + j;
      const dScore = scale * gate * polynomialAt(rate, s) * (get(products, j) - delta);
      accumulate(dv, key * E, dO, query * E, E, get(weights, j));
      accumulate(dq, query * K, k, key * K, K, dScore);
      accumulate(dk, key * K, q, query * K, K, dScore);
    });
  });
  ctx.tally.flops += lowRankVjpTally(ctx);
  return [dq, dk, dv];
};
