/** @file Formulas over i32: an expression is what pushes its value (as math-lanes.ts has it for vectors). Operands of `min` and
 *  `max` are pushed twice, so they should be cheap. */

import type { FunctionBuilder, LocalIndex } from "../builder.ts";
import type { OpcodeName } from "../instructions.ts";

/** Pushes one i32. */
export type Int = (f: FunctionBuilder) => void;

export const of = (value: number): Int => (f) => void f.i32(value);

export const held = (local: LocalIndex): Int => (f) => void f.get(local);

const binary = (op: OpcodeName) => (a: Int, b: Int): Int => (f) => {
  a(f);
  b(f);
  f.op(op);
};

export const add = binary("i32.add");
export const sub = binary("i32.sub");
export const less = binary("i32.lt_s");
export const and = binary("i32.and");
export const or = binary("i32.or");

export const times = (a: Int, factor: number): Int => (factor === 1 ? a : binary("i32.mul")(a, of(factor)));
export const over = (a: Int, divisor: number): Int => (divisor === 1 ? a : binary("i32.div_u")(a, of(divisor)));
export const modulo = (a: Int, divisor: number): Int => (divisor === 1 ? of(0) : binary("i32.rem_u")(a, of(divisor)));

const chosen = (op: OpcodeName) => (a: Int, b: Int): Int => (f) => {
  a(f);
  b(f);
  binary(op)(a, b)(f);
  f.op("select");
};

export const min = chosen("i32.lt_s");
export const max = chosen("i32.gt_s");

/** Down, and up, to a multiple of a power of two; negative numbers too. */
export const down = (a: Int, unit: number): Int => and(a, of(-unit));
export const up = (a: Int, unit: number): Int => down(add(a, of(unit - 1)), unit);

/** A whole number that lies in memory as a float32. */
export const stored = (address: Int): Int => (f) => {
  address(f);
  f.op("f32.load", 2, 0).op("i32.trunc_sat_f32_s");
};

/** Computes it now into a local of its own. */
export const keep = (f: FunctionBuilder, hint: string, value: Int): LocalIndex => {
  const local = f.local("i32", hint);
  value(f);
  f.set(local);
  return local;
};

export const call = (f: FunctionBuilder, func: number, ...operands: readonly Int[]): void => {
  for (const operand of operands) operand(f);
  f.op("call", func);
};
