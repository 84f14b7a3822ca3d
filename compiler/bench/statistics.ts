/** @file Medians and how far they can be trusted. */

import type { Spread } from "./schema.ts";

/** The p-quantile by linear interpolation between order statistics (Hyndman and Fan, 1996, definition 7). */
export const quantile = (values: readonly number[], p: number): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const at = p * (sorted.length - 1);
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (at - Math.floor(at)) * (above - below);
};

export const median = (values: readonly number[]): number => quantile(values, 0.5);

export const spreadOf = (samples: readonly number[]): Spread => ({
  median: median(samples),
  lower: quantile(samples, 0.25),
  upper: quantile(samples, 0.75),
  samples,
});

/** Where the median would be if everything were measured again, at about 95 %: the notch of a box plot,
 *
 *      median ± 1.57 (upper - lower) / √n
 *
 *  Medians whose notches do not overlap differ (McGill, Tukey and Larsen, 1978). */
export const notchOf = ({ median, lower, upper, samples }: Spread): readonly [low: number, high: number] => {
  const half = (1.57 * (upper - lower)) / Math.sqrt(samples.length);
  return [median - half, median + half];
};

/** Round by round, so that what disturbs both cancels. Rounds that only one of them has are left out. */
export const ratioOf = (numerator: Spread, denominator: Spread): Spread => {
  const rounds = Math.min(numerator.samples.length, denominator.samples.length);
  return spreadOf(Array.from({ length: rounds }, (_, i) => (numerator.samples[i] ?? Number.NaN) / (denominator.samples[i] ?? Number.NaN)));
};
