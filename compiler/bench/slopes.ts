/** @file Exponents of time in size, and ratios between what was measured in the same rounds. */

import { logLogSlope } from "../audit/estimate.ts";
import { BOTH } from "./schema.ts";
import type { BenchResult, BenchSlope, Spread } from "./schema.ts";
import { ratioOf } from "./statistics.ts";

/** What one line of a chart is: an entry (at a site) with one form. */
export const lineKey = ({ entry, site, form }: Pick<BenchSlope, "entry" | "site" | "form">): string => JSON.stringify([entry, site, form]);

/** Results with the same key, in the order of the first of each. */
export const groupBy = <T>(items: readonly T[], key: (item: T) => string): readonly (readonly T[])[] => {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  return [...groups.values()];
};

interface Timed extends Pick<BenchSlope, "entry" | "site" | "form"> {
  readonly size: number;
  readonly time: number;
  readonly flops: number;
}

/** For every line with two sizes or more, and for the sum of both directions of attention. */
export const slopesOf = (results: readonly BenchResult[]): readonly BenchSlope[] => {
  const timed = results.flatMap(({ entry, site, form, size, seconds, flops }): Timed[] => (size === null ? [] : [{ entry, site, form, size, time: seconds.median, flops }]));
  return groupBy([...timed, ...sums(timed)].filter(({ time, flops }) => time > 0 && flops > 0), lineKey).flatMap((line): BenchSlope[] => {
    const [first] = line;
    const sizes = line.map(({ size }) => size);
    if (first === undefined || new Set(sizes).size < 2) return [];
    const slope = (of: "time" | "flops"): number => logLogSlope(line.map((each) => [each.size, each[of]]));
    const { entry, site, form } = first;
    return [{ entry, site, form, from: Math.min(...sizes), to: Math.max(...sizes), time: slope("time"), flops: slope("flops") }];
  });
};

const sums = (timed: readonly Timed[]): readonly Timed[] =>
  groupBy(timed.filter(({ site }) => site !== null), ({ site, form, size }) => JSON.stringify([site, form, size])).flatMap((parts): Timed[] => {
    const [forward, backward] = parts;
    return forward === undefined || backward === undefined ? [] : [{ ...forward, entry: BOTH, time: forward.time + backward.time, flops: forward.flops + backward.flops }];
  });

export interface AttentionRatio {
  readonly site: string;
  readonly form: string;
  readonly size: number | null;
  /** Time of the backward over that of the forward, round by round. */
  readonly backward: Spread;
  /** Time of the forward over that of the exact form, medians; null without one. */
  readonly forward: number | null;
  /** The same of forward and backward together. */
  readonly both: number | null;
}

/** Of attention by itself, where both directions were measured. */
export const attentionRatios = (results: readonly BenchResult[]): readonly AttentionRatio[] => {
  const find = (entry: BenchResult["entry"], { site, form, size }: Pick<BenchResult, "site" | "form" | "size">): BenchResult | undefined =>
    results.find((each) => each.entry === entry && each.site === site && each.form === form && each.size === size);
  return results.flatMap((forward): AttentionRatio[] => {
    const backward = find("attention backward", forward);
    if (forward.entry !== "attention forward" || backward === undefined) return [];
    const { site, form, size } = forward;
    const exact = form === "exact" ? [] : ["attention forward", "attention backward"].flatMap((entry) => find(entry as BenchResult["entry"], { site, form: "exact", size }) ?? []);
    const [f, b] = exact.map(({ seconds }) => seconds.median);
    const both = (forward.seconds.median + backward.seconds.median) / ((f ?? Number.NaN) + (b ?? Number.NaN));
    return [{
      site: site ?? "",
      form,
      size,
      backward: ratioOf(backward.seconds, forward.seconds),
      forward: f === undefined ? null : forward.seconds.median / f,
      both: Number.isFinite(both) ? both : null,
    }];
  });
};
