/** @file Which approximate gradients of a whole model an audit tries, and why it leaves others out. */

import { rankOf } from "../../ir/approximation.ts";
import type { Site } from "./probe.ts";
import { notLowrank } from "./head.ts";

/** A gradient of the whole model with one policy everywhere. */
export interface Approximation {
  readonly kind: "sus" | "lowrank" | "declared";
  /** As in a `backward` block; `declared: ` and the sites' own policies. */
  readonly policy: string;
  /** As `--backward '**=…'` takes it; null for `declared`. */
  readonly rule: string | null;
  /** c or degree. */
  readonly parameter: number | null;
}

export interface Approximations {
  readonly tried: readonly Approximation[];
  readonly notes: readonly string[];
}

/** Features a row beyond which kernels for a whole model are not built: their time would be that of nothing anybody uses. */
const LARGEST_RANK = 1024;

export const approximationsOf = (sites: readonly Site[], cs: readonly number[], degrees: readonly number[]): Approximations => {
  const sampled = cs.map((c): Approximation => ({ kind: "sus", policy: `sus(c: ${c})`, rule: `sus:c=${c}`, parameter: c }));
  const unfit = sites.flatMap((site) => notLowrank(site) ?? [])[0];
  if (unfit !== undefined) return { tried: sampled, notes: degrees.length === 0 ? [] : [`no low-rank gradients: the attention has ${unfit}`] };
  const width = Math.max(...sites.map(({ sizes }) => sizes.K));
  const tried: Approximation[] = [];
  const notes: string[] = [];
  for (const degree of degrees) {
    if (degree === 0) continue; // the policy has none: its gradient is that of a mean
    if (degree % 2 === 1) notes.push(`no gradient of the whole model with lowrank(degree: ${degree}): odd polynomials are negative somewhere`);
    else if (rankOf(width, degree) > LARGEST_RANK)
      notes.push(`no gradient of the whole model with lowrank(degree: ${degree}): ${rankOf(width, degree)} features for heads of width ${width}`);
    else tried.push(lowrank(degree, rankOf(width, degree + 1) <= LARGEST_RANK));
  }
  return { tried: [...sampled, ...tried], notes };
};

/** The plug-in form needs the features of one degree more. `unsafe`: what is measured here need not be proven. */
const lowrank = (degree: number, plugin: boolean): Approximation => ({
  kind: "lowrank",
  policy: plugin ? `lowrank(degree: ${degree})` : `lowrank(degree: ${degree}, form: surrogate)`,
  rule: `lowrank:degree=${degree}${plugin ? "" : ",form=surrogate"},unsafe=true`,
  parameter: degree,
});
