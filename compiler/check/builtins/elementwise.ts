/** @file Builtins that work element by element: functions of one tensor, of two, choices and conversions. */

import type { DType } from "../../../ir/core.ts";
import type { Context } from "../context.ts";
import { inexact } from "../numbers.ts";
import { arithmetic, condition, elementwise, sameDType } from "../operators.ts";
import type { Written } from "../operators.ts";
import { ERROR } from "../program.ts";
import type { BinaryOp, UnaryOp, Value } from "../program.ts";
import { broadcastAll } from "../shapes.ts";
import type { Builtin, BuiltinCall } from "./call.ts";

const missing: Written = { value: ERROR, span: { file: "", start: 0, end: 0 } };

const unaryOf = (name: string, op: UnaryOp, fold: (x: number) => number, summary: string): Builtin => ({
  name,
  signature: `${name}(x)`,
  summary,
  check: (ctx, call) => {
    const x = call.written("x") ?? missing;
    if (x.value.kind !== "number") return elementwise(ctx, op, call.what, x, call.span);
    const value = fold(x.value.value);
    if (Number.isFinite(value) || Number.isNaN(x.value.value)) return inexact(value);
    return ctx.error("SQ0319", `\`${name}(${x.value.value})\` is not a number`, x.span);
  },
});

export const pairwise = (ctx: Context, call: BuiltinCall, op: BinaryOp, a: Written, b: Written, fold: (x: number, y: number) => number): Value => {
  if (a.value.kind === "number" && b.value.kind === "number") return inexact(fold(a.value.value, b.value.value));
  const pair = sameDType(ctx, call.what, call.at, a, b);
  return pair === null ? ERROR : arithmetic(ctx, op, call.what.slice(1, -1), call.at, pair, call.span);
};

const whole = (name: string, op: "idiv" | "mod", summary: string): Builtin => ({
  name,
  signature: `${name}(x, y)`,
  summary,
  check: (ctx, call) => {
    const [a, b] = [call.operand("x", "i32"), call.operand("y", "i32")];
    return a === null || b === null ? ERROR : arithmetic(ctx, op, name, call.at, [a, b], call.span);
  },
});

const where: Builtin = {
  name: "where",
  signature: "where(condition, x, y)",
  summary: "x where the condition (bool) holds, else y. All three broadcast.",
  check: (ctx, call) => {
    const given = call.written("condition") ?? missing;
    const test = condition(ctx, given, "the condition of `where`");
    if (test === null) return ERROR;
    const [a, b] = [call.written("x") ?? missing, call.written("y") ?? missing];
    const pair = sameDType(ctx, "`where`", call.at, a, b);
    if (pair === null) return ERROR;
    const operands = [{ node: test, span: given.span }, ...pair];
    const axes = broadcastAll(ctx, "`where`", call.at, operands);
    if (axes === null) return ERROR;
    return call.result({ kind: "select" }, operands.map(({ node }) => node), pair[0].node.type.dtype, axes);
  },
};

const conversion = (name: "float" | "int", to: DType, fold: (x: number) => number, summary: string): Builtin => ({
  name,
  signature: `${name}(x)`,
  summary,
  check: (_ctx, call) => {
    const x = call.written("x") ?? missing;
    if (x.value.kind === "number") return inexact(fold(x.value.value));
    const operand = call.anyOperand("x");
    if (operand === null) return ERROR;
    if (operand.node.type.dtype === to) return { kind: "tensor", node: operand.node };
    return call.result({ kind: "convert" }, [operand.node], to, operand.node.type.dims);
  },
});

const relu: Builtin = {
  name: "relu",
  signature: "relu(x)",
  summary: "max(x, 0), element by element.",
  check: (ctx, call) => {
    const x = call.operand("x");
    if (x === null) return ERROR;
    const zero = { node: ctx.constant(0, "f32", call.span), span: call.span };
    return arithmetic(ctx, "max", "relu", call.at, [x, zero], call.span);
  },
};

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** Abramowitz and Stegun's series, enough for numbers known when compiled. */
const erfOf = (x: number): number => {
  let [sum, term] = [x, x];
  for (let n = 1; n < 200; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return Math.abs(x) > 5 ? Math.sign(x) : (2 / Math.sqrt(Math.PI)) * sum;
};

export const ELEMENTWISE: readonly Builtin[] = [
  unaryOf("exp", "exp", Math.exp, "e to the x, element by element."),
  unaryOf("log", "log", Math.log, "Natural logarithm, element by element."),
  unaryOf("sqrt", "sqrt", Math.sqrt, "Square root, element by element."),
  unaryOf("rsqrt", "rsqrt", (x) => 1 / Math.sqrt(x), "1 / sqrt(x), element by element."),
  unaryOf("tanh", "tanh", Math.tanh, "Hyperbolic tangent, element by element."),
  unaryOf("erf", "erf", erfOf, "The error function, element by element."),
  unaryOf("sigmoid", "logistic", sigmoid, "1 / (1 + exp(-x)), element by element."),
  unaryOf("sin", "sin", Math.sin, "Sine of radians, element by element."),
  unaryOf("cos", "cos", Math.cos, "Cosine of radians, element by element."),
  unaryOf("abs", "abs", Math.abs, "Absolute value, element by element; float or int."),
  unaryOf("sign", "sign", Math.sign, "-1, 0 or 1, element by element; float or int."),
  unaryOf("floor", "floor", Math.floor, "The largest whole number not above x, as a float."),
  {
    name: "pow",
    signature: "pow(x, y)",
    summary: "x ** y, element by element.",
    check: (ctx, call) => pairwise(ctx, call, "pow", call.written("x") ?? missing, call.written("y") ?? missing, (x, y) => x ** y),
  },
  whole("idiv", "idiv", "The whole quotient of two ints that are not negative."),
  whole("mod", "mod", "The remainder of two ints that are not negative."),
  relu,
  where,
  conversion("float", "f32", (x) => x, "An int or bool (0 and 1) tensor as float."),
  conversion("int", "i32", Math.trunc, "A float tensor as int, cut off towards zero; bool as 0 and 1."),
];
