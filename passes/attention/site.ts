/** @file An attention whose gradient is to be rewritten, and what a rewrite answers: a plan, or why there is none. */

import type { Builder } from "../../ir/builder.ts";
import type { Func, Operation, Value } from "../../ir/core.ts";
import { costOf } from "../../ir/cost.ts";
import { attentionSizes, forwardOperands, structuralKeys } from "../../ir/ops/attention-attrs.ts";
import type { AttentionAttrs, AttentionSizes, Named } from "../../ir/ops/attention-attrs.ts";
import { attention, attentionVjp } from "../../ir/ops/index.ts";
import * as poly from "../../ir/poly.ts";
import type { SiteStatistics } from "../../ir/head-statistics.ts";
import type { Policy, PolicyKind } from "../../ir/backward-policy.ts";
import type { ScoreBound } from "./score-bound.ts";

export type Attention = Operation & { readonly attrs: AttentionAttrs };

export interface AttentionSite {
  readonly name: string;
  readonly attention: Attention;
  /** Every `attention_vjp` of it in the function; none in a function that computes no gradient. */
  readonly gradients: readonly Attention[];
  readonly given: Named<Value>;
  /** Its log-sum-exp goes elsewhere than to its gradients. */
  readonly lseUsed: boolean;
  readonly sizes: AttentionSizes;
  /** Asked for only by rewrites that need it: it takes a walk through the function. */
  readonly bound: () => ScoreBound;
  /** What was measured of it; null where nothing was. */
  readonly statistics: SiteStatistics | null;
}

/** What stands for one `attention_vjp`. */
export interface NewGradient {
  /** In place of its results. */
  readonly values: readonly Value[];
  /** A number to report at run time: the share of heads that ran exactly; null for most. */
  readonly guarded: Value | null;
}

export interface NewAttention {
  /** In place of o and lse; null where nothing uses it. */
  readonly values: readonly (Value | null)[];
  readonly gradient: (b: Builder, old: Attention) => NewGradient;
}

export type Plan =
  | {
      readonly kind: "rewrite";
      /** `key` makes a key of the random generator that no other site has. */
      readonly build: (b: Builder, key: () => Value) => NewAttention;
      /** For the remark, in the order they are read; made when somebody reads it. */
      readonly facts: () => readonly string[];
    }
  /** It does not apply here, and the gradient stays exact. */
  | { readonly kind: "missed"; readonly why: string }
  | Refusal;

/** The rewrite applies, and would compute something useless: the user must decide. */
export interface Refusal {
  readonly kind: "refused";
  /** After the policy's name: `has no bound of the scores`. */
  readonly what: string;
  /** At this site. */
  readonly why: string;
  readonly hint: string;
}

export type PolicyOf<K extends PolicyKind> = Extract<Policy, { kind: K }>;
export type Rewriter<K extends PolicyKind> = (site: AttentionSite, policy: PolicyOf<K>) => Plan;

export const missed = (why: string): Plan => ({ kind: "missed", why });

/** The sites of a function. An `attention_vjp` belongs to the attention whose o and lse it takes. */
export const sitesIn = (
  func: Func,
  model: string,
  bounds: () => ReadonlyMap<Operation, ScoreBound>,
  statistics: readonly SiteStatistics[],
): readonly AttentionSite[] => {
  const gradients = func.ops.filter((operation): operation is Attention => operation.op === attentionVjp);
  const attentions = func.ops.filter((operation): operation is Attention => operation.op === attention);
  const results = new Set(func.results.map(({ value }) => value));
  return attentions.map((operation) => ({
    name: nameOf(operation, model),
    attention: operation,
    gradients: gradients.filter((gradient) => isGradientOf(gradient, operation)),
    lseUsed: operation.results.slice(1).some((lse) => results.has(lse) || func.ops.some((user) => user.operands.includes(lse) && !isGradientOf(user, operation))),
    given: forwardOperands(operation.operands, operation.attrs),
    sizes: attentionSizes(forwardOperands(operation.operands.map(({ type }) => type), operation.attrs)),
    bound: () => bounds().get(operation) ?? { bound: null, why: "the function was changed since" },
    statistics: statistics.find(({ site }) => site === nameOf(operation, model)) ?? null,
  }));
};

const nameOf = ({ attrs, path }: Attention, model: string): string => attrs.site || path || model;

const isGradientOf = ({ op, operands: [, , , o, lse] }: Operation, { results }: Operation): boolean =>
  op === attentionVjp && o === results[0] && lse === results[1];

/** Keys that causality and windows leave to each query. */
export const keysOfRows = ({ attention: { attrs }, sizes }: AttentionSite): readonly number[] =>
  Array.from({ length: sizes.N }, (_, i) => {
    const { first, end } = structuralKeys(attrs, sizes, i);
    return Math.max(0, end - first);
  });

/** Why a linear-time form cannot have this site's masks; null where it can. */
export const maskObjection = ({ attention: { attrs } }: AttentionSite): string | null => {
  const extra = attrs.extras.find((name) => name !== "lengths");
  if (extra !== undefined) return `${EXTRA_WORDS[extra] ?? extra} cannot be had in linear time`;
  return attrs.window > 0 ? "a window cannot be had in linear time" : null;
};

const EXTRA_WORDS: Readonly<Record<string, string>> = {
  mask: "a boolean mask",
  bias: "a bias of the scores",
  dropout_key: "dropout of the weights",
};

/** Floating-point operations at the sizes there are. */
export const flopsOf = (operations: readonly Operation[], dims: ReadonlyMap<string, number>): number =>
  operations.reduce((sum, operation) => sum + poly.evaluate(costOf(operation).flops, dims), 0);
