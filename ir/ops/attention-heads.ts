/** @file Heads of attention as axes. With R = H / G query heads to a key head, the query side is seen as [B, G, R, …] so
 *  that a contraction can say which heads share keys. R = 1 needs no regrouping; G = 1 drops the key side's head axis instead. */

import type { Builder } from "../builder.ts";
import type { TensorType, Value } from "../core.ts";
import * as poly from "../poly.ts";
import type { Poly } from "../poly.ts";
import { at } from "../tensor-data.ts";
import { reshaped } from "./arithmetic.ts";

/** The axes of a tensor before its sequence axis: as contraction labels, and as sizes. */
export interface Lead {
  readonly labels: string;
  readonly shape: readonly number[];
  readonly dims: readonly Poly[];
}

/** How the heads of q [B, H, N, K] and k [B, G, M, K] are seen. */
export interface Grouping {
  readonly query: Lead;
  readonly key: Lead;
}

export const groupingOf = (q: TensorType, k: TensorType): Grouping => {
  const [B, H] = [at(q.shape, 0), at(q.shape, 1)];
  const [b, h] = [at(q.dims, 0), at(q.dims, 1)];
  const [G, g] = [at(k.shape, 1), at(k.dims, 1)];
  const heads: Lead = { labels: "b h", shape: [B, H], dims: [b, h] };
  if (H === G) return { query: heads, key: heads };
  if (G === 1) return { query: heads, key: { labels: "b", shape: [B], dims: [b] } };
  const r = poly.div(h, g) ?? poly.constant(H / G);
  return {
    query: { labels: "b g r", shape: [B, G, H / G], dims: [b, g, r] },
    key: { labels: "b g", shape: [B, G], dims: [b, g] },
  };
};

/** x with its first two axes (sequence, head) replaced by `lead`. */
export const led = (b: Builder, x: Value, lead: Lead): Value =>
  reshaped(b, x, {
    dtype: x.type.dtype,
    shape: [...lead.shape, ...x.type.shape.slice(2)],
    dims: [...lead.dims, ...x.type.dims.slice(2)],
  });
