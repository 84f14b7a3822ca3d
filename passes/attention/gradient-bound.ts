/** @file From a bound of the scores to one of the gradients of low-rank attention, and its words.
 *
 *  Let |s_ij| <= R, P the polynomial, ε = sup |P(x)/e^x - 1| on [-R, R], ε' the same of P'. Exact: W, b_ij = d_o_i·v_j - δ_i,
 *  dS = W∘b, dq_i = scale Σ_j dS_ij k_j, dk_j = scale Σ_i dS_ij q_i, dv = Wᵀ d_o, β_i = Σ_j W_ij |b_ij|. Low-rank:
 *  f = P(s)/Z with Z_i = Σ_j P(s_ij), O = f v, δ̃ = d_o·O, dS~ = U∘(d_o vᵀ - δ̃), dv~ = fᵀ d_o, where U = f (plugin) or
 *  U = P'(s)/Z (surrogate). Then, entry by entry,
 *
 *      |f - W| <= η W,  η = 2ε/(1-ε)      |U - W| <= η' W,  η' = η (plugin), (ε + ε')/(1-ε) (surrogate)
 *      |dv~ - dv|_j <= η Σ_i W_ij |d_o_i|
 *      |δ̃_i - δ_i| <= η β_i                             since δ̃_i - δ_i = Σ_j (f - W)_ij b_ij: rows of f and of W sum to 1
 *      |dS~ - dS|_ij <= W_ij (η' |b_ij| + (1+η') η β_i)  since dS~ - dS = (U - W)∘b - U∘(δ̃ - δ)
 *      ‖dq~_i - dq_i‖ <= scale κ β_i max_j ‖k_j‖,        κ = 2η (plugin: the row of U sums to 1), η' + (1+η')η (surrogate)
 *      ‖dk~_j - dk_j‖ <= scale Σ_i W_ij (η' |b_ij| + (1+η') η β_i) ‖q_i‖
 *
 *  A dk~ taken about its mean over the keys (as the surrogate's is, see lowrank.ts) may add the mean of these bounds to each:
 *  Σ_j dk_j = 0. All sums are over unmasked pairs. An exact δ (operand `delta`) leaves only the first term: κ = η'. */

import { approximation, derivativeOf, relativeError, weightError } from "../../ir/approximation.ts";
import type { Family } from "../../ir/approximation.ts";

export interface GradientBound {
  /** ε: of the polynomial. */
  readonly relative: number;
  /** η: of a weight, and so of dv. */
  readonly weight: number;
  /** η': of what takes the place of a weight in dS. */
  readonly score: number;
  /** κ: ‖Δdq_i‖ <= scale κ β_i max_j ‖k_j‖. */
  readonly query: number;
}

/** Infinity where ε >= 1: nothing follows then. */
export const gradientBound = (bound: number, family: Family, degree: number, form: "plugin" | "surrogate" = "plugin"): GradientBound => {
  const coefficients = approximation(family, degree, bound);
  const relative = relativeError(coefficients, bound);
  const weight = weightError(relative);
  if (form === "plugin") return { relative, weight, score: weight, query: 2 * weight };
  const ofSlope = relativeError(derivativeOf(coefficients), bound);
  const score = relative < 1 ? (relative + ofSlope) / (1 - relative) : Infinity;
  return { relative, weight, score, query: score + (1 + score) * weight };
};

const percent = (x: number): string => {
  if (!Number.isFinite(x)) return "any";
  return x >= 1e-4 ? `${Number((100 * x).toPrecision(2))} %` : x.toExponential(1);
};

/** `|scores| <= 1 (proven); degree 2: exp within 8 %, weights and dv within 17 %, …`. `bound` is R. */
export const boundRemark = (bound: number, family: Family, degree: number, form: "plugin" | "surrogate" = "plugin"): string => {
  const { relative, weight, query } = gradientBound(bound, family, degree, form);
  const start = `proven |score| <= ${Number(bound.toPrecision(3))}: ${family} of degree ${degree} is within ${percent(relative)} of exp`;
  if (!Number.isFinite(weight)) return `${start}, which bounds nothing`;
  return `${start}, so weights and dv are within ${percent(weight)} entry by entry, and ‖Δdq_i‖ <= ${Number(query.toPrecision(2))} · scale · β_i · max‖k_j‖ with β_i = Σ_j W_ij |d_o_i·v_j - δ_i|`;
};
