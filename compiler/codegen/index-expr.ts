/** @file Index arithmetic: integer expressions as linear forms c0 + sum c_i * a_i over atoms a_i, simplified.
 *
 *  An atom is a variable, floor(L / n) or L mod n of a linear form that could not be simplified, or anything opaque (an
 *  index loaded from a table). floor is the mathematical floor, so floor((n*Q + R) / n) = Q + floor(R / n) holds for
 *  every sign; ranges of the variables then decide when floor(R / n) = 0 and R mod n = R. */

import type { BinaryFn, Expr } from "./kernel.ts";
import type { ExprPool } from "./expr-pool.ts";

export interface Linear {
  readonly constant: number;
  readonly terms: ReadonlyMap<Expr, number>;
}

interface Range {
  readonly low: number;
  readonly high: number;
}

const ANY: Range = { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };

/** The same value, simpler: linear parts collected, divisions that the ranges of the pool's variables decide resolved. */
export const simplify = (pool: ExprPool, expr: Expr): Expr => toExpr(pool, linearOf(pool, expr));

/** floor(expr / n) and expr mod n for a positive constant n. */
export const divide = (pool: ExprPool, expr: Expr, n: number): Expr => toExpr(pool, floorDiv(pool, linearOf(pool, expr), n));
export const remainder = (pool: ExprPool, expr: Expr, n: number): Expr => toExpr(pool, floorMod(pool, linearOf(pool, expr), n));

/** expr + offset. */
export const offset = (pool: ExprPool, expr: Expr, by: number): Expr =>
  toExpr(pool, addScaled(linearOf(pool, expr), { constant: by, terms: new Map() }, 1));

/** sum at[i] * strides[i]: the place of an element in row-major order. */
export const flatten = (pool: ExprPool, at: readonly Expr[], strides: readonly number[]): Expr =>
  toExpr(pool, flatLinear(pool, at, strides));

export const flatLinear = (pool: ExprPool, at: readonly Expr[], strides: readonly number[]): Linear => {
  let sum: Linear = { constant: 0, terms: new Map() };
  at.forEach((index, i) => (sum = addScaled(sum, linearOf(pool, index), strides[i] ?? 1)));
  return recombine(pool, sum);
};

/** `left fn right`, or its truth value where the ranges of integer operands decide it. */
export const compareIndex = (pool: ExprPool, fn: "lt" | "ge", left: Expr, right: number): Expr => {
  const { low, high } = rangeOf(pool, left);
  if (high < right) return pool.constant(fn === "lt" ? 1 : 0);
  if (low >= right) return pool.constant(fn === "lt" ? 0 : 1);
  return pool.binary(fn, left, pool.constant(right));
};

/** Smallest and largest value of an integer expression, as far as its variables tell. */
export const rangeOf = (pool: ExprPool, expr: Expr): Range => linearRange(pool, linearOf(pool, expr));

export const linearOf = (pool: ExprPool, expr: Expr): Linear => {
  if (expr.kind === "const") return { constant: expr.value, terms: new Map() };
  if (expr.kind === "var" && pool.extent(expr.name) === 1) return { constant: 0, terms: new Map() };
  if (expr.kind === "binary") return linearBinary(pool, expr.fn, expr.left, expr.right) ?? atom(expr);
  if (expr.kind === "unary" && expr.fn === "neg")
    return addScaled({ constant: 0, terms: new Map() }, linearOf(pool, expr.arg), -1);
  return atom(expr);
};

const linearBinary = (pool: ExprPool, fn: BinaryFn, left: Expr, right: Expr): Linear | null => {
  switch (fn) {
    case "add":
      return recombine(pool, addScaled(linearOf(pool, left), linearOf(pool, right), 1));
    case "sub":
      return recombine(pool, addScaled(linearOf(pool, left), linearOf(pool, right), -1));
    case "mul": {
      const [a, b] = [linearOf(pool, left), linearOf(pool, right)];
      const [factor, other] = a.terms.size === 0 ? [a.constant, b] : [b.constant, a];
      return a.terms.size > 0 && b.terms.size > 0 ? null : addScaled({ constant: 0, terms: new Map() }, other, factor);
    }
    case "idiv":
      return isDivisor(right) ? floorDiv(pool, linearOf(pool, left), right.value) : null;
    case "mod":
      return isDivisor(right) ? floorMod(pool, linearOf(pool, left), right.value) : null;
    default:
      return null;
  }
};

const isDivisor = (e: Expr): e is Expr & { kind: "const" } => e.kind === "const" && Number.isInteger(e.value) && e.value > 0;

const atom = (expr: Expr): Linear => ({ constant: 0, terms: new Map([[expr, 1]]) });

const addScaled = (a: Linear, b: Linear, factor: number): Linear => {
  const terms = new Map(a.terms);
  for (const [expr, coefficient] of b.terms) {
    const sum = (terms.get(expr) ?? 0) + factor * coefficient;
    if (sum === 0) terms.delete(expr);
    else terms.set(expr, sum);
  }
  return { constant: a.constant + factor * b.constant, terms };
};

/** n * floor(L / n) + (L mod n) = L, as often as it applies. */
const recombine = (pool: ExprPool, form: Linear): Linear => {
  for (const [expr, coefficient] of form.terms) {
    if (expr.kind !== "binary" || expr.fn !== "mod" || !isDivisor(expr.right)) continue;
    const n = expr.right.value;
    const whole = linearOf(pool, expr.left);
    const quotient = quotients(pool, whole, n).find(
      ({ terms }) => terms.size > 0 && [...terms].every(([part, c]) => form.terms.get(part) === c * n * coefficient),
    );
    if (quotient === undefined) continue;
    const rest = addScaled(addScaled(form, atom(expr), -coefficient), quotient, -n * coefficient);
    return recombine(pool, addScaled(rest, whole, coefficient));
  }
  return form;
};

/** floor(L / n), in the forms that division may have given it: A + floor(B / u) over n is (u*A + B) over u*n. */
const quotients = (pool: ExprPool, form: Linear, n: number): readonly Linear[] => {
  const lifted = [...form.terms].flatMap(([expr, coefficient]) => {
    if (coefficient !== 1 || expr.kind !== "binary" || expr.fn !== "idiv" || !isDivisor(expr.right)) return [];
    const unit = expr.right.value;
    const others = addScaled(form, atom(expr), -1);
    return [floorDiv(pool, addScaled(linearOf(pool, expr.left), others, unit), unit * n)];
  });
  return [floorDiv(pool, form, n), ...lifted];
};

/** L = n*Q + R with every coefficient of R in (-n, n) and not divisible by n, and its constant in [0, n). */
const split = (form: Linear, n: number): { readonly quotient: Linear; readonly rest: Linear } => {
  const whole = new Map<Expr, number>();
  const rest = new Map<Expr, number>();
  for (const [expr, coefficient] of form.terms) {
    const q = Math.trunc(coefficient / n);
    if (q !== 0) whole.set(expr, q);
    if (coefficient !== q * n) rest.set(expr, coefficient - q * n);
  }
  const q = Math.floor(form.constant / n);
  return { quotient: { constant: q, terms: whole }, rest: { constant: form.constant - q * n, terms: rest } };
};

const floorDiv = (pool: ExprPool, form: Linear, n: number): Linear => {
  if (n === 1) return form;
  const { quotient, rest } = split(form, n);
  const { low, high } = linearRange(pool, rest);
  const sign = Math.floor(low / n);
  if (Number.isFinite(sign) && sign === Math.floor(high / n)) return { ...quotient, constant: quotient.constant + sign };
  const cut = coarsen(pool, rest, n);
  if (cut !== null) return recombine(pool, addScaled(quotient, floorDiv(pool, cut.coarse, n / cut.unit), 1));
  return recombine(pool, addScaled(quotient, atom(opaqueDiv(pool, rest, n)), 1));
};

const floorMod = (pool: ExprPool, form: Linear, n: number): Linear => {
  if (n === 1) return { constant: 0, terms: new Map() };
  const { rest } = split(form, n);
  const { low, high } = linearRange(pool, rest);
  if (low >= 0 && high < n) return rest;
  const cut = coarsen(pool, rest, n);
  if (cut !== null) return addScaled(cut.fine, floorMod(pool, cut.coarse, n / cut.unit), cut.unit);
  return atom(pool.binary("mod", toExpr(pool, rest), pool.constant(n)));
};

/** R = unit*coarse + fine with unit > 1 dividing n and 0 <= fine < unit, so that floor(R/n) = floor(coarse/(n/unit)). */
const coarsen = (pool: ExprPool, rest: Linear, n: number): { unit: number; coarse: Linear; fine: Linear } | null => {
  const units = new Set([...rest.terms.values()].map((coefficient) => gcd(Math.abs(coefficient), n)));
  for (const unit of [...units].filter((u) => u > 1).sort((a, b) => b - a)) {
    const { quotient: coarse, rest: fine } = split(rest, unit);
    const { low, high } = linearRange(pool, fine);
    if (low >= 0 && high < unit && coarse.terms.size > 0) return { unit, coarse, fine };
  }
  return null;
};

/** floor(floor(L / a) / n) = floor(L / (a*n)). */
const opaqueDiv = (pool: ExprPool, form: Linear, n: number): Expr => {
  const [only] = form.terms;
  if (form.terms.size === 1 && form.constant === 0 && only !== undefined && only[1] === 1) {
    const [inner] = only;
    if (inner.kind === "binary" && inner.fn === "idiv" && isDivisor(inner.right))
      return pool.binary("idiv", inner.left, pool.constant(inner.right.value * n));
  }
  return pool.binary("idiv", toExpr(pool, form), pool.constant(n));
};

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

const linearRange = (pool: ExprPool, form: Linear): Range => {
  let { constant: low, constant: high } = form;
  for (const [expr, coefficient] of form.terms) {
    const range = atomRange(pool, expr);
    low += coefficient * (coefficient > 0 ? range.low : range.high);
    high += coefficient * (coefficient > 0 ? range.high : range.low);
  }
  return { low, high };
};

const atomRange = (pool: ExprPool, expr: Expr): Range => {
  if (expr.kind === "var" && Number.isFinite(pool.extent(expr.name))) return { low: 0, high: pool.extent(expr.name) - 1 };
  if (expr.kind !== "binary" || !isDivisor(expr.right)) return ANY;
  const n = expr.right.value;
  if (expr.fn === "mod") return { low: 0, high: n - 1 };
  if (expr.fn !== "idiv") return ANY;
  const inner = rangeOf(pool, expr.left);
  return { low: Math.floor(inner.low / n), high: Math.floor(inner.high / n) };
};

/** Terms of outer variables first, so that partial sums can be hoisted out of inner loops; the constant last. */
export const toExpr = (pool: ExprPool, form: Linear): Expr => {
  const terms = [...form.terms].sort(([a], [b]) => pool.depth(a) - pool.depth(b) || pool.id(a) - pool.id(b));
  const lead = terms.findIndex(([, coefficient]) => coefficient > 0);
  if (lead > 0) terms.unshift(...terms.splice(lead, 1));
  let sum: Expr | null = null;
  for (const [expr, coefficient] of terms) {
    const size = Math.abs(coefficient);
    const product = size === 1 ? expr : pool.binary("mul", expr, pool.constant(size));
    if (sum === null) sum = coefficient < 0 ? pool.unary("neg", product) : product;
    else sum = pool.binary(coefficient < 0 ? "sub" : "add", sum, product);
  }
  if (sum === null) return pool.constant(form.constant);
  if (form.constant === 0) return sum;
  return pool.binary(form.constant < 0 ? "sub" : "add", sum, pool.constant(Math.abs(form.constant)));
};
