/** @file Dropout of attention's weights: o_i = sum_j w_ij z_ij v_j with z_ij = 1 / (1 - rate) where the entry's number
 *  u_ij >= rate, else 0. The numbers are functions of the key and the entry (attention-draw.ts), so the gradient
 *  draws them again, at all entries or at some, and no mask is kept. The log-sum-exp is that of the weights undropped. */

import type { Builder } from "../builder.ts";
import type { Data, TensorType, Value, Violation } from "../core.ts";
import { violates } from "../core.ts";
import { COUNTER_HIGH_LIMIT, UNIT } from "../random.ts";
import { describe, sameType, tensor, withDType } from "../types.ts";
import type { AttentionSizes } from "./attention-attrs.ts";
import type { Block } from "./attention-blocks.ts";
import { DROPOUT_SITE, entryCounters, indexOfHead, uniformOf, uniformsAt, uniformsFor } from "./attention-draw.ts";
import type { Extents } from "./attention-draw.ts";
import { iota } from "./constant.ts";
import { max } from "./elementwise.ts";
import { full, zeros } from "./helpers.ts";
import { compare, select } from "./logic.ts";

/** The least whole number of a draw, u 2^24, whose weight is kept. */
export const leastKept = (rate: number): number => Math.ceil(rate / UNIT);

/** The least u that is kept, a multiple of 2^-24: as u is one too, float32 compares as float64 does. */
const threshold = (rate: number): number => leastKept(rate) * UNIT;

/** What kept weights are multiplied by. */
export const factor = (rate: number): number => 1 / (1 - rate);

/** What is wrong with the rate and the key, null for nothing: the key i32 [4] is there where the rate is above 0, and only
 *  there; the rate is in [0, 1); and there are counters for every entry, B H ceil(N / floor(2^24 / M)) <= 2^12. */
export const checkDropout = (constraint: string, rate: number, key: TensorType | null, sizes: AttentionSizes): Violation | null => {
  if (!(rate >= 0 && rate < 1)) return violates(constraint, `dropout ${rate} is not in [0, 1)`);
  if ((key !== null) !== rate > 0) return violates(constraint, `dropout ${rate} with${key === null ? "out" : ""} a key`);
  if (key === null) return null;
  if (!sameType(key, tensor("i32", [4]))) return violates(constraint, `dropout_key is ${describe(key)}, expected i32[4]`);
  return countersFit(sizes) ? null : violates(constraint, `${sizes.B} x ${sizes.H} heads of ${sizes.N} x ${sizes.M} pairs are too many to draw for`);
};

/** Has every pair of all heads counters of its own? Sizes that are not known (NaN) do not speak against it. */
export const countersFit = (sizes: Pick<AttentionSizes, "B" | "H" | "N" | "M">): boolean => {
  const { high } = entryCounters(sizes, [sizes.B - 1, sizes.H - 1, sizes.N - 1, sizes.M - 1]);
  return !(high >= COUNTER_HIGH_LIMIT);
};

/** z of key j of a query (its row-major index over [B, H, N]); 1 without a key. */
export const multiplierOf = (rate: number, key: Data | null, extents: Extents): ((query: number, j: number) => number) => {
  if (key === null) return () => 1;
  const uniform = uniformOf(key, extents, DROPOUT_SITE);
  const [least, kept] = [threshold(rate), factor(rate)];
  return (query, j) => (uniform(query, j) >= least ? kept : 0);
};

const multiplier = (b: Builder, u: Value, rate: number): Value => {
  const kept = b.one(compare, [u, full(b, threshold(rate), u.type)], { direction: "ge" });
  return b.one(select, [kept, full(b, factor(rate), u.type), zeros(b, u.type)], {});
};

/** z for the rows of a block, of the type of its scores [heads, rows, M]. */
export const dropMultiplier = (
  b: Builder,
  block: Pick<Block, "query" | "start" | "index">,
  { key, rate }: { readonly key: Value; readonly rate: number },
  score: TensorType,
  extents: Extents,
): Value => multiplier(b, uniformsFor(b, block, key, score, extents, DROPOUT_SITE), rate);

/** z for kept entries: `kept` i32 [B, H, N, S] are the keys j of each query. Any number in empty slots (j < 0). */
export const dropAt = (b: Builder, { key, rate }: { readonly key: Value; readonly rate: number }, kept: Value, M: number): Value => {
  const { type } = kept;
  const [B = 1, H = 1, N = 1] = type.shape;
  const head = indexOfHead(b, { labels: "b h", shape: [B, H], dims: type.dims.slice(0, 2) }, withDType(type, "i32"));
  const i = b.one(iota, [], { axis: 2, type });
  const j = b.one(max, [kept, zeros(b, type)], {});
  return multiplier(b, uniformsAt(b, key, { head, i, j }, { H, N, M }, DROPOUT_SITE), rate);
};
