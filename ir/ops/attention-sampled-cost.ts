/** @file What sampled attention costs, by the convention of attention-cost.ts; slots count whether they are filled or not,
 *  since a cost must not depend on a tensor's contents. Drawing random numbers counts nothing, as everywhere.
 *
 *  forward, beside attention, a pair:   weight 1, c w 1, minimum 1, and for the systematic sampler the running sum 1
 *  forward, a slot:                     max(w, 1 / c) 1, and for the systematic sampler its threshold 1
 *  a control variate, a pair:           argument 1, P 2 degree, sum 1, quotient 1, rho 1, |rho| 1, sum 1, two variances of 4
 *                                       each, its own probability 2
 *  a control variate, a query:          q . center 2K, scale 1, sum / c 1, c / sum 2;   a slot: its own weight 4
 *  backward, a slot:                    d_o . v 2E, m 2, scale 1, dq 2K, dk 2K, dv 2E, with dropout 2, for a bias 1
 *  backward, a query:                   delta 2E, d_lse 1 */

import type { CostContext } from "../core.ts";
import * as poly from "../poly.ts";
import type { Poly } from "../poly.ts";
import { at } from "../tensor-data.ts";
import { attentionSizes } from "./attention-attrs.ts";
import { attentionFlops, pairs } from "./attention-cost.ts";
import { sampledOperands, sampledVjpOperands, slotsType } from "./attention-sampled-attrs.ts";
import type { SampledAttrs } from "./attention-sampled-attrs.ts";

/** What sampling adds to attention: for a pair, a slot and a query. */
export const samplingFlops = ({ sampler, control }: SampledAttrs, K: number): { readonly pair: number; readonly slot: number; readonly query: number } => {
  const running = sampler === "systematic" ? 1 : 0;
  if (control.length === 0) return { pair: 3 + running, slot: 1 + running, query: 0 };
  return { pair: 19 + 2 * (control.length - 1) + running, slot: 5 + running, query: 2 * K + 4 };
};

/** One slot of the gradient. */
export const slotVjpFlops = ({ extras }: SampledAttrs, K: number, E: number): number =>
  4 * K + 4 * E + 3 + (extras.includes("dropout_key") ? 2 : 0) + (extras.includes("bias") ? 1 : 0);

export const sampledFlops = ({ operandTypes, resultTypes, attrs }: CostContext<SampledAttrs>): Poly => {
  const types = sampledOperands(operandTypes, attrs);
  const [B = poly.ONE, H = poly.ONE, N = poly.ONE, K = poly.ONE] = types.need("q").dims;
  const [, , M = poly.ONE] = types.need("k").dims;
  const slots = at(slotsType(types, attrs).dims, 3);
  const { pair, slot, query } = samplingFlops(attrs, 0);
  const aQuery = poly.add(poly.scale(slots, slot), poly.constant(query), attrs.control.length === 0 ? poly.ZERO : poly.scale(K, 2));
  const count = pairs(attrs, attentionSizes(types), N, M);
  const own = operandTypes.length - attrs.extras.length;
  const exact = attentionFlops({ operandTypes: [...operandTypes.slice(0, 3), ...operandTypes.slice(own)], resultTypes, attrs });
  return poly.add(exact, poly.mul(B, H, poly.add(poly.scale(count, pair), poly.mul(N, aQuery))));
};

export const sampledVjpFlops = ({ operandTypes, attrs }: CostContext<SampledAttrs>): Poly => {
  const types = sampledVjpOperands(operandTypes, attrs);
  const [K, E] = [at(types.need("q").dims, 3), at(types.need("v").dims, 3)];
  const [B = poly.ONE, H = poly.ONE, N = poly.ONE, slots = poly.ONE] = slotsType(types, attrs).dims;
  const aSlot = poly.add(poly.scale(poly.add(K, E), 4), poly.constant(slotVjpFlops(attrs, 0, 0)));
  const aQuery = poly.add(poly.scale(E, 2), poly.constant(types.maybe("d_lse") === null ? 0 : 1));
  return poly.mul(B, H, N, poly.add(poly.mul(slots, aSlot), aQuery));
};
