/** @file `optimizer …` and `backward { … }`: facts about training, checked and carried in the program. */

import { OPTIMIZERS, parseOptimizer, printOptimizer } from "../../ir/optimizer-spec.ts";
import type { Arg, BackwardRule, OptimizerDecl } from "../syntax/ast.ts";
import type { Context } from "./context.ts";
import { evaluate } from "./expressions.ts";
import type { Site, Value } from "./program.ts";
import { describeValue } from "./shapes.ts";
import { matchesSite } from "./site-pattern.ts";
import { didYouMean } from "./suggest.ts";

/** The canonical line; null after an error. */
export const optimizerLine = (ctx: Context, decl: OptimizerDecl): string | null => {
  const known = Object.keys(OPTIMIZERS);
  if (!known.includes(decl.name.text)) {
    ctx.error("SQ0222", `there is no optimizer \`${decl.name.text}\``, decl.name.span, {
      notes: [`there are ${known.join(", ")}`],
      ...didYouMean(decl.name.text, known),
    });
    return null;
  }
  const settings: string[] = [];
  for (const arg of decl.args) {
    const value = evaluate(ctx, arg.value);
    if (value.kind === "error") return null;
    const text = settingText(value);
    // Every setting has a name, except that a first one alone is the learning rate.
    const key = arg.name?.text ?? (arg === decl.args[0] ? "lr" : null);
    const wrong = text === null ? `${describeValue(value)} is not a setting` : key === null ? "a setting needs its name" : objection(decl.name.text, key, text);
    if (wrong !== null) {
      ctx.error("SQ0507", wrong, arg.span);
      return null;
    }
    settings.push(`${key}: ${text}`);
  }
  const config = parseOptimizer(`${decl.name.text}(${settings.join(", ")})`);
  if (typeof config !== "string") return printOptimizer(config);
  ctx.error("SQ0507", config, decl.span);
  return null;
};

const objection = (name: string, key: string, text: string): string | null => {
  const parsed = parseOptimizer(`${name}(${key}: ${text})`);
  return typeof parsed === "string" ? parsed : null;
};

const settingText = (value: Value): string | null => {
  if (value.kind === "number" || value.kind === "bool") return `${value.value}`;
  if (value.kind !== "tuple") return null;
  const items = value.items.map((item) => (item.kind === "number" ? `${item.value}` : null));
  return items.every((item) => item !== null) ? `(${items.join(", ")})` : null;
};

interface Policy {
  /** Its settings, each required; and what a value must be. */
  readonly settings: Readonly<Record<string, (value: number) => string | null>>;
  readonly built: boolean;
}

const positive = (value: number): string | null => (value > 0 ? null : "must be positive");
const degree = (value: number): string | null => (Number.isInteger(value) && value > 0 ? null : "must be a positive whole number");

/** How the gradient of attention can be computed. Those that are not built are checked for form and refused. */
export const POLICIES: Readonly<Record<string, Policy>> = {
  exact: { settings: {}, built: true },
  sus: { settings: { c: positive }, built: false },
  lowrank: { settings: { degree }, built: false },
  hybrid: { settings: {}, built: false },
  auto: { settings: {}, built: false },
};

/** The policy of every site: the last rule that matches wins. A rule that matches nothing is a mistake, `**` excepted;
 *  `sites` is null where mistakes left the model incomplete, and nothing can be said. Rules `given` from outside come after
 *  the `written` ones, which need not be built where a given one is for all sites. */
export const backwardPolicies = (
  ctx: Context,
  written: readonly BackwardRule[],
  given: readonly BackwardRule[],
  sites: readonly Site[] | null,
): ((site: string) => string) => {
  const all = [...written, ...given];
  const overridden = given.some((rule) => rule.pattern.text === "**");
  const rules = all.map((rule) => ({ pattern: rule.pattern.text, policy: policyText(ctx, rule, overridden && written.includes(rule)) }));
  for (const rule of all) {
    const pattern = rule.pattern.text;
    if (sites === null || pattern === "**" || sites.some((site) => matchesSite(pattern, site.name))) continue;
    const names = sites.map((site) => site.name);
    ctx.error("SQ0218", `\`${pattern}\` matches no attention of this model`, rule.pattern.span, {
      notes: [names.length === 0 ? "the model has no attention" : `the sites are ${abbreviate(names)}`],
      ...didYouMean(pattern, names),
    });
  }
  return (site) => rules.findLast((rule) => matchesSite(rule.pattern, site))?.policy ?? "exact";
};

const abbreviate = (names: readonly string[]): string =>
  names.length <= 8 ? names.join(", ") : `${names.slice(0, 6).join(", ")}, … and ${names.at(-1) ?? ""} (${names.length} in all)`;

const policyText = (ctx: Context, rule: BackwardRule, unused: boolean): string => {
  const policy = POLICIES[rule.policy.text];
  if (policy === undefined) {
    const known = Object.keys(POLICIES);
    ctx.error("SQ0502", `there is no policy \`${rule.policy.text}\``, rule.policy.span, {
      notes: [`there are ${known.join(", ")}`],
      ...didYouMean(rule.policy.text, known),
    });
    return "exact";
  }
  const good = policySettings(ctx, rule, policy, rule.args);
  if (good && !policy.built && !unused)
    ctx.error("SQ0501", `the policy \`${rule.policy.text}\` is not built yet`, rule.policy.span, { hint: "use `exact`" });
  return rule.policy.text;
};

const policySettings = (ctx: Context, rule: BackwardRule, policy: Policy, args: readonly Arg[]): boolean => {
  const names = Object.keys(policy.settings);
  for (const arg of args) {
    const key = arg.name?.text ?? names[0] ?? "";
    const test = policy.settings[key];
    const value = evaluate(ctx, arg.value);
    if (value.kind === "error") return false;
    const wrong =
      test === undefined
        ? `\`${rule.policy.text}\` takes ${names.length === 0 ? "no settings" : names.join(", ")}`
        : value.kind !== "number"
          ? `\`${key}\` is a number, not ${describeValue(value)}`
          : test(value.value) === null
            ? null
            : `\`${key}\` ${test(value.value) ?? ""}`;
    if (wrong === null) continue;
    ctx.error("SQ0503", wrong, arg.span);
    return false;
  }
  const missing = names.filter((name, i) => !args.some((arg) => (arg.name?.text ?? (i === 0 ? name : "")) === name));
  if (missing.length > 0) ctx.error("SQ0503", `\`${rule.policy.text}\` needs ${missing.join(", ")}`, rule.policy.span);
  return missing.length === 0;
};
