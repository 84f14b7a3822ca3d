/** @file Rewrites the pair of attention and its gradient as the policy of each site says: `sus(c: 25)`, `lowrank(degree: 2)`, ….
 *
 *      o, lse = attention(q, k, v)                     o, … = attention_sampled(q, k, v, key)
 *      dq, dk, dv = attention_vjp(q, k, v, …, d_o) ->  dq, dk, dv = attention_vjp_sampled(q, k, v, …, d_o)
 *
 *  One file a policy: sus.ts, lowrank.ts, hybrid.ts. What needs random numbers gets a key of its own, drawn from the key of
 *  the function, which is added where it has none. A site whose policy is `exact` is left alone, and so is one to which its
 *  policy does not apply; where it applies but would be useless, that is an error. Every other site gets one remark.
 *
 *  Before  gradient.  After  gradient.  Changes numerics: yes, as asked. */

import type { Builder } from "../../ir/builder.ts";
import { parsePolicy, printPolicy } from "../../ir/backward-policy.ts";
import type { Policy, PolicyKind } from "../../ir/backward-policy.ts";
import { diagnostic } from "../../ir/codes.ts";
import type { Func, Module, Operation, Param, Result, Value } from "../../ir/core.ts";
import { deriveKey } from "../../ir/derive-key.ts";
import { DiagnosticError, InternalError } from "../../ir/diagnostic.ts";
import type { Diagnostic } from "../../ir/diagnostic.ts";
import { forwardOperands } from "../../ir/ops/attention-attrs.ts";
import { fused } from "../../ir/span.ts";
import type { Loc } from "../../ir/span.ts";
import { tensor } from "../../ir/types.ts";
import { Substitution, buildAt, liveOps, mapFuncs } from "../edit.ts";
import { fail } from "../fail.ts";
import { definePass, option } from "../pass.ts";
import type { PassContext } from "../pass.ts";
import { flopFacts, sizeFacts } from "./facts.ts";
import { rewriteHybrid } from "./hybrid.ts";
import { rewriteLowrank } from "./lowrank.ts";
import { scoreBounds } from "./score-bound.ts";
import type { ScoreBound } from "./score-bound.ts";
import { flopsOf, missed, sitesIn } from "./site.ts";
import type { Attention, AttentionSite, NewAttention, Plan, Rewriter } from "./site.ts";
import { rewriteSus } from "./sus.ts";

export const rewriteAttentionBackward = definePass({
  name: "rewrite-attention-backward",
  summary: "replaces attention and its gradient by what the policies of the sites ask for",
  before: "gradient",
  after: "gradient",
  options: { policy: option.string("", "the policy of every site, as `sus(c: 25)`, instead of its own") },
  run: (module, { policy }, ctx) => {
    const given = policy === "" ? null : policyOf(policy, "the option `policy`");
    const report = new Report(ctx);
    const result = mapFuncs(module, (func) => new Rewriting(func, module, given, report).result());
    report.end();
    return result;
  },
});

const policyOf = (text: string, where: string): Policy => {
  const policy = parsePolicy(text);
  return typeof policy === "string" ? fail("SQ0503", `rewrite-attention-backward: ${policy}`, [`in ${where}`]) : policy;
};

const REWRITERS: { readonly [K in Exclude<PolicyKind, "exact">]: Rewriter<K> } = {
  sus: rewriteSus,
  lowrank: rewriteLowrank,
  hybrid: rewriteHybrid,
  auto: () => missed("not built"),
};

const planFor = (site: AttentionSite, policy: Exclude<Policy, { kind: "exact" }>): Plan => {
  // The table maps each kind to a rewriter for that kind; TypeScript cannot follow the pair through an index.
  const rewriter = REWRITERS[policy.kind] as Rewriter<PolicyKind>;
  return rewriter(site, policy);
};

const NAME = "rewrite-attention-backward";

/** Remarks and refusals of all functions. The same site is in several of them: one remark is enough. */
class Report {
  readonly #ctx: PassContext;
  readonly #said = new Set<string>();
  /** Sites without a gradient so far. */
  readonly #waiting = new Map<string, { readonly loc: Loc; readonly message: string }>();
  readonly #refused = new Map<string, { readonly hint: string; readonly sites: Set<string> }>();

  constructor(ctx: PassContext) {
    this.#ctx = ctx;
  }

  remark(kind: "applied" | "missed", { name, attention: { loc } }: AttentionSite, message: string): void {
    if (this.#said.has(name)) return;
    this.#said.add(name);
    this.#ctx.count(kind === "applied" ? "sites rewritten" : "sites left exact");
    this.#ctx.remark({ kind, path: name, loc, message });
  }

  withoutGradient({ name, attention: { loc } }: AttentionSite, policy: Policy): void {
    this.#waiting.set(name, { loc, message: `${printPolicy(policy)}: no gradient is computed through this attention` });
  }

  refuse({ name }: AttentionSite, policy: Policy, why: string, hint: string): void {
    const message = `${printPolicy(policy)} ${why}`;
    const entry = this.#refused.get(message) ?? { hint, sites: new Set<string>() };
    entry.sites.add(name);
    this.#refused.set(message, entry);
  }

  /** Throws what was refused: SQ0509, one error for all sites with the same reason. */
  end(): void {
    for (const [name, { loc, message }] of this.#waiting) {
      if (!this.#said.has(name)) this.#ctx.remark({ kind: "missed", path: name, loc, message });
    }
    const errors = [...this.#refused].map(([message, { hint, sites }]): Diagnostic => {
      const names = [...sites];
      const shown = names.length <= 4 ? names.join(", ") : `${names.slice(0, 3).join(", ")} and ${names.length - 3} more`;
      return diagnostic("SQ0509", message, { notes: [`at ${shown}`], hint });
    });
    if (errors.length > 0) throw new DiagnosticError(errors);
  }
}

/** What draws of the sites' keys are told apart from others by; dropout has 0 and 1. */
const SITE_KEYS = 2;

/** One function. */
class Rewriting {
  readonly #func: Func;
  readonly #module: Module;
  readonly #report: Report;
  readonly #sites = new Map<Operation, AttentionSite>();
  readonly #policies = new Map<AttentionSite, Policy>();
  readonly #substitution = new Substitution();
  readonly #ops: Operation[] = [];
  readonly #guarded: Result[] = [];
  #key: Value | null = null;
  #newParam: Param | null = null;

  constructor(func: Func, module: Module, given: Policy | null, report: Report) {
    this.#func = func;
    this.#module = module;
    this.#report = report;
    let bounds: ReadonlyMap<Operation, ScoreBound> | null = null;
    for (const site of sitesIn(func, module.name, () => (bounds ??= scoreBounds(func)))) {
      this.#sites.set(site.attention, site);
      this.#policies.set(site, given ?? policyOf(site.attention.attrs.backward, `the attention at ${site.name}`));
    }
  }

  /** The same function where nothing changes. */
  result(): Func {
    const news = new Map<Operation, { readonly site: AttentionSite; readonly made: NewAttention; readonly built: Operation[]; readonly done: () => void }>();
    for (const operation of this.#func.ops) {
      const site = this.#sites.get(operation);
      const plan = site === undefined ? null : this.#plan(site);
      const gradientOf = news.get(operation);
      if (site !== undefined && plan?.kind === "rewrite") {
        const built: Operation[] = [];
        const made = this.#build(operation, built, (b) => plan.build(b, () => this.#freshKey(b)), ({ values }) => values);
        const done = (): void => this.#applied(site, plan.facts, built);
        for (const gradient of site.gradients) news.set(gradient, { site, made, built, done });
        if (site.gradients.length === 0) done();
      } else if (gradientOf !== undefined) {
        const { site: of, made, built, done } = gradientOf;
        const { guarded } = this.#build(operation, built, (b) => made.gradient(b, this.#substitution.apply(operation) as Attention), ({ values }) => values);
        if (guarded !== null) this.#guarded.push({ name: `guarded.${of.name}`, value: guarded });
        if (operation === of.gradients.at(-1)) done();
      } else this.#ops.push(this.#substitution.apply(operation));
    }
    return this.#finish();
  }

  #plan(site: AttentionSite): Plan | null {
    const policy = this.#policies.get(site) ?? { kind: "exact" };
    if (policy.kind === "exact") return null;
    const forwardToo = policy.kind === "lowrank" && policy.forward;
    if (site.gradients.length === 0 && !forwardToo) {
      this.#report.withoutGradient(site, policy);
      return null;
    }
    const plan = planFor(this.#current(site), policy);
    if (plan.kind === "missed") this.#report.remark("missed", site, `${printPolicy(policy)} does not apply, so the gradient is exact: ${plan.why}`);
    if (plan.kind === "refused") this.#report.refuse(site, policy, plan.why, plan.hint);
    return plan;
  }

  /** The site with its operands as they are by now. */
  #current(site: AttentionSite): AttentionSite {
    const attention = this.#substitution.apply(site.attention) as Attention;
    return { ...site, attention, given: forwardOperands(attention.operands, attention.attrs) };
  }

  #applied(site: AttentionSite, facts: readonly string[], built: readonly Operation[]): void {
    const { dims } = this.#module;
    const flops = flopFacts(flopsOf([site.attention, ...site.gradients], dims), flopsOf(built, dims));
    const policy = printPolicy(this.#policies.get(site) ?? { kind: "exact" });
    this.#report.remark("applied", site, [`${policy}: ${sizeFacts(site)}`, ...facts, flops].join("; "));
  }

  /** Puts what `body` builds in the place of `operation`. */
  #build<T>(operation: Operation, built: Operation[], body: (b: Builder) => T, valuesOf: (made: T) => readonly (Value | null)[]): T {
    const made: T[] = [];
    const origin = { path: operation.path, loc: fused(NAME, [operation.loc]) };
    const names = operation.results.map(({ name }) => name);
    const { ops, values } = buildAt(origin, names, (b) => {
      made.push(body(b));
      return made.flatMap(valuesOf);
    });
    for (const each of ops) {
      built.push(each);
      this.#ops.push(each);
    }
    operation.results.forEach((result, i) => this.#substitution.set(result, values[i] ?? result));
    const [first] = made;
    if (first === undefined) throw new InternalError("nothing was built");
    return first;
  }

  /** A key for one site: the first from the function's, each other from the one before. */
  #freshKey(b: Builder): Value {
    this.#key = deriveKey(b, this.#key ?? this.#keyParam().value, SITE_KEYS);
    return this.#key;
  }

  #keyParam(): Param {
    const { params, name } = this.#func;
    const own = params.find(({ role }) => role === "key");
    if (own !== undefined) return own;
    if (params.some((param) => param.name === "key")) return fail("SQ0508", `${NAME}: \`${name}\` has an argument \`key\`, the name of the key it needs`);
    this.#newParam ??= { value: { type: tensor("i32", [4]), name: "key" }, name: "key", role: "key", init: "" };
    return this.#newParam;
  }

  #finish(): Func {
    const { params, results } = this.#func;
    if (this.#ops.every((operation, i) => operation === this.#func.ops[i])) return this.#func;
    const all = [...results.map((result) => ({ ...result, value: this.#substitution.of(result.value) })), ...this.#guarded];
    const ops = liveOps(this.#ops, all.map(({ value }) => value));
    return { ...this.#func, params: this.#newParam === null ? params : [...params, this.#newParam], results: all, ops };
  }
}
