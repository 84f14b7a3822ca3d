/** @file The first elements of a tensor along every axis. */

import type { HostTensor } from "../../runtime/abi.ts";

/** `tensor[:shape[0], :shape[1], …]`; the tensor itself where the shape is its own. */
export const leading = (tensor: HostTensor, shape: readonly number[]): HostTensor => {
  if (shape.every((size, axis) => size === tensor.shape[axis])) return tensor;
  const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
  for (let at = 0; at < data.length; at++) {
    let [rest, index, stride] = [at, 0, 1];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const size = shape[axis] ?? 1;
      index += (rest % size) * stride;
      rest = Math.floor(rest / size);
      stride *= tensor.shape[axis] ?? 1;
    }
    data[at] = Number(tensor.data[index]);
  }
  return { dtype: "F32", shape, data };
};
