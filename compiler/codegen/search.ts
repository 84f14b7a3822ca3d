/** @file Binary search inside a kernel: without branches that depend on data but for the guard of the probe's loads. */

import type { Expr } from "./kernel.ts";
import type { ExprPool } from "./expr-pool.ts";

export interface Interval {
  /** What the found number counts, as a name. */
  readonly name: string;
  readonly low: Expr;
  readonly high: Expr;
  /** No interval is wider. */
  readonly width: number;
}

/** Steps of a search in an interval of this width: 2^steps - 1 >= width. */
export const searchSteps = (width: number): number => Math.max(Math.floor(Math.log2(Math.max(width, 1))) + 1, 1);

/** The largest i in low … high with i = low or holds(i), where holds is true up to some number and false beyond.
 *  `holds` is asked about low + 1 … high only. */
export const searchLast = (pool: ExprPool, { name, low, high, width }: Interval, holds: (i: Expr) => Expr): Expr => {
  const extent = searchSteps(width);
  const [accumulator, step] = [pool.declare(name), pool.declare("step", 2 ** (extent - 1) + 1)];
  const found = pool.variable(accumulator);
  const probe = pool.binary("add", found, pool.variable(step));
  pool.suggest(probe, "probe");
  const next = pool.select(pool.binary("le", probe, high), pool.select(holds(probe), probe, found), found);
  return pool.fold(accumulator, low, { name: step, extent }, next, true);
};
