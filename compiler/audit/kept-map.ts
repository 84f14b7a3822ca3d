/** @file Where one head keeps entries: the probabilities min(1, c W_ij), averaged over cells of a coarse grid. */

import type { Site } from "./probe.ts";
import { headView } from "./rows.ts";
import type { Captured } from "./rows.ts";

export interface KeptMap {
  readonly site: string;
  readonly head: number;
  readonly c: number;
  readonly queries: number;
  readonly keys: number;
  /** Mean probability of being kept, in thousandths; null where the mask allows nothing. Rows are queries. */
  readonly cells: readonly (readonly (number | null)[])[];
}

/** @param cells largest number of cells along an axis. */
export const keptMap = (site: Site, captured: Captured, head: number, c: number, cells: number): KeptMap => {
  const { N, M } = site.sizes;
  const [rows, columns] = [Math.min(cells, N), Math.min(cells, M)];
  const [sums, counts] = [new Float64Array(rows * columns), new Int32Array(rows * columns)];
  headView(site, captured, 0, head).forEachRow(({ i, count, keys, weights }) => {
    const row = Math.floor((i * rows) / N) * columns;
    for (let n = 0; n < count; n++) {
      const cell = row + Math.floor(((keys[n] as number) * columns) / M);
      sums[cell] = (sums[cell] as number) + Math.min(1, c * (weights[n] as number));
      counts[cell] = (counts[cell] as number) + 1;
    }
  });
  const valueOf = (cell: number): number | null => (counts[cell] === 0 ? null : Math.round((1000 * (sums[cell] as number)) / (counts[cell] as number)));
  return {
    site: site.name,
    head,
    c,
    queries: N,
    keys: M,
    cells: Array.from({ length: rows }, (_, row) => Array.from({ length: columns }, (_, column) => valueOf(row * columns + column))),
  };
};
