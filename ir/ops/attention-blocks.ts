/** @file Attention by blocks of query rows, so that no tensor of all N M pairs of a head is ever there: one block's scores are
 *  computed, used and forgotten. Whatever needs scores row by row is said once, for a block:
 *
 *      expandRows(b, problem, types, (block) => [o of the block's rows, …])      whole tensors, rows put in their places
 *
 *  - A block is `count` rows from `start`. Where everything fits BLOCK_ELEMENTS there is one block, `start` is null, and
 *    nothing is sliced: small models have the kernels they would have without any of this.
 *  - `start` is a value, off_0 = 0, off_{c+1} = off_c + rows, each behind a barrier, so that all blocks run the same
 *    kernels on other buffers, and depends on the operands, so that nothing of one attention is kept for another.
 *  - Rows that fill up the last block are zeros (masked, where there is a mask): finite, and cut off in the end.
 *    Gradients of keys sum d_o or d_s of such a row, which are 0.
 *  - A gradient computes scores again from q, k and lse. `apart` (its d_o) keeps that apart from the forward computation:
 *    as one expression, the two would keep all scores alive in between. */

import type { Builder } from "../builder.ts";
import type { TensorType, Value } from "../core.ts";
import * as poly from "../poly.ts";
import { at } from "../tensor-data.ts";
import { tensor, withDType } from "../types.ts";
import { contract, plus, reshaped, times } from "./arithmetic.ts";
import { attentionSizes } from "./attention-attrs.ts";
import type { AttentionAttrs, AttentionExtra, AttentionSizes, Named } from "./attention-attrs.ts";
import { dropMultiplier } from "./attention-dropout.ts";
import { groupingOf, led } from "./attention-heads.ts";
import type { Grouping } from "./attention-heads.ts";
import { maskedScore, scoreMask, spread, whereAllowed } from "./attention-mask.ts";
import { barrier } from "./barrier.ts";
import { iota } from "./constant.ts";
import { dynamicSlice, dynamicUpdateSlice } from "./dynamic-slice.ts";
import { broadcastAlong, full, zeros } from "./helpers.ts";
import { pad, slice } from "./shape.ts";

/** Most elements of a block's scores, and fewest rows whatever that is. Float32 lanes count to 2^24, so that is the largest
 *  tensor every backend takes; smaller blocks save memory, but each costs a dozen launches a layer. */
export interface BlockBudget {
  readonly elements: number;
  readonly rows: number;
}

export const BLOCK_BUDGET: BlockBudget = { elements: 2 ** 24 - 1, rows: 16 };

export interface RowProblem {
  /** q, k, v and the extras of attention. */
  readonly given: Named<Value>;
  readonly attrs: AttentionAttrs;
  /** All operands of the operation that is being expanded. */
  readonly operands: readonly Value[];
  /** What exists only when the scores are wanted again; null where they are computed for the first time. */
  readonly apart: Value | null;
  readonly budget: BlockBudget;
}

/** Some query rows and everything about their scores. Score tensors are [B, H, rows, M], or [B, G, R, rows, M] where queries
 *  are grouped; [heads] stands for those leading axes. */
export interface Block extends Grouping {
  readonly rows: number;
  /** Index of the first row, i32 []; null for 0. */
  readonly start: Value | null;
  /** q of the block [heads, rows, K], and all of k and v. */
  readonly q: Value;
  readonly k: Value;
  readonly v: Value;
  /** scale q k^T + bias, with the mask's fill where a pair is masked. */
  readonly scores: Value;
  /** 1 for pairs that are not masked; null where no pair is. */
  readonly allowed: Value | null;
  /** What dropout multiplies the weights by, of the type of the scores, 0 where masked: nothing is drawn for those. null
   *  without dropout. */
  readonly dropped: Value | null;
  /** The block's rows of a tensor [B or 1, H or 1, N, …]; `led` gives it the block's heads. */
  readonly cut: (x: Value) => Value;
  /** The type of what `cut` makes of a tensor of this type. */
  readonly rowsOf: (type: TensorType) => TensorType;
  /** Index of the query, an i32 tensor of this shape whose axis `axis` are the block's rows. */
  readonly index: (type: TensorType, axis: number) => Value;
}

/** Rows of a block: all, or blocks of one size, of at most the largest power of two that fits the budget. */
export const blockRows = ({ B, H, N, M }: AttentionSizes, { elements, rows }: BlockBudget): number => {
  if (B * H * N * M <= elements) return N;
  const most = Math.max(rows, 2 ** Math.floor(Math.log2(elements / (B * H * M))));
  return Math.ceil(N / Math.ceil(N / most));
};

/** What a block contributes: rows of results, and terms of sums over all blocks. */
export interface Contribution {
  /** [heads, rows, …] or [B, H, rows, …] */
  readonly rows: readonly Value[];
  readonly sums: readonly Value[];
}

/** Whole tensors of `types` [B, H, N, …] (or 1 for B or H), of which `perBlock` gives the rows. */
export const expandRows = (
  b: Builder,
  problem: RowProblem,
  types: readonly TensorType[],
  perBlock: (block: Block) => readonly Value[],
): readonly Value[] => expandBlocks(b, problem, types, (block) => ({ rows: perBlock(block), sums: [] })).rows;

/** The same with sums over the blocks. */
export const expandBlocks = (
  b: Builder,
  problem: RowProblem,
  types: readonly TensorType[],
  perBlock: (block: Block) => Contribution,
): Contribution => {
  const sizes = sizesOf(problem.given);
  const rows = blockRows(sizes, problem.budget);
  if (rows === sizes.N) {
    const { rows: whole, sums } = perBlock(onlyBlock(b, problem));
    return { rows: whole.map((x, i) => reshaped(b, x, at(types, i))), sums };
  }
  const count = Math.ceil(sizes.N / rows);
  const wholes = types.map((type) => zeros(b, withRows(type, rows * count)));
  const sums: Value[] = [];
  let start = b.one(barrier, [full(b, 0, START), ...problem.operands], {});
  for (let c = 0; c < count; c++) {
    if (c > 0) start = b.one(barrier, [plus(b, start, full(b, rows, START))], {});
    const part = perBlock(blockAt(b, problem, start, rows, rows * count));
    part.rows.forEach((x, i) => {
      const update = reshaped(b, x, withRows(at(types, i), rows));
      wholes[i] = b.one(dynamicUpdateSlice, [at(wholes, i), update, start], { axis: 2 });
    });
    part.sums.forEach((x, i) => {
      const before = sums[i];
      sums[i] = before === undefined ? x : plus(b, before, x);
    });
  }
  return { rows: wholes.map((x, i) => firstRows(b, x, at(types, i))), sums };
};

const START = tensor("i32", []);

const sizesOf = (given: Named<Value>): AttentionSizes =>
  attentionSizes({ need: (name) => given.need(name).type, maybe: (name) => given.maybe(name)?.type ?? null });

const withRows = (type: TensorType, rows: number): TensorType =>
  type.shape[2] === rows
    ? type
    : { ...type, shape: type.shape.with(2, rows), dims: [...type.dims.slice(0, 2), poly.constant(rows), ...type.dims.slice(3)] };

/** x [B, H, rows filled up, …] without what fills it up. */
const firstRows = (b: Builder, x: Value, type: TensorType): Value =>
  x.type.shape[2] === type.shape[2] ? x : b.one(slice, [x], { starts: type.shape.map(() => 0), limits: type.shape });

const filledUp = (b: Builder, x: Value, rows: number): Value => {
  const more = rows - at(x.type.shape, 2);
  if (more === 0) return x;
  const none = x.type.shape.map(() => 0);
  return b.one(pad, [x], { low: none, high: none.with(2, more) });
};

/** All rows. Where the scores are computed again, q and the masks' parts are copies. */
const onlyBlock = (b: Builder, { given, attrs, apart }: RowProblem): Block => {
  const copy = (x: Value): Value => (apart === null ? x : b.one(barrier, [x, apart], {}));
  const maybe = (name: AttentionExtra): Value | null => {
    const x = given.maybe(name);
    return x !== null && (name === "lengths" || name === "dropout_key") ? copy(x) : x;
  };
  const sizes = sizesOf(given);
  const start = apart === null || isCheapMask(attrs, sizes) ? null : copy(full(b, 0, START));
  return blockOf(b, { need: (name) => (name === "q" ? copy(given.need(name)) : given.need(name)), maybe }, attrs, sizes, start, (x) => x);
};

/** A mask that is one comparison of indices is computed where it is read, and never shared. */
const isCheapMask = ({ causal, window, extras }: AttentionAttrs, { N, M }: AttentionSizes): boolean =>
  window === 0 && (!causal || (N === M && !extras.some((extra) => MASKS.includes(extra))));

const MASKS: readonly AttentionExtra[] = ["lengths", "mask", "active"];

const blockAt = (b: Builder, { given, attrs }: RowProblem, start: Value, rows: number, filled: number): Block => {
  const cut = (x: Value): Value => b.one(dynamicSlice, [filledUp(b, x, filled), start], { axis: 2, size: rows });
  const need = (name: string): Value => (name === "q" ? cut(given.need(name)) : given.need(name));
  const maybe = (name: AttentionExtra): Value | null => {
    const x = given.maybe(name);
    return x !== null && (name === "mask" || name === "bias") ? cut(x) : x;
  };
  return blockOf(b, { need, maybe }, attrs, sizesOf(given), start, cut);
};

/** `given` holds q, mask and bias of the block's rows. */
const blockOf = (
  b: Builder,
  given: Named<Value>,
  attrs: AttentionAttrs,
  sizes: AttentionSizes,
  start: Value | null,
  cut: (x: Value) => Value,
): Block => {
  const [wholeQ, wholeK] = [given.need("q"), given.need("k")];
  const { query, key } = groupingOf(wholeQ.type, wholeK.type);
  const [q, k, v] = [led(b, wholeQ, query), led(b, wholeK, key), led(b, given.need("v"), key)];
  const index = (type: TensorType, axis: number): Value => {
    const own = b.one(iota, [], { axis, type: withDType(type, "i32") });
    return start === null ? own : plus(b, own, broadcastAlong(b, start, own.type, own.type.shape.map((_, i) => i)));
  };
  const raw = contract(b, q, k, `${query.labels} n k, ${key.labels} m k -> ${query.labels} n m`);
  const scaled = times(b, raw, full(b, attrs.scale, raw.type));
  const bias = given.maybe("bias");
  const biased = bias === null ? scaled : plus(b, scaled, spread(b, bias, scaled.type));
  const allowed = scoreMask(b, given, attrs, { sizes, index }, scaled.type);
  const scores = allowed === null ? biased : maskedScore(b, allowed, biased);
  const rows = at(wholeQ.type.shape, 2);
  const rowsOf = (type: TensorType): TensorType => withRows(type, rows);
  const dropoutKey = given.maybe("dropout_key");
  const dropout = dropoutKey === null ? null : { key: dropoutKey, rate: attrs.dropout };
  const dropped = dropout === null ? null : whereAllowed(b, allowed, dropMultiplier(b, { query, start, index }, dropout, scaled.type, sizes));
  return { query, key, rows, start, q, k, v, scores, allowed, dropped, cut, rowsOf, index };
};
