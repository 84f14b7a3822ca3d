/** @file What a remark says about a rewritten site: sizes, what is kept, operations before and after. */

import { breakEven } from "./form-cost.ts";
import type { CostedSite, Form } from "./form-cost.ts";
import { keysOfRows } from "./site.ts";
import type { AttentionSite } from "./site.ts";

const PREFIXES = ["", "k", "M", "G", "T", "P"] as const;

/** 1234567 as `1.23 M`: three significant digits, powers of 1000. */
export const quantity = (value: number): string => {
  const power = value === 0 ? 0 : Math.min(PREFIXES.length - 1, Math.max(0, Math.floor(Math.log10(Math.abs(value)) / 3)));
  const digits = power === 0 ? String(Number(value.toPrecision(3))) : (value / 1000 ** power).toPrecision(3);
  return `${digits} ${PREFIXES[power]}`.trimEnd();
};

/** A number with three significant digits. */
export const digits = (value: number): string => String(Number(value.toPrecision(3)));

export const sizeFacts = ({ sizes: { N, M, K, E } }: AttentionSite): string =>
  `n = ${N === M ? N : `${N} of ${M} keys`}, d = ${K === E ? K : `${K}, ${E}`}`;

/** Of the entries that the masks leave in a head, how many are kept: min(c, m) of a row of m, at most and on average. */
export const keptFact = (site: AttentionSite, c: number): string => {
  const rows = keysOfRows(site);
  const [all, kept] = [rows.reduce((sum, m) => sum + m, 0), rows.reduce((sum, m) => sum + Math.min(c, m), 0)];
  const share = all === 0 ? 0 : (100 * kept) / all;
  return `at most ${digits(kept)} of ${all} entries a head kept (${digits(share)} %)`;
};

export const costed = ({ sizes, attention: { attrs } }: AttentionSite): CostedSite => ({ sizes, causal: attrs.causal, window: attrs.window });

/** From which length the form takes fewer operations than the exact gradient, with what it adds to the forward pass. */
export const breakEvenFact = (site: AttentionSite, form: Form): string => {
  const from = breakEven(costed(site), form);
  return from === null ? "at no length fewer operations than exact" : `fewer operations than exact from n = ${from}`;
};

export const flopFacts = (before: number, after: number): string => `${quantity(before)}FLOP -> ${quantity(after)}FLOP`;
