/** @file The meaning of sampled attention and of its gradient, in float64, touching only the pairs that no mask rules out,
 *  and in the gradient only those that were kept. */

import type { Data, EvaluateContext } from "../core.ts";
import { multiplierOf } from "./attention-dropout.ts";
import { accumulate, bump, dot, evaluateAttention, forEachRow, get, problemOf } from "./attention-evaluate.ts";
import type { Row } from "./attention-evaluate.ts";
import { capacity, sampledOperands, sampledVjpOperands } from "./attention-sampled-attrs.ts";
import type { SampledAttrs } from "./attention-sampled-attrs.ts";
import { samplingFlops, slotVjpFlops } from "./attention-sampled-cost.ts";
import { uniformOf } from "./attention-draw.ts";
import { controlledSample, drawBernoulli, drawSystematic, plainSample } from "./attention-sampled-row.ts";

/** The results of `attention` on the operands that are its own. */
const exactResults = (ctx: EvaluateContext<SampledAttrs>): readonly Data[] => {
  const own = <T>(list: readonly T[]): readonly T[] => [...list.slice(0, 3), ...list.slice(list.length - ctx.attrs.extras.length)];
  return evaluateAttention({ ...ctx, operands: own(ctx.operands), operandTypes: own(ctx.operandTypes) });
};

export const evaluateSampled = (ctx: EvaluateContext<SampledAttrs>): readonly Data[] => {
  const { attrs, tally } = ctx;
  const problem = problemOf(ctx, (operands) => sampledOperands(operands, attrs));
  const { H, N, M, K } = problem.sizes;
  const [o = new Float64Array(), lse = new Float64Array()] = exactResults(ctx);
  const slots = capacity(attrs, problem.sizes);
  const kept = new Float64Array(lse.length * slots).fill(-1);
  const weights = new Float64Array(lse.length * slots);
  const gate = new Float64Array(lse.length);
  const systematic = attrs.sampler === "systematic";
  const uniform = uniformOf(problem.need("key"), { H, N, M: systematic ? 1 : M });
  const perRow = samplingFlops(attrs, K);
  const shiftOf = ({ query, keyBase }: Row): number =>
    attrs.scale * dot(problem.need("q"), query * K, problem.need("center"), (keyBase / M) * K, K);
  forEachRow(problem, (row) => {
    const { query, keys } = row;
    tally.flops += row.counted * perRow.pair + slots * perRow.slot + perRow.query;
    const scores = row.scores.slice(0, row.count);
    const w = scores.map((score) => Math.exp(score - get(lse, query)));
    const shift = attrs.control.length === 0 ? 0 : shiftOf(row);
    const sample = attrs.control.length === 0 ? plainSample(w, attrs) : controlledSample(w, scores.map((s) => s - shift), attrs);
    const chosen = systematic
      ? drawSystematic(sample.probability, uniform(query, 0), slots)
      : drawBernoulli(sample.probability, (n) => uniform(query, keys[n] ?? 0), slots);
    gate[query] = sample.gate;
    chosen.forEach((n, slot) => {
      kept[query * slots + slot] = keys[n] ?? -1;
      weights[query * slots + slot] = get(sample.weight, n);
    });
  });
  return [o, lse, kept, weights, ...(attrs.control.length === 0 ? [] : [gate])];
};

/** delta_i = d_o_i . o_i - d_lse_i, and for each kept entry  m = w~ (z d_o_i . v_j - delta_i):
 *  dq_i += scale m k_j    dk_j += scale m q_i    dv_j += w~ z d_o_i    dbias_ij += m */
export const evaluateSampledVjp = (ctx: EvaluateContext<SampledAttrs>): readonly Data[] => {
  const { attrs, tally } = ctx;
  const problem = problemOf(ctx, (operands) => sampledVjpOperands(operands, attrs));
  const { H, G, N, M, K, E } = problem.sizes;
  const slots = capacity(attrs, problem.sizes);
  const [q, k, v, o, kept, weights, dO] = ["q", "k", "v", "o", "kept", "weights", "d_o"].map(problem.need) as [Data, Data, Data, Data, Data, Data, Data];
  const [bias, dLse] = [problem.maybe("bias"), problem.maybe("d_lse")];
  const [dq, dk, dv] = [new Float64Array(q.length), new Float64Array(k.length), new Float64Array(v.length)];
  const dBias = new Float64Array(bias?.length ?? 0);
  const slotFlops = slotVjpFlops(attrs, K, E);
  const multiplier = multiplierOf(attrs.dropout, problem.maybe("dropout_key"), problem.sizes);
  for (let query = 0; query * slots < kept.length; query++) {
    const head = Math.floor(query / N);
    const [b, h, i] = [Math.floor(head / H), head % H, query % N];
    const keyBase = (b * G + Math.floor(h / (H / G))) * M;
    const delta = dot(dO, query * E, o, query * E, E) - (dLse === null ? 0 : get(dLse, query));
    tally.flops += 2 * E + (dLse === null ? 0 : 1) + slots * slotFlops;
    for (let slot = query * slots; slot < (query + 1) * slots; slot++) {
      const j = get(kept, slot);
      if (j < 0) continue;
      const key = keyBase + j;
      const [weight, z] = [get(weights, slot), multiplier(query, j)];
      const m = weight * (z * dot(dO, query * E, v, key * E, E) - delta);
      accumulate(dv, key * E, dO, query * E, E, weight * z);
      accumulate(dq, query * K, k, key * K, K, attrs.scale * m);
      accumulate(dk, key * K, q, query * K, K, attrs.scale * m);
      if (bias !== null) bump(dBias, problem.biasAt(b, h, i) + j, m);
    }
  }
  return bias === null ? [dq, dk, dv] : [dq, dk, dv, dBias];
};
