/** @file Operators on values: numbers are folded, tensors become nodes. */

import type { DType } from "../../ir/core.ts";
import type { Span } from "../../ir/span.ts";
import type { BinaryOperator } from "../syntax/ast.ts";
import type { Context } from "./context.ts";
import { printType } from "./dims.ts";
import { combine, compareNumbers, negate } from "./numbers.ts";
import { ERROR } from "./program.ts";
import type { BinaryOp, Direction, Mask, Node, UnaryOp, Value } from "./program.ts";
import { asTensor, broadcastAll, describeValue } from "./shapes.ts";
import { matmul } from "./matmul.ts";

/** An operand with the place it was written. */
export interface Written {
  readonly value: Value;
  readonly span: Span;
}

const ARITHMETIC: { readonly [O in BinaryOperator]?: BinaryOp } = { "+": "add", "-": "sub", "*": "mul", "/": "div", "**": "pow" };

const DIRECTIONS: { readonly [O in BinaryOperator]?: Direction } = {
  "==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge",
};

export const binary = (ctx: Context, operator: BinaryOperator, at: Span, a: Written, b: Written, span: Span): Value => {
  if (a.value.kind === "error" || b.value.kind === "error") return ERROR;
  if (a.value.kind === "number" && b.value.kind === "number") {
    const folded = combine(operator, a.value, b.value);
    if (folded !== null) return finite(ctx, folded, span);
    const truth = compareNumbers(operator, a.value.value, b.value.value);
    if (truth !== null) return { kind: "bool", value: truth };
  }
  if (operator === "and" || operator === "or") return logical(ctx, operator, at, a, b, span);
  const pair = sameDType(ctx, `\`${operator}\``, at, a, b);
  if (pair === null) return ERROR;
  if (operator === "@") return matmul(ctx, at, pair[0], pair[1], span);
  const direction = DIRECTIONS[operator];
  if (direction !== undefined) return compare(ctx, direction, operator, at, pair, span);
  return arithmetic(ctx, ARITHMETIC[operator] ?? "add", operator, at, pair, span);
};

const finite = (ctx: Context, value: Value & { kind: "number" }, span: Span): Value =>
  Number.isFinite(value.value) || Number.isNaN(value.value) ? value : ctx.error("SQ0319", "this number is not finite", span);

interface Operand {
  readonly node: Node;
  readonly span: Span;
}

/** Both as tensors of one numeric dtype; numbers adapt to the other. Null after an error. */
export const sameDType = (ctx: Context, what: string, at: Span, a: Written, b: Written): readonly [Operand, Operand] | null => {
  const dtypeOf = ({ value }: Written): DType | null => (value.kind === "tensor" ? value.node.type.dtype : null);
  const wanted = dtypeOf(a) === "i32" || dtypeOf(b) === "i32" ? "i32" : "f32";
  const [left, right] = [asTensor(ctx, a.value, a.span, wanted), asTensor(ctx, b.value, b.span, wanted)];
  if (left === null || right === null) return null;
  const operands = [{ node: left, span: a.span }, { node: right, span: b.span }] as const;
  for (const { node, span } of operands) {
    if (node.type.dtype !== "i1") continue;
    ctx.error("SQ0306", `${what} does not take bool`, span, {
      here: `this is ${printType(node.type)}`,
      hint: "use `where(condition, a, b)`, or `float(condition)` for 0 and 1",
    });
    return null;
  }
  if (left.type.dtype !== right.type.dtype) {
    const whole = operands.find(({ node }) => node.type.dtype === "i32") ?? operands[0];
    ctx.error("SQ0306", `${what} needs both sides float or both int`, at, {
      labels: ctx.operandLabels(operands),
      hint: whole.node.form.kind === "input" ? `write \`float(${whole.node.form.name})\`` : "convert one with `float(…)` or `int(…)`",
    });
    return null;
  }
  return operands;
};

const compare = (ctx: Context, direction: Direction, operator: string, at: Span, pair: readonly [Operand, Operand], span: Span): Value => {
  const axes = broadcastAll(ctx, `\`${operator}\``, at, pair);
  if (axes === null) return ERROR;
  return ctx.tensor({ kind: "compare", direction }, pair.map(({ node }) => node), ctx.dims.type("i1", axes), span);
};

/** An elementwise operation of two tensors of one dtype. */
export const arithmetic = (ctx: Context, op: BinaryOp, shown: string, at: Span, pair: readonly [Operand, Operand], span: Span): Value => {
  const dtype = pair[0].node.type.dtype;
  if (dtype === "i32" && (op === "div" || op === "pow"))
    return ctx.error("SQ0306", `\`${shown}\` is for floats`, at, {
      labels: ctx.operandLabels(pair),
      hint: op === "div" ? "write `float(x) / y`, or `idiv(x, y)` for the whole quotient" : "convert with `float(…)` first",
    });
  const axes = broadcastAll(ctx, `\`${shown}\``, at, pair);
  if (axes === null) return ERROR;
  return ctx.tensor({ kind: "binary", op }, pair.map(({ node }) => node), ctx.dims.type(dtype, axes), span);
};

const logical = (ctx: Context, op: "and" | "or", at: Span, a: Written, b: Written, span: Span): Value => {
  if (a.value.kind === "bool" && b.value.kind === "bool")
    return { kind: "bool", value: op === "and" ? a.value.value && b.value.value : a.value.value || b.value.value };
  if (op === "and" && (a.value.kind === "mask" || b.value.kind === "mask")) return joinMasks(ctx, a, b);
  const [left, right] = [condition(ctx, a, `\`${op}\``), condition(ctx, b, `\`${op}\``)];
  if (left === null || right === null) return ERROR;
  const axes = broadcastAll(ctx, `\`${op}\``, at, [{ node: left, span: a.span }, { node: right, span: b.span }]);
  return axes === null ? ERROR : ctx.tensor({ kind: "binary", op }, [left, right], ctx.dims.type("i1", axes), span);
};

const joinMasks = (ctx: Context, a: Written, b: Written): Value => {
  const [left, right] = [maskParts(ctx, a), maskParts(ctx, b)];
  return left === null || right === null ? ERROR : { kind: "mask", parts: [...left, ...right] };
};

/** What a mask is made of: `causal`, `window(w)`, `padding(lengths)`, a bool tensor, or a tuple of these. Null after an
 *  error. */
export const maskParts = (ctx: Context, { value, span }: Written): readonly Mask[] | null => {
  if (value.kind === "mask") return value.parts;
  if (value.kind === "tensor" && value.node.type.dtype === "i1") return [{ kind: "tensor", node: value.node }];
  if (value.kind === "tuple") {
    const parts = value.items.map((item) => maskParts(ctx, { value: item, span }));
    return parts.every((part) => part !== null) ? parts.flat() : null;
  }
  if (value.kind !== "error")
    ctx.error("SQ0313", `${describeValue(value)} is not a mask`, span, {
      hint: "use `none`, `causal`, `window(w)`, `padding(lengths)`, a bool tensor, or several in a tuple",
    });
  return null;
};

/** A bool tensor; null after an error. */
export const condition = (ctx: Context, { value, span }: Written, what: string): Node | null => {
  if (value.kind === "tensor" && value.node.type.dtype === "i1") return value.node;
  const node = asTensor(ctx, value, span);
  if (node !== null)
    ctx.error("SQ0306", `${what} needs bool`, span, { here: `this is ${printType(node.type)}`, hint: "compare it: `x > 0`" });
  return null;
};

export const unary = (ctx: Context, operator: "-" | "not", operand: Written, span: Span): Value => {
  const { value } = operand;
  if (operator === "not") {
    if (value.kind === "bool") return { kind: "bool", value: !value.value };
    const node = value.kind === "error" ? null : condition(ctx, operand, "`not`");
    return node === null ? ERROR : ctx.tensor({ kind: "unary", op: "not" }, [node], node.type, span);
  }
  if (value.kind === "number") return negate(value);
  return elementwise(ctx, "neg", "`-`", operand, span);
};

const KEEPS_INT: ReadonlySet<UnaryOp> = new Set<UnaryOp>(["neg", "abs", "sign"]);

/** A function of one tensor, element by element. */
export const elementwise = (ctx: Context, op: UnaryOp, what: string, operand: Written, span: Span): Value => {
  if (operand.value.kind === "error") return ERROR;
  const node = asTensor(ctx, operand.value, operand.span);
  if (node === null) return ERROR;
  const { dtype } = node.type;
  if (dtype === "f32" || (dtype === "i32" && KEEPS_INT.has(op))) return ctx.tensor({ kind: "unary", op }, [node], node.type, span);
  return ctx.error("SQ0306", `${what} needs float`, operand.span, {
    here: `this is ${printType(node.type)}`,
    hint: "convert it with `float(…)`",
  });
};
