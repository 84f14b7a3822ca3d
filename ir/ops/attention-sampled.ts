/** @file Attention whose forward pass also draws which of its entries the backward pass will use, and that backward pass.
 *  Pankov and Harik, "SUS backprop" (arXiv 2505.15080): an unbiased gradient whose cost is linear in the length.
 *
 *  Each weight w_ij is kept with probability q_ij = min(1, c w_ij) and then stands for w~_ij = w_ij / q_ij = max(w_ij, 1 / c),
 *  so that E w~ = w: dq, dk and dv are linear in w~ once delta_i = d_o_i . o_i is taken from the exact output, and so are
 *  unbiased. The sum of the variances of dv is at most |d_o|^2 / c.
 *
 *  Constraints: attention-sampled-attrs.ts; costs: attention-sampled-cost.ts. */

import type { Builder } from "../builder.ts";
import { defineOp } from "../core.ts";
import type { Op, Value } from "../core.ts";
import { at } from "../tensor-data.ts";
import { contract, minus, plus, reshaped, times } from "./arithmetic.ts";
import type { AttentionExtra } from "./attention-attrs.ts";
import { groupingOf, led } from "./attention-heads.ts";
import { DEFAULT_CHUNK } from "./attention-lowrank-attrs.ts";
import type { LowRankExtra, LowRankVjpAttrs } from "./attention-lowrank-attrs.ts";
import { attentionVjpLowrank } from "./attention-lowrank.ts";
import {
  checkSampled, checkSampledVjp, SAMPLED_BACKWARD, sampledCodecs, sampledOperands, sampledResults, sampledVjpOperands,
} from "./attention-sampled-attrs.ts";
import type { SampledAttrs } from "./attention-sampled-attrs.ts";
import { sampledFlops, sampledVjpFlops } from "./attention-sampled-cost.ts";
import { evaluateSampled, evaluateSampledVjp } from "./attention-sampled-evaluate.ts";
import { sampledExamples, sampledVjpExamples } from "./attention-sampled-examples.ts";
import { expandSampled } from "./attention-sampled-expand.ts";
import { expandSampledVjp } from "./attention-sampled-vjp-expand.ts";
import { wholeAttention, wholeSampledVjp } from "./attention-whole.ts";
import { broadcastAlong, scaleBy, sumOver, zeros } from "./helpers.ts";

/** o and lse of `attention`; kept i32 [B,H,N,S], the keys kept of each row, ascending, -1 in empty slots; weights, their w~;
 *  with `control`, a polynomial P that stands for exp, gate [B,H,N]: 1 where the row is drawn from rho = w - w^ with
 *  w^_ij = P(s_ij - scale q_i . center) / sum_j P(…), w~ = rho / q, q = min(1, c |rho_ij| / sum_j |rho_ij|), which it is
 *  where that has less variance. The gradient of w^ is `attention_vjp_lowrank`'s.
 *
 *  Its derivative is `attention_vjp_sampled`, an estimate: its expectation over keys is the derivative of o and lse. Through
 *  weights and gate nothing flows, as a draw is no function of q and k. */
export const attentionSampled: Op<readonly Value[], SampledAttrs> = defineOp({
  mnemonic: "attention_sampled",
  summary: "attention, and a sample of its weights for a backward pass that is linear in the length",
  operands: ["q", "k", "v", "key", "center/extras..."],
  results: ["o", "lse", "kept", "weights", "gate..."],
  attrs: sampledCodecs,
  infer: (operands, attrs) => checkSampled(operands, attrs) ?? sampledResults(sampledOperands(operands, attrs), attrs),
  evaluate: evaluateSampled,
  vjp: ({ b, operands, results, attrs, cotangents: [dO = null, dLse = null] }) => {
    if (dO === null && dLse === null) return operands.map(() => null);
    const first = operands.length - attrs.extras.length;
    const [dq, dk, dv, dBias = null] = gradientOf(b, operands, results, attrs, { dO: dO ?? zeros(b, at(results, 0).type), dLse });
    return operands.map((_, i) => [dq, dk, dv][i] ?? (attrs.extras[i - first] === "bias" ? dBias : null));
  },
  expand: expandSampled,
  whole: wholeAttention,
  flops: sampledFlops,
  examples: sampledExamples,
});

interface Cotangents {
  readonly dO: Value;
  readonly dLse: Value | null;
}

/** The sampled gradient, and beside a control variate the low-rank one of w^. Both parts take keys from the centre: to move
 *  all keys by one vector changes no weight. But dq_i = scale sum_j dS_ij k_j becomes smaller by scale d_lse_i center then,
 *  as sum_j dS_ij is d_lse_i: in the sum of their expectations, not in each. */
const gradientOf = (b: Builder, operands: readonly Value[], results: readonly Value[], attrs: SampledAttrs, { dO, dLse }: Cotangents): readonly Value[] => {
  const [q, k, v, , center] = operands;
  const [o, , kept, weights, gate] = results;
  if (q === undefined || k === undefined || v === undefined || o === undefined || kept === undefined || weights === undefined) return [];
  const controlled = gate !== undefined && center !== undefined;
  const keys = controlled ? minus(b, k, broadcastAlong(b, center, k.type, [2])) : k;
  const extras = operands.slice(operands.length - attrs.extras.length);
  const ofLse: readonly AttentionExtra[] = dLse === null ? [] : ["d_lse"];
  const given = [q, keys, v, o, kept, weights, dO, ...extras, ...(dLse === null ? [] : [dLse])];
  const sampled = b.all(attentionVjpSampled, given, { ...attrs, extras: [...attrs.extras, ...ofLse] });
  if (!controlled) return sampled;
  const inner = sumOver(b, times(b, dO, o), [3]);
  const delta = dLse === null ? inner : minus(b, inner, dLse);
  const { causal, scale, site, control } = attrs;
  const of: readonly LowRankExtra[] = attrs.extras.includes("lengths") ? ["lengths", "delta", "gate"] : ["delta", "gate"];
  const lowrank: LowRankVjpAttrs = { causal, scale, site, coefficients: control, form: "plugin", chunk: DEFAULT_CHUNK, extras: of };
  const near = b.all(attentionVjpLowrank, [q, keys, v, dO, ...extras, delta, gate], lowrank);
  const [dq, dk, dv] = near.map((x, i) => plus(b, x, at(sampled, i)));
  if (dq === undefined || dk === undefined || dv === undefined) return [];
  return [dLse === null ? dq : plus(b, dq, scaleBy(b, byHeads(b, dLse, center, q), scale)), dk, dv];
};

/** d_lse_i center of the query's key head, of the type of q. */
const byHeads = (b: Builder, dLse: Value, center: Value, q: Value): Value => {
  const { query, key } = groupingOf(q.type, center.type);
  return reshaped(b, contract(b, led(b, dLse, query), led(b, center, key), `${query.labels} n, ${key.labels} k -> ${query.labels} n k`), q.type);
};

/** delta_i = d_o_i . o_i - d_lse_i, and for each kept entry  m = w~ (z d_o_i . v_j - delta_i):
 *  dq_i += scale m k_j    dk_j += scale m q_i    dv_j += w~ z d_o_i    dbias_ij += m, summed where the bias was broadcast;
 *  z is 1, or dropout's multiplier. No score is computed again; 8 d operations a slot. */
export const attentionVjpSampled: Op<readonly Value[], SampledAttrs> = defineOp({
  mnemonic: "attention_vjp_sampled",
  summary: "gradients of attention with respect to q, k, v (and bias), from a sample of its weights",
  operands: [...SAMPLED_BACKWARD, "extras..."],
  results: ["dq", "dk", "dv", "dbias..."],
  attrs: sampledCodecs,
  infer: (operands, attrs) => {
    const wrong = checkSampledVjp(operands, attrs);
    if (wrong !== null) return wrong;
    const types = sampledVjpOperands(operands, attrs);
    const bias = types.maybe("bias");
    return [types.need("q"), types.need("k"), types.need("v"), ...(bias === null ? [] : [bias])];
  },
  evaluate: evaluateSampledVjp,
  vjp: "by-expansion",
  expand: expandSampledVjp,
  whole: wholeSampledVjp,
  flops: sampledVjpFlops,
  examples: sampledVjpExamples,
});
