/** @file How attention is cut: an item is a block of query rows of one head, a block is groups of eight rows (rows-product.ts), and
 *  a group has scratch memory for the scores of all its keys: [key][8 rows]. No buffer has all pairs. */

import { attentionSizes } from "../../../../ir/ops/attention-attrs.ts";
import type { AttentionAttrs, AttentionExtra, AttentionSizes, Named } from "../../../../ir/ops/attention-attrs.ts";
import { DROPOUT_SITE } from "../../../../ir/ops/attention-draw.ts";
import type { TensorType } from "../../../../ir/core.ts";
import { FLOAT, LANE_BYTES, LANES, TILE } from "./rows-product.ts";
import { drawTableBytes } from "./draws.ts";
import { SAMPLE_BYTES } from "./sample.ts";

/** Groups of a block at most: each key that is read serves so many. Fewer where there would be too few items for threads. */
const GROUPS = 4;
const ITEMS = 16;
/** Bytes of keys, and of values, that the groups of a block read one after the other while they are in a near cache. */
const CHUNK_BYTES = 32 * 1024;
const FEWEST_KEYS = 16;
/** Operations that a thread should have between two visits to the counter of items. */
const GRAIN = 2 ** 20;

export interface AttentionPlan {
  readonly sizes: AttentionSizes;
  readonly attrs: AttentionAttrs;
  readonly has: (extra: AttentionExtra) => boolean;
  /** Sequences and heads of mask and bias, 1 where they are broadcast. */
  readonly maskOf: Broadcast;
  readonly biasOf: Broadcast;
  readonly groups: number;
  /** Blocks of a head. */
  readonly blocks: number;
  readonly items: number;
  readonly grain: number;
  readonly work: number;
  /** Keys that are visited together, for the scores and for the output. */
  readonly scoreKeys: number;
  readonly mixKeys: number;
  /** Byte offsets in scratch memory, and what one group has there. */
  readonly at: Readonly<Record<ScratchPart, number>>;
  readonly bytes: Readonly<Record<ScratchPart, number>>;
  readonly scratchBytes: number;
}

export interface Broadcast {
  readonly B: number;
  readonly H: number;
}

/** record: what `RECORD` says.   sample: what `SAMPLE` says (sample.ts).   q: [K][8], times the scale.   o: [E][8], before the division.
 *  s: [M][8], scores, then their powers.   e: [M][8], the powers where the scores are still needed.   dropped: the powers of a chunk
 *  of keys, times what dropout says, and the table of its draws. */
const PARTS = ["record", "sample", "q", "o", "s", "e", "dropped"] as const;
export type ScratchPart = (typeof PARTS)[number];

/** Bytes in a group's record. Keys first <= j < end are visited, of which `open` <= j < `shut` are not masked for any row; `first`, `open`
 *  and `shut` are multiples of TILE. Then eight numbers each: the largest score, the total of powers (next to it), and what nobody reads. */
export const RECORD = { first: 0, open: 4, shut: 8, end: 12, top: 32, total: 64, nowhere: 96 } as const;
const RECORD_BYTES = 128;

const upTo = (size: number, unit: number): number => Math.ceil(size / unit) * unit;

const chunk = (width: number): number => Math.max(FEWEST_KEYS, Math.floor(CHUNK_BYTES / (width * FLOAT) / TILE) * TILE);

/** Unmasked pairs of a head, where only causality and window rule any out. */
const pairsOf = ({ causal, window }: AttentionAttrs, { N, M }: AttentionSizes): number => {
  const all = causal ? (N <= M ? N * (M - N) + (N * (N + 1)) / 2 : (M * (M + 1)) / 2) : N * M;
  return window > 0 ? Math.min(all, N * window) : all;
};

/** What is computed beside o and lse: a sample, perhaps with a control variate. */
export type Extent = "alone" | "sampled" | "controlled";

const groupsOf = ({ B, H, N }: AttentionSizes): number => {
  let groups = Math.min(GROUPS, Math.ceil(N / LANES));
  while (groups > 1 && B * H * Math.ceil(N / (groups * LANES)) < ITEMS) groups = Math.ceil(groups / 2);
  return groups;
};

/** Each part for all groups, one after the other. */
const laidOut = (bytes: AttentionPlan["bytes"], groups: number): { readonly at: AttentionPlan["at"]; readonly end: number } => {
  let end = 0;
  const at = Object.fromEntries(PARTS.map((part) => {
    const start = end;
    end = upTo(end + groups * bytes[part], 64);
    return [part, start];
  })) as AttentionPlan["at"];
  return { at, end };
};

export const attentionPlan = (types: Named<TensorType>, attrs: AttentionAttrs, extent: Extent): AttentionPlan => {
  const sizes = attentionSizes(types);
  const { B, H, N, M, K, E } = sizes;
  const groups = groupsOf(sizes);
  const blocks = Math.ceil(N / (groups * LANES));
  const items = B * H * blocks;
  const work = B * H * pairsOf(attrs, sizes) * (2 * K + 2 * E + 16);
  const [scoreKeys, mixKeys] = [chunk(K), chunk(E)];
  const all = upTo(M, TILE) * LANE_BYTES;
  const bytes: AttentionPlan["bytes"] = {
    record: RECORD_BYTES, sample: extent === "alone" ? 0 : SAMPLE_BYTES, q: K * LANE_BYTES, o: E * LANE_BYTES,
    s: all, e: extent === "controlled" ? all : 0, dropped: attrs.dropout > 0 ? mixKeys * LANE_BYTES + drawTableBytes(DROPOUT_SITE) : 0,
  };
  const { at, end } = laidOut(bytes, groups);
  const broadcast = (name: "mask" | "bias"): Broadcast => {
    const [ownB = 1, ownH = 1] = types.maybe(name)?.shape ?? [];
    return { B: ownB, H: ownH };
  };
  return {
    sizes, attrs, has: (extra) => attrs.extras.includes(extra), maskOf: broadcast("mask"), biasOf: broadcast("bias"),
    groups, blocks, items, work, grain: Math.max(1, Math.min(Math.floor(items / 16), Math.floor((GRAIN * items) / Math.max(work, 1)))),
    scoreKeys, mixKeys, at, bytes, scratchBytes: end,
  };
};
