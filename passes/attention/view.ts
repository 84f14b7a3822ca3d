/** @file A value seen from the axes of the attention scores: axis i of `value` is axis `axes[i]` of the scores.
 *
 *  Broadcasts, transposes and reshapes that only add or drop axes of size 1 move the view; what they are applied to is
 *  then known without them, so a mask [T, T] that was spread over batch and heads is found as what it is. */

import type { Builder } from "../../ir/builder.ts";
import type { Operation, Value } from "../../ir/core.ts";
import { broadcast, reshape, transpose } from "../../ir/ops/index.ts";
import type { Definitions } from "../../ir/pattern.ts";
import * as poly from "../../ir/poly.ts";

export interface View {
  readonly value: Value;
  readonly axes: readonly number[];
}

export const wholeView = (value: Value): View => ({ value, axes: value.type.shape.map((_, i) => i) });

/** The same numbers further down: movements that a view can absorb are gone. */
export const look = (view: View, defs: Definitions): View => {
  const operation = defs(view.value);
  const inner = operation === undefined ? null : through(operation, view);
  return inner === null ? view : look(inner, defs);
};

/** The operation that computes what is seen, its operands seen the same way (it is elementwise, or a source). */
export const lookedAt = (view: View, defs: Definitions): { readonly view: View; readonly operation: Operation | undefined } => {
  const seen = look(view, defs);
  return { view: seen, operation: defs(seen.value) };
};

const through = ({ op, operands: [x], attrs }: Operation, { axes }: View): View | null => {
  if (x === undefined) return null;
  if (op === broadcast) {
    const target = (attrs as { readonly axes: readonly number[] }).axes;
    return { value: x, axes: target.map((axis) => axes[axis] ?? -1) };
  }
  if (op === transpose) {
    const { perm } = attrs as { readonly perm: readonly number[] };
    return { value: x, axes: x.type.shape.map((_, axis) => axes[perm.indexOf(axis)] ?? -1) };
  }
  return op === reshape ? throughUnitAxes(x, axes, (attrs as { readonly type: Value["type"] }).type.shape) : null;
};

/** A reshape that adds or drops axes of size 1. A dropped axis belongs nowhere (-1), which a size of 1 may. */
const throughUnitAxes = (x: Value, axes: readonly number[], shape: readonly number[]): View | null => {
  const wide = (sizes: readonly number[]): number[] => sizes.flatMap((size, i) => (size === 1 ? [] : [i]));
  const [before, after] = [wide(x.type.shape), wide(shape)];
  const same = before.length === after.length && before.every((i, k) => x.type.shape[i] === shape[after[k] ?? -1]);
  if (!same) return null;
  const result = x.type.shape.map(() => -1);
  before.forEach((i, k) => (result[i] = axes[after[k] ?? -1] ?? -1));
  return { value: x, axes: result };
};

/** What is seen as a tensor with the axes `order` of the scores, in that order, as `type` has them: axes that the view
 *  lacks are new, with the size `type` gives them. */
export const materialize = (b: Builder, view: View, order: readonly number[], type: Value["type"]): Value => {
  const used = view.axes.flatMap((axis, i) => (axis >= 0 && view.value.type.shape[i] !== 1 ? [i] : []));
  const squeezed = used.length === view.axes.length ? view.value : b.one(reshape, [view.value], { type: picked(view.value, used) });
  const places = used.map((i) => order.indexOf(view.axes[i] ?? -1));
  const perm = places.map((_, i) => i).sort((i, j) => (places[i] ?? 0) - (places[j] ?? 0));
  const sorted = perm.every((axis, i) => axis === i) ? squeezed : b.one(transpose, [squeezed], { perm });
  const axes = [...places].sort((i, j) => i - j);
  return axes.length === order.length ? sorted : b.one(broadcast, [sorted], { axes, type: { ...type, dtype: view.value.type.dtype } });
};

const picked = ({ type }: Value, axes: readonly number[]): Value["type"] => ({
  dtype: type.dtype,
  shape: axes.map((i) => type.shape[i] ?? 1),
  dims: axes.map((i) => type.dims[i] ?? poly.ONE),
});
