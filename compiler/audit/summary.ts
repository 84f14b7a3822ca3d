/** @file Sums to the report's records: sites, groups of parameters, what is kept on the whole. */

import type { Group } from "./gradient-noise.ts";
import type { HeadSums } from "./head.ts";
import { headReport } from "./head-report.ts";
import { logLogSlope, meanOf } from "./estimate.ts";
import type { Site } from "./probe.ts";
import type { ApproximationReport, KeptReport, SiteReport } from "./schema.ts";

export const siteReport = (site: Site, heads: readonly HeadSums[]): SiteReport => {
  const [first] = heads;
  return {
    site: site.name,
    path: site.path,
    queries: site.sizes.N,
    keys: site.sizes.M,
    pairs: first === undefined ? 0 : first.pairs / first.sequences,
    heads: heads.map((sums, head) => headReport(head, sums)),
  };
};

export const ALL = "all parameters";

/** All parameters, and those of each layer instance that computes an attention: its projections, as models are written. */
export const groupsOf = (sites: readonly Site[], parameters: readonly string[]): readonly Group[] => {
  const paths = [...new Set(sites.map(({ path }) => path))].filter((path) => path !== "");
  const layers = paths.map((path): Group => ({ name: path, parameters: parameters.filter((name) => name.startsWith(`${path}.`)) }));
  return [{ name: ALL, parameters }, ...layers.filter((group) => group.parameters.length > 0)];
};

/** Averages over all heads, of plain sus. */
export const keptReports = (sites: readonly SiteReport[], cs: readonly number[]): readonly KeptReport[] =>
  cs.map((c) => {
    const points = sites.flatMap(({ heads }) => heads.flatMap(({ sampled }) => sampled.filter((point) => point.c === c && point.degree === null)));
    return {
      c,
      keptPerRow: meanOf(points.map(({ kept }) => kept)),
      keptOfSquare: meanOf(points.map(({ keptOfSquare }) => keptOfSquare)),
      keptOfMask: meanOf(points.map(({ keptOfMask }) => keptOfMask)),
    };
  });

/** The exponent of ρ ∝ c^slope. */
export const slopeOf = (approximations: readonly ApproximationReport[]): number | null => {
  const points = approximations.flatMap(({ kind, parameter, groups }): [number, number][] => {
    const rho = groups.find(({ group }) => group === ALL)?.rho?.value ?? 0;
    return kind === "sus" && parameter !== null && rho > 0 ? [[parameter, rho]] : [];
  });
  return points.length < 2 ? null : logLogSlope(points);
};
