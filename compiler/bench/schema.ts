/** @file What a benchmark finds, as data: what `subquad bench --json` writes and `--baseline` reads. docs/bench.md explains
 *  the numbers. Times are seconds, rates are per second, memory is bytes. */

import { list, number, oneOf, orNull, record, text } from "../../ir/read-json.ts";
import type { Reader } from "../../ir/read-json.ts";

/** Repeated measurements of one thing: quartiles by linear interpolation between order statistics. */
export interface Spread {
  readonly median: number;
  readonly lower: number;
  readonly upper: number;
  /** One a round, in the order they were taken. */
  readonly samples: readonly number[];
}

/** What can be timed: entry points of the program, and its attention by itself. */
export const ENTRIES = ["forward", "loss", "grad", "step", "attention forward", "attention backward"] as const;
export type EntryName = (typeof ENTRIES)[number];

/** The sum of both directions of attention, where they were timed. */
export const BOTH = "attention, both";

export interface BenchResult {
  readonly entry: EntryName;
  /** The first site of this attention; null for entry points. */
  readonly site: string | null;
  /** How many sites of the model compute the same with the same sizes: 1 for entry points. */
  readonly sites: number;
  /** How the gradient of attention is computed: `sus(c: 25)`; `declared` for the model's own rules. */
  readonly form: string;
  /** Of the dimension that was swept; null without one. */
  readonly size: number | null;
  readonly seconds: Spread;
  /** Calls a sample is the mean of. */
  readonly calls: number;
  /** Of one call, from the cost polynomials of the IR: pairs that causality or a window rule out do not count. */
  readonly flops: number;
  /** Share of the peak of that round, over all threads that are used; null where the peak says nothing of the backend. */
  readonly share: Spread | null;
  /** Of the static plan of memory. */
  readonly arenaBytes: number;
  /** Most memory that the process ever had, up to here. */
  readonly residentBytes: number;
  /** Tokens that one call takes in; null where it takes none. */
  readonly tokens: number | null;
}

/** Exponents of time and of operations in the size, by least squares on logarithms. */
export interface BenchSlope {
  readonly entry: EntryName | typeof BOTH;
  readonly site: string | null;
  readonly form: string;
  readonly from: number;
  readonly to: number;
  readonly time: number;
  readonly flops: number;
}

export interface Machine {
  readonly subquad: string;
  readonly node: string;
  readonly platform: string;
  readonly processor: string;
  readonly cores: number;
}

export interface BenchReport {
  readonly version: 1;
  readonly kind: "bench";
  readonly model: string;
  readonly file: string;
  readonly machine: Machine;
  /** What really ran. */
  readonly backend: string;
  /** Threads whose peaks shares are of. */
  readonly threads: number;
  readonly seed: number;
  readonly warmup: number;
  readonly repeat: number;
  /** Of the last size. */
  readonly dims: Readonly<Record<string, number>>;
  /** The dimension that was swept. */
  readonly sweep: string | null;
  /** Floating-point operations a second of one thread that multiplies and adds in registers; null where nothing is a share of it. */
  readonly peak: Spread | null;
  readonly results: readonly BenchResult[];
  readonly slopes: readonly BenchSlope[];
  /** What was left out, and why. */
  readonly notes: readonly string[];
}

const spread = record<Spread>({ median: number, lower: number, upper: number, samples: list(number) });

const signed: Reader<number> = (value, where) => (typeof value === "number" && value < 0 ? -number(-value, where) : number(value, where));

const numbers: Reader<Readonly<Record<string, number>>> = (value, where) => {
  const keys = Object.keys(record<object>({})(value, where) === null ? {} : (value as object));
  return record<Record<string, number>>(Object.fromEntries(keys.map((key) => [key, number])))(value, where);
};

const result = record<BenchResult>({
  entry: oneOf(...ENTRIES),
  site: orNull(text),
  sites: number,
  form: text,
  size: orNull(number),
  seconds: spread,
  calls: number,
  flops: number,
  share: orNull(spread),
  arenaBytes: number,
  residentBytes: number,
  tokens: orNull(number),
});

/** Reads what `--json` wrote. */
export const benchReport: Reader<BenchReport> = record<BenchReport>({
  version: oneOf<1>(1),
  kind: oneOf<"bench">("bench"),
  model: text,
  file: text,
  machine: record<Machine>({ subquad: text, node: text, platform: text, processor: text, cores: number }),
  backend: text,
  threads: number,
  seed: number,
  warmup: number,
  repeat: number,
  dims: numbers,
  sweep: orNull(text),
  peak: orNull(spread),
  results: list(result),
  slopes: list(record<BenchSlope>({ entry: oneOf(...ENTRIES, BOTH), site: orNull(text), form: text, from: number, to: number, time: signed, flops: signed })),
  notes: list(text),
});
