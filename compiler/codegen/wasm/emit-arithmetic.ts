/** @file Unary and binary functions of the kernel form as instructions, on i32 where both sides are integers. */

import { InternalError } from "../../../ir/diagnostic.ts";
import type { BinaryFn, Expr, UnaryFn } from "../kernel.ts";
import type { ExpressionEmitter } from "./emit-expression.ts";
import { COMPARISONS, LOGICAL } from "./kinds.ts";
import type { Kind } from "./kinds.ts";
import { isPowerOfTwo } from "./lanes.ts";
import { MATH, mathFunction } from "./math.ts";
import type { MathFunction, MathName } from "./math.ts";
import { binaryOpcode, convert } from "./operations.ts";
import type { Width } from "./operations.ts";

type Unary = Expr & { kind: "unary" };
type Binary = Expr & { kind: "binary" };

export const emitUnary = (emitter: ExpressionEmitter, expr: Unary, want: Kind, width: Width): void => {
  const { f, kinds } = emitter.setting;
  if (expr.fn === "not") {
    emitter.value(expr.arg, "bool", width);
    f.op(width === 1 ? "i32.eqz" : "v128.not");
    return convert(f, "bool", want, width);
  }
  if (expr.fn === "floor" && kinds.range(expr.arg) !== null) return emitter.value(expr.arg, want, width);
  const integer = (want === "i32" && kinds.range(expr) !== null) || kinds.kind(expr) === "i32";
  if (expr.fn === "neg" && integer) {
    if (width === 1) f.i32(0);
    else f.splatBits(0);
    emitter.value(expr.arg, "i32", width);
    f.op(width === 1 ? "i32.sub" : "i32x4.sub");
    return convert(f, "i32", want, width);
  }
  emitFloat(emitter, expr, width);
  convert(f, "f32", want, width);
};

const emitFloat = (emitter: ExpressionEmitter, { fn, arg }: Unary, width: Width): void => {
  const { f } = emitter.setting;
  const one = width === 1;
  const operand = (): void => emitter.value(arg, "f32", width);
  switch (fn) {
    case "neg":
      operand();
      return void f.op(one ? "f32.neg" : "f32x4.neg");
    case "abs":
      operand();
      return void f.op(one ? "f32.abs" : "f32x4.abs");
    case "floor":
      operand();
      return void f.op(one ? "f32.floor" : "f32x4.floor");
    case "sqrt":
      operand();
      return void f.op(one ? "f32.sqrt" : "f32x4.sqrt");
    case "rsqrt":
      if (one) f.f32(1);
      else f.splat(1);
      operand();
      return void (one ? f.op("f32.sqrt").op("f32.div") : f.op("f32x4.sqrt").op("f32x4.div"));
    case "sign":
      return emitSign(emitter, operand, width);
    case "not":
      throw new InternalError("`not` is a condition");
    default:
      return callMath(emitter, fn, width, [operand]);
  }
};

/** (x > 0) - (x < 0); lanes of a comparison are 0 or -1. */
const emitSign = (emitter: ExpressionEmitter, operand: () => void, width: Width): void => {
  const { f } = emitter.setting;
  const x = f.local(width === 1 ? "f32" : "v128", "x");
  operand();
  f.set(x);
  if (width === 1) f.get(x).f32(0).op("f32.gt").get(x).f32(0).op("f32.lt").op("i32.sub").op("f32.convert_i32_s");
  else f.get(x).splat(0).op("f32x4.lt").get(x).splat(0).op("f32x4.gt").op("i32x4.sub").op("f32x4.convert_i32x4_s");
};

const callMath = ({ setting: { f, table } }: ExpressionEmitter, fn: UnaryFn | BinaryFn, width: Width, operands: readonly (() => void)[]): void => {
  if (!Object.hasOwn(MATH, fn)) throw new InternalError(`no instruction and no function for ${fn}`);
  const name = fn as MathName;
  if (width === 1) {
    for (const operand of operands) {
      operand();
      f.op("f32x4.splat");
    }
    f.op("call", table.shared(() => mathFunction(name))).op("f32x4.extract_lane", 0);
    return;
  }
  const { lanes }: MathFunction = MATH[name];
  const [x, y = x] = operands.map((operand) => {
    const local = f.local("v128", "x");
    operand();
    f.set(local);
    return (g: typeof f): void => void g.get(local);
  });
  if (x !== undefined && y !== undefined) lanes(f, x, y)(f);
};

export const emitBinary = (emitter: ExpressionEmitter, expr: Binary, want: Kind, width: Width): void => {
  const { f } = emitter.setting;
  const { fn, left, right } = expr;
  const operands = (kind: Kind): void => [left, right].forEach((side) => emitter.value(side, kind, width));
  const kind = operandKind(emitter, expr, want);
  const result: Kind = COMPARISONS.has(fn) || LOGICAL.has(fn) ? "bool" : kind;
  if (fn === "idiv" || fn === "mod") {
    if (kind === "i32") emitDivision(emitter, expr, width);
    else emitFloatDivision(emitter, expr, width);
  } else if (fn === "pow") emitPower(emitter, expr, width);
  else {
    const op = binaryOpcode(fn, kind, width);
    operands(kind);
    if (op !== null) f.op(op);
    else emitExtreme(emitter, fn);
  }
  convert(f, result, want, width);
};

/** What both sides are computed as. */
const operandKind = ({ setting: { kinds } }: ExpressionEmitter, expr: Binary, want: Kind): Kind => {
  const { fn, left, right } = expr;
  if (LOGICAL.has(fn)) return "bool";
  if (COMPARISONS.has(fn)) return [left, right].every((side) => kinds.fits(side)) && [left, right].some((side) => kinds.kind(side) === "i32") ? "i32" : "f32";
  if (want === "i32" && fn !== "idiv" && fn !== "mod" && kinds.range(expr) !== null) return "i32";
  return kinds.kind(expr);
};

/** The larger or smaller of two i32 on the stack. */
const emitExtreme = ({ setting: { f } }: ExpressionEmitter, fn: BinaryFn): void => {
  const [a, b] = [f.local("i32", "a"), f.local("i32", "b")];
  f.set(b).set(a).get(a).get(b).get(a).get(b).op(fn === "max" ? "i32.gt_s" : "i32.lt_s").op("select");
};

/** Floor division of integers. Shifts round down as they are; other divisors have lanes of their own. */
const emitDivision = (emitter: ExpressionEmitter, { fn, left, right }: Binary, width: Width): void => {
  const { f, kinds } = emitter.setting;
  emitter.value(left, "i32", width);
  if (isPowerOfTwo(right)) {
    if (fn === "idiv") return void f.i32(Math.log2(right.value)).op(width === 1 ? "i32.shr_s" : "i32x4.shr_s");
    if (width === 1) return void f.i32(right.value - 1).op("i32.and");
    return void f.splatBits(right.value - 1).op("v128.and");
  }
  emitter.value(right, "i32", 1);
  if ((kinds.range(left)?.low ?? -1) >= 0 && (kinds.range(right)?.low ?? 0) >= 1) return void f.op(fn === "idiv" ? "i32.div_u" : "i32.rem_u");
  const [a, n, quotient, rest] = ["a", "n", "quotient", "rest"].map((name) => f.local("i32", name)) as [number, number, number, number];
  // A divisor of zero has no quotient; it must only not trap.
  f.set(n).set(a).get(n).get(n).op("i32.eqz").op("i32.or").set(n);
  f.get(a).get(n).op("i32.div_s").tee(quotient);
  f.get(n).op("i32.mul").set(rest).get(a).get(rest).op("i32.sub").set(rest);
  // Rounded towards zero: one too many where the remainder is not 0 and has the other sign.
  const over = (): void => void f.get(rest).i32(0).op("i32.ne").get(rest).get(n).op("i32.xor").i32(0).op("i32.lt_s").op("i32.and");
  if (fn === "idiv") {
    f.get(quotient);
    over();
    f.op("i32.sub");
  } else {
    f.get(rest).get(n).i32(0);
    over();
    f.op("select").op("i32.add");
  }
};

/** floor(x / y) and x - y floor(x / y) of floats. */
const emitFloatDivision = (emitter: ExpressionEmitter, { fn, left, right }: Binary, width: Width): void => {
  const { f } = emitter.setting;
  const one = width === 1;
  const [x, y] = [f.local(one ? "f32" : "v128", "x"), f.local(one ? "f32" : "v128", "y")];
  emitter.value(left, "f32", width);
  f.set(x);
  emitter.value(right, "f32", width);
  f.set(y);
  const quotient = (): void => void f.get(x).get(y).op(one ? "f32.div" : "f32x4.div").op(one ? "f32.floor" : "f32x4.floor");
  if (fn === "idiv") return quotient();
  f.get(x).get(y);
  quotient();
  f.op(one ? "f32.mul" : "f32x4.mul").op(one ? "f32.sub" : "f32x4.sub");
};

const emitPower = (emitter: ExpressionEmitter, { left, right }: Binary, width: Width): void => {
  const { f } = emitter.setting;
  const base = (): void => emitter.value(left, "f32", width);
  if (right.kind === "const" && right.value === 2) {
    const x = f.local(width === 1 ? "f32" : "v128", "x");
    base();
    return void f.tee(x).get(x).op(width === 1 ? "f32.mul" : "f32x4.mul");
  }
  if (right.kind === "const" && right.value === 0.5) {
    base();
    return void f.op(width === 1 ? "f32.sqrt" : "f32x4.sqrt");
  }
  callMath(emitter, "pow", width, [base, () => emitter.value(right, "f32", width)]);
};
