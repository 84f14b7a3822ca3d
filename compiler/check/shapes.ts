/** @file Agreement of shapes: broadcasting, and how a disagreement is told. */

import type { Code } from "../../ir/codes.ts";
import * as poly from "../../ir/poly.ts";
import type { Poly } from "../../ir/poly.ts";
import type { Span } from "../../ir/span.ts";
import type { Context } from "./context.ts";
import { printAxis, printSize, printType } from "./dims.ts";
import { ERROR } from "./program.ts";
import type { Node, Value } from "./program.ts";

export interface Operand {
  readonly node: Node;
  readonly span: Span;
}

const isOne = (axis: Poly): boolean => poly.isConstant(axis) && poly.equal(axis, poly.ONE);

/** The axis both broadcast to: the same, or the other of a constant 1; null where they disagree. The more telling
 *  spelling is kept. */
const joinAxes = (ctx: Context, a: Poly, b: Poly): Poly | null => {
  if (isOne(a)) return b;
  if (isOne(b)) return a;
  if (!ctx.dims.same(a, b)) return null;
  return poly.isConstant(a) ? b : a;
};

export interface Conflict {
  readonly left: Poly;
  readonly right: Poly;
}

/** Trailing axes aligned, as in numpy. */
export const broadcastAxes = (ctx: Context, a: readonly Poly[], b: readonly Poly[]): readonly Poly[] | Conflict => {
  const rank = Math.max(a.length, b.length);
  const joined: Poly[] = [];
  for (let i = 0; i < rank; i++) {
    const left = a[i - (rank - a.length)];
    const right = b[i - (rank - b.length)];
    const axis = left === undefined ? right : right === undefined ? left : joinAxes(ctx, left, right);
    if (axis === null && left !== undefined && right !== undefined) return { left, right };
    joined.push(axis ?? poly.ONE);
  }
  return joined;
};

export const isConflict = (x: readonly Poly[] | Conflict): x is Conflict => "left" in x;

/** Two axes that had to be the same are not. `what` names the operation: "`+`", "the argument `x` of `Mlp`". */
export const disagree = (
  ctx: Context,
  what: string,
  at: Span,
  conflict: Conflict,
  operands: readonly Operand[],
  code: Code = "SQ0301",
): Value => {
  const { left, right } = conflict;
  const [l, r] = [ctx.dims.valueOf(left), ctx.dims.valueOf(right)];
  const byAccident = l === r;
  const shapes = operands.map(({ node }) => printType(node.type)).join(" and ");
  const message = byAccident
    ? `${what}: the sizes ${printAxis(left)} and ${printAxis(right)} agree only by accident`
    : `${what}: shapes ${shapes} do not fit`;
  return ctx.error(byAccident ? "SQ0323" : code, message, at, {
    here: byAccident ? `both are ${l} at these sizes, but nothing says they always are` : `${printSize(l, left)} against ${printSize(r, right)}`,
    labels: [...ctx.operandLabels(operands), ...ctx.dimLabels([left, right])],
    ...(byAccident ? { notes: [`shapes ${shapes}`], hint: "use the same dim in both places, or derive one from the other" } : {}),
  });
};

/** Broadcasts any number of operands; null after an error. */
export const broadcastAll = (ctx: Context, what: string, at: Span, operands: readonly Operand[]): readonly Poly[] | null => {
  let axes: readonly Poly[] = [];
  for (const { node } of operands) {
    const joined = broadcastAxes(ctx, axes, node.type.dims);
    if (isConflict(joined)) {
      disagree(ctx, what, at, joined, operands);
      return null;
    }
    axes = joined;
  }
  return axes;
};

/** An axis counted from the end where negative; null after an error. */
export const normalAxis = (ctx: Context, axis: number, rank: number, span: Span): number | null => {
  const normal = axis < 0 ? axis + rank : axis;
  if (Number.isInteger(normal) && normal >= 0 && normal < rank) return normal;
  const range = rank === 0 ? "a scalar has no axes" : `there are axes 0 to ${rank - 1}, or -${rank} to -1 from the end`;
  ctx.error("SQ0308", `no axis ${axis}`, span, { here: range });
  return null;
};

/** Words for a value of the wrong kind. */
export const describeValue = (value: Value): string => {
  switch (value.kind) {
    case "tensor":
      return `a tensor ${printType(value.node.type)}`;
    case "number":
      return `the number ${value.value}`;
    case "bool":
      return `${value.value}`;
    case "string":
      return "a string";
    case "tuple":
      return `a tuple of ${value.items.length}`;
    case "mask":
      return "a mask";
    case "error":
      return "an error";
  }
};

/** A tensor, or a number as a scalar of `dtype`; null after an error. */
export const asTensor = (ctx: Context, value: Value, span: Span, dtype: "f32" | "i32" = "f32"): Node | null => {
  if (value.kind === "tensor") return value.node;
  if (value.kind === "number") {
    if (dtype === "i32" && !Number.isInteger(value.value)) {
      ctx.error("SQ0306", `the number ${value.value} is not whole, and int is needed here`, span);
      return null;
    }
    return ctx.constant(value.value, dtype, span);
  }
  if (value !== ERROR && value.kind !== "error")
    ctx.error("SQ0206", `a tensor is needed here, not ${describeValue(value)}`, span);
  return null;
};
