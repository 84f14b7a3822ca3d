/** @file Sugar for building operations: the few combinations that derivative rules and expansions write all the time. */

import type { Builder } from "../builder.ts";
import type { TensorType, Value } from "../core.ts";
import { filterAxes } from "../types.ts";
import { constant } from "./constant.ts";
import { mul } from "./elementwise.ts";
import { broadcast, reduceMax, reduceSum } from "./reduce.ts";

/** A tensor of `like`'s type with `value` everywhere. */
export const full = (b: Builder, value: number, like: TensorType): Value => b.one(constant, [], { value, type: like });

export const zeros = (b: Builder, like: TensorType): Value => full(b, 0, like);

/** factor x */
export const scaleBy = (b: Builder, x: Value, factor: number): Value =>
  factor === 1 ? x : b.one(mul, [x, full(b, factor, x.type)], {});

const allBut = (rank: number, axes: readonly number[]): readonly number[] =>
  Array.from({ length: rank }, (_, i) => i).filter((i) => !axes.includes(i));

/** x repeated along the `added` axes of `type`; its own axes are the others, in order (the inverse shape of a reduction). */
export const broadcastAlong = (b: Builder, x: Value, type: TensorType, added: readonly number[]): Value =>
  added.length === 0
    ? x
    : b.one(broadcast, [x], { axes: allBut(type.shape.length, added), type: { ...type, dtype: x.type.dtype } });

/** x aligned with the last axes of `type` and repeated along the axes before them. */
export const broadcastTo = (b: Builder, x: Value, type: TensorType): Value =>
  broadcastAlong(b, x, type, Array.from({ length: type.shape.length - x.type.shape.length }, (_, i) => i));

export const sumOver = (b: Builder, x: Value, axes: readonly number[]): Value =>
  axes.length === 0 ? x : b.one(reduceSum, [x], { axes });

/** The sum over `axes`, repeated along them: the shape of x again. */
export const sumAndBack = (b: Builder, x: Value, axes: readonly number[]): Value =>
  broadcastAlong(b, sumOver(b, x, axes), x.type, axes);

/** The maximum over `axes`, repeated along them: the shape of x again. */
export const maxAndBack = (b: Builder, x: Value, axes: readonly number[]): Value =>
  broadcastAlong(b, b.one(reduceMax, [x], { axes }), x.type, axes);

/** The type without `axes`. */
export const without = (type: TensorType, axes: readonly number[]): TensorType =>
  filterAxes(type, (axis) => !axes.includes(axis));
