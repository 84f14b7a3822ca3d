/** @file How the gradient of attention is cut: chunks of keys are its items, blocks of keys × queries its inner steps. */

import { attentionSizes, backwardOperands } from "../../../../ir/ops/attention-attrs.ts";
import type { AttentionAttrs, AttentionExtra, AttentionSizes } from "../../../../ir/ops/attention-attrs.ts";
import type { TensorType } from "../../../../ir/core.ts";
import { dropoutTableBytes } from "./dropout.ts";

export const FLOAT = 4;
/** Columns of a register tile, and its rows. */
export const PANEL = 8;
export const TILE = 4;

/** Scores of a block and their gradients, 2 · 16 KiB, stay in a first-level cache beside what passes through. */
const BLOCK_KEYS = 64;
const BLOCK_ROWS = 64;
/** Items to give threads, and the fewest keys that are worth partial sums of dq of their own. */
const ITEMS = 16;
const CHUNK_KEYS = 256;

export interface BackwardPlan {
  readonly sizes: AttentionSizes;
  readonly attrs: AttentionAttrs;
  readonly has: (extra: AttentionExtra) => boolean;
  /** Widths of q and k, of v and o, up to whole panels: rows of scratch memory and of partial sums have these. */
  readonly queryWidth: number;
  readonly valueWidth: number;
  /** Keys and queries of a block, multiples of PANEL and TILE. */
  readonly keys: number;
  readonly rows: number;
  readonly chunks: number;
  /** A multiple of `keys`. */
  readonly chunkKeys: number;
  /** Queries up to whole tiles. */
  readonly paddedRows: number;
  /** Sequences and heads of bias and mask. Where a bias is shared by several, one item visits those one after the other, since
   *  their gradients of it add up. */
  readonly biasB: number;
  readonly biasH: number;
  readonly maskB: number;
  readonly maskH: number;
  readonly sharedB: boolean;
  readonly sharedH: boolean;
  /** Byte offsets in scratch memory. */
  readonly at: Readonly<Record<ScratchPart, number>>;
  readonly scratchBytes: number;
}

export type ScratchPart = "keyPanels" | "valuePanels" | "weights" | "scores" | "dk" | "dv" | "k" | "q" | "dO" | "kept" | "table";

const upTo = (size: number, unit: number): number => Math.ceil(size / unit) * unit;

export const backwardPlan = (operands: readonly TensorType[], attrs: AttentionAttrs): BackwardPlan => {
  const types = backwardOperands(operands, attrs);
  const sizes = attentionSizes(types);
  const { B, H, G, N, M, K, E } = sizes;
  const [biasB = B, biasH = H] = types.maybe("bias")?.shape ?? [];
  const [maskB = B, maskH = H] = types.maybe("mask")?.shape ?? [];
  const [sharedB, sharedH] = [biasB < B, biasH < H];
  const keys = Math.min(BLOCK_KEYS, upTo(M, PANEL));
  const rows = Math.min(BLOCK_ROWS, upTo(N, TILE));
  const wanted = Math.ceil(ITEMS / ((sharedB ? 1 : B) * (sharedH ? 1 : G)));
  const chunkKeys = upTo(Math.ceil(M / Math.max(1, Math.min(wanted, Math.floor(M / CHUNK_KEYS)))), keys);
  const [queryWidth, valueWidth] = [upTo(K, PANEL), upTo(E, PANEL)];
  const drops = attrs.dropout > 0;
  const { at, end } = laidOut([
    ["keyPanels", keys * K], ["valuePanels", keys * E], ["weights", rows * keys], ["scores", rows * keys],
    ["dk", keys * queryWidth], ["dv", keys * valueWidth], ["k", keys * queryWidth], ["q", rows * queryWidth], ["dO", rows * valueWidth],
    ["kept", drops ? rows * keys : 0], ["table", drops ? dropoutTableBytes() / FLOAT : 0],
  ]);
  return {
    sizes, attrs, has: (extra) => attrs.extras.includes(extra),
    queryWidth, valueWidth, keys, rows, chunkKeys, chunks: Math.ceil(M / chunkKeys), paddedRows: upTo(N, TILE),
    biasB, biasH, maskB, maskH, sharedB, sharedH, at, scratchBytes: end,
  };
};

const LINE = 64;

const laidOut = (parts: readonly (readonly [ScratchPart, number])[]): { readonly at: BackwardPlan["at"]; readonly end: number } => {
  let end = 0;
  const at = Object.fromEntries(parts.map(([part, elements]) => {
    const start = end;
    end += upTo(elements * FLOAT, LINE);
    return [part, start];
  })) as BackwardPlan["at"];
  return { at, end };
};

/** Items of the main phase: [chunks][sequences][key heads]. */
export const backwardItems = ({ chunks, sizes: { B, G }, sharedB, sharedH }: BackwardPlan): number => chunks * (sharedB ? 1 : B) * (sharedH ? 1 : G);

/** Elements of the partial sums of dq, [chunks][B][H][paddedRows][queryWidth]. */
export const partialElements = ({ chunks, sizes: { B, H }, paddedRows, queryWidth }: BackwardPlan): number => chunks * B * H * paddedRows * queryWidth;
