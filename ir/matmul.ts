/** @file The float64 matrix product of reference evaluation. Whole models are interpreted in tests, so it is not naive. */

import type { Data } from "./core.ts";

export interface Extents {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** c[z] (m x n) = a[z] (m x k) b[z] (k x n), row-major, for every z of the batch. */
export const multiply = (a: Data, b: Data, { batch, m, n, k }: Extents): Data => {
  const c = new Float64Array(batch * m * n);
  for (let z = 0; z < batch; z++)
    for (let i = 0; i < m; i++) {
      const row = (z * m + i) * k;
      if (n === 1) c[z * m + i] = dot(a, row, b, z * k, k);
      else accumulateRow(c, (z * m + i) * n, a, row, b, z * k * n, n, k);
    }
  return c;
};

const dot = (a: Data, fromA: number, b: Data, fromB: number, count: number): number => {
  let sum = 0;
  for (let l = 0; l < count; l++) sum += a[fromA + l]! * b[fromB + l]!;
  return sum;
};

/** c[j] += sum over l of a[l] b[l, j], four rows of b at a time: one load and store of c serves four products. */
const accumulateRow = (
  c: Data, fromC: number, a: Data, fromA: number, b: Data, fromB: number, n: number, k: number,
): void => {
  let l = 0;
  for (; l + 4 <= k; l += 4) {
    const [a0, a1, a2, a3] = [a[fromA + l]!, a[fromA + l + 1]!, a[fromA + l + 2]!, a[fromA + l + 3]!];
    const b0 = fromB + l * n;
    const b1 = b0 + n;
    const b2 = b1 + n;
    const b3 = b2 + n;
    for (let j = 0; j < n; j++) c[fromC + j]! += a0 * b[b0 + j]! + a1 * b[b1 + j]! + a2 * b[b2 + j]! + a3 * b[b3 + j]!;
  }
  for (; l < k; l++) {
    const scale = a[fromA + l]!;
    for (let j = 0; j < n; j++) c[fromC + j]! += scale * b[fromB + l * n + j]!;
  }
};
