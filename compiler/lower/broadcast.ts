/** @file Makes broadcasting explicit: every operand is brought to the shape it is used in. */

import type { Builder } from "../../ir/builder.ts";
import type { TensorType, Value } from "../../ir/core.ts";
import * as ops from "../../ir/ops/index.ts";
import * as poly from "../../ir/poly.ts";
import { sameShape } from "../../ir/types.ts";

/** `value` stretched to `to`, trailing axes aligned. Axes of size 1 that are stretched are dropped first. */
export const broadcastTo = (b: Builder, value: Value, to: TensorType): Value => {
  const { type } = value;
  if (sameShape(type, to)) return value;
  const offset = to.shape.length - type.shape.length;
  const kept = type.shape.map((_, i) => i).filter((i) => type.shape[i] === to.shape[i + offset]);
  const target: TensorType = { ...to, dtype: type.dtype };
  const narrow = kept.length === type.shape.length ? value : reshapeTo(b, value, pickAxes(type, kept));
  const axes = kept.map((i) => i + offset);
  return b.one(ops.broadcast, [narrow], { axes, type: target });
};

export const reshapeTo = (b: Builder, value: Value, type: TensorType): Value =>
  sameShape(value.type, type) ? value : b.one(ops.reshape, [value], { type: { ...type, dtype: value.type.dtype } });

const pickAxes = (type: TensorType, axes: readonly number[]): TensorType => ({
  dtype: type.dtype,
  shape: axes.map((i) => type.shape[i] ?? 1),
  dims: axes.map((i) => type.dims[i] ?? poly.ONE),
});
