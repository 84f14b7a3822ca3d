/** @file An audit as one page that needs nothing else: tables, charts, and all numbers as JSON inside. */

import { lineChart } from "../report/chart.ts";
import type { Chart, Point, Series } from "../report/chart.ts";
import { heatMap } from "../report/heat-map.ts";
import { htmlData, htmlPage, htmlSection } from "../report/page.ts";
import { element, escape } from "../report/svg.ts";
import type { NoiseReport } from "./gradient-noise.ts";
import type { LowrankReport } from "./head-report.ts";
import { auditHeader, auditTables } from "./print.ts";
import type { KeptMap } from "./kept-map.ts";
import type { AuditReport, LengthReport } from "./schema.ts";
import { ALL } from "./summary.ts";

export const auditPage = (report: AuditReport): string => {
  const charts = [noiseByLength(report), noiseByLayer(report), errorByDegree(report), costByLength(report)].filter(({ series }) => series.some(({ points }) => points.length > 0));
  const body = [
    element("h1", {}, `How wrong is the approximate gradient of ${escape(report.model)}?`),
    ...auditHeader(report).map((line) => element("p", { class: "soft" }, escape(line))),
    ...report.notes.map((note) => element("p", { class: "soft" }, `Note: ${escape(note)}.`)),
    element("div", { class: "charts" }, ...charts.map(lineChart)),
    element("h2", {}, "Where entries are kept"),
    element("p", { class: "soft" }, "Probability that an entry is kept, averaged over the cell: the most diffuse head, one in the middle, the most peaked."),
    element("div", { class: "row" }, ...report.keptMaps.map((map) => heatMap(mapOf(map)))),
    ...auditTables(report).flatMap(htmlSection),
    htmlData("audit", report),
  ];
  return htmlPage(`Audit of ${report.model}`, body);
};

const mapOf = ({ site, head, c, cells, keys, queries }: KeptMap): Parameters<typeof heatMap>[0] => ({
  title: `${site}, head ${head}, c = ${c}`,
  cells: cells.map((row) => row.map((value) => (value === null ? null : value / 1000))),
  x: "key",
  y: "query",
  width: keys,
  height: queries,
});

/** ρ of one group against c. */
const rhoSeries = (name: string, { approximations }: LengthReport, group: string, dashed: boolean): Series => ({
  name,
  dashed,
  points: approximations.flatMap(({ kind, parameter, groups }): Point[] => {
    const rho = groups.find((each: NoiseReport) => each.group === group)?.rho ?? null;
    if (kind !== "sus" || parameter === null || rho === null || !(rho.value > 0)) return [];
    const bar = Number.isFinite(rho.error) ? { low: rho.value - rho.error, high: rho.value + rho.error } : {};
    return [{ x: parameter, y: rho.value, ...bar }];
  }),
});

const RHO = { label: "ρ: added variance / variance of batches", scale: "log" } as const;
const C = { label: "c: entries kept a row, at most (expected)", scale: "log" } as const;

const noiseByLength = ({ lengths, cs }: AuditReport): Chart => ({
  title: "Variance that sampling adds, all parameters",
  x: { ...C, ticks: cs },
  y: RHO,
  series: lengths.map((at) => rhoSeries(`length ${at.length}`, at, ALL, false)),
});

const noiseByLayer = ({ lengths, cs }: AuditReport): Chart => {
  const last = lengths.at(-1);
  const groups = last?.approximations[0]?.groups.map(({ group }) => group) ?? [];
  const title = `The same by layer with attention, length ${last?.length ?? 0}`;
  return { title, x: { ...C, ticks: cs }, y: RHO, series: last === undefined ? [] : groups.map((group) => rhoSeries(group, last, group, group === ALL)) };
};

const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return ((sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN) + (sorted[Math.ceil((sorted.length - 1) / 2)] ?? Number.NaN)) / 2;
};

/** Medians over heads; bars from the best head to the worst. */
const errorByDegree = ({ sites, degrees }: AuditReport): Chart => {
  const points = sites.flatMap(({ heads }) => heads.flatMap(({ lowrank }) => lowrank));
  const series = (name: string, form: string, part: keyof LowrankReport["errors"], dashed: boolean): Series => ({
    name,
    dashed,
    points: degrees.flatMap((degree): Point[] => {
      const errors = points.filter((point) => point.degree === degree && point.form === form).map((point) => point.errors[part]);
      return errors.length === 0 ? [] : [{ x: degree, y: median(errors), low: Math.min(...errors), high: Math.max(...errors) }];
    }),
  });
  return {
    title: "Error of low-rank gradients: median head, best and worst",
    x: { label: "degree of the polynomial", scale: "steps" },
    y: { label: "relative error", scale: "log" },
    series: [series("dq, plug-in", "plugin", "dq", false), series("dk, plug-in", "plugin", "dk", false), series("dv", "plugin", "dv", false), series("dq, surrogate", "surrogate", "dq", true)],
  };
};

const costByLength = ({ cost }: AuditReport): Chart => ({
  title: "What attention costs in one gradient",
  x: { label: "length", scale: "log", ticks: cost[0]?.points.map(({ length }) => length) ?? [] },
  y: { label: "FLOPs a sequence", scale: "log" },
  series: cost.map(({ policy, points }) => ({ name: policy, points: points.map(({ length, flops }) => ({ x: length, y: flops })) })),
});
