/** @file The float64 matrix product of reference evaluation. Whole models are interpreted in tests, so it is not naive: a
 *  tile of two rows by four terms makes sixteen operations of six loads, over panels of b that stay in the cache. */

import type { Data } from "./core.ts";

export interface Extents {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** Terms in a panel; a multiple of the four terms of a tile. */
const PANEL = 64;

/** c[z] (m x n) = a[z] (m x k) b[z] (k x n), row-major, for every z of the batch. */
export const multiply = (a: Data, b: Data, { batch, m, n, k }: Extents): Data => {
  const c = new Float64Array(batch * m * n);
  for (let z = 0; z < batch; z++) {
    const [az, bz, cz] = [matrix(a, z, m * k), matrix(b, z, k * n), matrix(c, z, m * n)];
    for (let from = 0; from < k; from += PANEL) {
      const to = Math.min(k, from + PANEL);
      const tiled = from + 4 * Math.floor((to - from) / 4);
      for (let i = 0; i + 1 < m; i += 2) addTiles(cz, az, bz, i, from, tiled, n, k);
      if (m % 2 === 1) addRow(cz, az, bz, m - 1, from, tiled, n, k);
      for (let i = 0; i < m && tiled < to; i++) addRow(cz, az, bz, i, tiled, to, n, k);
    }
  }
  return c;
};

const matrix = (x: Data, z: number, size: number): Data => x.subarray(z * size, (z + 1) * size);

/** c[i, j] += sum of a[i, l] b[l, j], and the same for row i + 1, over from <= l < to, four terms at a time. */
const addTiles = (c: Data, a: Data, b: Data, i: number, from: number, to: number, n: number, k: number): void => {
  const [c0, c1] = [i * n, i * n + n];
  for (let l = from; l < to; l += 4) {
    const [p, q] = [i * k + l, i * k + k + l];
    const [p0, p1, p2, p3] = [a[p]!, a[p + 1]!, a[p + 2]!, a[p + 3]!];
    const [q0, q1, q2, q3] = [a[q]!, a[q + 1]!, a[q + 2]!, a[q + 3]!];
    const b0 = l * n;
    const b1 = b0 + n;
    const b2 = b1 + n;
    const b3 = b2 + n;
    for (let j = 0; j < n; j++) {
      const x0 = b[b0 + j]!;
      const x1 = b[b1 + j]!;
      const x2 = b[b2 + j]!;
      const x3 = b[b3 + j]!;
      c[c0 + j]! += p0 * x0 + p1 * x1 + p2 * x2 + p3 * x3;
      c[c1 + j]! += q0 * x0 + q1 * x1 + q2 * x2 + q3 * x3;
    }
  }
};

/** c[i, j] += sum of a[i, l] b[l, j] over from <= l < to. */
const addRow = (c: Data, a: Data, b: Data, i: number, from: number, to: number, n: number, k: number): void => {
  for (let l = from; l < to; l++) {
    const scale = a[i * k + l]!;
    for (let j = 0; j < n; j++) c[i * n + j]! += scale * b[l * n + j]!;
  }
};
