/** @file `optimizer …` and `backward { … }`: facts about training, checked and carried in the program. */

import { POLICIES, isPolicyKind, takesWord, makePolicy, printPolicy, settingObjection } from "../../ir/backward-policy.ts";
import type { PolicyKind, SettingValue } from "../../ir/backward-policy.ts";
import { OPTIMIZERS, parseOptimizer, printOptimizer } from "../../ir/optimizer-spec.ts";
import { matchesSite } from "../../ir/site-pattern.ts";
import type { SiteRule } from "../../ir/site-pattern.ts";
import type { Arg, BackwardRule, OptimizerDecl } from "../syntax/ast.ts";
import type { Context } from "./context.ts";
import { evaluate } from "./expressions.ts";
import type { Site, Value } from "./program.ts";
import { describeValue } from "./shapes.ts";
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

/** The rules for the sites of attention, in order: the last one that matches wins. A rule that matches nothing is a
 *  mistake, `**` excepted; `sites` is null where mistakes left the model incomplete, and nothing can be said. Rules `given`
 *  from outside come after the `written` ones. */
export const backwardRules = (
  ctx: Context,
  written: readonly BackwardRule[],
  given: readonly BackwardRule[],
  sites: readonly Site[] | null,
): readonly SiteRule[] => {
  const all = [...written, ...given];
  const rules = all.map((rule) => ({ pattern: rule.pattern.text, policy: policyText(ctx, rule) }));
  for (const rule of all) {
    const pattern = rule.pattern.text;
    if (sites === null || pattern === "**" || sites.some((site) => matchesSite(pattern, site.name))) continue;
    const names = sites.map((site) => site.name);
    ctx.error("SQ0218", `\`${pattern}\` matches no attention of this model`, rule.pattern.span, {
      notes: [names.length === 0 ? "the model has no attention" : `the sites are ${abbreviate(names)}`],
      ...didYouMean(pattern, names),
    });
  }
  return rules;
};

const abbreviate = (names: readonly string[]): string =>
  names.length <= 8 ? names.join(", ") : `${names.slice(0, 6).join(", ")}, … and ${names.at(-1) ?? ""} (${names.length} in all)`;

/** The canonical text of a rule's policy; `exact` after an error. */
const policyText = (ctx: Context, rule: BackwardRule): string => {
  const kind = rule.policy.text;
  if (!isPolicyKind(kind)) {
    const known = Object.keys(POLICIES);
    ctx.error("SQ0502", `there is no policy \`${kind}\``, rule.policy.span, { notes: [`there are ${known.join(", ")}`], ...didYouMean(kind, known) });
    return "exact";
  }
  const given = policySettings(ctx, kind, rule.args);
  const policy = given === null ? null : makePolicy(kind, given);
  if (typeof policy === "string") ctx.error("SQ0503", policy, rule.span);
  return policy === null || typeof policy === "string" ? "exact" : printPolicy(policy);
};

/** The settings by name, each checked; null after an error. A first one without a name is the first there is. */
const policySettings = (ctx: Context, kind: PolicyKind, args: readonly Arg[]): ReadonlyMap<string, SettingValue> | null => {
  const { settings } = POLICIES[kind];
  const given = new Map<string, SettingValue>();
  for (const arg of args) {
    const key = arg.name?.text ?? (arg === args[0] ? Object.keys(settings)[0] : undefined);
    if (key !== undefined && given.has(key)) return refuse(ctx, `\`${key}\` is given twice`, arg);
    if (key === undefined) return refuse(ctx, Object.keys(settings).length === 0 ? `\`${kind}\` takes no settings` : "a setting needs its name", arg);
    const value = takesWord(kind, key) && arg.value.kind === "name" ? arg.value.text : settingOf(ctx, arg);
    if (value === null) return null;
    const wrong = settingObjection(kind, key, value);
    if (wrong !== null) return refuse(ctx, wrong, arg, meant(kind, key, value));
    given.set(key, value);
  }
  return given;
};

/** The nearest word for a misspelt one, the nearest setting for one that is not there. */
const meant = (kind: PolicyKind, key: string, value: SettingValue): { readonly hint?: string } => {
  const { settings } = POLICIES[kind];
  if (!Object.hasOwn(settings, key)) return didYouMean(key, Object.keys(settings));
  return typeof value === "string" ? didYouMean(value, settings[key]?.words ?? []) : {};
};

const refuse = (ctx: Context, message: string, arg: Arg, details: { readonly hint?: string } = {}): null => {
  ctx.error("SQ0503", message, arg.span, details);
  return null;
};

/** A number or a flag; null where it is neither, or was reported before. */
const settingOf = (ctx: Context, arg: Arg): SettingValue | null => {
  const value = evaluate(ctx, arg.value);
  if (value.kind === "number" || value.kind === "bool") return value.value;
  // In a program an unknown name was reported with all names; a rule from outside is seen only here.
  if (value.kind !== "error" || !ctx.shared.reporter.failed) return refuse(ctx, `${value.kind === "error" ? "this" : describeValue(value)} is not a setting`, arg);
  return null;
};
