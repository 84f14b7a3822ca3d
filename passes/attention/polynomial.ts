/** @file Which polynomial stands for the exponential at a site, and whether it may. Low-rank rewrites share this.
 *
 *  A polynomial is good where scores are small, so how large they can get must be known: proven from the model (`scoreBounds`),
 *  or stated and tested while running (`guard`). Otherwise, or where it is off by half or more even so, the rewrite is refused
 *  unless `unsafe`. A proven bound is one of scores about 0; without one keys are centred, which makes scores smaller. */

import { approximation, rankOf, relativeError, smallestDegree, weightError } from "../../ir/approximation.ts";
import type { Coefficients, Family } from "../../ir/approximation.ts";
import { digits } from "./facts.ts";
import { boundRemark } from "./gradient-bound.ts";
import type { AttentionSite, PolicyOf, Refusal } from "./site.ts";

export interface Polynomial {
  readonly coefficients: Coefficients;
  /** Keys are taken about their mean. */
  readonly centred: boolean;
  readonly facts: readonly string[];
}

/** With ε this large the weights may be off by 2ε/(1-ε) = 200 %. */
const LARGEST_ERROR = 0.5;

const refused = (what: string, why: string, hint: string): Refusal => ({ kind: "refused", what, why, hint });

export const lowrankPolynomial = (site: AttentionSite, policy: PolicyOf<"lowrank">): Polynomial | Refusal => {
  const { degree, features, guard, unsafe, forward } = policy;
  const form = forward ? "surrogate" : policy.form;
  if (guard > 0) return guardedPolynomial(features, degree, guard, unsafe);
  const { bound, why } = site.bound();
  if (bound !== null) {
    const coefficients = approximation(features, degree, bound);
    const epsilon = relativeError(coefficients, bound);
    const facts = [boundRemark(bound, features, degree, form)];
    if (epsilon < LARGEST_ERROR) return { coefficients, centred: false, facts };
    if (unsafe) return { coefficients, centred: true, facts };
    return refused("is no approximation here", facts.join("; "), "a larger degree, or normalised queries and keys; or `guard: R` for an R that heads are tested against, or `unsafe: true`");
  }
  if (features === "chebyshev") return refused("needs a bound of the scores for its polynomial", why, "`features: taylor`, or `guard: R`");
  if (!unsafe) return refused("has no bound of the scores", [why, ...measuredReason(site, degree)].join("; "), "`guard: R` runs heads exactly whose scores may exceed R; `unsafe: true` does without a bound");
  return { coefficients: approximation(features, degree, 0), centred: true, facts: [`no bound of the scores (${why}), and none was asked for`] };
};

/** What statistics of this model's heads say about the degree, where there are any. */
const measuredReason = ({ statistics }: AttentionSite, degree: number): readonly string[] => {
  if (statistics === null) return [];
  const most = Math.max(...statistics.heads.map(({ maxScore }) => maxScore));
  const enough = smallestDegree("taylor", most, ONE_PERCENT, true);
  const off = relativeError(approximation("taylor", degree, most), most);
  return [`measured: scores up to ${digits(most)} about their row's mean, where degree ${degree} is off by ${digits(off)} and 1 % takes ${enough === null ? "a degree beyond reason" : `degree ${enough}`}`];
};

const ONE_PERCENT = 0.01;

const guardedPolynomial = (family: Family, degree: number, guard: number, unsafe: boolean): Polynomial | Refusal => {
  const coefficients = approximation(family, degree, guard);
  const epsilon = relativeError(coefficients, guard);
  const fact = `heads with |score| <= ${digits(guard)} (tested): ${family} of degree ${degree} is within ${digits(epsilon)} of exp there, weights within ${digits(weightError(epsilon))}`;
  if (epsilon < LARGEST_ERROR || unsafe) return { coefficients, centred: true, facts: [fact] };
  return refused("is no approximation within its guard", `${family} of degree ${degree} is off by ${digits(epsilon)} at scores of ${digits(guard)}`, "a smaller guard, or a larger degree");
};

/** Taylor needs nothing; Chebyshev's interval is the proven one. An unbiased rewrite may use either whatever its error. */
export const controlPolynomial = (site: AttentionSite, { degree, features }: PolicyOf<"hybrid">): Coefficients | Refusal => {
  if (features === "taylor") return approximation(features, degree, 0);
  const { bound, why } = site.bound();
  return bound === null ? refused("needs a bound of the scores for its polynomial", why, "`features: taylor`") : approximation(features, degree, bound);
};

/** Distinct monomials of a head's width up to this degree: columns of the features that the gradient is made of. */
export const rankFact = ({ sizes: { K } }: AttentionSite, degree: number): string => `rank ${rankOf(K, degree)}`;
