/** @file Tables of monomials as kernel arithmetic: a number of the combinatorial number system taken apart and put together
 *  again (`ir/ops/monomials.ts`), by integers that float32 holds exactly. No loops: degrees are small and known. */

import { rankOf } from "../../ir/approximation.ts";
import type { Expr } from "./kernel.ts";
import type { ExprPool } from "./expr-pool.ts";
import type { Lowering } from "./lower.ts";

/** Monomials of degree below p come first: C(width + p - 1, p - 1) of them. */
const firstOf = (width: number, p: number): number => (p === 0 ? 0 : rankOf(width, p - 1));

/** C(i + t - 1, t) = i (i + 1) … (i + t - 1) / t!. Every partial quotient is an integer, and is rounded to one. */
const count = (pool: ExprPool, i: Expr, t: number): Expr => {
  let product = i;
  for (let s = 2; s <= t; s++) {
    const next = pool.binary("mul", product, pool.binary("add", i, pool.constant(s - 1)));
    const quotient = pool.binary("mul", next, pool.constant(1 / s));
    product = s === 2 ? quotient : pool.unary("floor", pool.binary("add", quotient, pool.constant(0.5)));
  }
  return product;
};

/** The largest i < width with count(i, t) <= rest, bit by bit: count(width, t) is more than any rest. */
const largest = (pool: ExprPool, width: number, rest: Expr, t: number): Expr => {
  let found: Expr = pool.constant(0);
  for (let step = 2 ** Math.floor(Math.log2(Math.max(width - 1, 1))); step >= 1 && width > 1; step /= 2) {
    const next = pool.binary("add", found, pool.constant(step));
    found = pool.select(pool.binary("le", count(pool, next, t), rest), next, found);
  }
  return found;
};

interface Monomial {
  /** i_1 <= … <= i_p, then -1. */
  readonly variables: readonly Expr[];
  readonly degree: Expr;
}

const monomialAt = (pool: ExprPool, width: number, degree: number, number: Expr): Monomial => {
  const variables: Expr[] = [];
  const sizes = Array.from({ length: degree }, (_, p) => firstOf(width, p + 1) - firstOf(width, p));
  const reaches = sizes.map((_, p) => pool.binary("ge", number, pool.constant(firstOf(width, p + 1))));
  const sumWhere = (values: readonly number[]): Expr =>
    values.map((value, p) => pool.select(reaches[p] ?? pool.constant(0), pool.constant(value), pool.constant(0)))
      .reduce((sum, term) => pool.binary("add", sum, term), pool.constant(0) as Expr);
  let rest: Expr = pool.binary("sub", number, sumWhere(sizes));
  for (let t = degree; t >= 1; t--) {
    const reached = reaches[t - 1] ?? pool.constant(0);
    const variable = largest(pool, width, rest, t);
    variables[t - 1] = pool.select(reached, variable, pool.constant(-1));
    rest = pool.select(reached, pool.binary("sub", rest, count(pool, variable, t)), rest);
  }
  return { variables, degree: sumWhere(sizes.map(() => 1)) };
};

const constantAt = (pool: ExprPool, values: readonly number[], index: Expr): Expr =>
  chosen(pool, values.map((value) => pool.constant(value)), index);

/** items[index] */
const chosen = (pool: ExprPool, items: readonly Expr[], index: Expr): Expr =>
  items.slice(0, -1).reduceRight(
    (others, item, i) => pool.select(pool.binary("eq", index, pool.constant(i)), item, others),
    items.at(-1) ?? pool.constant(0),
  );

const zero = (pool: ExprPool, at: Expr | undefined): Expr => at ?? pool.constant(0);

export const monomialTable: Lowering<{ readonly width: number; readonly degree: number }> = ({ pool, attrs, at: [row, column] }) => {
  const { variables } = monomialAt(pool, attrs.width, attrs.degree, zero(pool, row));
  return chosen(pool, variables, zero(pool, column));
};

/** The variables above the new one move up by one place: Σ over i_t <= a of count(i_t, t) and over i_t > a of
 *  count(i_t, t + 1), and count(a, s + 1) with s the number of i_t <= a. */
export const productTable: Lowering<{ readonly width: number; readonly degree: number }> = ({ pool, attrs: { width, degree }, at: [row, column] }) => {
  const by = zero(pool, column);
  const { variables, degree: own } = monomialAt(pool, width, degree - 1, zero(pool, row));
  const isBelow = (variable: Expr): Expr => pool.binary("le", variable, by);
  const exists = (variable: Expr): Expr => pool.binary("ge", variable, pool.constant(0));
  const add = (a: Expr, b: Expr): Expr => pool.binary("add", a, b);
  const moved = variables.map((variable, t) => {
    const counted = pool.select(isBelow(variable), count(pool, variable, t + 1), count(pool, variable, t + 2));
    return pool.select(exists(variable), counted, pool.constant(0));
  });
  const before = variables
    .map((variable) => pool.select(pool.binary("and", exists(variable), isBelow(variable)), pool.constant(1), pool.constant(0)))
    .reduce(add, pool.constant(0) as Expr);
  const places = Array.from({ length: degree }, (_, s) => count(pool, by, s + 1));
  const first = constantAt(pool, places.map((_, p) => firstOf(width, p + 1)), own);
  return [...moved, chosen(pool, places, before)].reduce(add, first);
};

/** a_p p! / Π e_v!: the denominator grows by the length of the run of equal variables so far. */
export const weightTable: Lowering<{ readonly width: number; readonly coefficients: readonly number[] }> = ({ pool, attrs, at: [row] }) => {
  const { variables, degree } = monomialAt(pool, attrs.width, attrs.coefficients.length - 1, zero(pool, row));
  let [run, orders]: [Expr, Expr] = [pool.constant(1), pool.constant(1)];
  variables.forEach((variable, t) => {
    const before = variables[t - 1];
    if (before === undefined) return;
    const exists = pool.binary("ge", variable, pool.constant(0));
    run = pool.select(pool.binary("eq", variable, before), pool.binary("add", run, pool.constant(1)), pool.constant(1));
    orders = pool.select(exists, pool.binary("mul", orders, run), orders);
  });
  const factorials = attrs.coefficients.map((a, p) => a * Array.from({ length: p }, (_, t) => t + 1).reduce((x, y) => x * y, 1));
  return pool.binary("div", constantAt(pool, factorials, degree), orders);
};
