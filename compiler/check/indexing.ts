/** @file `x[i]`, `x[a:b]`, `table[ids]` and `x.T`. */

import * as poly from "../../ir/poly.ts";
import type { Poly } from "../../ir/poly.ts";
import type { Span } from "../../ir/span.ts";
import type { Context } from "./context.ts";
import { printAxis, printSize, printType } from "./dims.ts";
import type { Written } from "./operators.ts";
import { ERROR } from "./program.ts";
import type { Value } from "./program.ts";
import { describeValue } from "./shapes.ts";
import type { Operand } from "./shapes.ts";

export type Item =
  | { readonly kind: "at"; readonly value: Value; readonly span: Span }
  | { readonly kind: "slice"; readonly start: Written | null; readonly limit: Written | null; readonly span: Span };

/** One axis of the result of slicing: from `start`, `size` long; `drop`: it was a single index. */
interface Range {
  readonly start: number;
  readonly size: Poly;
  readonly drop: boolean;
}

export const transposeLast = (ctx: Context, x: Operand, span: Span): Value => {
  const { dims, dtype } = x.node.type;
  const rank = dims.length;
  if (rank < 2)
    return ctx.error("SQ0302", "`.T` swaps the last two axes", span, { here: rank === 0 ? "this has none" : "this has one", labels: ctx.operandLabels([x]) });
  const perm = dims.map((_, i) => (i < rank - 2 ? i : i === rank - 2 ? rank - 1 : rank - 2));
  return ctx.tensor({ kind: "transpose", perm }, [x.node], ctx.dims.type(dtype, perm.map((i) => dims[i] ?? poly.ONE)), span);
};

export const indexTensor = (ctx: Context, x: Operand, items: readonly Item[], span: Span): Value => {
  const { dims } = x.node.type;
  if (items.length > dims.length)
    return ctx.error("SQ0315", `${items.length} indices for ${dims.length === 1 ? "one axis" : `${dims.length} axes`}`, span, {
      labels: ctx.operandLabels([x]),
    });
  const tensor = items.find((item) => item.kind === "at" && item.value.kind === "tensor");
  if (tensor !== undefined) return gather(ctx, x, items, tensor, span);
  const ranges: Range[] = [];
  for (const [i, axis] of dims.entries()) {
    const item = items[i];
    const range = item === undefined ? { start: 0, size: axis, drop: false } : rangeOf(ctx, item, axis);
    if (range === null) return ERROR;
    ranges.push(range);
  }
  return slice(ctx, x, ranges, span);
};

const gather = (ctx: Context, x: Operand, items: readonly Item[], item: Item, span: Span): Value => {
  if (item.kind !== "at" || item.value.kind !== "tensor") return ERROR;
  const ids = item.value.node;
  if (ids.type.dtype !== "i32")
    return ctx.error("SQ0315", "an index must be int", item.span, {
      here: `this is ${printType(ids.type)}`,
      hint: ids.type.dtype === "f32" ? "convert it with `int(…)`" : "use `where(condition, a, b)` to choose by a condition",
    });
  if (items.length > 1)
    return ctx.error("SQ0315", "a tensor can index only the first axis, alone", item.span, {
      hint: "bring the axis to the front with `rearrange` first",
    });
  const type = ctx.dims.type(x.node.type.dtype, [...ids.type.dims, ...x.node.type.dims.slice(1)]);
  return ctx.tensor({ kind: "gather" }, [x.node, ids], type, span);
};

const slice = (ctx: Context, x: Operand, ranges: readonly Range[], span: Span): Value => {
  const { dims, dtype } = x.node.type;
  const whole = ranges.every((range, i) => range.size === dims[i]);
  const starts = ranges.map((range) => range.start);
  const limits = ranges.map((range) => range.start + ctx.dims.valueOf(range.size));
  const cut = ctx.dims.type(dtype, ranges.map((range) => range.size));
  const node = whole ? x.node : ctx.emit({ kind: "slice", starts, limits }, [x.node], cut, span);
  const kept = ranges.filter((range) => !range.drop);
  if (kept.length === ranges.length) return { kind: "tensor", node };
  return ctx.tensor({ kind: "reshape" }, [node], ctx.dims.type(dtype, kept.map((range) => range.size)), span);
};

const rangeOf = (ctx: Context, item: Item, axis: Poly): Range | null => {
  if (item.kind === "at") {
    const at = bound(ctx, { value: item.value, span: item.span }, axis);
    if (at === null) return null;
    const [index, size] = [ctx.dims.valueOf(at), ctx.dims.valueOf(axis)];
    if (index >= 0 && index < size) return { start: index, size: poly.ONE, drop: true };
    outOfRange(ctx, item.span, `index ${index}`, axis);
    return null;
  }
  const start = item.start === null ? poly.ZERO : bound(ctx, item.start, axis);
  const limit = item.limit === null ? axis : bound(ctx, item.limit, axis);
  if (start === null || limit === null) return null;
  const [from, to, size] = [ctx.dims.valueOf(start), ctx.dims.valueOf(limit), ctx.dims.valueOf(axis)];
  if (from >= size || to > size || from < 0 || to < 0) {
    outOfRange(ctx, item.span, `the slice ${from}:${to}`, axis);
    return null;
  }
  if (from >= to) {
    ctx.error("SQ0315", `the slice ${from}:${to} is empty`, item.span);
    return null;
  }
  if (from === 0 && ctx.dims.same(limit, axis)) return { start: 0, size: axis, drop: false };
  return { start: from, size: ctx.dims.spell(poly.sub(limit, start)), drop: false };
};

const outOfRange = (ctx: Context, span: Span, what: string, axis: Poly): void => {
  ctx.error("SQ0315", `${what} is out of range`, span, { here: `the axis is ${printSize(ctx.dims.valueOf(axis), axis)}`, labels: ctx.dimLabels([axis]) });
};

/** A bound of a slice as a polynomial, negative ones counted from the end; null after an error. */
const bound = (ctx: Context, { value, span }: Written, axis: Poly): Poly | null => {
  if (value.kind === "error") return null;
  if (value.kind === "number" && value.dim !== null && Number.isInteger(value.value))
    return value.value < 0 ? poly.add(axis, value.dim) : value.dim;
  if (value.kind === "number")
    ctx.error("SQ0315", `an index must be a whole number, not ${value.value}`, span);
  else
    ctx.error("SQ0318", `a bound must be known when compiled`, span, {
      here: `this is ${describeValue(value)}`,
      hint: `use numbers and dims: \`0:${printAxis(axis)}\``,
    });
  return null;
};
