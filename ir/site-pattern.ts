/** @file Which attention has which policy: rules (a pattern of site names, a policy), the last that matches wins.
 *
 *  A site is named by the path of its layer, `Block.0.SelfAttention`, with `#0`, `#1`, … where a layer has several. In a
 *  pattern `*` is one step of a path and `**` any number; a step without `#n` matches every attention of its layer, and
 *  `#0` also the only one. A module carries its rules as its attribute `backward`: `[["**", "sus(c: 25)"], …]`. */

import type { AttrNode } from "./attrs.ts";
import type { Module } from "./core.ts";

export interface SiteRule {
  readonly pattern: string;
  /** Canonical text of a policy (`backward-policy.ts`). */
  readonly policy: string;
}

const split = (step: string): readonly [name: string, number: string | null] => {
  const at = step.indexOf("#");
  return at < 0 ? [step, null] : [step.slice(0, at), step.slice(at + 1)];
};

const stepMatches = (pattern: string, step: string): boolean => {
  const [[wantedName, wantedNumber], [name, number]] = [split(pattern), split(step)];
  return (wantedName === "*" || wantedName === name) && (wantedNumber === null || wantedNumber === (number ?? "0"));
};

const stepsMatch = (pattern: readonly string[], steps: readonly string[]): boolean => {
  const [first, ...more] = pattern;
  if (first === undefined) return steps.length === 0;
  if (first === "**") return stepsMatch(more, steps) || (steps.length > 0 && stepsMatch(pattern, steps.slice(1)));
  const [step, ...others] = steps;
  return step !== undefined && stepMatches(first, step) && stepsMatch(more, others);
};

export const matchesSite = (pattern: string, site: string): boolean => stepsMatch(pattern.split("."), site.split("."));

/** The name of one more site in the layer `path`: with `#1`, `#2`, … where it has sites already. */
export const nextSite = (taken: ReadonlySet<string>, path: string): string => {
  if (!taken.has(path) && !taken.has(`${path}#0`)) return path;
  let number = 1;
  while (taken.has(`${path}#${number}`)) number++;
  return `${path}#${number}`;
};

/** The text of the policy at a site; `exact` where no rule matches. */
export const policyAt = (rules: readonly SiteRule[], site: string): string =>
  rules.findLast((rule) => matchesSite(rule.pattern, site))?.policy ?? "exact";

const ATTRIBUTE = "backward";

/** The attribute that says the rules; none where every site is exact anyway. */
export const rulesAttribute = (rules: readonly SiteRule[]): Readonly<Record<string, AttrNode>> =>
  rules.every(({ policy }) => policy === "exact")
    ? {}
    : { [ATTRIBUTE]: list(rules.map(({ pattern, policy }) => list([text(pattern), text(policy)]))) };

const list = (items: readonly AttrNode[]): AttrNode => ({ kind: "array", items });
const text = (value: string): AttrNode => ({ kind: "string", value });

/** The rules of a module; a string says what is wrong with them. */
export const siteRules = (module: Module): readonly SiteRule[] | string => {
  const node = module.attrs[ATTRIBUTE];
  if (node === undefined) return [];
  const pairs = node.kind === "array" ? node.items.map(pairOf) : [null];
  const rules = pairs.filter((pair) => pair !== null);
  return rules.length === pairs.length ? rules : "the attribute `backward` is not a list of pairs [pattern, policy]";
};

const pairOf = (node: AttrNode): SiteRule | null => {
  const [pattern, policy, ...more] = node.kind === "array" ? node.items : [];
  return pattern?.kind === "string" && policy?.kind === "string" && more.length === 0 ? { pattern: pattern.value, policy: policy.value } : null;
};
