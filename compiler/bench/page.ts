/** @file A benchmark as one page that needs nothing else: charts, tables, and all numbers as JSON inside. */

import { lineChart } from "../report/chart.ts";
import type { Chart, Point, Series } from "../report/chart.ts";
import { htmlData, htmlPage, htmlSection } from "../report/page.ts";
import { element, escape } from "../report/svg.ts";
import { changeTable } from "./compare.ts";
import type { Comparison } from "./compare.ts";
import { benchHeader, benchTables, lineName } from "./print.ts";
import type { BenchReport, BenchResult, Spread } from "./schema.ts";
import { attentionRatios, groupBy, lineKey } from "./slopes.ts";

export const benchPage = (report: BenchReport, comparison: Comparison | null = null): string => {
  const charts = chartsOf(report, comparison).filter(({ series }) => series.some(({ points }) => points.length > 0));
  const notes = [...report.notes, ...(comparison?.notes ?? [])];
  return htmlPage(`Benchmark of ${report.model}`, [
    element("h1", {}, `How fast is ${escape(report.model)}?`),
    ...benchHeader(report).map((line) => element("p", { class: "soft" }, escape(line))),
    ...notes.map((note) => element("p", { class: "soft" }, `Note: ${escape(note)}.`)),
    element("div", { class: "charts" }, ...charts.map(lineChart)),
    ...(comparison === null ? [] : htmlSection(changeTable(comparison, report.sweep))),
    ...benchTables(report).flatMap(htmlSection),
    htmlData("bench", report),
  ]);
};

/** Of a sweep: for every entry its time and its share of the peak, then how backward and forward compare. */
const chartsOf = (report: BenchReport, comparison: Comparison | null): readonly Chart[] => {
  const { results, sweep } = report;
  if (sweep === null) return [];
  const lines = groupBy(results, ({ entry, site }) => JSON.stringify([entry, site]));
  return [...lines.flatMap((line) => [timeChart(report, line, comparison), shareChart(report, line)]), ratioChart(report)];
};

const sizesOf = ({ results }: BenchReport): readonly number[] => [...new Set(results.flatMap(({ size }) => size ?? []))];

const axisOf = (report: BenchReport): Chart["x"] => ({ label: report.sweep ?? "", scale: "log", ticks: sizesOf(report) });

const pointOf = (size: number | null, { median, lower, upper }: Spread): readonly Point[] => (size === null ? [] : [{ x: size, y: median, low: lower, high: upper }]);

const byForm = (results: readonly BenchResult[], value: (result: BenchResult) => Spread | null): readonly Series[] =>
  groupBy(results, ({ form }) => form).flatMap((line): Series[] => {
    const [first] = line;
    const pointsOf = (result: BenchResult): readonly Point[] => {
      const spread = value(result);
      return spread === null ? [] : pointOf(result.size, spread);
    };
    return first === undefined ? [] : [{ name: first.form, points: line.flatMap(pointsOf) }];
  });

/** The baseline is dashed. */
const timeChart = (report: BenchReport, results: readonly BenchResult[], comparison: Comparison | null): Chart => {
  const forms = [...new Set(results.map(({ form }) => form))];
  const shown = new Set(results.map(lineKey));
  const before = (comparison?.changes ?? []).map((change) => change.before).filter((result) => shown.has(lineKey(result)));
  const [first] = results;
  return {
    title: `Time of ${first === undefined ? "" : lineName(first, report.results)}`,
    x: axisOf(report),
    y: { label: "seconds a call", scale: "log" },
    series: [
      ...byForm(results, ({ seconds }) => seconds),
      ...byForm(before, ({ seconds }) => seconds).map((line) => ({ ...line, name: `${line.name}, before`, dashed: true, like: forms.indexOf(line.name) })),
    ],
  };
};

const shareChart = (report: BenchReport, results: readonly BenchResult[]): Chart => {
  const [first] = results;
  return {
    title: `Share of the peak: ${first === undefined ? "" : lineName(first, report.results)}`,
    x: axisOf(report),
    y: { label: "FLOPs a second / peak", scale: "linear" },
    series: byForm(results, ({ share }) => share),
  };
};

const ratioChart = (report: BenchReport): Chart => ({
  title: "Attention: time of the backward / time of the forward",
  x: axisOf(report),
  y: { label: "backward / forward", scale: "log" },
  series: groupBy(attentionRatios(report.results), ({ form, site }) => JSON.stringify([form, site])).map((line) => ({
    name: line[0]?.form ?? "",
    points: line.flatMap(({ size, backward }) => pointOf(size, backward)),
  })),
});
