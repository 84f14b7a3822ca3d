/** @file The random numbers of sampled attention: where the counters of `random_at` lie for a query and for an entry.
 *
 *  Entry (b, h, i, j): with rows = floor(2^24 / M) rows to a high word,
 *      low = (i mod rows) M + j,    high = (b H + h) ceil(N / rows) + floor(i / rows).
 *  A query has the counters of entry (b, h, i, 0) where M = 1. */

import type { Data } from "../core.ts";
import { COUNTER_LOW_LIMIT, draw, NUMBERS, UNIT } from "../random.ts";

/** What the sampler draws at; another site than dropout's, should one key serve both. */
export const SAMPLING_SITE = 1;

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
export const uniformOf = (key: Data, extents: Extents): ((query: number, j: number) => number) => {
  const [k0, k1, k2, k3] = [...key];
  const words = [k0 ?? 0, k1 ?? 0, k2 ?? 0, k3 ?? 0] as const;
  const { H, N } = extents;
  return (query, j) => {
    const head = Math.floor(query / N);
    const { high, low } = entryCounters(extents, [Math.floor(head / H), head % H, query % N, j]);
    return draw(NUMBERS, words, SAMPLING_SITE, high, low) * UNIT;
  };
};
