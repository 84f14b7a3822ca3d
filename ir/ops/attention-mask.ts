/** @file Masks and biases of attention at the shape of its scores, for the expansion. Score tensors are [B, H, N, M], or
 *  [B, G, H / G, N, M] where queries are grouped. */

import type { Builder } from "../builder.ts";
import type { TensorType, Value } from "../core.ts";
import { at } from "../tensor-data.ts";
import { filterAxes, withDType } from "../types.ts";
import { plus, reshaped } from "./arithmetic.ts";
import type { AttentionAttrs, AttentionSizes, Named } from "./attention-attrs.ts";
import { iota } from "./constant.ts";
import { broadcastAlong, broadcastTo, full, sumOver, zeros } from "./helpers.ts";
import { and, compare, select } from "./logic.ts";
import type { Direction } from "./logic.ts";

/** Finite, so that no backend meets Infinity - Infinity; exp(MASKED_SCORE - x) is exactly 0 for every score or lse x at hand. */
export const MASKED_SCORE = -1e30;

export const maskedScore = (b: Builder, allowed: Value, score: Value): Value =>
  b.one(select, [allowed, score, full(b, MASKED_SCORE, score.type)], {});

/** x, 0 where masked. */
export const whereAllowed = (b: Builder, allowed: Value | null, x: Value): Value =>
  allowed === null ? x : b.one(select, [allowed, x, zeros(b, x.type)], {});

/** The queries that scores belong to: all N of `sizes`, or some rows of them. */
export interface QueryRows {
  readonly sizes: AttentionSizes;
  /** Index of the query, an i32 tensor of this shape whose axis `axis` are the rows. */
  readonly index: (type: TensorType, axis: number) => Value;
}

/** 1 where a query may attend to a key; null where nothing is masked. `given` holds the mask of these rows. */
export const scoreMask = (
  b: Builder,
  given: Named<Value>,
  attrs: AttentionAttrs,
  rows: QueryRows,
  score: TensorType,
): Value | null => {
  const queryAxis = score.shape.length - 2;
  const parts: Value[] = [];
  const positions = positionMask(b, attrs, rows, filterAxes(score, (axis) => axis >= queryAxis));
  if (positions !== null) parts.push(broadcastTo(b, positions, score));
  const lengths = given.maybe("lengths");
  if (lengths !== null) parts.push(lengthMask(b, lengths, score));
  const mask = given.maybe("mask");
  if (mask !== null) parts.push(spread(b, mask, score));
  const active = given.maybe("active");
  if (active !== null) parts.push(activeMask(b, active, score));
  return parts.length === 0 ? null : parts.reduce((all, part) => b.one(and, [all, part], {}));
};

/** Causality and window on [N, M]: with d = M - N, j <= i + d and j > i + d - w. null where they exclude no pair. */
const positionMask = (b: Builder, attrs: AttentionAttrs, { sizes: { N, M }, index: queryIndex }: QueryRows, type: TensorType): Value | null => {
  const index = withDType(type, "i32");
  const keyIs = (direction: Direction, offset: number): Value => {
    const i = queryIndex(index, 0);
    const bound = offset === 0 ? i : plus(b, i, full(b, offset, index));
    return b.one(compare, [b.one(iota, [], { axis: 1, type: index }), bound], { direction });
  };
  const causal = attrs.causal && N > 1 ? keyIs("le", M - N) : null;
  const recent = attrs.window > 0 && attrs.window < M ? keyIs("gt", M - N - attrs.window) : null;
  return causal !== null && recent !== null ? b.one(and, [causal, recent], {}) : (causal ?? recent);
};

/** j < lengths[b], on [B, M] and then repeated. */
const lengthMask = (b: Builder, lengths: Value, score: TensorType): Value => {
  const keyAxis = score.shape.length - 1;
  const type = withDType(filterAxes(score, (axis) => axis === 0 || axis === keyAxis), "i32");
  const j = b.one(iota, [], { axis: 1, type });
  const inside = b.one(compare, [j, broadcastAlong(b, lengths, type, [1])], { direction: "lt" });
  return broadcastAlong(b, inside, score, axesBetween(1, keyAxis));
};

/** Heads [B, H] whose pairs are wanted at all. */
const activeMask = (b: Builder, active: Value, score: TensorType): Value => {
  const [queryAxis, keyAxis] = [score.shape.length - 2, score.shape.length - 1];
  return broadcastAlong(b, reshaped(b, active, filterAxes(score, (axis) => axis < queryAxis)), score, [queryAxis, keyAxis]);
};

const axesBetween = (from: number, to: number): readonly number[] =>
  Array.from({ length: to - from }, (_, i) => from + i);

/** The score axes along which a [B or 1, H or 1, N, M] tensor is repeated. */
const repeatedAxes = (x: TensorType, score: TensorType): readonly number[] => {
  const queryAxis = score.shape.length - 2;
  const heads = score.shape.slice(1, queryAxis).reduce((product, size) => product * size, 1);
  const sequences = at(x.shape, 0) === at(score.shape, 0) ? [] : [0];
  return at(x.shape, 1) === heads ? sequences : [...sequences, ...axesBetween(1, queryAxis)];
};

/** A [B or 1, H or 1, N, M] tensor at the shape of the scores. */
export const spread = (b: Builder, x: Value, score: TensorType): Value => {
  const repeated = repeatedAxes(x.type, score);
  const own = filterAxes(score, (axis) => !repeated.includes(axis));
  return broadcastAlong(b, reshaped(b, x, own), score, repeated);
};

/** The transpose of `spread`: sums what it repeated. */
export const unspread = (b: Builder, x: Value, type: TensorType): Value =>
  reshaped(b, sumOver(b, x, repeatedAxes(type, x.type)), type);
