/** @file Products of which the rows are lanes: eight query rows side by side, so that softmax never adds across a vector.
 *
 *      C[x][8 rows] (+)= sum over t of A[x][t] · B[t][8 rows]        x: keys of the scores, columns of v of the output
 *
 *  A is read where it lies (k row by row, v column by column), only B and C have the form [index][8]. The tile is that of
 *  `gemm.ts`: four x by eight rows, eight accumulators, one turn a step of t. */

import { FunctionBuilder } from "../builder.ts";
import type { WasmFunction } from "../module.ts";

/** Query rows that are computed side by side: two vectors. */
export const LANES = 8;
export const FLOAT = 4;
/** Bytes from one index to the next in B and C. */
export const LANE_BYTES = LANES * FLOAT;
export const TILE = 4;
const VECTORS = LANES / 4;

/** Bytes in A from one x to the next, and from one t to the next. */
export interface Factor {
  readonly across: number;
  readonly along: number;
}

/** rows_product(a, b, c, tiles, depth[, top]): `tiles` tiles of `size` x, both counts at least 1.
 *  "fresh": writes C, and raises the eight numbers at `top` to the largest of each row. "sum": adds to C. */
export const rowsProduct = (size: 1 | typeof TILE, { across, along }: Factor, into: "fresh" | "sum"): WasmFunction => {
  const names = ["a", "b", "c", "tiles", "depth", ...(into === "fresh" ? ["top"] : [])];
  const f = new FunctionBuilder(`rows_product_${size}_${across}_${along}_${into}`, names.map((name) => ({ name, type: "i32" })));
  const [a, b, c, tiles, depth] = names.map((name) => f.parameter(name)) as [number, number, number, number, number];
  const sums = f.locals("v128", "sum", size * VECTORS);
  const columns = f.locals("v128", "b_", VECTORS);
  const element = f.local("v128", "a_");
  const [at, end, source] = f.locals("i32", "at", 3) as [number, number, number];
  f.get(b).get(depth).i32(LANE_BYTES).op("i32.mul").op("i32.add").set(end);
  f.block("loop", () => {
    for (const sum of sums) f.splat(0).set(sum);
    f.get(b).set(at).get(a).set(source);
    f.block("loop", () => {
      columns.forEach((column, v) => f.get(at).op("v128.load", 2, 16 * v).set(column));
      for (let x = 0; x < size; x++) {
        f.get(source).op("v128.load32_splat", 2, x * across).set(element);
        columns.forEach((column, v) => {
          const sum = sums[x * VECTORS + v] ?? 0;
          f.get(sum).get(element).get(column).op("f32x4.mul").op("f32x4.add").set(sum);
        });
      }
      f.advance(source, along).advance(at, LANE_BYTES).get(at).get(end).op("i32.lt_u").op("br_if", 0);
    });
    if (into === "fresh") {
      const top = f.parameter("top");
      columns.forEach((column, v) => {
        f.get(top).op("v128.load", 2, 16 * v).set(column);
        for (let x = 0; x < size; x++) f.get(column).get(sums[x * VECTORS + v] ?? 0).op("f32x4.pmax").set(column);
        f.get(top).get(column).op("v128.store", 2, 16 * v);
      });
    }
    sums.forEach((sum, i) => {
      f.get(c);
      if (into === "sum") f.get(c).op("v128.load", 2, 16 * i).get(sum).op("f32x4.add");
      else f.get(sum);
      f.op("v128.store", 2, 16 * i);
    });
    f.advance(a, size * across).advance(c, size * LANE_BYTES).advance(tiles, -1).get(tiles).op("br_if", 0);
  });
  return f.finish(false);
};
