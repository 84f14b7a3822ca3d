/** @file Builtins that reduce axes, and those that normalise along one. */

import * as poly from "../../../ir/poly.ts";
import type { Context } from "../context.ts";
import { ERROR } from "../program.ts";
import type { Node, Value } from "../program.ts";
import type { Builtin, BuiltinCall } from "./call.ts";
import { pairwise } from "./elementwise.ts";

interface Reduced {
  readonly node: Node;
  readonly axes: readonly number[];
}

/** The tensor and the axes to reduce; null after an error. */
const operandAndAxes = (call: BuiltinCall): Reduced | null => {
  const x = call.operand("x");
  const axes = x === null ? null : call.axes("axis", x.node.type);
  return x === null || axes === null ? null : { node: x.node, axes };
};

const reduce = (call: BuiltinCall, op: "sum" | "max", { node, axes }: Reduced): Node =>
  axes.length === 0
    ? node
    : call.emit({ kind: "reduce", op, axes }, [node], "f32", node.type.dims.filter((_, i) => !axes.includes(i)));

/** With `keep: true` the reduced axes stay, with size 1. */
const kept = (call: BuiltinCall, result: Node, { node, axes }: Reduced): Value => {
  const keep = call.flag("keep");
  if (keep === null) return ERROR;
  if (!keep) return { kind: "tensor", node: result };
  return call.result({ kind: "reshape" }, [result], "f32", node.type.dims.map((axis, i) => (axes.includes(i) ? poly.ONE : axis)));
};

/** sum(x) / n, with n the number of elements summed. */
const meanOf = (ctx: Context, call: BuiltinCall, reduced: Reduced): Node => {
  const size = reduced.axes.reduce((product, i) => product * (reduced.node.type.shape[i] ?? 1), 1);
  const sum = reduce(call, "sum", reduced);
  return call.emit({ kind: "binary", op: "mul" }, [sum, ctx.constant(1 / size, "f32", call.span)], "f32", sum.type.dims);
};

/** mean((x - mean(x))^2): the variance of what is there, not an estimate from a sample. */
const varianceOf = (ctx: Context, call: BuiltinCall, reduced: Reduced): Node => {
  const { node, axes } = reduced;
  const ones = node.type.dims.map((axis, i) => (axes.includes(i) ? poly.ONE : axis));
  const centre = call.emit({ kind: "reshape" }, [meanOf(ctx, call, reduced)], "f32", ones);
  const off = call.emit({ kind: "binary", op: "sub" }, [node, centre], "f32", node.type.dims);
  const square = call.emit({ kind: "binary", op: "mul" }, [off, off], "f32", node.type.dims);
  return meanOf(ctx, call, { node: square, axes });
};

const reduction = (name: string, summary: string, compute: (ctx: Context, call: BuiltinCall, reduced: Reduced) => Node): Builtin => ({
  name,
  signature: `${name}(x, axis?, keep = false)`,
  summary,
  check: (ctx, call) => {
    const reduced = operandAndAxes(call);
    return reduced === null ? ERROR : kept(call, compute(ctx, call, reduced), reduced);
  },
});

/** min(x) = -max(-x). */
const minOf = (call: BuiltinCall, { node, axes }: Reduced): Node => {
  const negated = call.emit({ kind: "unary", op: "neg" }, [node], "f32", node.type.dims);
  const largest = reduce(call, "max", { node: negated, axes });
  return call.emit({ kind: "unary", op: "neg" }, [largest], "f32", largest.type.dims);
};

/** `max(a, b)` element by element, `max(x, axis: …)` along axes. */
const extremum = (name: "max" | "min", summary: string): Builtin => ({
  name,
  signature: `${name}(x, y?, axis?, keep = false)`,
  summary,
  check: (ctx, call) => {
    const [x, y] = [call.written("x"), call.written("y")];
    if (x !== null && y !== null) {
      if (call.has("axis") || call.has("keep"))
        return ctx.error("SQ0209", `${call.what} compares two tensors or reduces one, not both`, call.at);
      return pairwise(ctx, call, name, x, y, name === "max" ? Math.max : Math.min);
    }
    const reduced = operandAndAxes(call);
    if (reduced === null) return ERROR;
    return kept(call, name === "max" ? reduce(call, "max", reduced) : minOf(call, reduced), reduced);
  },
});

const along = (name: "softmax" | "log_softmax", summary: string): Builtin => ({
  name,
  signature: `${name}(x, axis = -1)`,
  summary,
  check: (_ctx, call) => {
    const x = call.operand("x");
    const axis = x === null ? null : call.axis("axis", x.node.type, -1);
    if (x === null || axis === null) return ERROR;
    return call.result({ kind: "softmax", axis, log: name === "log_softmax" }, [x.node], "f32", x.node.type.dims);
  },
});

export const REDUCTIONS: readonly Builtin[] = [
  reduction("sum", "The sum over `axis` (a number, a dim, or a tuple of them; all axes if left out).", (_ctx, call, x) => reduce(call, "sum", x)),
  reduction("mean", "The mean over `axis`; all axes if left out.", meanOf),
  reduction("var", "The variance over `axis`: mean((x - mean(x)) ** 2), without Bessel's correction.", varianceOf),
  extremum("max", "The larger of x and y, element by element; or the largest of x over `axis`."),
  extremum("min", "The smaller of x and y, element by element; or the smallest of x over `axis`."),
  along("softmax", "exp(x) / sum(exp(x)) along one axis."),
  along("log_softmax", "log(softmax(x)) along one axis, computed without overflow."),
];
