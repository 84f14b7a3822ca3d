/** @file From an expression graph back to a tree: where a shared or loop-invariant node is computed once, by a `let`.
 *
 *  A scope is the kernel's body, the body of a loop, or one branch of a `select`. A node gets a `let` in the
 *  outermost scope that knows its variables if it is used there more than once or only inside deeper loops, provided
 *  that scope certainly needs it: no load is hoisted out of a branch, whose condition may guard it. Index arithmetic,
 *  which is harmless and cheap, leaves branches (and loads that stay there) as well when that takes it out of a loop. */

import type { Expr, Loop } from "./kernel.ts";
import type { ExprPool } from "./expr-pool.ts";

interface Scope {
  /** Nodes that have a name here. */
  readonly bound: Map<Expr, Expr>;
  readonly variables: ReadonlySet<string>;
}

export const schedule = (pool: ExprPool, root: Expr, axes: readonly Loop[]): Expr =>
  scheduleScope(pool, root, { bound: new Map(), variables: new Set(axes.map((axis) => axis.name)) });

const scheduleScope = (pool: ExprPool, root: Expr, outer: Scope): Expr => {
  const scope: Scope = { bound: new Map(outer.bound), variables: outer.variables };
  const lets: { name: string; value: Expr }[] = [];
  for (const node of nodesToBind(pool, root, scope)) {
    const name = pool.declare(pool.suggestion(node) || defaultName(node));
    lets.push({ name, value: build(pool, node, scope) });
    scope.bound.set(node, { kind: "var", name });
  }
  const body = build(pool, root, scope);
  return lets.reduceRight<Expr>((inner, { name, value }) => ({ kind: "let", name, value, body: inner }), body);
};

const build = (pool: ExprPool, expr: Expr, scope: Scope): Expr => {
  const name = scope.bound.get(expr);
  if (name !== undefined) return name;
  const child = (e: Expr): Expr => build(pool, e, scope);
  const inside = (e: Expr, more: readonly string[] = []): Expr =>
    scheduleScope(pool, e, { bound: scope.bound, variables: new Set([...scope.variables, ...more]) });
  switch (expr.kind) {
    case "const":
    case "var":
      return expr;
    case "load":
      return { ...expr, at: expr.at.map(child) };
    case "unary":
      return { ...expr, arg: child(expr.arg) };
    case "binary":
      return { ...expr, left: child(expr.left), right: child(expr.right) };
    case "select":
      return { ...expr, cond: child(expr.cond), then: inside(expr.then), otherwise: inside(expr.otherwise) };
    case "reduce":
      return { ...expr, body: inside(expr.body, expr.loops.map((loop) => loop.name)) };
    case "walk":
      return { ...expr, head: child(expr.head), next: inside(expr.next, [expr.cursor]), body: inside(expr.body, [expr.cursor]) };
    case "fold":
      return { ...expr, init: child(expr.init), next: inside(expr.next, [expr.accumulator, expr.loop.name]) };
    case "let":
      return { ...expr, value: child(expr.value), body: child(expr.body) };
  }
};

/** The nodes that this scope names, operands before users. */
const nodesToBind = (pool: ExprPool, root: Expr, scope: Scope): readonly Expr[] => {
  const uses = new Map<Expr, number>();
  const crossing = new Set<Expr>();
  const isReady = (e: Expr): boolean => [...pool.free(e)].every((name) => scope.variables.has(name));
  const certain = new Set<Expr>();
  collectCertain(root, scope.bound, certain);
  const mayMove = (e: Expr): boolean => certain.has(e) || isQuotient(e);
  const seen = new Set<Expr>();
  const visit = (parent: Expr): void => {
    if (seen.has(parent) || scope.bound.has(parent)) return;
    seen.add(parent);
    const stays = !isReady(parent) || (crossing.has(parent) && !mayMove(parent));
    for (const child of childrenOf(parent)) {
      uses.set(child, (uses.get(child) ?? 0) + 1);
      if (stays || child === loopBodyOf(parent)) crossing.add(child);
      visit(child);
    }
  };
  visit(root);
  const isWanted = (e: Expr): boolean =>
    crossing.has(e) ? mayMove(e) : certain.has(e) && (uses.get(e) ?? 0) > 1;
  return [...seen]
    .filter((e) => e !== root && isWorthNaming(e) && isWanted(e) && isReady(e))
    .sort((a, b) => pool.id(a) - pool.id(b));
};

/** Nodes that are evaluated whenever the root is: all but those in only one branch of a `select`, or inside a walk. */
const collectCertain = (expr: Expr, bound: ReadonlyMap<Expr, Expr>, into: Set<Expr>): void => {
  if (into.has(expr) || bound.has(expr)) return;
  into.add(expr);
  if (expr.kind === "select") {
    collectCertain(expr.cond, bound, into);
    const [then, otherwise] = [new Set<Expr>(), new Set<Expr>()];
    collectCertain(expr.then, bound, then);
    collectCertain(expr.otherwise, bound, otherwise);
    for (const e of then) if (otherwise.has(e)) into.add(e);
  } else if (expr.kind === "walk") collectCertain(expr.head, bound, into);
  else for (const child of childrenOf(expr)) collectCertain(child, bound, into);
};

/** What a loop that surely runs evaluates at every turn. */
const loopBodyOf = (expr: Expr): Expr | null => (expr.kind === "reduce" ? expr.body : expr.kind === "fold" ? expr.next : null);

export const childrenOf = (expr: Expr): readonly Expr[] => {
  switch (expr.kind) {
    case "const":
    case "var":
      return [];
    case "load":
      return expr.at;
    case "unary":
      return [expr.arg];
    case "binary":
      return [expr.left, expr.right];
    case "select":
      return [expr.cond, expr.then, expr.otherwise];
    case "reduce":
      return [expr.body];
    case "walk":
      return [expr.head, expr.next, expr.body];
    case "fold":
      return [expr.init, expr.next];
    case "let":
      return [expr.value, expr.body];
  }
};

const isLeaf = (expr: Expr): boolean => expr.kind === "const" || expr.kind === "var";

const COMPARISONS: ReadonlySet<string> = new Set(["eq", "ne", "lt", "le", "gt", "ge"]);

/** A comparison of leaves reads best, and costs least, where it is used. */
const isWorthNaming = (expr: Expr): boolean =>
  !isLeaf(expr) && !(expr.kind === "binary" && COMPARISONS.has(expr.fn) && isLeaf(expr.left) && isLeaf(expr.right));

const defaultName = (expr: Expr): string => {
  if (expr.kind === "reduce") return expr.fn;
  if (expr.kind === "walk") return "sum";
  if (expr.kind === "fold") return expr.accumulator;
  return isIndex(expr) ? "base" : "v";
};

/** Answers about shared nodes, which a graph may reach by very many ways. */
const QUOTIENTS = new WeakMap<Expr, boolean>();

/** Index arithmetic, also after its divisions became multiplications and roundings. */
const isQuotient = (expr: Expr): boolean => {
  const known = QUOTIENTS.get(expr) ?? computesQuotient(expr);
  QUOTIENTS.set(expr, known);
  return known;
};

const computesQuotient = (expr: Expr): boolean => {
  if (expr.kind === "unary") return expr.fn === "floor" && isQuotient(expr.arg);
  if (expr.kind !== "binary") return isLeaf(expr);
  return "add sub mul div idiv mod".includes(expr.fn) && isQuotient(expr.left) && isQuotient(expr.right);
};

const isIndex = (expr: Expr): boolean =>
  isLeaf(expr) || (expr.kind === "binary" && "add sub mul idiv mod".includes(expr.fn) && isIndex(expr.left) && isIndex(expr.right));
