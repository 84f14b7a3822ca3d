/** @file What an audit finds, as data: what `subquad audit --json` writes. docs/audit.md explains the numbers.
 *
 *  The whole is a superset of `AttentionStatistics` (ir/head-statistics.ts): `compile --statistics` reads it. */

import type { AttentionStatistics, SiteStatistics } from "../../ir/head-statistics.ts";
import type { NoiseReport } from "./gradient-noise.ts";
import type { HeadReport } from "./head-report.ts";
import type { KeptMap } from "./kept-map.ts";

export interface SiteReport extends SiteStatistics {
  /** The layer instance whose parameters are the attention's projections. */
  readonly path: string;
  /** Pairs of query and key that the mask allows, a head and sequence. */
  readonly pairs: number;
  readonly heads: readonly HeadReport[];
}

/** One approximation of the whole model's gradient. */
export interface ApproximationReport {
  /** As in a `backward` block: `sus(c: 16)`; for the model's own rules `declared: ` and what they were. */
  readonly policy: string;
  readonly kind: "sus" | "lowrank" | "declared";
  /** For charts: c or degree. */
  readonly parameter: number | null;
  /** First all parameters, then those of each layer with attention. */
  readonly groups: readonly NoiseReport[];
}

/** What is kept at one c, averaged over all heads. */
export interface KeptReport {
  readonly c: number;
  readonly keptPerRow: number;
  readonly keptOfSquare: number;
  readonly keptOfMask: number;
}

export interface LengthReport {
  /** Queries of the first attention: T, where the model calls it so. */
  readonly length: number;
  /** Mean loss over the sequences. */
  readonly loss: number;
  readonly kept: readonly KeptReport[];
  /** Of ln ρ against ln c, least squares over the values of c: all parameters. null for fewer than two. */
  readonly slope: number | null;
  readonly approximations: readonly ApproximationReport[];
}

/** FLOPs of everything that attention does in one gradient of one sequence, by policy and length. */
export interface CostSeries {
  readonly policy: string;
  readonly points: readonly { readonly length: number; readonly flops: number }[];
}

export interface AuditReport extends AttentionStatistics {
  readonly backend: string;
  readonly seed: number;
  readonly dims: Readonly<Record<string, number>>;
  /** null: the model as it starts. */
  readonly checkpoint: string | null;
  readonly parameters: number;
  /** Held-out bytes; null: tokens drawn at random. */
  readonly heldOutBytes: number | null;
  readonly sequences: number;
  /** Of which so many give the statistics of heads. */
  readonly headSequences: number;
  readonly draws: number;
  readonly cs: readonly number[];
  readonly degrees: readonly number[];
  /** At the longest length. */
  readonly sites: readonly SiteReport[];
  readonly lengths: readonly LengthReport[];
  readonly cost: readonly CostSeries[];
  readonly keptMaps: readonly KeptMap[];
  /** What was left out, and why. */
  readonly notes: readonly string[];
}
