/** @file A benchmark beside an earlier one: which times changed by more than they scatter. */

import { digits } from "../audit/print.ts";
import type { TitledTable } from "../report/page.ts";
import { duration } from "./print.ts";
import type { BenchReport, BenchResult } from "./schema.ts";
import { notchOf } from "./statistics.ts";

export interface Change {
  readonly result: BenchResult;
  readonly before: BenchResult;
  /** Median time now over median time then. */
  readonly ratio: number;
  /** The same with both times in units of what the machine could do at that time, so that a busy machine does not look like a
   *  slow program: ratio · peak now / peak then. null where one of them has no peak. */
  readonly normalised: number | null;
  /** The notches of the medians do not overlap. */
  readonly beyond: boolean;
}

export interface Comparison {
  readonly changes: readonly Change[];
  readonly notes: readonly string[];
}

const keyOf = ({ entry, site, form, size }: BenchResult): string => JSON.stringify([entry, site, form, size]);

export const compareBench = (now: BenchReport, then: BenchReport): Comparison => {
  const earlier = new Map(then.results.map((result) => [keyOf(result), result]));
  const peaks = now.peak === null || then.peak === null ? null : now.peak.median / then.peak.median;
  const changes = now.results.flatMap((result): Change[] => {
    const before = earlier.get(keyOf(result));
    if (before === undefined) return [];
    const ratio = result.seconds.median / before.seconds.median;
    return [{ result, before, ratio, normalised: peaks === null ? null : ratio * peaks, beyond: areApart(result, before) }];
  });
  return { changes, notes: notesOf(now, then, changes.length, peaks) };
};

const areApart = (a: BenchResult, b: BenchResult): boolean => {
  const [x, y] = [notchOf(a.seconds), notchOf(b.seconds)];
  return x[0] > y[1] || y[0] > x[1];
};

/** Why times of the two may not be comparable. */
const notesOf = (now: BenchReport, then: BenchReport, matched: number, peaks: number | null): readonly string[] => {
  const facts: readonly (readonly [what: string, now: string | number, then: string | number])[] = [
    ["model", now.model, then.model],
    ["backend", now.backend, then.backend],
    ["processor", now.machine.processor, then.machine.processor],
    ["Node", now.machine.node, then.machine.node],
    ["dims", sizesOf(now, now.sweep), sizesOf(then, now.sweep)],
  ];
  const others = facts.flatMap(([what, mine, theirs]) => (mine === theirs ? [] : [`the baseline has another ${what}: ${theirs}, now ${mine}`]));
  const left = now.results.length - matched;
  return [
    ...others,
    ...(peaks !== null && Math.abs(Math.log(peaks)) > Math.log(1.1) ? [`the peak of the machine is ${digits(peaks)} of what it was in the baseline`] : []),
    ...(left > 0 ? [`${left} of ${now.results.length} results are not in the baseline`] : []),
  ];
};

const sizesOf = ({ dims }: BenchReport, sweep: string | null): string =>
  Object.entries(dims).filter(([name]) => name !== sweep).map(([name, size]) => `${name}=${size}`).join(" ");

/** Slower than `limit` times the baseline, by the clock and beside the machine's peak, and by more than the times scatter. */
export const slower = ({ changes }: Comparison, limit: number): readonly Change[] =>
  changes.filter(({ ratio, normalised, beyond }) => beyond && Math.min(ratio, normalised ?? ratio) > limit);

export const changeTable = ({ changes }: Comparison, sweep: string | null): TitledTable => ({
  title: "against the baseline",
  columns: [
    ...(sweep === null ? [] : [{ title: sweep, align: "right" as const }]),
    { title: "form" },
    { title: "what" },
    ...["then", "now", "now/then", "beside peaks"].map((title) => ({ title, align: "right" as const })),
    { title: "" },
  ],
  rows: changes.map(({ result, before, ratio, normalised, beyond }) => [
    ...(sweep === null ? [] : [String(result.size)]),
    result.form,
    result.entry,
    duration(before.seconds.median),
    duration(result.seconds.median),
    digits(ratio),
    digits(normalised),
    beyond ? (ratio > 1 ? "slower" : "faster") : "",
  ]),
});
