/** @file Loops over row-major data that reference evaluation shares. Every movement of data is one list of offsets: where
 *  each element of a shape, taken in row-major order, lies in another array. */

import type { Data, TensorType } from "./core.ts";
import { InternalError } from "./diagnostic.ts";
import { elements } from "./types.ts";

/** `list[i]`, which must exist (infer has checked the counts). */
export const at = <T>(list: readonly T[], i: number): T => {
  const item = list[i];
  if (item === undefined) throw new InternalError(`no element ${i} in a list of ${list.length}`);
  return item;
};

export const empty = (type: TensorType): Data => new Float64Array(elements(type));

interface Operands {
  readonly operands: readonly Data[];
}

export const mapOne = ({ operands }: Operands, f: (x: number) => number): Data => {
  const x = at(operands, 0);
  const out = new Float64Array(x.length);
  for (let i = 0; i < out.length; i++) out[i] = f(x[i] ?? Number.NaN);
  return out;
};

export const mapTwo = ({ operands }: Operands, f: (a: number, b: number) => number): Data => {
  const a = at(operands, 0);
  const b = at(operands, 1);
  const out = new Float64Array(a.length);
  for (let i = 0; i < out.length; i++) out[i] = f(a[i] ?? Number.NaN, b[i] ?? Number.NaN);
  return out;
};

/** offset[i] = start + sum over axes of index * stride, for every index of `shape` in row-major order. */
export const offsets = (shape: readonly number[], strides: readonly number[], start = 0): Int32Array => {
  let known = Int32Array.of(start);
  shape.forEach((size, axis) => {
    const stride = strides[axis] ?? 0;
    const next = new Int32Array(known.length * size);
    for (let i = 0, o = 0; i < known.length; i++) {
      let offset = known[i] ?? 0;
      for (let j = 0; j < size; j++, offset += stride) next[o++] = offset;
    }
    known = next;
  });
  return known;
};

/** out[i] = x[from[i]] */
export const pick = (x: Data, from: Int32Array): Data => {
  const out = new Float64Array(from.length);
  for (let i = 0; i < out.length; i++) out[i] = x[from[i] ?? 0] ?? Number.NaN;
  return out;
};

/** out[to[i]] = x[i] */
export const place = (out: Data, x: Data, to: Int32Array): void => {
  for (let i = 0; i < x.length; i++) out[to[i] ?? 0] = x[i] ?? Number.NaN;
};
