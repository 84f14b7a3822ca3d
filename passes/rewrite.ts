/** @file Rewrite rules as data, and the one driver that applies them.
 *
 *  A rule states its law and whether it is exact. Exact means: the same real number by the same roundings, or by fewer;
 *  anything that may round differently is approximate and runs only in a pass that a model or a user asked for.
 *
 *  The driver goes through a function once, in order. A pattern sees only the operand tree of its root, and operands
 *  come first, so when an operation is reached everything below it is already final; what a rule builds is visited the
 *  same way before it is kept. One sweep therefore ends at a fixed point. */

import type { Builder } from "../ir/builder.ts";
import type { AnyOp, ExampleOperand, Func, Operation, TensorType, Value } from "../ir/core.ts";
import { InternalError } from "../ir/diagnostic.ts";
import { matchAt } from "../ir/pattern.ts";
import type { Definitions, Matched, OpPattern } from "../ir/pattern.ts";
import { fused } from "../ir/span.ts";
import type { Loc } from "../ir/span.ts";
import { describe, sameType } from "../ir/types.ts";
import { Substitution, buildAt, liveOps } from "./edit.ts";

/** Makes an input of a rule's example. */
export type ExampleInput = (type: TensorType, elements?: ExampleOperand["elements"], below?: number) => Value;

export type Exactness = { readonly kind: "exact" } | { readonly kind: "approximate"; readonly error: string };

export interface Rule {
  readonly name: string;
  /** The identity, one line: `transpose(transpose(x)) = transpose(x)`. */
  readonly law: string;
  readonly exactness: Exactness;
  readonly pattern: OpPattern<object, object>;
  /** How to replace the root's results; null where the rule does not apply. */
  readonly apply: (root: Operation, defs: Definitions) => Application | null;
  /** Builds a left side at which the rule fires, for the numeric check. */
  readonly example: (b: Builder, input: ExampleInput) => Value;
}

export interface Application {
  readonly build: (b: Builder) => readonly Value[];
  /** Where the matched operations come from. */
  readonly locs: readonly Loc[];
}

interface RuleSpec<A extends object, B extends object> {
  readonly name: string;
  readonly law: string;
  readonly match: OpPattern<A, B>;
  readonly where?: (m: B & { readonly root: Matched<A> }, defs: Definitions) => boolean;
  readonly rewrite: (b: Builder, m: B & { readonly root: Matched<A> }, defs: Definitions) => Value | readonly Value[];
  readonly example: Rule["example"];
}

const makeRule = <A extends object, B extends object>(spec: RuleSpec<A, B>, exactness: Exactness): Rule => ({
  name: spec.name,
  law: spec.law,
  exactness,
  pattern: spec.match,
  example: spec.example,
  apply: (root, defs) => {
    const match = matchAt(spec.match.node, root, defs);
    if (match === null) return null;
    // The pattern's type says what its nodes bind; matchAt bound exactly those.
    const m = { ...match.bindings, root } as B & { readonly root: Matched<A> };
    if (spec.where !== undefined && !spec.where(m, defs)) return null;
    const build = (b: Builder): readonly Value[] => {
      const built = spec.rewrite(b, m, defs);
      return "type" in built ? [built] : built;
    };
    return { build, locs: match.operations.map((operation) => operation.loc) };
  },
});

export const exact = <A extends object, B extends object>(spec: RuleSpec<A, B>): Rule =>
  makeRule(spec, { kind: "exact" });

/** `error`: how the two sides differ (`rounding`, `bounded by …`, `unbiased`). */
export const approximate = <A extends object, B extends object>(spec: RuleSpec<A, B> & { readonly error: string }): Rule =>
  makeRule(spec, { kind: "approximate", error: spec.error });

export interface RewriteReport {
  /** A rule fired at an operation. */
  readonly fired?: (rule: Rule, root: Operation) => void;
}

const NO_RULES: readonly Rule[] = [];

/** Deepest chain of rewrites that may start at one operation of the input. */
const LIMIT = 100;

/** Applies the rules everywhere until none applies, and drops what no one needs any more. */
export const rewrite = (func: Func, rules: readonly Rule[], report: RewriteReport = {}): Func => {
  const driver = new Driver(rules, report);
  for (const operation of func.ops) driver.visit(operation, []);
  if (!driver.changed) return func;
  const results = func.results.map((result) => ({ ...result, value: driver.substitution.of(result.value) }));
  return { ...func, results, ops: liveOps(driver.ops, results.map((result) => result.value)) };
};

class Driver {
  readonly ops: Operation[] = [];
  readonly substitution = new Substitution();
  changed = false;
  readonly #defs = new Map<Value, Operation>();
  readonly #byRoot = new Map<AnyOp, Rule[]>();
  readonly #definition: Definitions = (value) => this.#defs.get(value);
  readonly #report: RewriteReport;

  constructor(rules: readonly Rule[], report: RewriteReport) {
    this.#report = report;
    for (const rule of rules) {
      const root = rule.pattern.node.op;
      this.#byRoot.set(root, [...(this.#byRoot.get(root) ?? []), rule]);
    }
  }

  visit(original: Operation, chain: readonly string[]): void {
    const operation = this.substitution.apply(original);
    for (const rule of this.#byRoot.get(operation.op) ?? NO_RULES) {
      const application = rule.apply(operation, this.#definition);
      if (application === null) continue;
      this.#replace(operation, rule, application, [...chain, rule.name]);
      return;
    }
    this.ops.push(operation);
    for (const result of operation.results) this.#defs.set(result, operation);
  }

  #replace(operation: Operation, rule: Rule, application: Application, chain: readonly string[]): void {
    if (chain.length > LIMIT)
      throw new InternalError(`rewriting does not end at sq.${operation.op.mnemonic}: ${chain.slice(-6).join(", ")}, …`);
    this.changed = true;
    this.#report.fired?.(rule, operation);
    const loc = fused(rule.name, application.locs);
    const names = operation.results.map((result) => result.name);
    const built = buildAt({ path: operation.path, loc }, names, application.build);
    operation.results.forEach((result, i) => {
      const value = built.values[i];
      if (value === undefined || !sameType(value.type, result.type)) {
        const got = value === undefined ? "nothing" : describe(value.type);
        throw new InternalError(`rule ${rule.name} replaces ${describe(result.type)} by ${got}`);
      }
      this.substitution.set(result, value);
    });
    for (const inner of built.ops) this.visit(inner, chain);
  }
}
