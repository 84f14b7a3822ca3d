/** @file `hybrid(c: …, degree: …)`: low-rank weights as a control variate of the sample, unbiased.
 *
 *      o, kept, weights, gate = attention_sampled(q, k, v, key, k̄) {control}         w~ = gate ŵ + a sample of w - gate ŵ
 *      dq, dk, dv = attention_vjp_lowrank(q, k - k̄, v, d_o, δ, gate) + attention_vjp_sampled(q, k - k̄, v, o, kept, weights, d_o)
 *
 *  with ŵ = P(s - s̄) / Σ_j P(s - s̄), s̄_i = scale q_i · k̄, δ = rowsum(d_o ∘ o) of the exact output for both. Both parts take
 *  centred keys: Σ_j dS_ij is 0 in the sum of their expectations, not in each, so only their sum may ignore the mean.
 *  (docs/hybrid.md) */

import { isViolation } from "../../ir/core.ts";
import { centred } from "../../ir/ops/attention-lowrank-center.ts";
import type { LowRankVjpAttrs } from "../../ir/ops/attention-lowrank-attrs.ts";
import type { SampledAttrs } from "../../ir/ops/attention-sampled-attrs.ts";
import { sumOver } from "../../ir/ops/helpers.ts";
import { add, attentionSampled, attentionVjpLowrank, attentionVjpSampled, mul } from "../../ir/ops/index.ts";
import { tensor } from "../../ir/types.ts";
import { must } from "./expect.ts";
import { breakEvenFact, keptFact } from "./facts.ts";
import { lowrankAttrs, lseObjection } from "./lowrank.ts";
import { controlPolynomial, rankFact } from "./polynomial.ts";
import { maskObjection, missed } from "./site.ts";
import type { Rewriter } from "./site.ts";

export const rewriteHybrid: Rewriter<"hybrid"> = (site, policy) => {
  const objection = maskObjection(site) ?? lseObjection(site, false);
  if (objection !== null) return missed(objection);
  const control = controlPolynomial(site, policy);
  if ("kind" in control) return control;
  const { attention, given, sizes: { B, G, K } } = site;
  const sampled: SampledAttrs = { ...attention.attrs, c: policy.c, sampler: "systematic", control };
  const types = attention.operands.map(({ type }) => type);
  const checked = attentionSampled.infer([...types.slice(0, 3), tensor("i32", [4]), tensor("f32", [B, G, K]), ...types.slice(3)], sampled);
  if (isViolation(checked)) return missed(checked.message);
  const own = lowrankAttrs(site, control);
  const lowrank: LowRankVjpAttrs = { ...own, extras: [...own.extras, "delta", "gate"], form: "plugin" };
  return {
    kind: "rewrite",
    facts: () => [keptFact(site, policy.c), rankFact(site, policy.degree + 1), breakEvenFact(site, policy)],
    build: (b, key) => {
      const [q, k, v, lengths] = [given.need("q"), given.need("k"), given.need("v"), given.maybe("lengths")];
      const extras = lengths === null ? [] : [lengths];
      const { center } = centred(b, k, lengths);
      const [o, lse, kept, weights, gate] = b.all(attentionSampled, [q, k, v, key(), center, ...extras], sampled, ["", "", "kept", "weights", "gate"]);
      return {
        values: [must(o), must(lse)],
        gradient: (inner, { operands }) => {
          const [, , , output, , dO] = operands.map(must);
          const keys = centred(inner, k, lengths).k;
          const delta = sumOver(inner, inner.one(mul, [must(dO), must(output)], {}), [3]);
          const near = inner.all(attentionVjpLowrank, [q, keys, v, must(dO), ...extras, delta, must(gate)], lowrank);
          const rest = inner.all(attentionVjpSampled, [q, keys, v, must(output), must(kept), must(weights), must(dO), ...extras], { ...sampled });
          return { values: near.map((value, i) => inner.one(add, [value, must(rest[i])], {})), guarded: null };
        },
      };
    },
  };
};
