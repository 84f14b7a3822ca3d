/** @file The names inside one declaration: its arguments, parameters and `let`s, and what it calls. */

import { isPolicyKind, takesWord } from "../../ir/backward-policy.ts";
import type { Span } from "../../ir/span.ts";
import type { Arg, BackwardRule, Block, Declaration, Expr, Name, ParamDecl, Statement, TypeExpr } from "../syntax/ast.ts";
import { BUILTINS, builtinByName } from "./builtins/index.ts";
import type { Reporter } from "./report.ts";
import { lookupDefinition } from "./sources.ts";
import type { Definition, Program, Unit } from "./sources.ts";
import { didYouMean } from "./suggest.ts";
import { childrenOf } from "./walk.ts";

export interface NameContext {
  readonly program: Program;
  readonly unit: Unit;
  readonly reporter: Reporter;
  /** Every dim of the program, and where it is declared. */
  readonly dims: ReadonlyMap<string, Span>;
  /** Collects the definitions that are used. */
  readonly used: Set<string>;
  /** The file has syntax errors: nothing is said about what is not used. */
  readonly broken: boolean;
}

interface Local {
  readonly kind: "argument" | "parameter" | "value";
  readonly span: Span;
  used: boolean;
}

const MASK_NAMES: ReadonlySet<string> = new Set(["none", "causal"]);

export class BodyNames {
  readonly #ctx: NameContext;
  readonly #scopes: Map<string, Local>[] = [new Map()];
  readonly #dimParams = new Set<string>();
  #decl: Declaration | null = null;

  constructor(ctx: NameContext) {
    this.#ctx = ctx;
  }

  check(decl: Declaration): void {
    this.#decl = decl;
    if (decl.kind === "optimizer") for (const arg of decl.args) this.#expr(arg.value);
    if (decl.kind === "backward") for (const rule of decl.rules) for (const arg of rule.args) this.#setting(rule, arg);
    if (decl.kind === "layer" || decl.kind === "fn") for (const name of decl.dimParams) this.#dimParams.add(name.text);
    if (!("params" in decl)) return;
    for (const param of decl.params) this.#argument(param);
    if ("result" in decl && decl.result !== null) this.#type(decl.result);
    if (decl.body.kind === "block") this.#body(decl.body);
    else this.#expr(decl.body);
    this.#reportUnused();
  }

  /** Words such as `bernoulli` name nothing; `backwardRules` knows them. */
  #setting(rule: BackwardRule, { name, value }: Arg): void {
    const kind = rule.policy.text;
    const isWord = value.kind === "name" && name !== null && isPolicyKind(kind) && takesWord(kind, name.text);
    if (!isWord) this.#expr(value);
  }

  #argument(param: ParamDecl): void {
    const kind = this.#decl?.kind ?? "fn";
    if (param.type === null && kind !== "fn")
      this.#ctx.reporter.error("SQ0225", `the argument \`${param.name.text}\` of a ${kind} needs a type`, param.name.span, {
        hint: `write for instance \`${param.name.text}: [B, T, D]\``,
      });
    if (param.type?.ellipsis === true && (kind === "model" || kind === "loss"))
      this.#ctx.reporter.error("SQ0206", `\`...\` cannot stand in the type of a ${kind}'s argument`, param.type.span, { hint: "name every axis" });
    if (param.type !== null) this.#type(param.type);
    if (param.fallback !== null) this.#expr(param.fallback);
    this.#declare(param.name, "argument");
  }

  #type(type: TypeExpr): void {
    for (const axis of type.axes ?? []) this.#expr(axis);
  }

  #declare(name: Name, kind: Local["kind"]): void {
    const scope = this.#scopes.at(-1);
    const before = this.#find(name.text)?.span ?? this.#ctx.dims.get(name.text);
    const details = before === undefined ? {} : { labels: [{ span: before, text: "first declared here" }] };
    if (this.#find(name.text) !== undefined)
      this.#ctx.reporter.error("SQ0202", `\`${name.text}\` is declared twice`, name.span, {
        ...details,
        ...(kind === "value" ? { hint: `to give it a new value, write \`${name.text} = …\`` } : {}),
      });
    else if (this.#ctx.dims.has(name.text) || this.#dimParams.has(name.text))
      this.#ctx.reporter.error("SQ0202", `\`${name.text}\` is already a dim`, name.span, details);
    else if (MASK_NAMES.has(name.text)) this.#ctx.reporter.error("SQ0202", `\`${name.text}\` is a mask of the language`, name.span);
    scope?.set(name.text, { kind, span: name.span, used: false });
  }

  #find(name: string): Local | undefined {
    return this.#scopes.findLast((scope) => scope.has(name))?.get(name);
  }

  #body(block: Block): void {
    const returns = this.#block(block, false);
    if (returns || block.statements.some((s) => "value" in s && s.value.kind === "error")) return;
    const end = { ...block.span, start: Math.max(block.span.start, block.span.end - 1) };
    this.#ctx.reporter.error("SQ0220", `this ${this.#decl?.kind ?? "body"} does not return`, end, { hint: "end it with `return …`" });
  }

  /** Does it return? */
  #block(block: Block, repeated: boolean): boolean {
    let returned: Statement | null = null;
    for (const statement of block.statements) {
      if (returned !== null) {
        this.#ctx.reporter.warning("SQ0221", "this is never reached", statement.span, { labels: [{ span: returned.span, text: "the body returns here" }] });
        return true;
      }
      this.#statement(statement, repeated);
      if (statement.kind === "return") returned = statement;
    }
    return returned !== null;
  }

  #statement(statement: Statement, repeated: boolean): void {
    switch (statement.kind) {
      case "param":
        return this.#param(statement, repeated);
      case "let":
        this.#expr(statement.value);
        for (const name of statement.names) this.#declare(name, "value");
        return;
      case "assign":
        this.#expr(statement.value);
        return this.#assign(statement.name);
      case "repeat": {
        this.#expr(statement.count);
        this.#scopes.push(new Map());
        this.#block(statement.body, true);
        this.#reportUnused();
        this.#scopes.pop();
        return;
      }
      case "return":
        if (repeated) this.#ctx.reporter.error("SQ0221", "`return` cannot stand inside `repeat`", statement.span);
        return this.#expr(statement.value);
    }
  }

  #param(statement: Statement & { kind: "param" }, repeated: boolean): void {
    const kind = this.#decl?.kind;
    const { reporter } = this.#ctx;
    if (kind === "fn") reporter.error("SQ0219", "a `fn` has no parameters of its own", statement.span, { hint: "make it a `layer`" });
    if (kind === "loss") reporter.error("SQ0221", "a `param` cannot stand in the loss", statement.span, { hint: "declare it in the model" });
    if (repeated) reporter.error("SQ0221", "a `param` cannot stand inside `repeat`", statement.span, { hint: "make what is repeated a `layer` of its own" });
    for (const group of statement.groups) {
      this.#type(group.type);
      for (const name of group.names) this.#declare(name, "parameter");
    }
    // What stands after `~` is an initialiser, not a function of the program; only its settings are expressions.
    if (statement.init?.kind === "call") for (const arg of statement.init.args) this.#expr(arg.value);
  }

  #assign(name: Name): void {
    const local = this.#find(name.text);
    if (local !== undefined && local.kind !== "parameter") return;
    const { reporter, dims } = this.#ctx;
    if (local !== undefined)
      reporter.error("SQ0215", `the parameter \`${name.text}\` cannot be assigned`, name.span, { labels: [{ span: local.span, text: "declared here" }] });
    else if (dims.has(name.text) || this.#dimParams.has(name.text)) reporter.error("SQ0215", `the dim \`${name.text}\` cannot be assigned`, name.span);
    else {
      const near = didYouMean(name.text, this.#locals());
      reporter.error("SQ0215", `there is no \`${name.text}\` to assign`, name.span, "hint" in near ? near : { hint: `write \`let ${name.text} = …\`` });
    }
  }

  #locals(): readonly string[] {
    return this.#scopes.flatMap((scope) => [...scope.keys()]);
  }

  #expr(expr: Expr): void {
    if (expr.kind === "name") this.#value(expr.text, expr.span);
    else if (expr.kind === "call") this.#call(expr);
    else for (const child of childrenOf(expr)) this.#expr(child);
  }

  #value(name: string, span: Span): void {
    const local = this.#find(name);
    if (local !== undefined) {
      local.used = true;
      return;
    }
    const { program, unit, reporter, dims } = this.#ctx;
    if (this.#dimParams.has(name) || dims.has(name) || MASK_NAMES.has(name)) return;
    const definition = lookupDefinition(program, unit, name);
    if (definition !== undefined || builtinByName(name) !== undefined) {
      if (definition !== undefined) this.#ctx.used.add(name);
      const labels = definition === undefined || definition.unit.standard ? [] : [{ span: definition.decl.name.span, text: "declared here" }];
      const kind = definition === undefined ? "builtin" : definition.decl.kind;
      reporter.error("SQ0206", `\`${name}\` is a ${kind}, not a value`, span, { labels, hint: `call it: \`${name}(…)\`` });
      return;
    }
    const candidates = [...this.#locals(), ...this.#dimParams, ...dims.keys(), ...MASK_NAMES];
    const near = didYouMean(name, candidates);
    const what = this.#decl?.kind === "optimizer" || this.#decl?.kind === "backward" ? "dim" : "value";
    reporter.error("SQ0201", `there is no ${what} \`${name}\``, span, near);
  }

  #call(expr: Expr & { kind: "call" }): void {
    const { callee } = expr;
    const named = callee.kind === "index" ? callee.base : callee;
    if (named.kind === "name") {
      if (this.#callee(named.text, named.span) && callee.kind === "index" && builtinByName(named.text) !== undefined)
        this.#ctx.reporter.error("SQ0224", `the builtin \`${named.text}\` takes no dim arguments`, callee.span);
    } else if (named.kind !== "error") {
      this.#ctx.reporter.error("SQ0206", "this cannot be called", named.span, { hint: "layers and functions are called by their names" });
    }
    if (callee.kind === "index") for (const child of childrenOf(callee).slice(1)) this.#expr(child);
    for (const arg of expr.args) this.#expr(arg.value);
  }

  /** Is it something that can be called? */
  #callee(name: string, span: Span): boolean {
    const { program, unit, reporter, dims, used } = this.#ctx;
    const definition = lookupDefinition(program, unit, name);
    if (definition !== undefined) {
      used.add(name);
      this.#mayUse(definition, span);
      return definition.decl.kind !== "model";
    }
    if (builtinByName(name) !== undefined) return true;
    const local = this.#find(name);
    if (local !== undefined) local.used = true;
    if (local !== undefined || dims.has(name) || this.#dimParams.has(name) || MASK_NAMES.has(name)) {
      const labels = local === undefined ? [] : [{ span: local.span, text: "declared here" }];
      reporter.error("SQ0206", `\`${name}\` is not a function and cannot be called`, span, { labels });
      return false;
    }
    const candidates = [...unit.definitions.keys(), ...program.library.keys(), ...BUILTINS.map((builtin) => builtin.name)];
    reporter.error("SQ0201", `there is no layer or function \`${name}\``, span, didYouMean(name, candidates));
    return false;
  }

  #mayUse({ decl }: Definition, span: Span): void {
    const user = this.#decl?.kind ?? "fn";
    const labels = [{ span: decl.name.span, text: "declared here" }];
    const { reporter } = this.#ctx;
    if (decl.kind === "layer" && user === "fn")
      reporter.error("SQ0219", `a \`fn\` cannot use the layer \`${decl.name.text}\``, span, { labels, hint: "make the function a `layer`" });
    else if (decl.kind === "layer" && user === "loss")
      reporter.error("SQ0206", `the loss cannot use the layer \`${decl.name.text}\``, span, { labels, hint: "use it in the model" });
    else if (decl.kind === "model" && user !== "loss")
      reporter.error("SQ0206", `the model \`${decl.name.text}\` can be used in the loss only`, span, { labels, hint: "make it a `layer`" });
  }

  #reportUnused(): void {
    if (this.#ctx.broken) return;
    for (const [name, local] of this.#scopes.at(-1) ?? []) {
      if (local.used || name.startsWith("_")) continue;
      const what = local.kind === "value" ? "value" : local.kind;
      this.#ctx.reporter.warning(local.kind === "value" ? "SQ0205" : "SQ0204", `the ${what} \`${name}\` is never used`, local.span, {
        hint: `remove it, or call it \`_${name}\``,
      });
    }
  }
}
