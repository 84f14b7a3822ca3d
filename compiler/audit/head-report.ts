/** @file The numbers of one head as the report has them: averages of what `head.ts` added up. A superset of the statistics
 *  that `ir/head-statistics.ts` defines, so that a report is also a file of statistics. */

import type { HeadStatistics, LowrankPoint, SampledPoint } from "../../ir/head-statistics.ts";
import type { HeadSums, SampledSums } from "./head.ts";
import { totalOf } from "./head-gradient.ts";
import type { Parts } from "./head-gradient.ts";
import type { LowrankVariant } from "./lowrank-error.ts";

export interface SampledReport extends SampledPoint {
  /** Share of the N·M entries that is kept, and of those that the mask allows. */
  readonly keptOfSquare: number;
  readonly keptOfMask: number;
  /** tr Var[dq] / |dq|², and so on: the squared relative error of one draw. */
  readonly variance: Readonly<Parts>;
  /** Share of the rows that use the control variate; 0 for plain sus. */
  readonly gated: number;
}

export interface LowrankReport extends LowrankPoint {
  /** |g̃ - g| / |g| for each of dq, dk, dv. */
  readonly errors: Readonly<Parts>;
  /** Share of the rows with a normaliser that is not positive. */
  readonly broken: number;
}

export interface HeadReport extends HeadStatistics {
  /** The largest |s_ij|, and the largest |s_ij - scale q_i·k̄| with k̄ the mean key of the head. */
  readonly maxAbsoluteScore: number;
  readonly maxCentredScore: number;
  readonly sampled: readonly SampledReport[];
  readonly lowrank: readonly LowrankReport[];
}

export const headReport = (head: number, sums: HeadSums): HeadReport => {
  const { rows, pairs, lowrank } = sums;
  const mean = sums.score / pairs;
  const { exact } = lowrank;
  const batch = totalOf(exact.variance(sums.sequences));
  return {
    head,
    scoreStd: Math.sqrt(Math.max(0, sums.scoreSquares / pairs - mean * mean)),
    maxScore: sums.maxFromRowMean,
    entropy: sums.entropy / rows,
    maxAbsoluteScore: sums.maxScore,
    maxCentredScore: sums.maxCentred,
    sampled: sums.sampled.map((point) => sampledReport(point, sums, batch)),
    lowrank: lowrank.variants.map((variant) => lowrankReport(variant, exact.squares, rows)).filter(({ error }) => Number.isFinite(error)),
  };
};

const sampledReport = (point: SampledSums, { rows, pairs, square, sequences, lowrank }: HeadSums, batch: number): SampledReport => ({
  c: point.c,
  degree: point.degree,
  kept: point.kept / rows,
  increase: ratio(totalOf(point.variance) / sequences, batch),
  keptOfSquare: point.kept / square,
  keptOfMask: point.kept / pairs,
  variance: divided(point.variance, lowrank.exact.squares, ratio),
  gated: point.gated / rows,
});

const lowrankReport = ({ degree, form, difference, broken }: LowrankVariant, exact: Parts, rows: number): LowrankReport => ({
  degree,
  form,
  features: "taylor",
  error: Math.sqrt(ratio(totalOf(difference.squares), totalOf(exact))),
  errors: divided(difference.squares, exact, (error, norm) => Math.sqrt(ratio(error, norm))),
  broken: broken / rows,
});

/** Nothing of nothing is nothing: a head that gets no gradient has no error. */
const ratio = (part: number, whole: number): number => (part === 0 ? 0 : part / whole);

const divided = (a: Parts, b: Parts, by: (a: number, b: number) => number): Parts => ({ dq: by(a.dq, b.dq), dk: by(a.dk, b.dk), dv: by(a.dv, b.dv) });
