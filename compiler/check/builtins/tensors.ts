/** @file Builtins that make tensors, and those that join and cut them. */

import * as poly from "../../../ir/poly.ts";
import type { Poly } from "../../../ir/poly.ts";
import type { Context } from "../context.ts";
import { printAxis, printType } from "../dims.ts";
import type { Written } from "../operators.ts";
import { ERROR } from "../program.ts";
import type { Node, Value } from "../program.ts";
import { disagree } from "../shapes.ts";
import type { Operand } from "../shapes.ts";
import { asSize } from "../types.ts";
import type { Builtin, BuiltinCall } from "./call.ts";

const sizesOf = (ctx: Context, written: readonly Written[]): readonly Poly[] | null => {
  const sizes = written.map((entry) => asSize(ctx, entry));
  return sizes.every((size) => size !== null) ? sizes : null;
};

const filled = (ctx: Context, call: BuiltinCall, value: number, sizes: readonly Written[]): Value => {
  const axes = sizesOf(ctx, sizes);
  if (axes === null) return ERROR;
  return call.result({ kind: "expand" }, [ctx.constant(value, "f32", call.span)], "f32", axes);
};

const filling = (name: string, value: number): Builtin => ({
  name,
  signature: `${name}(sizes...)`,
  summary: `A float tensor of these sizes, ${value} everywhere.`,
  check: (ctx, call) => filled(ctx, call, value, call.rest),
});

const full: Builtin = {
  name: "full",
  signature: "full(value, sizes...)",
  summary: "A float tensor of these sizes, `value` everywhere.",
  check: (ctx, call) => {
    const value = call.number("value", 0);
    return value === null ? ERROR : filled(ctx, call, value, call.rest);
  },
};

const arange: Builtin = {
  name: "arange",
  signature: "arange(size)",
  summary: "The ints 0, 1, …, size - 1.",
  check: (ctx, call) => {
    const written = call.written("size");
    const size = written === null ? null : asSize(ctx, written);
    return size === null ? ERROR : call.result({ kind: "iota", axis: 0 }, [], "i32", [size]);
  },
};

/** The other operands must agree with the first one on every axis but `axis`. */
const joinable = (ctx: Context, call: BuiltinCall, first: Operand, others: readonly Operand[], axis: number): boolean =>
  others.every((other) => {
    const [a, b] = [first.node.type, other.node.type];
    if (a.dtype !== b.dtype) {
      ctx.error("SQ0306", "`concat` joins tensors of one kind", other.span, { labels: ctx.operandLabels([first, other]) });
      return false;
    }
    if (a.dims.length !== b.dims.length) {
      ctx.error("SQ0302", "`concat` joins tensors with the same number of axes", other.span, { labels: ctx.operandLabels([first, other]) });
      return false;
    }
    const wrong = a.dims.findIndex((dim, i) => i !== axis && !ctx.dims.same(dim, b.dims[i] ?? poly.ZERO));
    const [left, right] = [a.dims[wrong], b.dims[wrong]];
    if (left === undefined || right === undefined) return true;
    disagree(ctx, "`concat`", call.at, { left, right }, [first, other]);
    return false;
  });

const concat: Builtin = {
  name: "concat",
  signature: "concat(xs..., axis = 0)",
  summary: "Joins tensors along one axis; the others must be the same.",
  check: (ctx, call) => {
    const operands = call.rest.map(({ value, span }): Operand | null => {
      if (value.kind === "tensor") return { node: value.node, span };
      return call.asOperand({ value, span });
    });
    if (!operands.every((operand) => operand !== null)) return ERROR;
    const [first, ...others] = operands;
    if (first === undefined) return ctx.error("SQ0208", "`concat` needs tensors to join", call.at);
    const axis = call.axis("axis", first.node.type, 0);
    if (axis === null || !joinable(ctx, call, first, others, axis)) return ERROR;
    if (others.length === 0) return { kind: "tensor", node: first.node };
    const { dims, dtype } = first.node.type;
    const joined = ctx.dims.spell(poly.add(...operands.map(({ node }) => node.type.dims[axis] ?? poly.ZERO)));
    return call.result({ kind: "concat", axis }, operands.map(({ node }) => node), dtype, dims.map((dim, i) => (i === axis ? joined : dim)));
  },
};

const piece = (ctx: Context, call: BuiltinCall, x: Node, axis: number, size: Poly, i: number): Value => {
  const length = ctx.dims.valueOf(size);
  const starts = x.type.shape.map((_, k) => (k === axis ? i * length : 0));
  const limits = x.type.shape.map((n, k) => (k === axis ? (i + 1) * length : n));
  return call.result({ kind: "slice", starts, limits }, [x], x.type.dtype, x.type.dims.map((dim, k) => (k === axis ? size : dim)));
};

const split: Builtin = {
  name: "split",
  signature: "split(x, parts, axis = -1)",
  summary: "Cuts one axis into equal parts: `let a, b = split(x, 2)`.",
  check: (ctx, call) => {
    const x = call.anyOperand("x");
    const parts = call.written("parts");
    const count = parts === null ? null : asSize(ctx, parts);
    const axis = x === null ? null : call.axis("axis", x.node.type, -1);
    if (x === null || parts === null || count === null || axis === null) return ERROR;
    const dim = x.node.type.dims[axis] ?? poly.ONE;
    const size = ctx.dims.divide(dim, count);
    const length = size === null ? Number.NaN : ctx.dims.valueOf(size);
    if (size === null || (!Number.isNaN(length) && !Number.isInteger(length)))
      return ctx.error("SQ0305", `${printAxis(dim)} cannot be cut into ${printAxis(count)} equal parts`, parts.span, {
        labels: [{ span: x.span, text: printType(x.node.type) }, ...ctx.dimLabels([dim, count])],
      });
    const n = Math.min(ctx.dims.valueOf(count), 1024);
    return { kind: "tuple", items: Array.from({ length: n }, (_, i) => piece(ctx, call, x.node, axis, size, i)) };
  },
};

export const TENSORS: readonly Builtin[] = [filling("zeros", 0), filling("ones", 1), full, arange, concat, split];
