/** @file Attention and its gradient in the ops that kernels are made of, where every kernel computes one element of its
 *  result: each quadratic tensor (scores, weights, their gradients) is made once and read by the contractions.
 *
 *  Grouped queries. With R = H / G query heads to a key head, the query side is seen as [B, G, R, …] so that a
 *  contraction can say which heads share keys. R = 1 needs no regrouping; G = 1 drops the key side's head axis instead. */

import type { Builder } from "../builder.ts";
import type { TensorType, Value } from "../core.ts";
import * as poly from "../poly.ts";
import type { Poly } from "../poly.ts";
import { at } from "../tensor-data.ts";
import { contract, expOf, minus, over, plus, reshaped, times } from "./arithmetic.ts";
import { attentionSizes, backwardOperands, forwardOperands, forwardResults, mayBeEmpty } from "./attention-attrs.ts";
import type { AttentionAttrs, Named } from "./attention-attrs.ts";
import { MASKED_SCORE, maskedScore, scoreMask, spread, unspread } from "./attention-mask.ts";
import { log, max } from "./elementwise.ts";
import { broadcastAlong, full, sumOver, zeros } from "./helpers.ts";
import { compare, select } from "./logic.ts";
import { reduceMax } from "./reduce.ts";

/** The axes of a tensor before its sequence axis: as contraction labels, and as sizes. */
interface Lead {
  readonly labels: string;
  readonly shape: readonly number[];
  readonly dims: readonly Poly[];
}

interface Grouping {
  readonly query: Lead;
  readonly key: Lead;
}

const groupingOf = (q: TensorType, k: TensorType): Grouping => {
  const [B, H] = [at(q.shape, 0), at(q.shape, 1)];
  const [b, h] = [at(q.dims, 0), at(q.dims, 1)];
  const [G, g] = [at(k.shape, 1), at(k.dims, 1)];
  const heads: Lead = { labels: "b h", shape: [B, H], dims: [b, h] };
  if (H === G) return { query: heads, key: heads };
  if (G === 1) return { query: heads, key: { labels: "b", shape: [B], dims: [b] } };
  const r = poly.div(h, g) ?? poly.constant(H / G);
  return {
    query: { labels: "b g r", shape: [B, G, H / G], dims: [b, g, r] },
    key: { labels: "b g", shape: [B, G], dims: [b, g] },
  };
};

/** x with its first two axes (sequence, head) replaced by `lead`. */
const led = (b: Builder, x: Value, lead: Lead): Value =>
  reshaped(b, x, {
    dtype: x.type.dtype,
    shape: [...lead.shape, ...x.type.shape.slice(2)],
    dims: [...lead.dims, ...x.type.dims.slice(2)],
  });

const typesOf = (values: Named<Value>): Named<TensorType> => ({
  need: (name) => values.need(name).type,
  maybe: (name) => values.maybe(name)?.type ?? null,
});

/** What both directions start from. */
interface Start {
  readonly query: Lead;
  readonly key: Lead;
  readonly q: Value;
  readonly k: Value;
  readonly v: Value;
  /** scale q k^T + bias, with the mask's fill where a pair is masked. */
  readonly scores: Value;
  /** 1 for pairs that are not masked; null where no pair is. */
  readonly allowed: Value | null;
}

const start = (b: Builder, given: Named<Value>, attrs: AttentionAttrs): Start => {
  const { query, key } = groupingOf(given.need("q").type, given.need("k").type);
  const [q, k, v] = [led(b, given.need("q"), query), led(b, given.need("k"), key), led(b, given.need("v"), key)];
  const raw = contract(b, q, k, `${query.labels} n k, ${key.labels} m k -> ${query.labels} n m`);
  const scaled = times(b, raw, full(b, attrs.scale, raw.type));
  const bias = given.maybe("bias");
  const biased = bias === null ? scaled : plus(b, scaled, spread(b, bias, scaled.type));
  const allowed = scoreMask(b, given, attrs, attentionSizes(typesOf(given)), scaled.type);
  return { query, key, q, k, v, allowed, scores: allowed === null ? biased : maskedScore(b, allowed, biased) };
};

/** Anything below this is a maximum over masked scores only: rows without a key. */
const EMPTY = MASKED_SCORE / 2;

/** top = max s,  e = exp(s - top),  o = e v / sum e,  lse = top + log(sum e)
 *  A row without keys has top = 0, e = 0 and is divided by 1, so that o = 0 and lse = 0. */
export const expandAttention = (b: Builder, operands: readonly Value[], attrs: AttentionAttrs): readonly Value[] => {
  const given = forwardOperands(operands, attrs);
  const types = typesOf(given);
  const { query, key, v, scores } = start(b, given, attrs);
  const last = scores.type.shape.length - 1;
  const guarded = mayBeEmpty(attrs, attentionSizes(types));
  const most = b.one(reduceMax, [scores], { axes: [last] });
  const top = guarded ? zeroBelow(b, most, EMPTY) : most;
  const e = expOf(b, minus(b, scores, broadcastAlong(b, top, scores.type, [last])));
  const sum = sumOver(b, e, [last]);
  const total = guarded ? b.one(max, [sum, full(b, 1, sum.type)], {}) : sum;
  const lse = plus(b, top, b.one(log, [total], {}));
  const mixed = contract(b, e, v, `${query.labels} n m, ${key.labels} m e -> ${query.labels} n e`);
  const o = over(b, mixed, broadcastAlong(b, total, mixed.type, [last]));
  const [oType, lseType] = forwardResults(types);
  return [reshaped(b, o, oType), reshaped(b, lse, lseType)];
};

/** x where it is above `limit`, else 0 */
const zeroBelow = (b: Builder, x: Value, limit: number): Value =>
  b.one(select, [b.one(compare, [x, full(b, limit, x.type)], { direction: "gt" }), x, zeros(b, x.type)], {});

/** w = exp(s - lse), 0 where masked,  delta = sum(do * o) - d_lse,  ds = w * (do v^T - delta)
 *  dq = scale ds k,  dk = scale ds^T q,  dv = w^T do,  dbias = ds summed to the bias's shape
 *  Where w is 0 so is ds. Saying so with a `select` lets a kernel skip do v^T of the masked pairs: half of them if causal. */
export const expandAttentionVjp = (b: Builder, operands: readonly Value[], attrs: AttentionAttrs): readonly Value[] => {
  const given = backwardOperands(operands, attrs);
  const { query, key, q, k, v, scores, allowed } = start(b, given, attrs);
  const [Q, S] = [query.labels, key.labels];
  const last = scores.type.shape.length - 1;
  const [o, lse, dO] = [led(b, given.need("o"), query), led(b, given.need("lse"), query), led(b, given.need("d_o"), query)];
  const w = expOf(b, minus(b, scores, broadcastAlong(b, lse, scores.type, [last])));
  const dp = contract(b, dO, v, `${Q} n e, ${S} m e -> ${Q} n m`);
  const inner = sumOver(b, times(b, dO, o), [last]);
  const dLse = given.maybe("d_lse");
  const delta = dLse === null ? inner : minus(b, inner, led(b, dLse, query));
  const product = times(b, w, minus(b, dp, broadcastAlong(b, delta, dp.type, [last])));
  const ds = allowed === null ? product : b.one(select, [allowed, product, zeros(b, product.type)], {});
  const scaled = (x: Value, like: Value): Value => reshaped(b, times(b, x, full(b, attrs.scale, x.type)), like.type);
  const dq = scaled(contract(b, ds, k, `${Q} n m, ${S} m k -> ${Q} n k`), given.need("q"));
  const dk = scaled(contract(b, ds, q, `${Q} n m, ${Q} n k -> ${S} m k`), given.need("k"));
  const dv = reshaped(b, contract(b, w, dO, `${Q} n m, ${Q} n e -> ${S} m e`), given.need("v").type);
  const bias = given.maybe("bias");
  return bias === null ? [dq, dk, dv] : [dq, dk, dv, unspread(b, ds, bias.type)];
};
