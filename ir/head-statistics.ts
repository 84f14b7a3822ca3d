/** @file What was measured of the attention heads of a trained model, as JSON: written by `subquad audit --json`, read by
 *  `compile --statistics`, judged by `auto`. Everything is an average over the sequences of the measurement, except maxima.
 *
 *  Statistics are facts about the past: a choice made on them holds as long as the model stays like this. What is proven
 *  about scores comes from the program (passes/attention/score-bound.ts) and needs no measurement. */

import type { AttrNode } from "./attrs.ts";
import type { Module } from "./core.ts";
import { list, number, oneOf, orNull, readJson, record, text } from "./read-json.ts";

/** The variance that sampling with this `c` adds, and how much it keeps. */
export interface SampledPoint {
  /** Settings of `sus` or `hybrid`. */
  readonly c: number;
  /** Degree of the control variate's polynomial; null for plain `sus`. */
  readonly degree: number | null;
  /** Entries kept a query row. */
  readonly kept: number;
  /** E[Var(g | batch)] / Var(g): the relative increase of the gradient's variance, traces over dq, dk and dv of the head. */
  readonly increase: number;
}

/** How far the low-rank gradient is from the exact one. */
export interface LowrankPoint {
  readonly degree: number;
  readonly form: "plugin" | "surrogate";
  readonly features: "taylor" | "chebyshev";
  /** ‖g̃ - g‖ / ‖g‖ over dq, dk and dv of the head together (Frobenius). */
  readonly error: number;
}

export interface HeadStatistics {
  readonly head: number;
  /** Standard deviation of the unmasked scores s_ij. */
  readonly scoreStd: number;
  /** The largest |s_ij - s̄_i|, s̄_i the mean over the keys of the row: what a polynomial has to cover. */
  readonly maxScore: number;
  /** Mean entropy of a row of weights, in nats. */
  readonly entropy: number;
  readonly sampled: readonly SampledPoint[];
  readonly lowrank: readonly LowrankPoint[];
}

export interface SiteStatistics {
  /** As in the attribute `site` of the attention: `Block.0.SelfAttention`. */
  readonly site: string;
  /** Queries and keys at which it was measured. */
  readonly queries: number;
  readonly keys: number;
  readonly heads: readonly HeadStatistics[];
}

export interface AttentionStatistics {
  readonly version: 1;
  readonly model: string;
  readonly sites: readonly SiteStatistics[];
}

const statistics = record<AttentionStatistics>({
  version: oneOf<1>(1),
  model: text,
  sites: list(record<SiteStatistics>({
    site: text,
    queries: number,
    keys: number,
    heads: list(record<HeadStatistics>({
      head: number,
      scoreStd: number,
      maxScore: number,
      entropy: number,
      sampled: list(record<SampledPoint>({ c: number, degree: orNull(number), kept: number, increase: number })),
      lowrank: list(record<LowrankPoint>({
        degree: number,
        form: oneOf("plugin", "surrogate"),
        features: oneOf("taylor", "chebyshev"),
        error: number,
      })),
    })),
  })),
});

/** The statistics that a JSON text holds; a string says what is wrong with it and where: `sites[0].heads[1].entropy is …`. */
export const parseStatistics = (json: string): AttentionStatistics | string => readJson(json, statistics);

/** Indented, so that files can be compared. `parseStatistics` reads it. */
export const printStatistics = (measured: AttentionStatistics): string => `${JSON.stringify(measured, null, 1)}\n`;

const ATTRIBUTE = "statistics";

/** The attribute of a module that carries them. */
export const statisticsAttribute = (measured: AttentionStatistics): Readonly<Record<string, AttrNode>> => ({
  [ATTRIBUTE]: { kind: "string", value: JSON.stringify(measured) },
});

/** The sites that were measured for a module, none where nothing was; a string says what is wrong. */
export const statisticsOf = (module: Module): readonly SiteStatistics[] | string => {
  const node = module.attrs[ATTRIBUTE];
  if (node === undefined) return [];
  const measured = node.kind === "string" ? parseStatistics(node.value) : "the attribute `statistics` is not a string";
  if (typeof measured === "string") return measured;
  return measured.model === module.name ? measured.sites : `the statistics are of the model \`${measured.model}\`, this is \`${module.name}\``;
};
