/** @file How one row of sampled attention is drawn, in float64: probabilities and weights of its unmasked keys, then the
 *  kept ones by either sampler. Keys are counted among the unmasked ones here. */

import type { Data } from "../core.ts";
import type { SampledAttrs } from "./attention-sampled-attrs.ts";

/** For each unmasked key, the probability to keep it and the weight it then has. */
export interface RowSample {
  readonly probability: Data;
  readonly weight: Data;
  /** 1 where the control variate is used. */
  readonly gate: 0 | 1;
}

/** q = min(1, c w), w / q = max(w, 1 / c) */
export const plainSample = (w: Data, { c }: SampledAttrs): RowSample => ({
  probability: w.map((x) => Math.min(1, c * x)),
  weight: w.map((x) => Math.max(x, 1 / c)),
  gate: 0,
});

/** Keeps a sum of residuals from being divided by where all of them are 0. */
export const TINY = 1e-30;

/** rho = w - P(x) / sum P,  r = sum |rho|,  q = min(1, c |rho| / r),  rho / q = sign(rho) max(|rho|, r / c), where
 *  sum |rho| max(r / c - |rho|, 0) < sum w max(1 / c - w, 0): the variances but for factors both share. `x` are the scores
 *  from the centre. */
export const controlledSample = (w: Data, x: Data, attrs: SampledAttrs): RowSample => {
  const { c, control } = attrs;
  const p = x.map((score) => horner(control, score));
  const total = sum(p);
  const rho = w.map((weight, n) => weight - (p[n] ?? 0) / (total === 0 ? 1 : total));
  const r = sum(rho.map(Math.abs));
  const controlled = sum(rho.map((y) => Math.abs(y) * Math.max(r / c - Math.abs(y), 0)));
  const plain = sum(w.map((y) => y * Math.max(1 / c - y, 0)));
  if (!(controlled < plain)) return plainSample(w, attrs);
  const factor = c / Math.max(r, TINY);
  return {
    probability: rho.map((y) => Math.min(1, Math.abs(y) * factor)),
    weight: rho.map((y) => Math.sign(y) * Math.max(Math.abs(y), r / c)),
    gate: 1,
  };
};

const sum = (x: Data): number => x.reduce((total, y) => total + y, 0);

/** a_0 + x (a_1 + x (…)) */
const horner = (coefficients: readonly number[], x: number): number =>
  coefficients.reduceRight((total, coefficient) => total * x + coefficient, 0);

/** Slot s: the first n with p_0 + … + p_n >= s + 1 - u. */
export const drawSystematic = (p: Data, u: number, slots: number): readonly number[] => {
  const chosen: number[] = [];
  let total = 0;
  p.forEach((probability, n) => {
    total += probability;
    while (chosen.length < slots && total >= chosen.length + 1 - u) chosen.push(n);
  });
  return chosen;
};

/** The first keys whose number is below their probability, as many as there are slots. */
export const drawBernoulli = (p: Data, uniform: (n: number) => number, slots: number): readonly number[] => {
  const chosen: number[] = [];
  for (let n = 0; n < p.length && chosen.length < slots; n++) if (uniform(n) < (p[n] ?? 0)) chosen.push(n);
  return chosen;
};
