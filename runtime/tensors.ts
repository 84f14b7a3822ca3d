/** @file Small constructors and facts about host tensors. */

import type { HostTensor } from "./abi.ts";

/** Number of elements: the product of the sizes, 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((count, size) => count * size, 1);
}

export function f32(shape: readonly number[], data: Float32Array | readonly number[]): HostTensor {
  return { dtype: "F32", shape, data: data instanceof Float32Array ? data : Float32Array.from(data) };
}

export function i32(shape: readonly number[], data: Int32Array | readonly number[]): HostTensor {
  return { dtype: "I32", shape, data: data instanceof Int32Array ? data : Int32Array.from(data) };
}

export function bool(shape: readonly number[], data: Uint8Array | readonly number[]): HostTensor {
  return { dtype: "BOOL", shape, data: data instanceof Uint8Array ? data : Uint8Array.from(data) };
}

export function scalar(value: number): HostTensor {
  return f32([], [value]);
}

/** The only element of a scalar (or of any tensor with one element). */
export function scalarValue(tensor: HostTensor): number {
  return Number(tensor.data[0]);
}

export function zeros(shape: readonly number[]): HostTensor {
  return f32(shape, new Float32Array(elementCount(shape)));
}
