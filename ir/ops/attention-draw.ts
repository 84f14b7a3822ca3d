/** @file The random numbers of attention, for sampling and for dropout: where the counters of `random_at` lie for a query and for an entry.
 *
 *  Entry (b, h, i, j): with rows = floor(2^24 / M) rows to a high word,
 *      low = (i mod rows) M + j,    high = (b H + h) ceil(N / rows) + floor(i / rows).
 *  A query has the counters of entry (b, h, i, 0) where M = 1. */

import type { Builder } from "../builder.ts";
import type { Data, TensorType, Value } from "../core.ts";
import { COUNTER_LOW_LIMIT, draw, keyWords, NUMBERS, UNIT } from "../random.ts";
import { strides, withDType } from "../types.ts";
import { plus } from "./arithmetic.ts";
import type { Block } from "./attention-blocks.ts";
import type { Lead } from "./attention-heads.ts";
import { iota } from "./constant.ts";
import { idiv, min, mod } from "./elementwise.ts";
import { full, scaleBy } from "./helpers.ts";
import { randomAt } from "./random.ts";

/** What the sampler draws at; another site than dropout's, should one key serve both. */
export const SAMPLING_SITE = 1;
/** What dropout draws at, as the `dropout` of the language does. */
export const DROPOUT_SITE = 0;

export interface Extents {
  readonly H: number;
  readonly N: number;
  readonly M: number;
}

export const rowsToAHighWord = (M: number): number => Math.floor(COUNTER_LOW_LIMIT / M);

export const entryCounters = (
  { H, N, M }: Extents,
  [b, h, i, j]: readonly [b: number, h: number, i: number, j: number],
): { readonly high: number; readonly low: number } => {
  const rows = rowsToAHighWord(M);
  return { low: (i % rows) * M + j, high: (b * H + h) * Math.ceil(N / rows) + Math.floor(i / rows) };
};

/** A uniform number for key j of query (b, h, i), the query given as one row-major index. */
export const uniformOf = (key: Data, extents: Extents, site = SAMPLING_SITE): ((query: number, j: number) => number) => {
  const words = keyWords(key);
  const { H, N } = extents;
  return (query, j) => {
    const head = Math.floor(query / N);
    const { high, low } = entryCounters(extents, [Math.floor(head / H), head % H, query % N, j]);
    return draw(NUMBERS, words, site, high, low) * UNIT;
  };
};

/** The same for the rows of a block, as values of the type `like`: [heads, rows] for a query, [heads, rows, M] for an entry. Rows that
 *  only fill up the last block draw what the last query draws. */
export const uniformsFor = (
  b: Builder,
  block: Pick<Block, "query" | "start" | "index">,
  key: Value,
  like: TensorType,
  extents: Extents,
  site = SAMPLING_SITE,
): Value => {
  const type = withDType(like, "i32");
  const axis = block.query.shape.length;
  const number = (value: number): Value => full(b, value, type);
  const row = block.index(type, axis);
  const i = block.start === null ? row : b.one(min, [row, number(extents.N - 1)], {});
  return uniformsAt(b, key, {
    head: indexOfHead(b, block.query, type),
    i,
    j: type.shape.length > axis + 1 ? b.one(iota, [], { axis: axis + 1, type }) : null,
  }, extents, site);
};

/** An entry by its indices, tensors of one shape. */
export interface Place {
  /** b H + h */
  readonly head: Value;
  readonly i: Value;
  /** null for 0 */
  readonly j: Value | null;
}

/** The numbers of entries. */
export const uniformsAt = (b: Builder, key: Value, { head, i, j }: Place, { N, M }: Extents, site = SAMPLING_SITE): Value => {
  const number = (value: number): Value => full(b, value, i.type);
  const rows = rowsToAHighWord(M);
  const within = rows < N ? b.one(mod, [i, number(rows)], {}) : i;
  const scaled = scaleBy(b, within, M);
  const low = j === null ? scaled : plus(b, scaled, j);
  const words = Math.ceil(N / rows);
  const high = words === 1 ? head : plus(b, scaleBy(b, head, words), b.one(idiv, [i, number(rows)], {}));
  return b.one(randomAt, [key, high, low], { site });
};

/** b H + h over the leading axes of `type`, which are those of `lead`. */
export const indexOfHead = (b: Builder, { shape }: Lead, type: TensorType): Value => {
  const step = strides(shape);
  const parts = shape.map((_, axis) => scaleBy(b, b.one(iota, [], { axis, type }), step[axis] ?? 1));
  return parts.reduce((sum, part) => plus(b, sum, part));
};
