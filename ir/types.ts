/** @file Small facts about tensor types that ops, passes and printers share. */

import type { DType, TensorType } from "./core.ts";
import { BYTES_PER_ELEMENT } from "./core.ts";
import * as poly from "./poly.ts";
import type { Poly } from "./poly.ts";

/** A type; without `dims` every axis is spelled by its size. */
export const tensor = (dtype: DType, shape: readonly number[], dims?: readonly Poly[]): TensorType => ({
  dtype,
  shape,
  dims: dims ?? shape.map(poly.constant),
});

/** A type whose axes have plain names: `named("f32", [["T", 4], ["D", 8]])`. */
export const named = (dtype: DType, axes: readonly (readonly [name: string, size: number])[]): TensorType => ({
  dtype,
  shape: axes.map(([, size]) => size),
  dims: axes.map(([name]) => poly.symbol(name)),
});

export const scalar = (dtype: DType): TensorType => tensor(dtype, []);

export const rank = (t: TensorType): number => t.shape.length;

export const elements = ({ shape }: TensorType): number => {
  let product = 1;
  for (const size of shape) product *= size;
  return product;
};

/** Number of elements as a polynomial in the dimension names. */
export const volume = (t: TensorType): Poly => poly.mul(...t.dims);

export const bytesOf = (t: TensorType): Poly => poly.scale(volume(t), BYTES_PER_ELEMENT);

export const sameShape = ({ shape: a }: TensorType, { shape: b }: TensorType): boolean => {
  if (a === b) return true;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return a.length === b.length;
};

export const sameType = (a: TensorType, b: TensorType): boolean => a.dtype === b.dtype && sameShape(a, b);

/** Same dtype, shape and spelling of every axis. */
export const identicalType = (a: TensorType, b: TensorType): boolean =>
  sameType(a, b) && a.dims.every((dim, i) => poly.equal(dim, b.dims[i] ?? poly.ZERO));

export const withDType = (t: TensorType, dtype: DType): TensorType => (t.dtype === dtype ? t : { ...t, dtype });

export const isFloat = (t: TensorType): boolean => t.dtype === "f32";

/** Keeps the axes for which `keep` holds. */
export const filterAxes = (t: TensorType, keep: (axis: number) => boolean): TensorType => ({
  dtype: t.dtype,
  shape: t.shape.filter((_, i) => keep(i)),
  dims: t.dims.filter((_, i) => keep(i)),
});

/** Row-major strides, in elements. */
export const strides = (shape: readonly number[]): readonly number[] => {
  const out = new Array<number>(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) out[i] = (out[i + 1] ?? 1) * (shape[i + 1] ?? 1);
  return out;
};

/** `[B=1, T=512, 64]`: names where they say more than the size. */
export const describe = (t: TensorType): string =>
  `${t.dtype}[${t.shape.map((size, i) => describeAxis(size, t.dims[i] ?? poly.constant(size))).join(", ")}]`;

const describeAxis = (size: number, dim: Poly): string => (poly.isConstant(dim) ? `${size}` : `${poly.print(dim)}=${size}`);
