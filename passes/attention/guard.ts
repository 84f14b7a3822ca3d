/** @file Heads that a low-rank gradient may have: those whose scores are small for certain, tested while running.
 *
 *      |s_ij| <= |scale| max_i ‖q_i‖ max_j ‖k_j‖ <= R                 (Cauchy, Schwarz)
 *
 *  One bit a head and sequence; keys as the low-rank gradient sees them. */

import type { Builder } from "../../ir/builder.ts";
import type { TensorType, Value } from "../../ir/core.ts";
import { at } from "../../ir/tensor-data.ts";
import { full, scaleBy, sumOver, zeros, broadcastAlong } from "../../ir/ops/helpers.ts";
import { compare, convert, mul, not, reduceMax, reshape, select } from "../../ir/ops/index.ts";
import * as poly from "../../ir/poly.ts";
import { withDType } from "../../ir/types.ts";

/** i1 [B, H] from q [B, H, N, K] and k [B, G, M, K]: 1 where |score| <= R whatever the pair. */
export const guardedHeads = (b: Builder, q: Value, k: Value, scale: number, radius: number): Value => {
  const queries = longest(b, q);
  const product = b.one(mul, [queries, toQueryHeads(b, longest(b, k), queries.type)], {});
  const squared = scaleBy(b, product, scale * scale);
  return b.one(compare, [squared, full(b, radius * radius, squared.type)], { direction: "le" }, "within");
};

/** max_i ‖x_i‖², [B, heads] */
const longest = (b: Builder, x: Value): Value => b.one(reduceMax, [sumOver(b, b.one(mul, [x, x], {}), [3])], { axes: [2] });

/** [B, G] as [B, H]: query head h reads key head floor(h / (H / G)). */
const toQueryHeads = (b: Builder, x: Value, type: TensorType): Value => {
  const [[B, H], [, G]] = [type.shape, x.type.shape] as [readonly [number, number], readonly [number, number]];
  if (G === H) return x;
  const [g, h] = [at(x.type.dims, 1), at(type.dims, 1)];
  const wide = { ...type, shape: [B, G, H / G], dims: [at(type.dims, 0), g, poly.div(h, g) ?? poly.constant(H / G)] };
  return b.one(reshape, [broadcastAlong(b, x, wide, [2])], { type });
};

/** x [B, H, …] where the head is marked, 0 elsewhere: infinities of heads that run exactly go nowhere. */
export const keepHeads = (b: Builder, x: Value, heads: Value): Value =>
  b.one(select, [broadcastAlong(b, heads, withDType(x.type, "i1"), x.type.shape.map((_, i) => i).slice(2)), x, zeros(b, x.type)], {});

export interface ExactHeads {
  /** i1 [B, H]: the heads that are not marked. */
  readonly active: Value;
  /** Their share of all, a scalar. */
  readonly share: Value;
}

export const exactHeads = (b: Builder, heads: Value): ExactHeads => {
  const active = b.one(not, [heads], {}, "active");
  const count = sumOver(b, b.one(convert, [active], { to: "f32" }), [0, 1]);
  const all = heads.type.shape.reduce((product, size) => product * size, 1);
  return { active, share: scaleBy(b, count, 1 / all) };
};
