/** @file Kernels of sorted runs (`ir/ops/sorted-runs.ts`) and of sums over lists (`ir/ops/segment.ts`). */

import { divide, simplify } from "./index-expr.ts";
import type { Expr } from "./kernel.ts";
import type { LowerContext, Lowering } from "./lower.ts";
import { searchLast } from "./search.ts";

type Context<A = object> = LowerContext<A>;

const read = (ctx: Context, i: number, at: readonly Expr[]): Expr => ctx.operands[i]?.(at) ?? ctx.pool.constant(0);

const last = <T>(list: readonly T[], none: T): T => list[list.length - 1] ?? none;

/** The key at a place of this row. */
const keyAt = (ctx: Context, place: Expr): Expr => read(ctx, 0, [...ctx.at.slice(0, -1), place]);

const arithmetic = (ctx: Context) => {
  const { pool } = ctx;
  return {
    plus: (a: Expr, b: Expr): Expr => simplify(pool, pool.binary("add", a, b)),
    minus: (a: Expr, b: Expr): Expr => simplify(pool, pool.binary("sub", a, b)),
    min: (a: Expr, b: Expr): Expr => pool.binary("min", a, b),
    lessThan: (a: Expr, b: Expr): Expr => pool.binary("lt", a, b),
  };
};

/** Output k of a pair of runs A and B. With i of A and k - i of B before it: i is the largest number in max(0, k - |B|) …
 *  min(k, |A|) with A[i - 1] <= B[k - i]; then the output is A[i] or B[k - i], A's where they are equal. */
export const mergeRuns: Lowering<{ readonly run: number }> = (ctx) => {
  const { pool, at, operandTypes, attrs: { run } } = ctx;
  const { plus, minus, min, lessThan } = arithmetic(ctx);
  const zero = pool.constant(0);
  const size = last(operandTypes[1]?.shape ?? [], 1);
  const base = pool.binary("mul", divide(pool, last(at, zero), 2 * run), pool.constant(2 * run));
  const k = minus(last(at, zero), base);
  const left = minus(pool.constant(size), base);
  const both = size % (2 * run) === 0 ? pool.constant(2 * run) : min(pool.constant(2 * run), left);
  const a = size % run === 0 ? pool.constant(run) : min(pool.constant(run), left);
  const b = minus(both, a);
  const second = plus(base, a);
  const [low, high] = [pool.binary("max", zero, minus(k, b)), min(k, a)];
  const i = searchLast(pool, { name: "taken", low, high, width: Math.min(run, Math.max(size - run, 1)) }, (probe) =>
    pool.binary("le", keyAt(ctx, minus(plus(base, probe), pool.constant(1))), keyAt(ctx, minus(plus(second, k), probe))),
  );
  const [ofA, ofB] = [plus(base, i), plus(second, minus(k, i))];
  const smaller = pool.select(pool.binary("le", keyAt(ctx, ofA), keyAt(ctx, ofB)), ofA, ofB);
  const inB = pool.select(lessThan(minus(k, i), b), smaller, ofA);
  return read(ctx, 1, [...at.slice(0, -1), pool.select(lessThan(i, a), inB, ofB)]);
};

export const lowerBound: Lowering<object> = (ctx) => {
  const { pool, at, operandTypes } = ctx;
  const size = last(operandTypes[0]?.shape ?? [], 1);
  const interval = { name: "smaller", low: pool.constant(0), high: pool.constant(size), width: size };
  return searchLast(pool, interval, (count) =>
    pool.binary("lt", keyAt(ctx, pool.binary("sub", count, pool.constant(1))), last(at, pool.constant(0))),
  );
};

/** The places starts[j] … starts[j + 1] - 1 of a list as a walk. */
export const segmentSum: Lowering<object> = (ctx) => {
  const { pool, at, operandTypes } = ctx;
  const { plus, lessThan } = arithmetic(ctx);
  const [list, key = pool.constant(0), column = pool.constant(0)] = [at.slice(0, 2), at[2], at[3]];
  const name = pool.declare("place");
  const place = pool.variable(name);
  const [start, end] = [key, plus(key, pool.constant(1))].map((j) => read(ctx, 0, [...list, j])) as [Expr, Expr];
  const within = (p: Expr): Expr => pool.select(lessThan(p, end), p, pool.constant(-1));
  const update = read(ctx, 2, [...list, read(ctx, 1, [...list, place]), column]);
  const limit = last(operandTypes[1]?.shape ?? [], 1);
  return pool.walk(name, within(start), within(plus(place, pool.constant(1))), limit, update);
};
