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
import type { Func, Module, Operation, Param, Result, Value } from "../../ir/core.ts";
import { deriveKey } from "../../ir/derive-key.ts";
import { statisticsOf } from "../../ir/head-statistics.ts";
import type { SiteStatistics } from "../../ir/head-statistics.ts";
import { InternalError } from "../../ir/diagnostic.ts";
import { forwardOperands } from "../../ir/ops/attention-attrs.ts";
import { fused } from "../../ir/span.ts";
import { tensor } from "../../ir/types.ts";
import { Substitution, buildAt, liveOps, mapFuncs } from "../edit.ts";
import { fail } from "../fail.ts";
import { definePass, option } from "../pass.ts";
import { flopFacts, sizeFacts } from "./facts.ts";
import { rewriteAuto } from "./auto-site.ts";
import { rewriteHybrid } from "./hybrid.ts";
import { rewriteLowrank } from "./lowrank.ts";
import { Report } from "./report.ts";
import { scoreBounds } from "./score-bound.ts";
import type { ScoreBound } from "./score-bound.ts";
import { flopsOf, sitesIn } from "./site.ts";
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
    const statistics = statisticsOf(module);
    if (typeof statistics === "string") return fail("SQ0510", `rewrite-attention-backward: ${statistics}`);
    const report = new Report(ctx);
    const result = mapFuncs(module, (func) => new Rewriting(func, { module, given, statistics, report }).result());
    report.end();
    return result;
  },
});

const policyOf = (text: string, where: string): Policy => {
  const policy = parsePolicy(text);
  return typeof policy === "string" ? fail("SQ0503", `rewrite-attention-backward: ${policy}`, [`in ${where}`]) : policy;
};

type Rewritten = Exclude<Policy, { kind: "exact" }>;

const REWRITERS: { readonly [K in Rewritten["kind"]]: Rewriter<K> } = {
  sus: rewriteSus,
  lowrank: rewriteLowrank,
  hybrid: rewriteHybrid,
  auto: (site, policy) => rewriteAuto(site, policy, planFor),
};

const planFor = (site: AttentionSite, policy: Rewritten): Plan => {
  // The table maps each kind to a rewriter for that kind; TypeScript cannot follow the pair through an index.
  const rewriter = REWRITERS[policy.kind] as Rewriter<PolicyKind>;
  return rewriter(site, policy);
};

const NAME = "rewrite-attention-backward";

/** What draws of the sites' keys are told apart from others by; dropout has 0 and 1. */
const SITE_KEYS = 2;

/** What the functions of a module share. */
interface Shared {
  readonly module: Module;
  /** In place of the policies of the sites. */
  readonly given: Policy | null;
  readonly statistics: readonly SiteStatistics[];
  readonly report: Report;
}

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

  constructor(func: Func, { module, given, statistics, report }: Shared) {
    this.#func = func;
    this.#module = module;
    this.#report = report;
    let bounds: ReadonlyMap<Operation, ScoreBound> | null = null;
    for (const site of sitesIn(func, module.name, () => (bounds ??= scoreBounds(func)), statistics)) {
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
    this.#report.seen(site, policy);
    if (site.gradients.length === 0 && !forwardToo) return null;
    const plan = planFor(this.#current(site), policy);
    if (plan.kind === "missed") this.#report.remark("missed", site, () => `${printPolicy(policy)} leaves the gradient exact: ${plan.why}`);
    if (plan.kind === "refused") this.#report.refuse(site, policy, plan);
    return plan;
  }

  /** The site with its operands as they are by now. */
  #current(site: AttentionSite): AttentionSite {
    const attention = this.#substitution.apply(site.attention) as Attention;
    return { ...site, attention, given: forwardOperands(attention.operands, attention.attrs) };
  }

  #applied(site: AttentionSite, facts: () => readonly string[], built: readonly Operation[]): void {
    const { dims } = this.#module;
    this.#report.remark("applied", site, () => {
      const flops = flopFacts(flopsOf([site.attention, ...site.gradients], dims), flopsOf(built, dims));
      const policy = printPolicy(this.#policies.get(site) ?? { kind: "exact" });
      return [`${policy}: ${sizeFacts(site)}`, ...facts(), flops].join("; ");
    });
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
