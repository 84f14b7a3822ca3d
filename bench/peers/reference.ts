/** @file Causal attention and its gradient by loops in float64, one head: what every side is held against.
 *
 *  p_ij = exp(s_ij - max_j s_ij) / sum, s_ij = q_i · k_j / sqrt(width), j <= i;  out_i = sum_j p_ij v_j;
 *  dv_j = sum_i p_ij r_i,  ds_ij = p_ij (r_i · v_j - r_i · out_i) / sqrt(width),  dq_i = sum_j ds_ij k_j,  dk_j = sum_i ds_ij q_i. */

import type { Arrays, AttentionTask } from "./contract.ts";

export type Reference = Readonly<Record<"out" | "dq" | "dk" | "dv", Float64Array>>;

/** y += a x, and x · y, on rows that start at these places. */
const addScaled = (y: Float64Array, at: number, a: number, x: Float64Array, from: number, width: number): void => {
  for (let c = 0; c < width; c += 1) y[at + c] = (y[at + c] as number) + a * (x[from + c] as number);
};

const dot = (x: Float64Array, at: number, y: Float64Array, from: number, width: number): number => {
  let sum = 0;
  for (let c = 0; c < width; c += 1) sum += (x[at + c] as number) * (y[from + c] as number);
  return sum;
};

/** What head `head` of a task gives, every array [length, width]. */
export const attentionByLoops = ({ length, width }: AttentionTask, inputs: Arrays, head: number): Reference => {
  const size = length * width;
  const ofHead = (name: string): Float64Array => Float64Array.from((inputs[name] as Float32Array).subarray(head * size, (head + 1) * size));
  const [q, k, v, r] = ["q", "k", "v", "r"].map(ofHead) as [Float64Array, Float64Array, Float64Array, Float64Array];
  const [out, dq, dk, dv] = [0, 1, 2, 3].map(() => new Float64Array(size)) as [Float64Array, Float64Array, Float64Array, Float64Array];
  const p = new Float64Array(length);
  for (let row = 0; row < size; row += width) {
    const keys = row / width + 1;
    let top = Number.NEGATIVE_INFINITY;
    for (let j = 0; j < keys; j += 1) top = Math.max(top, (p[j] = dot(q, row, k, j * width, width) / Math.sqrt(width)));
    let total = 0;
    for (let j = 0; j < keys; j += 1) total += p[j] = Math.exp((p[j] as number) - top);
    for (let j = 0; j < keys; j += 1) addScaled(out, row, (p[j] = (p[j] as number) / total), v, j * width, width);
    const along = dot(r, row, out, row, width);
    for (let j = 0; j < keys; j += 1) {
      const weight = p[j] as number;
      const ds = (weight * (dot(r, row, v, j * width, width) - along)) / Math.sqrt(width);
      addScaled(dv, j * width, weight, r, row, width);
      addScaled(dq, row, ds, k, j * width, width);
      addScaled(dk, j * width, ds, q, row, width);
    }
  }
  return { out, dq, dk, dv };
};

/** |actual - expected| / |expected|, in the Euclidean norm. */
export const relativeError = (actual: Float32Array, expected: Float64Array): number => {
  let [difference, size] = [0, 0];
  expected.forEach((value, i) => {
    difference += ((actual[i] ?? Number.NaN) - value) ** 2;
    size += value ** 2;
  });
  return Math.sqrt(difference / size);
};
