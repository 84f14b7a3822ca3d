/** @file How gpu.js spells the scalar functions, with parentheses only where they are needed. */

import { InternalError } from "../../ir/diagnostic.ts";
import type { BinaryFn, Expr, UnaryFn } from "./kernel.ts";

export interface Code {
  readonly text: string;
  /** How tightly its outermost operator binds. */
  readonly level: number;
  /** A name or a number: may be written twice. */
  readonly simple: boolean;
}

/** Gives a value a name (in a statement before) unless it is simple. */
export type Naming = (value: Code, hint: string) => Code;

const LEVEL = { or: 1, and: 2, equality: 3, relation: 4, sum: 5, product: 6, atom: 7 } as const;

export const code = (text: string, simple = /^\w+$/.test(text)): Code => ({ text, level: LEVEL.atom, simple });

/** A number as a literal; every integer a float32 holds is written without exponent where JavaScript does so. */
export const number = (value: number): Code => {
  if (Number.isNaN(value)) throw new InternalError("NaN has no literal");
  const finite = Math.min(Math.max(value, -3.4e38), 3.4e38);
  return code(finite < 0 || Object.is(finite, -0) ? `(-${-finite})` : `${finite}`, true);
};

const infix = (left: Code, operator: string, right: Code, level: number): Code => ({
  text: `${left.level < level ? `(${left.text})` : left.text} ${operator} ${right.level <= level ? `(${right.text})` : right.text}`,
  level,
  simple: false,
});

const call = (fn: string, ...args: readonly Code[]): Code => code(`Math.${fn}(${args.map((arg) => arg.text).join(", ")})`);

const negative = (x: Code): Code => code(`(-${x.level < LEVEL.atom ? `(${x.text})` : x.text})`);

const plus = (a: Code, b: Code): Code => infix(a, "+", b, LEVEL.sum);
const minus = (a: Code, b: Code): Code => infix(a, "-", b, LEVEL.sum);
const times = (a: Code, b: Code): Code => infix(a, "*", b, LEVEL.product);
const over = (a: Code, b: Code): Code => infix(a, "/", b, LEVEL.product);

/** tanh is 1 in float32 from 9.01 on; beyond, a driver that computes it from exp(2 x) overflows. */
const TANH_FLAT = 10;

export const unaryCode = (fn: UnaryFn, x: Code, name: Naming): Code => {
  switch (fn) {
    case "neg":
      return negative(x);
    case "rsqrt":
      return over(number(1), call("sqrt", x));
    case "tanh":
      return call("tanh", call("max", number(-TANH_FLAT), call("min", number(TANH_FLAT), x)));
    case "logistic":
      return over(number(1), code(`(${plus(number(1), call("exp", negative(x))).text})`));
    case "erf":
      return erfCode(x, name);
    case "sin":
      return sineCode(x, 0, name);
    case "cos":
      return sineCode(x, 0.5, name);
    case "sign": {
      const v = name(x, "v").text;
      return code(`(${v} > 0 ? 1 : (${v} < 0 ? (-1) : 0))`);
    }
    case "not":
      throw new InternalError("`not` is a condition");
    default:
      return call(fn, x);
  }
};

/** erf(x) = x P(x^2) / Q(x^2) on |x| <= 3.9 and constant beyond. P and Q minimise the largest error (1.5e-8) on that
 *  interval, found by iteratively reweighted least squares; rounding in float32 brings it to 4e-7. */
export const ERF = {
  limit: 3.9,
  numerator: [1.128379, 0.19194105, 0.052966926, 0.0038368788, 0.00028745748, 2.0503889e-6],
  denominator: [1, 0.5034351, 0.11475822, 0.015109209, 0.0011817354, 3.8230771e-5],
} as const;

/** The terms of c[0] + c[1] z + c[2] z^2 + …, innermost first. */
const horner = (coefficients: readonly number[], z: Code): Code =>
  coefficients.slice(0, -1).reduceRight((sum, c) => plus(number(c), times(z, sum)), number(coefficients.at(-1) ?? 0));

const erfCode = (x: Code, name: Naming): Code => {
  const c = name(call("max", number(-ERF.limit), call("min", number(ERF.limit), x)), "c");
  const z = name(times(c, c), "z");
  return over(times(c, code(`(${horner(ERF.numerator, z).text})`)), code(`(${horner(ERF.denominator, z).text})`));
};

/** sin(r) = r P(r^2) on |r| <= pi / 2. P minimises the largest error (3.4e-9), found as that of erf was. Pi is in three
 *  parts: products of the first two with numbers of turns are exact in float32 for |x| < 10000. There the error is 2e-7. */
export const SINE = {
  coefficients: [0.999999977, -0.166666476, 0.00833289982, -0.000198008977, 0.00000259048846],
  pi: [3.140625, 0.0009675025939941406, 1.5099579897537296e-7],
} as const;

/** sin or cos, which graphics hardware may have off by 2e-4: enough to spoil the gradient of rotary positions.
 *
 *      sin(x) = (-1)^n sin(x - n pi),  n = floor(x / pi + 1/2);    cos(x) = -(-1)^n sin(x - (n + 1/2) pi),  n = floor(x / pi)
 *
 *  `quarter` is 0 for sin, 1/2 for cos. */
const sineCode = (x: Code, quarter: 0 | 0.5, name: Naming): Code => {
  const v = name(x, "v");
  const halves = times(v, number(1 / Math.PI));
  const n = name(call("floor", quarter === 0 ? plus(halves, number(0.5)) : halves), "n");
  const turns = quarter === 0 ? n : name(plus(n, number(quarter)), "turns");
  const rest = name(SINE.pi.reduce((left, part) => minus(left, times(turns, number(part))), v), "r");
  const square = name(times(rest, rest), "z");
  const sine = times(rest, code(`(${horner(SINE.coefficients, square).text})`));
  const parity = code(`(${n.text} - 2 * Math.floor(${n.text} * 0.5))`);
  const sign = quarter === 0 ? code(`(1 - 2 * ${parity.text})`) : code(`(2 * ${parity.text} - 1)`);
  return times(sign, sine);
};

const ARITHMETIC: Readonly<Partial<Record<BinaryFn, readonly [operator: string, level: number]>>> = {
  add: ["+", LEVEL.sum],
  sub: ["-", LEVEL.sum],
  mul: ["*", LEVEL.product],
  div: ["/", LEVEL.product],
};

/** `exponent` is the right operand before it became code: constant exponents have shorter spellings. */
export const binaryCode = (fn: BinaryFn, exponent: Expr, left: Code, right: Code, name: Naming): Code => {
  const arithmetic = ARITHMETIC[fn];
  if (arithmetic !== undefined) return infix(left, arithmetic[0], right, arithmetic[1]);
  if (fn === "max" || fn === "min") return call(fn, left, right);
  if (fn === "pow") return powCode(left, right, exponent, name);
  throw new InternalError(`${fn} should have been rewritten before emission`);
};

/** x^y. Graphics hardware has no power of a negative number: |x|^y, negated where x < 0 and y is odd. */
const powCode = (x: Code, y: Code, exponent: Expr, name: Naming): Code => {
  if (exponent.kind === "const" && exponent.value === 2) {
    const v = name(x, "v");
    return times(v, v);
  }
  if (exponent.kind === "const" && exponent.value === 0.5) return call("sqrt", x);
  const [base, power] = [name(x, "base"), name(y, "power")];
  const size = name(call("pow", call("abs", base), power), "size");
  const odd = `${power.text} - 2 * Math.floor(${power.text} * 0.5) == 1`;
  return code(`((${base.text} < 0 && ${odd}) ? (-${size.text}) : ${size.text})`);
};

const COMPARISON: Readonly<Partial<Record<BinaryFn, readonly [operator: string, level: number]>>> = {
  eq: ["==", LEVEL.equality],
  ne: ["!=", LEVEL.equality],
  lt: ["<", LEVEL.relation],
  le: ["<=", LEVEL.relation],
  gt: [">", LEVEL.relation],
  ge: [">=", LEVEL.relation],
  and: ["&&", LEVEL.and],
  or: ["||", LEVEL.or],
};

/** A truth value as a condition. A stored one is a number, true unless it is 0. */
export const conditionCode = (expr: Expr, value: (e: Expr) => Code): Code => {
  if (expr.kind === "unary" && expr.fn === "not") return code(`!(${conditionCode(expr.arg, value).text})`, false);
  if (expr.kind === "binary") {
    const comparison = COMPARISON[expr.fn];
    if (comparison !== undefined) {
      const side = expr.fn === "and" || expr.fn === "or" ? (e: Expr): Code => conditionCode(e, value) : value;
      return infix(side(expr.left), comparison[0], side(expr.right), comparison[1]);
    }
  }
  return infix(value(expr), "!=", number(0), LEVEL.equality);
};
