/** @file Attention and its gradient in the ops that kernels are made of, where every kernel computes one element of its
 *  result: each tensor of all pairs of a block (scores, weights, their gradients) is made once and read by the
 *  contractions. Blocks of query rows: attention-blocks.ts. */

import type { Builder } from "../builder.ts";
import type { TensorType, Value } from "../core.ts";
import { contract, expOf, minus, over, plus, reshaped, times } from "./arithmetic.ts";
import { attentionSizes, backwardOperands, forwardOperands, forwardResults, mayBeEmpty } from "./attention-attrs.ts";
import type { AttentionAttrs, Named } from "./attention-attrs.ts";
import { BLOCK_BUDGET, expandBlocks, expandRows } from "./attention-blocks.ts";
import type { Block, Contribution } from "./attention-blocks.ts";
import { led } from "./attention-heads.ts";
import { MASKED_SCORE, unspread, whereAllowed } from "./attention-mask.ts";
import { barrier } from "./barrier.ts";
import { log, max } from "./elementwise.ts";
import { broadcastAlong, full, sumOver, zeros } from "./helpers.ts";
import { compare, select } from "./logic.ts";
import { reduceMax } from "./reduce.ts";

export const typesOf = (values: Named<Value>): Named<TensorType> => ({
  need: (name) => values.need(name).type,
  maybe: (name) => values.maybe(name)?.type ?? null,
});

/** Anything below this is a maximum over masked scores only: rows without a key. */
const EMPTY = MASKED_SCORE / 2;

/** The softmax of a block's rows: w = e / total. */
export interface Softmax {
  /** exp(s - top) [heads, rows, M], 0 where masked. */
  readonly e: Value;
  /** Largest score, sum of e (1 if there is no key), top + log(total): [heads, rows]. */
  readonly top: Value;
  readonly total: Value;
  readonly lse: Value;
}

/** top = max s,  e = exp(s - top),  total = sum e,  lse = top + log total
 *  `guarded`: a row may have no keys. It has top = 0, e = 0 and total = 1, so that o = 0 and lse = 0. */
export const softmaxOf = (b: Builder, { scores }: Block, guarded: boolean): Softmax => {
  const last = scores.type.shape.length - 1;
  const most = b.one(reduceMax, [scores], { axes: [last] });
  const top = guarded ? zeroBelow(b, most, EMPTY) : most;
  const e = expOf(b, minus(b, scores, broadcastAlong(b, top, scores.type, [last])));
  const sum = sumOver(b, e, [last]);
  const total = guarded ? b.one(max, [sum, full(b, 1, sum.type)], {}) : sum;
  return { e, top, total, lse: plus(b, top, b.one(log, [total], {})) };
};

/** o = e z v / total [heads, rows, E] */
export const mixedBy = (b: Builder, { query, key, v, dropped }: Block, { e, total }: Softmax): Value => {
  const mixed = contract(b, dropped === null ? e : times(b, e, dropped), v, `${query.labels} n m, ${key.labels} m e -> ${query.labels} n e`);
  return over(b, mixed, broadcastAlong(b, total, mixed.type, [mixed.type.shape.length - 1]));
};

export const expandAttention = (
  b: Builder,
  operands: readonly Value[],
  attrs: AttentionAttrs,
  budget = BLOCK_BUDGET,
): readonly Value[] => {
  const given = forwardOperands(operands, attrs);
  const types = typesOf(given);
  const guarded = mayBeEmpty(attrs, attentionSizes(types));
  return expandRows(b, { given, attrs, operands, apart: null, budget }, forwardResults(types), (block) => {
    const softmax = softmaxOf(b, block, guarded);
    return [mixedBy(b, block, softmax), softmax.lse];
  });
};

/** x where it is above `limit`, else 0 */
const zeroBelow = (b: Builder, x: Value, limit: number): Value =>
  b.one(select, [b.one(compare, [x, full(b, limit, x.type)], { direction: "gt" }), x, zeros(b, x.type)], {});

export const expandAttentionVjp = (
  b: Builder,
  operands: readonly Value[],
  attrs: AttentionAttrs,
  budget = BLOCK_BUDGET,
): readonly Value[] => {
  const given = backwardOperands(operands, attrs);
  const bias = given.maybe("bias");
  const types = [given.need("q").type, ...(bias === null ? [] : [bias.type])];
  const problem = { given, attrs, operands, apart: given.need("d_o"), budget };
  const { rows: [dq, ...dBias], sums: [dk, dv] } = expandBlocks(b, problem, types, (block) => gradientsOf(b, block, given));
  if (dq === undefined || dk === undefined || dv === undefined) return [];
  const scaled = (x: Value, like: Value): Value => reshaped(b, times(b, x, full(b, attrs.scale, x.type)), like.type);
  return [scaled(dq, given.need("q")), scaled(dk, given.need("k")), reshaped(b, dv, given.need("v").type), ...dBias];
};

/** w = exp(s - lse), 0 where masked,  delta = sum(do * o) - d_lse,  ds = w * (z do v^T - delta)
 *  dq = scale ds k,  dk = scale ds^T q,  dv = (w z)^T do,  dbias = ds summed to the bias's shape; here without the scale.
 *  Where w is 0 so is ds. Saying so with a `select` lets a kernel skip do v^T of the masked pairs: half of them if causal. */
const gradientsOf = (b: Builder, block: Block, given: Named<Value>): Contribution => {
  const { query, key, q, k, v, scores, allowed } = block;
  // Used twice, drawn once: of the numbers that are drawn a buffer would hold those of masked pairs too.
  const dropped = block.dropped === null ? null : b.one(barrier, [block.dropped], {});
  const [Q, S] = [query.labels, key.labels];
  const last = scores.type.shape.length - 1;
  const row = (x: Value): Value => led(b, block.cut(x), query);
  const [o, lse, dO] = [row(given.need("o")), row(given.need("lse")), row(given.need("d_o"))];
  const w = expOf(b, minus(b, scores, broadcastAlong(b, lse, scores.type, [last])));
  const all = contract(b, dO, v, `${Q} n e, ${S} m e -> ${Q} n m`);
  const dp = dropped === null ? all : times(b, all, dropped);
  const inner = sumOver(b, times(b, dO, o), [last]);
  const dLse = given.maybe("d_lse");
  const delta = dLse === null ? inner : minus(b, inner, row(dLse));
  const product = times(b, w, minus(b, dp, broadcastAlong(b, delta, dp.type, [last])));
  const ds = whereAllowed(b, allowed, product);
  const dq = contract(b, ds, k, `${Q} n m, ${S} m k -> ${Q} n k`);
  const dk = contract(b, ds, q, `${Q} n m, ${Q} n k -> ${S} m k`);
  const dv = contract(b, dropped === null ? w : times(b, w, dropped), dO, `${Q} n m, ${Q} n e -> ${S} m e`);
  const bias = given.maybe("bias");
  return { rows: bias === null ? [dq] : [dq, unspread(b, ds, block.rowsOf(bias.type))], sums: [dk, dv] };
};
