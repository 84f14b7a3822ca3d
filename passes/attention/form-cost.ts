/** @file What an attention's gradient costs in each form, from the cost polynomials of the operations that the rewrites
 *  build, at the sizes at hand. What the form adds to the forward pass (drawing a sample) counts as part of it. */

import { approximation } from "../../ir/approximation.ts";
import type { Policy } from "../../ir/backward-policy.ts";
import { isViolation } from "../../ir/core.ts";
import type { AnyOp, TensorType } from "../../ir/core.ts";
import type { AttentionAttrs, AttentionSizes } from "../../ir/ops/attention-attrs.ts";
import { DEFAULT_CHUNK } from "../../ir/ops/attention-lowrank-attrs.ts";
import type { LowRankExtra, LowRankVjpAttrs } from "../../ir/ops/attention-lowrank-attrs.ts";
import { capacity } from "../../ir/ops/attention-sampled-attrs.ts";
import type { SampledAttrs } from "../../ir/ops/attention-sampled-attrs.ts";
import { attention, attentionSampled, attentionVjp, attentionVjpLowrank, attentionVjpSampled } from "../../ir/ops/index.ts";
import * as poly from "../../ir/poly.ts";
import { tensor } from "../../ir/types.ts";

/** A site as costs see it: masks and biases that are data are left out. */
export interface CostedSite {
  readonly sizes: AttentionSizes;
  readonly causal: boolean;
  readonly window: number;
}

/** The forms that are computed; `auto` becomes one of them. */
export type Form = Exclude<Policy, { kind: "auto" }>;

interface Types {
  readonly q: TensorType;
  readonly k: TensorType;
  readonly v: TensorType;
  readonly o: TensorType;
  readonly row: TensorType;
}

const typesOf = ({ sizes: { B, H, G, N, M, K, E } }: CostedSite): Types => ({
  q: tensor("f32", [B, H, N, K]),
  k: tensor("f32", [B, G, M, K]),
  v: tensor("f32", [B, G, M, E]),
  o: tensor("f32", [B, H, N, E]),
  row: tensor("f32", [B, H, N]),
});

/** FLOPs of one operation; null where it does not take these operands. */
const flopsOf = (op: AnyOp, operandTypes: readonly TensorType[], attrs: object): number | null => {
  const resultTypes = op.infer(operandTypes, attrs);
  return isViolation(resultTypes) ? null : poly.evaluate(op.flops({ operandTypes, resultTypes, attrs }), new Map());
};

const plainAttrs = ({ causal, window }: CostedSite): AttentionAttrs => ({
  causal, window, scale: 1, extras: [], site: "", backward: "exact", dropout: 0,
});

/** Lengths beyond this are not looked at. */
const LONGEST = 2 ** 24;

/** The smallest n = m from which on a form takes fewer FLOPs than the exact gradient; null where none is in sight. (A row
 *  shorter than c has fewer slots, so a form may also save at a few keys, and not at some more.) */
export const breakEven = (site: CostedSite, form: Form): number | null => {
  const saves = (n: number): boolean => {
    const longer = { ...site, sizes: { ...site.sizes, N: n, M: n } };
    return (formFlops(longer, form) ?? Infinity) < (formFlops(longer, { kind: "exact" }) ?? 0);
  };
  if (!saves(LONGEST)) return null;
  let high = LONGEST;
  while (high > 1 && saves(high / 2)) high /= 2;
  let low = Math.floor(high / 2);
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (saves(middle)) high = middle;
    else low = middle;
  }
  return high;
};

/** FLOPs of the gradient and of what it adds to the forward; null where the operations do not have these sizes. */
export const formFlops = (site: CostedSite, form: Form): number | null => {
  const { q, k, v, o, row } = typesOf(site);
  if (form.kind === "exact") return flopsOf(attentionVjp, [q, k, v, o, row, o], plainAttrs(site));
  if (form.kind === "lowrank") return lowrankFlops(site, form, form.form, []);
  const control = form.kind === "hybrid" ? approximation("taylor", form.degree, 1) : [];
  const sampled = sampledFlops(site, form.c, form.kind === "sus" ? form.sampler : "systematic", control);
  if (form.kind === "sus" || sampled === null) return sampled;
  const lowrank = lowrankFlops(site, form, "plugin", ["delta", "gate"]);
  return lowrank === null ? null : sampled + lowrank;
};

const lowrankFlops = (site: CostedSite, { degree }: { readonly degree: number }, form: "plugin" | "surrogate", extras: readonly LowRankExtra[]): number | null => {
  if (site.window > 0) return null;
  const { q, k, v, o, row } = typesOf(site);
  // Which polynomial of that degree it is does not matter to the cost.
  const attrs: LowRankVjpAttrs = {
    causal: site.causal, scale: 1, coefficients: approximation("taylor", degree, 1), chunk: DEFAULT_CHUNK, extras, site: "", form,
  };
  return flopsOf(attentionVjpLowrank, [q, k, v, o, ...extras.map(() => row)], attrs);
};

/** The sampled gradient, and what drawing the sample adds to the forward. */
const sampledFlops = (site: CostedSite, c: number, sampler: "systematic" | "bernoulli", control: readonly number[]): number | null => {
  const { q, k, v, o } = typesOf(site);
  const { B, H, G, N, K } = site.sizes;
  const attrs: SampledAttrs = { ...plainAttrs(site), c, sampler, control };
  const slots = [B, H, N, capacity(attrs, site.sizes)];
  const center = control.length === 0 ? [] : [tensor("f32", [B, G, K])];
  const forward = flopsOf(attentionSampled, [q, k, v, tensor("i32", [4]), ...center], attrs);
  const plain = flopsOf(attention, [q, k, v], plainAttrs(site));
  const backward = flopsOf(attentionVjpSampled, [q, k, v, o, tensor("i32", slots), tensor("f32", slots), o], attrs);
  return forward === null || plain === null || backward === null ? null : forward - plain + backward;
};
