/** @file The tables of a benchmark, for a terminal and for its page. */

import { digits, percent } from "../audit/print.ts";
import { bytes, short, table } from "../inspect/table.ts";
import type { Column } from "../inspect/table.ts";
import type { TitledTable } from "../report/page.ts";
import type { BenchReport, BenchResult, BenchSlope, Spread } from "./schema.ts";
import { attentionRatios } from "./slopes.ts";

const UNITS: readonly (readonly [unit: string, seconds: number])[] = [["s", 1], ["ms", 1e-3], ["µs", 1e-6]];

/** 0.0123 as `12.3 ms`. */
export const duration = (seconds: number): string => {
  const [unit, size] = UNITS.find(([, least]) => seconds >= least) ?? ["µs", 1e-6];
  return `${digits(seconds / size)} ${unit}`;
};

/** Both quartiles in the unit of the larger one. */
const quartiles = ({ lower, upper }: Spread): string => {
  const [unit, size] = UNITS.find(([, least]) => upper >= least) ?? ["µs", 1e-6];
  return `${digits(lower / size)} – ${digits(upper / size)} ${unit}`;
};

const rate = (perSecond: number): string => digits(perSecond / 1e9);

/** `T = 1024, sus(c: 25): attention forward 12.3 ms, 31.2 GFLOP/s, 58 % of the peak` */
export const progressLine = ({ entry, size, form, seconds, flops, share }: BenchResult, sweep: string | null): string => {
  const at = size === null ? "" : `${sweep} = ${size}, `;
  const ofPeak = share === null ? "" : `, ${percent(share.median)} of the peak`;
  return `${at}${form}: ${entry} ${duration(seconds.median)}, ${rate(flops / seconds.median)} GFLOP/s${ofPeak}`;
};

export const benchHeader = ({ model, dims, backend, threads, repeat, warmup, machine, peak, results }: BenchReport): readonly string[] => {
  const sizes = Object.entries(dims).map(([name, size]) => `${name}=${size}`).join(" ");
  const most = Math.max(0, ...results.map(({ residentBytes }) => residentBytes));
  return [
    `${model} (${sizes}) on ${backend}; medians and quartiles of ${repeat} ${repeat === 1 ? "round" : "rounds"} after ${warmup} ${warmup === 1 ? "call" : "calls"} or more`,
    `subquad ${machine.subquad}, Node ${machine.node}, ${machine.platform}, ${machine.cores} × ${machine.processor}; process at most ${bytes(most)}`,
    ...(peak === null ? [] : [`peak of one thread: ${rate(peak.median)} GFLOP/s (${rate(peak.lower)} – ${rate(peak.upper)}), multiply-add in registers; shares are of ${threads === 1 ? "one thread" : `${threads} threads`}${isUnsteady(peak) ? "; unsteady: the machine does something else too" : ""}`]),
  ];
};

/** Alone on a machine the middle half of the rounds is a few percent wide. */
const isUnsteady = ({ median, lower, upper }: Spread): boolean => upper - lower > 0.1 * median;

const right = (title: string): Column => ({ title, align: "right" });

/** Columns that say something for at least one row. */
const columnsOf = <T>(all: readonly (Column & { readonly cell: (item: T) => string })[], items: readonly T[]): Omit<TitledTable, "title"> => {
  const used = all.filter(({ cell }) => items.some((item) => cell(item) !== ""));
  return { columns: used.map(({ cell: _, ...column }) => column), rows: items.map((item) => used.map(({ cell }) => cell(item))) };
};

type Sited = Pick<BenchResult, "site">;

/** Does a model have more than one kind of attention? */
const hasKinds = (all: readonly Sited[]): boolean => new Set(all.map(({ site }) => site).filter((site) => site !== null)).size > 1;

/** Which kind of attention, and how many there are of it; nothing where there is but one. */
const siteOf = ({ site, sites }: Pick<BenchResult, "site" | "sites">, all: readonly Sited[]): string => {
  if (site === null || (sites === 1 && !hasKinds(all))) return "";
  return sites === 1 ? site : `${site} and ${sites - 1} more`;
};

/** With the site where there are several kinds. */
export const lineName = ({ entry, site }: Pick<BenchSlope, "entry" | "site">, all: readonly Sited[]): string => (site !== null && hasKinds(all) ? `${entry}, ${site}` : entry);

const timeTable = ({ results, sweep }: BenchReport): TitledTable => ({
  title: "time of one call",
  ...columnsOf<BenchResult>([
    { ...right(sweep ?? ""), cell: ({ size }) => (size === null ? "" : String(size)) },
    { title: "form", cell: ({ form }) => form },
    { title: "what", cell: ({ entry }) => entry },
    { title: "at", cell: (result) => siteOf(result, results) },
    { ...right("time"), cell: ({ seconds }) => duration(seconds.median) },
    { ...right("quartiles"), cell: ({ seconds }) => (seconds.samples.length < 2 ? "" : quartiles(seconds)) },
    { ...right("FLOPs"), cell: ({ flops }) => short(flops) },
    { ...right("GFLOP/s"), cell: ({ flops, seconds }) => rate(flops / seconds.median) },
    { ...right("of peak"), cell: ({ share }) => (share === null ? "" : percent(share.median)) },
    { ...right("tokens/s"), cell: ({ tokens, seconds }) => (tokens === null ? "" : short(tokens / seconds.median)) },
    { ...right("arena"), cell: ({ arenaBytes }) => (arenaBytes === 0 ? "" : bytes(arenaBytes)) },
  ], results),
});

const ratioTable = ({ results, sweep }: BenchReport): TitledTable => ({
  title: "attention: time of the backward over the forward, and of the form over the exact one",
  ...columnsOf([
    { ...right(sweep ?? ""), cell: ({ size }) => (size === null ? "" : String(size)) },
    { title: "form", cell: ({ form }) => form },
    { title: "at", cell: ({ site }) => (hasKinds(results) ? site : "") },
    { ...right("backward/forward"), cell: ({ backward }) => digits(backward.median) },
    { ...right("quartiles"), cell: ({ backward }) => (backward.samples.length < 2 ? "" : `${digits(backward.lower)} – ${digits(backward.upper)}`) },
    { ...right("forward/exact"), cell: ({ forward }) => (forward === null ? "" : digits(forward)) },
    { ...right("both/exact"), cell: ({ both }) => (both === null ? "" : digits(both)) },
  ], attentionRatios(results)),
});

const slopeTable = ({ slopes, sweep }: BenchReport): TitledTable => ({
  title: `exponents in ${sweep ?? "the size"}: least squares on logarithms`,
  ...columnsOf<BenchSlope>([
    { title: "form", cell: ({ form }) => form },
    { title: "what", cell: (slope) => lineName(slope, slopes) },
    { ...right(sweep ?? ""), cell: ({ from, to }) => `${from} – ${to}` },
    { ...right("time"), cell: ({ time }) => time.toFixed(2) },
    { ...right("FLOPs"), cell: ({ flops }) => flops.toFixed(2) },
  ], slopes),
});

/** Those that have something to say. */
export const benchTables = (report: BenchReport): readonly TitledTable[] => [timeTable(report), ratioTable(report), slopeTable(report)].filter(({ rows }) => rows.length > 0);

export const printTable = ({ title, columns, rows }: TitledTable): string => `${title}\n\n${table(columns, rows)}`;

export const printBench = (report: BenchReport): string => {
  const notes = report.notes.map((note) => `note: ${note}\n`).join("");
  return [`${benchHeader(report).join("\n")}\n`, ...benchTables(report).map(printTable), ...(notes === "" ? [] : [notes])].join("\n");
};
