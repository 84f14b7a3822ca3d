/** @file The gradient of sampled attention in the ops that kernels are made of: rows of k and v are read where they are used,
 *  and the kept set is transposed once, so that sums over queries have an order and need no atomic additions. */

import type { Builder } from "../builder.ts";
import type { TensorType, Value } from "../core.ts";
import * as poly from "../poly.ts";
import { at } from "../tensor-data.ts";
import { contract, minus, reshaped, times } from "./arithmetic.ts";
import { attentionSizes } from "./attention-attrs.ts";
import { dropAt } from "./attention-dropout.ts";
import { typesOf } from "./attention-expand.ts";
import { unspread } from "./attention-mask.ts";
import { sampledVjpOperands } from "./attention-sampled-attrs.ts";
import type { SampledAttrs } from "./attention-sampled-attrs.ts";
import { iota } from "./constant.ts";
import { broadcastAlong, scaleBy, sumOver, zeros } from "./helpers.ts";
import { compare, select } from "./logic.ts";
import { segmentSum } from "./segment.ts";
import { takeRows } from "./take.ts";
import { transposeKept } from "./transpose-kept.ts";

export const expandSampledVjp = (b: Builder, operands: readonly Value[], attrs: SampledAttrs): readonly Value[] => {
  const given = sampledVjpOperands(operands, attrs);
  const [q, k, v, o, kept, weights, dO] = ["q", "k", "v", "o", "kept", "weights", "d_o"].map(given.need) as [Value, Value, Value, Value, Value, Value, Value];
  const { G, M } = attentionSizes(typesOf(given));
  const inner = sumOver(b, times(b, dO, o), [3]);
  const dLse = given.maybe("d_lse");
  const delta = dLse === null ? inner : minus(b, inner, dLse);
  const all = contract(b, dO, b.one(takeRows, [v, kept], {}), "b h n e, b h n s e -> b h n s");
  const dropoutKey = given.maybe("dropout_key");
  const dropped = dropoutKey === null ? null : dropAt(b, { key: dropoutKey, rate: attrs.dropout }, kept, M);
  const p = dropped === null ? all : times(b, all, dropped);
  const m = times(b, weights, minus(b, p, broadcastAlong(b, delta, p.type, [3])));
  const scaled = scaleBy(b, m, attrs.scale);
  const dq = contract(b, scaled, b.one(takeRows, [k, kept], {}), "b h n s, b h n s k -> b h n k");
  const lists = b.all(transposeKept, [kept], { groups: G, keys: M });
  const toKeys = (factor: Value, rows: Value): Value =>
    b.one(segmentSum, [at(lists, 0), at(lists, 1), updates(b, factor, rows, G)], {});
  const [dk, dv] = [toKeys(scaled, q), toKeys(dropped === null ? weights : times(b, weights, dropped), dO)];
  const bias = given.maybe("bias");
  return bias === null ? [dq, dk, dv] : [dq, dk, dv, unspread(b, dense(b, kept, m, k.type), bias.type)];
};

/** factor[b,h,n,s] rows[b,h,n,:] as [B, G, R N S, E]. */
const updates = (b: Builder, factor: Value, rows: Value, G: number): Value => {
  const { shape, dims } = factor.type;
  const [B = 1, H = 1, N = 1, S = 1] = shape;
  const [width, spelled] = [at(rows.type.shape, 3), at(rows.type.dims, 3)];
  const type: TensorType = { dtype: "f32", shape: [B, H, N, S, width], dims: [...dims, spelled] };
  const product = times(b, broadcastAlong(b, factor, type, [4]), broadcastAlong(b, rows, type, [3]));
  const [dB = poly.ONE, , dN = poly.ONE, dS = poly.ONE] = dims;
  const group = poly.constant(H / G);
  return reshaped(b, product, { dtype: "f32", shape: [B, G, (H / G) * N * S, width], dims: [dB, poly.constant(G), poly.mul(group, dN, dS), spelled] });
};

/** y[b,h,n,j] = sum of m[b,h,n,s] over the slots with kept = j. Every slot is looked at for every key: N M S comparisons, for
 *  a result of N M elements that the gradient of a bias has anyway. */
const dense = (b: Builder, kept: Value, m: Value, { shape, dims }: TensorType): Value => {
  const type: TensorType = { dtype: "f32", shape: [...m.type.shape, at(shape, 2)], dims: [...m.type.dims, at(dims, 2)] };
  const j = b.one(iota, [], { axis: 4, type: { ...type, dtype: "i32" } });
  const here = b.one(compare, [broadcastAlong(b, kept, type, [4]), j], { direction: "eq" });
  return sumOver(b, b.one(select, [here, broadcastAlong(b, m, type, [4]), zeros(b, type)], {}), [3]);
};
