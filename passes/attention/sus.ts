/** @file `sus(c: …)`: the backward pass of attention from a sample of its weights, drawn in the forward pass.
 *
 *      attention(q, k, v)              ->  attention_sampled(q, k, v, key)
 *      attention_vjp(…, o, lse, d_o)   ->  attention_vjp_sampled(…, o, kept, weights, d_o)
 *
 *  Unbiased, for every mask. Of a row of m keys at most min(c, m) entries are kept on average, so the gradient takes time
 *  linear in the length. (Pankov and Harik, "SUS backprop", arXiv 2505.15080.) */

import type { Builder } from "../../ir/builder.ts";
import type { TensorType, Value } from "../../ir/core.ts";
import { isViolation } from "../../ir/core.ts";
import type { SampledAttrs } from "../../ir/ops/attention-sampled-attrs.ts";
import { attentionSampled, attentionVjpSampled } from "../../ir/ops/index.ts";
import { tensor } from "../../ir/types.ts";
import { breakEvenFact, keptFact } from "./facts.ts";
import { missed } from "./site.ts";
import type { Attention, NewGradient, Rewriter } from "./site.ts";

const KEY: TensorType = tensor("i32", [4]);

export const rewriteSus: Rewriter<"sus"> = (site, policy) => {
  const { attention } = site;
  const { c, sampler } = policy;
  const attrs: SampledAttrs = { ...attention.attrs, c, sampler, control: [] };
  const types = attention.operands.map(({ type }) => type);
  const checked = attentionSampled.infer([...types.slice(0, 3), KEY, ...types.slice(3)], attrs);
  if (isViolation(checked)) return missed(checked.message);
  return {
    kind: "rewrite",
    facts: () => [keptFact(site, c), breakEvenFact(site, policy)],
    build: (b, key) => {
      const [q, k, v, ...extras] = attention.operands;
      const [o = null, lse = null, kept, weights] = b.all(attentionSampled, present([q, k, v, key(), ...extras]), attrs, ["", "", "kept", "weights"]);
      return { values: [o, lse], gradient: (inner, old) => sampledGradient(inner, old, attrs, present([kept, weights])) };
    },
  };
};

const present = (values: readonly (Value | undefined)[]): readonly Value[] => values.filter((value) => value !== undefined);

/** The gradient from kept entries, with the extras that the exact one had. */
const sampledGradient = (b: Builder, { operands, attrs }: Attention, sampled: SampledAttrs, kept: readonly Value[]): NewGradient => {
  const [q, k, v, o, , dO, ...extras] = operands;
  const values = b.all(attentionVjpSampled, present([q, k, v, o, ...kept, dO, ...extras]), { ...sampled, extras: attrs.extras });
  return { values, guarded: null };
};
