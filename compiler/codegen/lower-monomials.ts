/** @file Tables of monomials as kernel arithmetic: a number of the combinatorial number system taken apart and put together
 *  again (`ir/monomials.ts`), by integers that float32 holds exactly. No loops: degrees are small and known. No branches
 *  either: a choice is a product with 0 or 1, because nested branches take the scheduler long. */

import { rankOf } from "../../ir/approximation.ts";
import type { Monomials } from "../../ir/monomials.ts";
import type { Expr } from "./kernel.ts";
import type { ExprPool } from "./expr-pool.ts";
import type { Lowering } from "./lower.ts";

/** Monomials of degree below p come first: C(width + p - 1, p - 1) of them. */
const firstOf = (width: number, p: number): number => (p === 0 ? 0 : rankOf(width, p - 1));

const oneWhere = (pool: ExprPool, condition: Expr): Expr => pool.select(condition, pool.constant(1), pool.constant(0));

const sum = (pool: ExprPool, terms: readonly Expr[]): Expr =>
  terms.slice(1).reduce((total, term) => pool.binary("add", total, term), terms[0] ?? pool.constant(0));

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
    found = pool.binary("add", found, pool.select(pool.binary("le", count(pool, next, t), rest), pool.constant(step), pool.constant(0)));
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
    sum(pool, values.map((value, p) => pool.select(reaches[p] ?? pool.constant(0), pool.constant(value), pool.constant(0))));
  let rest: Expr = pool.binary("sub", number, sumWhere(sizes));
  for (let t = degree; t >= 1; t--) {
    const reached = oneWhere(pool, reaches[t - 1] ?? pool.constant(0));
    const variable = largest(pool, width, rest, t);
    const orNone = pool.binary("mul", reached, pool.binary("add", variable, pool.constant(1)));
    variables[t - 1] = pool.binary("sub", orNone, pool.constant(1));
    rest = pool.binary("sub", rest, pool.binary("mul", reached, count(pool, variable, t)));
  }
  return { variables, degree: sumWhere(sizes.map(() => 1)) };
};

/** items[index] */
const chosen = (pool: ExprPool, items: readonly Expr[], index: Expr): Expr =>
  sum(pool, items.map((item, i) => pool.binary("mul", oneWhere(pool, pool.binary("eq", index, pool.constant(i))), item)));

const constantAt = (pool: ExprPool, values: readonly number[], index: Expr): Expr =>
  sum(pool, values.map((value, i) => pool.select(pool.binary("eq", index, pool.constant(i)), pool.constant(value), pool.constant(0))));

const zero = (pool: ExprPool, at: Expr | undefined): Expr => at ?? pool.constant(0);

export const monomialTable: Lowering<Monomials> = ({ pool, attrs, at: [row, column] }) => {
  const { variables } = monomialAt(pool, attrs.width, attrs.degree, zero(pool, row));
  return chosen(pool, variables, zero(pool, column));
};

/** The variables above the new one move up by one place: Σ over i_t <= a of count(i_t, t) and over i_t > a of
 *  count(i_t, t + 1), and count(a, s + 1) with s the number of i_t <= a. */
export const productTable: Lowering<Monomials> = ({ pool, attrs: { width, degree }, at: [row, column] }) => {
  const by = zero(pool, column);
  const { variables, degree: own } = monomialAt(pool, width, degree - 1, zero(pool, row));
  const product = (a: Expr, b: Expr): Expr => pool.binary("mul", a, b);
  const isBelow = variables.map((variable) => oneWhere(pool, pool.binary("le", variable, by)));
  const exists = variables.map((variable) => oneWhere(pool, pool.binary("ge", variable, pool.constant(0))));
  const moved = variables.map((variable, t) => {
    const [stays, moves] = [count(pool, variable, t + 1), count(pool, variable, t + 2)];
    const counted = pool.binary("add", moves, product(isBelow[t] ?? by, pool.binary("sub", stays, moves)));
    return product(exists[t] ?? by, counted);
  });
  const before = sum(pool, variables.map((_, t) => product(exists[t] ?? by, isBelow[t] ?? by)));
  const places = Array.from({ length: degree }, (_, s) => count(pool, by, s + 1));
  const first = constantAt(pool, places.map((_, p) => firstOf(width, p + 1)), own);
  return sum(pool, [first, ...moved, chosen(pool, places, before)]);
};

/** a_p p! / Π e_v!: the denominator grows by the length of the run of equal variables so far. */
export const weightTable: Lowering<{ readonly width: number; readonly coefficients: readonly number[] }> = ({ pool, attrs, at: [row] }) => {
  const { variables, degree } = monomialAt(pool, attrs.width, attrs.coefficients.length - 1, zero(pool, row));
  let [run, orders]: [Expr, Expr] = [pool.constant(1), pool.constant(1)];
  variables.forEach((variable, t) => {
    const before = variables[t - 1];
    if (before === undefined) return;
    const exists = oneWhere(pool, pool.binary("ge", variable, pool.constant(0)));
    const goesOn = oneWhere(pool, pool.binary("eq", variable, before));
    run = pool.binary("add", pool.binary("mul", run, goesOn), pool.constant(1));
    orders = pool.binary("mul", orders, pool.binary("add", pool.binary("mul", exists, pool.binary("sub", run, pool.constant(1))), pool.constant(1)));
  });
  const factorials = attrs.coefficients.map((a, p) => a * Array.from({ length: p }, (_, t) => t + 1).reduce((x, y) => x * y, 1));
  return pool.binary("div", constantAt(pool, factorials, degree), orders);
};
