/** @file A kernel as loops over its axes, outermost first, around the expression of one element.
 *
 *  The axes are scheduled as loops are, so that what only depends on outer ones is computed outside the inner ones. Unlike
 *  threads of a graphics card, loops may be any number and integer division is exact: axes stay as the model has them. */

import { InternalError } from "../../../ir/diagnostic.ts";
import type { ExprPool } from "../expr-pool.ts";
import { joinOuter, mergedGraph, nestLoops } from "../flat-kernel.ts";
import type { Expr, Kernel, KernelInput, Loop } from "../kernel.ts";
import { childrenOf, schedule } from "../schedule.ts";

export interface LoopNest {
  readonly inputs: readonly KernelInput[];
  /** Outermost first; empty for a scalar. */
  readonly axes: readonly Loop[];
  /** An axis is a `reduce` over it (of which nothing is summed); what is named before it is outside that loop. */
  readonly body: Expr;
  /** Where an element is stored, in the names that it is computed of; null where elements are stored one after the other. */
  readonly place: Expr | null;
}

/** Outermost axes are joined to one of this many turns, if there are as many, for threads to share. */
const ENOUGH = 64;

export interface NestOptions {
  /** Elements are stored where this input is read (everywhere at the same index): its array is the result's. */
  readonly placedAs?: number;
  readonly joined?: boolean;
}

export const loopNest = (kernel: Kernel, { placedAs, joined = false }: NestOptions = {}): LoopNest => {
  const { pool, inputs, ...merged } = mergedGraph(kernel);
  const { axes, body: divided } = joinOuter(pool, merged, joined ? countToJoin(merged.axes) : 0);
  const body = withReciprocals(pool, divided, axes.at(-1)?.name ?? null);
  const place = placedAs === undefined ? null : indexIn(body, placedAs);
  // Storing an element depends on every axis, whether the element does or not: no loop over an axis leaves another.
  const store = pool.load(inputs.length, [nestLoops(pool, body), place ?? pool.constant(0), ...axes.map((axis) => pool.variable(axis.name))]);
  const nest = axes.reduceRight((inner, axis) => pool.reduce("sum", [axis], inner), store);
  const scheduled = schedule(pool, nest, []);
  const [element, at] = storedBy(scheduled, axes.length);
  return { inputs, axes, body: replaceStore(scheduled, axes.length, element), place: place === null ? null : at };
};

/** x / y = x · (1 / y) where y stays the same in the innermost loop around it, outside of which the quotient then is: one more
 *  rounding, and a quarter of the time where a kernel does little else. */
const withReciprocals = (pool: ExprPool, root: Expr, innermost: string | null): Expr => {
  const done = new Map<Expr, Expr>();
  const visit = (expr: Expr): Expr => {
    const known = done.get(expr) ?? rebuilt(expr);
    done.set(expr, known);
    return known;
  };
  const rebuilt = (expr: Expr): Expr => {
    if (expr.kind === "reduce") return pool.reduce(expr.fn, expr.loops, withReciprocals(pool, expr.body, expr.loops.at(-1)?.name ?? innermost));
    if (expr.kind === "walk" || expr.kind === "fold") return expr;
    const fresh = pool.map(expr, visit);
    pool.suggest(fresh, pool.suggestion(expr));
    if (fresh.kind !== "binary" || fresh.fn !== "div" || innermost === null || fresh.right.kind === "const") return fresh;
    const varies = (side: Expr): boolean => pool.free(side).has(innermost);
    return varies(fresh.left) && !varies(fresh.right) ? pool.binary("mul", fresh.left, pool.binary("div", pool.constant(1), fresh.right)) : fresh;
  };
  return visit(root);
};

/** All but the innermost at most: that one is for vectors. */
const countToJoin = (axes: readonly Loop[]): number => {
  let turns = 1;
  const enough = axes.findIndex(({ extent }) => (turns *= extent) >= ENOUGH);
  return Math.min(enough < 0 ? axes.length : enough + 1, axes.length - 1);
};

/** The index at which an input is read. */
const indexIn = (body: Expr, input: number): Expr => {
  const seen = new Set<Expr>();
  const find = (expr: Expr): Expr | null => {
    if (seen.has(expr)) return null;
    seen.add(expr);
    if (expr.kind === "load" && expr.input === input) return expr.at[0] ?? null;
    for (const child of childrenOf(expr)) {
      const found = find(child);
      if (found !== null) return found;
    }
    return null;
  };
  const found = find(body);
  if (found === null) throw new InternalError(`input ${input} is not read`);
  return found;
};

const storedBy = (expr: Expr, depth: number): readonly [element: Expr, place: Expr] => {
  if (expr.kind === "let") return storedBy(expr.body, depth);
  if (expr.kind === "reduce" && depth > 0) return storedBy(expr.body, depth - 1);
  const [element, place] = expr.kind === "load" && depth === 0 ? expr.at : [];
  if (element === undefined || place === undefined) throw new InternalError("a kernel without its axes");
  return [element, place];
};

/** The same with the element in the place of its store. */
const replaceStore = (expr: Expr, depth: number, element: Expr): Expr => {
  if (expr.kind === "let" || (expr.kind === "reduce" && depth > 0)) return { ...expr, body: replaceStore(expr.body, expr.kind === "let" ? depth : depth - 1, element) };
  return element;
};
