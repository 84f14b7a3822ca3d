/** @file `auto(error: …, variance: …)` at a site: the form that `chooseForm` takes there, and its rewrite. */

import { printPolicy } from "../../ir/backward-policy.ts";
import { chooseForm } from "./auto.ts";
import { costed } from "./facts.ts";
import type { Form } from "./form-cost.ts";
import { lseObjection } from "./lowrank.ts";
import { maskObjection, missed } from "./site.ts";
import type { AttentionSite, Plan, PolicyOf } from "./site.ts";

export const rewriteAuto = (
  site: AttentionSite,
  budget: PolicyOf<"auto">,
  planFor: (site: AttentionSite, policy: Exclude<Form, { kind: "exact" }>) => Plan,
): Plan => {
  const lowrankObjection = maskObjection(site) ?? lseObjection(site, false);
  const { policy, why } = chooseForm({ ...costed(site), lowrankObjection, bound: site.bound(), statistics: site.statistics }, budget);
  if (policy.kind === "exact") return missed(why);
  const plan = planFor(site, policy);
  const chosen = `takes ${printPolicy(policy)}: ${why}`;
  if (plan.kind === "rewrite") return { ...plan, facts: () => [chosen, ...plan.facts()] };
  return missed(`${chosen}, but: ${plan.why}`);
};
