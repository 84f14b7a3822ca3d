/** @file Which instances of attention a backend may compute whole (`whole` in the records); the others are taken apart. */

import { rankOf } from "../approximation.ts";
import type { TensorType } from "../core.ts";
import { attentionSizes, namedBy } from "./attention-attrs.ts";
import { potential } from "./attention-lowrank-attrs.ts";
import type { LowRankAttrs, LowRankVjpAttrs } from "./attention-lowrank-attrs.ts";
import type { SampledAttrs } from "./attention-sampled-attrs.ts";

/** No axis of q, k, v, which come first in all of them, is empty. */
const isSomething = (types: readonly TensorType[]): boolean =>
  Object.values(attentionSizes(namedBy(["q", "k", "v"], types))).every((size) => size > 0);

export const wholeAttention = isSomething;

/** The gradient of a bias is found by dividing by the scale. */
export const wholeSampledVjp = (types: readonly TensorType[], { extras, scale }: SampledAttrs): boolean =>
  isSomething(types) && (scale !== 0 || !extras.includes("bias"));

/** Of a state, of which every thread has one; and of monomials, whose tables are written by code. */
const MOST_ELEMENTS = 2 ** 24;
const MOST_MONOMIALS = 2 ** 16;

/** `degree` is that of the highest monomials. */
const hasSmallStates = (types: readonly TensorType[], degree: number): boolean => {
  const { K, E } = attentionSizes(namedBy(["q", "k", "v"], types));
  const rank = rankOf(K, degree);
  return rank <= MOST_MONOMIALS && rank * (E + 8) <= MOST_ELEMENTS;
};

export const wholeLowRank = (types: readonly TensorType[], { coefficients }: LowRankAttrs): boolean =>
  isSomething(types) && hasSmallStates(types, coefficients.length - 1);

export const wholeLowRankVjp = (types: readonly TensorType[], attrs: LowRankVjpAttrs): boolean =>
  isSomething(types) && hasSmallStates(types, potential(attrs).length - 1);
