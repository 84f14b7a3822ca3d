/** @file Sequences as the linear algorithm walks them: query heads beside the key head they share, and, where the order
 *  matters, positions in chunks. Both sequences end together, so the shorter one is filled up in front. */

import type { Builder } from "../builder.ts";
import type { TensorType, Value } from "../core.ts";
import * as poly from "../poly.ts";
import type { Poly } from "../poly.ts";
import { at } from "../tensor-data.ts";
import { filterAxes, tensor, withDType } from "../types.ts";
import { reshaped } from "./arithmetic.ts";
import { attentionSizes } from "./attention-attrs.ts";
import type { AttentionSizes } from "./attention-attrs.ts";
import { chunksOf, isOrdered } from "./attention-lowrank-attrs.ts";
import type { LowRankAttrs, LowRankOperands } from "./attention-lowrank-attrs.ts";
import { iota } from "./constant.ts";
import { broadcastAlong, full, zeros } from "./helpers.ts";
import { compare, select } from "./logic.ts";
import { concat, pad, slice } from "./shape.ts";

/** b sequence, g key head, r query head of it, c chunk, i query, j key; a state of features belongs to a chunk. */
export interface Layout {
  readonly sizes: AttentionSizes;
  readonly ordered: boolean;
  readonly count: number;
  readonly chunk: number;
  /** Labels of contractions, without the last axis. */
  readonly query: "b g r c i" | "b g r i";
  readonly key: "b g c j" | "b g j";
  readonly state: "b g c" | "b g";
  readonly pair: "b g r c i j";
}

export const layoutOf = (types: LowRankOperands<TensorType>, attrs: LowRankAttrs): Layout => {
  const sizes = attentionSizes(types);
  const ordered = isOrdered(attrs, sizes);
  const labels = ordered
    ? ({ query: "b g r c i", key: "b g c j", state: "b g c" } as const)
    : ({ query: "b g r i", key: "b g j", state: "b g" } as const);
  return { sizes, ordered, ...chunksOf(attrs, sizes), ...labels, pair: "b g r c i j" };
};

/** Are there states at all? A causal sequence of one chunk is only pairs. */
export const hasStates = ({ ordered, count }: Layout): boolean => !ordered || count > 1;

const axis = (x: Value, i: number): readonly [number, Poly] => [at(x.type.shape, i), at(x.type.dims, i)];

const shaped = (b: Builder, x: Value, axes: readonly (readonly [number, Poly])[]): Value =>
  reshaped(b, x, tensor(x.type.dtype, axes.map(([size]) => size), axes.map(([, dim]) => dim)));

const number = (size: number): readonly [number, Poly] => [size, poly.constant(size)];

const filled = (b: Builder, x: Value, { ordered, count, chunk }: Layout): Value => {
  const missing = ordered ? count * chunk - at(x.type.shape, 2) : 0;
  return missing === 0 ? x : b.one(pad, [x], { low: [0, 0, missing, 0], high: [0, 0, 0, 0] });
};

/** [B, H, N, w] as [B, G, H / G, (chunks,) positions, w]. */
export const queriesIn = (b: Builder, x: Value, layout: Layout): Value => {
  const { ordered, count, chunk, sizes: { H, G } } = layout;
  const long = filled(b, x, layout);
  const positions = ordered ? [number(count), number(chunk)] : [axis(long, 2)];
  return shaped(b, long, [axis(x, 0), number(G), number(H / G), ...positions, axis(x, 3)]);
};

/** [B, G, M, w] as [B, G, (chunks,) positions, w]. */
export const keysIn = (b: Builder, x: Value, layout: Layout): Value => {
  const { ordered, count, chunk } = layout;
  const long = filled(b, x, layout);
  return ordered ? shaped(b, long, [axis(x, 0), axis(x, 1), number(count), number(chunk), axis(x, 3)]) : long;
};

/** Back from either, to a type like [B, H, N, w]. */
export const outOf = (b: Builder, x: Value, type: TensorType, { ordered, count, chunk }: Layout): Value => {
  if (!ordered) return reshaped(b, x, type);
  const [B, heads, positions, width] = type.shape.map((size, i) => [size, at(type.dims, i)] as const);
  if (B === undefined || heads === undefined || positions === undefined || width === undefined) return x;
  const long = shaped(b, x, [B, heads, number(count * chunk), width]);
  const missing = count * chunk - positions[0];
  if (missing === 0) return reshaped(b, long, type);
  const cut = b.one(slice, [long], { starts: [0, 0, missing, 0], limits: [B[0], heads[0], count * chunk, width[0]] });
  return reshaped(b, cut, type);
};

/** [v_j, 1], 0 for a key that is masked: sums over keys leave it out, whatever its features. */
export const valuesAndOne = (b: Builder, v: Value, lengths: Value | null): Value => {
  const one: TensorType = { ...v.type, shape: [...v.type.shape.slice(0, 3), 1], dims: [...v.type.dims.slice(0, 3), poly.ONE] };
  const both = b.one(concat, [v, full(b, 1, one)], { axis: 3 });
  return lengths === null ? both : unmasked(b, both, lengths);
};

/** x [B, G, M, w] where j < lengths[b], else 0. */
export const unmasked = (b: Builder, x: Value, lengths: Value): Value => {
  const type = withDType(filterAxes(x.type, (i) => i === 0 || i === 2), "i32");
  const inside = b.one(compare, [b.one(iota, [], { axis: 1, type }), broadcastAlong(b, lengths, type, [1])], { direction: "lt" });
  return b.one(select, [broadcastAlong(b, inside, x.type, [1, 3]), x, zeros(b, x.type)], {});
};

/** x [..., 1] repeated to the last axis of `type`. */
export const repeated = (b: Builder, x: Value, type: TensorType): Value => {
  const last = type.shape.length - 1;
  return broadcastAlong(b, reshaped(b, x, filterAxes(x.type, (i) => i < last)), type, [last]);
};
