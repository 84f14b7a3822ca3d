/** @file Keys about their mean. Softmax does not notice: with k_j - c every score of a row changes by the same scale q_i . c.
 *  A polynomial does, since it is good near 0: centring takes out of the scores what all keys have in common. */

import type { Builder } from "../builder.ts";
import type { Value } from "../core.ts";
import { at } from "../tensor-data.ts";
import { filterAxes, withDType } from "../types.ts";
import { minus, over } from "./arithmetic.ts";
import { unmasked } from "./attention-lowrank-layout.ts";
import { max } from "./elementwise.ts";
import { broadcastAlong, full, scaleBy, sumOver } from "./helpers.ts";
import { convert } from "./logic.ts";

export interface Centred {
  /** k_j - center, [B, G, M, K]. */
  readonly k: Value;
  /** The mean of the keys, [B, G, K]. */
  readonly center: Value;
}

/** The mean is over all keys j < lengths[b], those behind a causal query too: a gradient may know them (its weights only
 *  approximate those of the exact forward pass), while a forward pass by a polynomial would learn from them what it must
 *  not see. 0 for a sequence without keys. */
export const centred = (b: Builder, k: Value, lengths: Value | null = null): Centred => {
  const center = meanOf(b, k, lengths);
  return { center, k: minus(b, k, broadcastAlong(b, center, k.type, [2])) };
};

const meanOf = (b: Builder, k: Value, lengths: Value | null): Value => {
  if (lengths === null) return scaleBy(b, sumOver(b, k, [2]), 1 / at(k.type.shape, 2));
  const sum = sumOver(b, unmasked(b, k, lengths), [2]);
  const type = withDType(filterAxes(k.type, (axis) => axis === 0), "i32");
  const count = b.one(convert, [b.one(max, [lengths, full(b, 1, type)], {})], { to: "f32" });
  return over(b, sum, broadcastAlong(b, count, sum.type, [1, 2]));
};
