/** @file A kernel as loops over its axes, outermost first, around the expression of one element.
 *
 *  The axes are scheduled as loops are, so that what only depends on outer ones is computed outside the inner ones. Unlike
 *  threads of a graphics card, loops may be any number and integer division is exact: axes stay as the model has them. */

import { InternalError } from "../../../ir/diagnostic.ts";
import { mergedGraph, nestLoops } from "../flat-kernel.ts";
import type { Expr, Kernel, KernelInput, Loop } from "../kernel.ts";
import { schedule } from "../schedule.ts";

export interface LoopNest {
  readonly inputs: readonly KernelInput[];
  /** Outermost first; empty for a scalar. */
  readonly axes: readonly Loop[];
  /** An axis is a `reduce` over it (of which nothing is summed); what is named before it is outside that loop. */
  readonly body: Expr;
}

export const loopNest = (kernel: Kernel): LoopNest => {
  const { pool, inputs, axes, body } = mergedGraph(kernel);
  // Storing an element depends on every axis, whether the element does or not: no loop over an axis leaves another.
  const store = pool.load(inputs.length, [nestLoops(pool, body), ...axes.map((axis) => pool.variable(axis.name))]);
  const nest = axes.reduceRight((inner, axis) => pool.reduce("sum", [axis], inner), store);
  return { inputs, axes, body: stored(schedule(pool, nest, []), axes.length) };
};

/** The same with the element in the place of its store. */
const stored = (expr: Expr, depth: number): Expr => {
  if (expr.kind === "let") return { ...expr, body: stored(expr.body, depth) };
  if (expr.kind === "reduce" && depth > 0) return { ...expr, body: stored(expr.body, depth - 1) };
  const element = expr.kind === "load" && depth === 0 ? expr.at[0] : undefined;
  if (element === undefined) throw new InternalError("a kernel without its axes");
  return element;
};
