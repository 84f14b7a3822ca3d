/** @file `lowrank(degree: …)`: the gradient of attention by a polynomial of the scores, linear in the length.
 *
 *      attention_vjp(q, k, v, o, lse, d_o)  ->  attention_vjp_lowrank(q, k', v, d_o)          k' = k, or k about its mean
 *
 *  The forward pass stays exact. With `forward: true` it is `attention_lowrank` in every function, and the gradient is the
 *  exact one of that (`surrogate`); then keys are centred only where no query is ahead of a key, since their mean knows all
 *  of them.
 *
 *  The surrogate gradient of keys is projected on Σ_j dk_j = 0: the exact gradient lies there, as softmax does not notice
 *  when all keys move, and where keys are centred it is the chain rule.
 *
 *  `guard: R`: a head whose scores may exceed R runs exactly. Both gradients are computed, each with the heads of the other at
 *  zero: the exact one skips heads that are not `active`, the low-rank one gets q and d_o of zero. */

import type { Builder } from "../../ir/builder.ts";
import type { Value } from "../../ir/core.ts";
import { isViolation } from "../../ir/core.ts";
import { centred } from "../../ir/ops/attention-lowrank-center.ts";
import { DEFAULT_CHUNK } from "../../ir/ops/attention-lowrank-attrs.ts";
import type { LowRankAttrs, LowRankVjpAttrs } from "../../ir/ops/attention-lowrank-attrs.ts";
import { unmasked } from "../../ir/ops/attention-lowrank-layout.ts";
import { add, attentionLowrank, attentionVjp, attentionVjpLowrank } from "../../ir/ops/index.ts";
import { must } from "./expect.ts";
import { breakEvenFact } from "./facts.ts";
import { exactHeads, guardedHeads, keepHeads } from "./guard.ts";
import { lowrankPolynomial, rankFact } from "./polynomial.ts";
import type { Polynomial } from "./polynomial.ts";
import { maskObjection, missed } from "./site.ts";
import type { Attention, AttentionSite, NewGradient, PolicyOf, Rewriter } from "./site.ts";

type Policy = PolicyOf<"lowrank">;

export const rewriteLowrank: Rewriter<"lowrank"> = (site, policy) => {
  const objection = maskObjection(site) ?? lseObjection(site, policy.forward);
  if (objection !== null) return missed(objection);
  const polynomial = lowrankPolynomial(site, policy);
  if ("kind" in polynomial) return polynomial;
  const form = policy.forward ? "surrogate" : policy.form;
  const attrs: LowRankVjpAttrs = { ...lowrankAttrs(site, polynomial.coefficients), form };
  const [q, k, v] = site.attention.operands.map(({ type }) => type);
  const [o] = site.attention.results;
  const checked = attentionVjpLowrank.infer([must(q), must(k), must(v), must(o).type, ...site.attention.operands.slice(3).map(({ type }) => type)], attrs);
  if (isViolation(checked)) return missed(checked.message);
  const rank = (): string => rankFact(site, form === "plugin" ? policy.degree + 1 : policy.degree);
  const facts = (): readonly string[] => [...polynomial.facts, rank(), breakEvenFact(site, { ...policy, form })];
  if (policy.forward) return forwardPlan(site, polynomial, attrs, facts);
  return {
    kind: "rewrite",
    facts,
    build: (b) => {
      b.keep(site.attention);
      return {
        values: site.attention.results,
        gradient: (inner, old) => {
          const keys = keysOf(inner, site.given.need("k"), site.given.maybe("lengths"), polynomial);
          return policy.guard > 0 ? guardedGradient(inner, old, keys, attrs, policy) : { values: lowrankGradient(inner, old, keys, attrs), guarded: null };
        },
      };
    },
  };
};

/** The attributes that attention and its low-rank form share. */
export const lowrankAttrs = ({ attention: { attrs }, name }: AttentionSite, coefficients: readonly number[]): LowRankAttrs => ({
  causal: attrs.causal,
  scale: attrs.scale,
  coefficients,
  chunk: DEFAULT_CHUNK,
  extras: attrs.extras.includes("lengths") ? ["lengths"] : [],
  site: name,
});

export const lseObjection = ({ gradients, lseUsed }: AttentionSite, forward: boolean): string | null => {
  if (gradients.some(({ attrs }) => attrs.extras.includes("d_lse"))) return "its log-sum-exp is differentiated, which a low-rank form has no gradient for";
  return forward && lseUsed ? "its log-sum-exp is used, which a low-rank form does not compute" : null;
};

/** k, or k about its mean. */
const keysOf = (b: Builder, k: Value, lengths: Value | null, { centred: about }: Polynomial): Value => (about ? centred(b, k, lengths).k : k);

/** dk about its mean over the keys that there are; 0 at the others, as it was. */
const projected = (b: Builder, dk: Value, lengths: Value | null): Value => {
  const { k } = centred(b, dk, lengths);
  return lengths === null ? k : unmasked(b, k, lengths);
};

const lowrankGradient = (b: Builder, { operands }: Attention, keys: Value, attrs: LowRankVjpAttrs): readonly Value[] => {
  const [q, , v, , , dO, lengths = null] = operands;
  const [dq, dk, dv] = b.all(attentionVjpLowrank, [must(q), keys, must(v), must(dO), ...(lengths === null ? [] : [lengths])], attrs);
  return [must(dq), attrs.form === "surrogate" ? projected(b, must(dk), lengths) : must(dk), must(dv)];
};

const guardedGradient = (b: Builder, old: Attention, keys: Value, attrs: LowRankVjpAttrs, { guard }: Policy): NewGradient => {
  const [q, k, v, o, lse, dO, ...extras] = old.operands.map(must);
  const safe = guardedHeads(b, must(q), keys, attrs.scale, guard);
  const operands = [keepHeads(b, must(q), safe), must(k), must(v), must(o), must(lse), keepHeads(b, must(dO), safe), ...extras];
  const low = lowrankGradient(b, { ...old, operands }, keys, attrs);
  const { active, share } = exactHeads(b, safe);
  const exact = b.all(attentionVjp, [...old.operands, active], { ...old.attrs, extras: [...old.attrs.extras, "active"] });
  return { values: low.map((value, i) => b.one(add, [value, must(exact[i])], {})), guarded: share };
};

/** o = attention_lowrank(q, k', v), and its own gradient. */
const forwardPlan = (site: AttentionSite, polynomial: Polynomial, { form: _form, ...attrs }: LowRankVjpAttrs, facts: () => readonly string[]): ReturnType<Rewriter<"lowrank">> => {
  const ahead = attrs.causal && site.sizes.N > 1;
  const own: Polynomial = { ...polynomial, centred: polynomial.centred && !ahead };
  const note = polynomial.centred && ahead ? ["keys are not centred, as their mean would look ahead"] : [];
  return {
    kind: "rewrite",
    facts: () => ["the forward pass too", ...facts(), ...note],
    build: (b) => {
      const { given } = site;
      const lengths = given.maybe("lengths");
      const extras = lengths === null ? [] : [lengths];
      const [q, keys, v] = [given.need("q"), keysOf(b, given.need("k"), lengths, own), given.need("v")];
      const o = b.one(attentionLowrank, [q, keys, v, ...extras], attrs);
      return {
        values: [o, null],
        gradient: (inner, { operands }) => {
          const [dq, dk, dv] = inner.all(attentionVjpLowrank, [q, keys, v, must(operands[5]), ...extras], { ...attrs, form: "surrogate" });
          return { values: [must(dq), own.centred ? projected(inner, must(dk), lengths) : must(dk), must(dv)], guarded: null };
        },
      };
    },
  };
};
