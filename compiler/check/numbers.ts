/** @file Arithmetic on numbers known when compiled. A number that is a polynomial in dims keeps it, so that it can be a
 *  size: `2 * D` may stand in a shape, `sqrt(2 * L)` only where a number is wanted. */

import * as poly from "../../ir/poly.ts";
import type { Poly } from "../../ir/poly.ts";
import type { BinaryOperator } from "../syntax/ast.ts";
import type { Value } from "./program.ts";

export type Num = Value & { readonly kind: "number" };

export const number = (value: number, dim: Poly | null = poly.constant(value)): Num => ({ kind: "number", value, dim });

/** A number that no polynomial spells: the result of `sqrt`, `exp`, … */
export const inexact = (value: number): Num => number(value, Number.isInteger(value) ? poly.constant(value) : null);

const power = (base: Poly, exponent: number): Poly | null => {
  if (!Number.isInteger(exponent) || Math.abs(exponent) > 8) return null;
  let result: Poly | null = poly.ONE;
  for (let i = 0; i < Math.abs(exponent) && result !== null; i++)
    result = exponent > 0 ? poly.mul(result, base) : poly.div(result, base);
  return result;
};

const lift = (a: Num, b: Num, f: (p: Poly, q: Poly) => Poly | null): Poly | null =>
  a.dim === null || b.dim === null ? null : f(a.dim, b.dim);

/** `a op b`; null for an operator that does not make a number. */
export const combine = (operator: BinaryOperator, a: Num, b: Num): Num | null => {
  switch (operator) {
    case "+":
      return number(a.value + b.value, lift(a, b, poly.add));
    case "-":
      return number(a.value - b.value, lift(a, b, poly.sub));
    case "*":
      return number(a.value * b.value, lift(a, b, (p, q) => poly.mul(p, q)));
    case "/":
      return number(a.value / b.value, lift(a, b, poly.div));
    case "**":
      return number(a.value ** b.value, lift(a, b, (p) => power(p, b.value)));
    default:
      return null;
  }
};

export const negate = (a: Num): Num => number(-a.value, a.dim === null ? null : poly.scale(a.dim, -1));

export const compareNumbers = (operator: BinaryOperator, a: number, b: number): boolean | null => {
  switch (operator) {
    case "==":
      return a === b;
    case "!=":
      return a !== b;
    case "<":
      return a < b;
    case "<=":
      return a <= b;
    case ">":
      return a > b;
    case ">=":
      return a >= b;
    default:
      return null;
  }
};
