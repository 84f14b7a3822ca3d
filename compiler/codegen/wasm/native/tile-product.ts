/** @file C (+)= A B where every stride is a constant: one pointer a matrix, the rest in the immediates of loads and stores, so that
 *  the register tile of 4 × 8 (gemm.ts) leaves nothing but loads, products and sums in its loop. It reaches the speed of a
 *  loop in registers alone, A and B being in the second-level cache or nearer; it needs no packed A, and B's rows may be
 *  anywhere at one stride. */

import { FunctionBuilder } from "../builder.ts";
import type { WasmFunction } from "../module.ts";

const TILE_ROWS = 4;
const VECTORS = 2;
const VECTOR = 16;
const FLOAT = 4;

/** Bytes between neighbours. */
export interface TileStrides {
  /** Rows of A. */
  readonly aRow: number;
  /** Steps of the depth in A: FLOAT where its rows are rows in memory, its rows' stride where A lies transposed (then aRow is FLOAT). */
  readonly aStep: number;
  /** Steps of the depth in B, each with eight neighbouring columns. */
  readonly bStep: number;
  /** Panels of eight columns in B: 32 where B's rows are rows in memory. */
  readonly bPanel: number;
  readonly cRow: number;
}

/** A as rows of `stride` bytes, or as columns. */
export const rowsOf = (stride: number): Pick<TileStrides, "aRow" | "aStep"> => ({ aRow: stride, aStep: FLOAT });
export const columnsOf = (stride: number): Pick<TileStrides, "aRow" | "aStep"> => ({ aRow: FLOAT, aStep: stride });

/** tile_product(a, b, c, panels, tiles, depth): `panels` times eight columns and `tiles` times four rows of C, all three counts
 *  at least 1. `add`: to what C holds. An element's additions follow the depth whatever the counts are. */
export const tileProduct = (strides: TileStrides, add: boolean): WasmFunction => {
  const { aRow, aStep, bStep, bPanel, cRow } = strides;
  const names = ["a", "b", "c", "panels", "tiles", "depth"];
  const f = new FunctionBuilder(`tile_product_${[aRow, aStep, bStep, bPanel, cRow].join("_")}${add ? "_add" : ""}`, names.map((name) => ({ name, type: "i32" })));
  const [a, b, c, panels, tiles, depth] = names.map((name) => f.parameter(name)) as [number, number, number, number, number, number];
  const sums = f.locals("v128", "sum", TILE_ROWS * VECTORS);
  const columns = f.locals("v128", "b_", VECTORS);
  const element = f.local("v128", "a_");
  const [aTile, cTile, tile, source, at, end] = f.locals("i32", "at", 6) as [number, number, number, number, number, number];
  const place = (i: number): number => Math.floor(i / VECTORS) * cRow + (i % VECTORS) * VECTOR;
  f.block("loop", () => {
    f.get(b).get(depth).i32(bStep).op("i32.mul").op("i32.add").set(end);
    f.get(a).set(aTile).get(c).set(cTile).get(tiles).set(tile);
    f.block("loop", () => {
      sums.forEach((sum, i) => (add ? f.get(cTile).op("v128.load", 2, place(i)) : f.splat(0)).set(sum));
      f.get(aTile).set(source).get(b).set(at);
      f.block("loop", () => {
        columns.forEach((column, v) => f.get(at).op("v128.load", 2, v * VECTOR).set(column));
        for (let r = 0; r < TILE_ROWS; r++) {
          f.get(source).op("v128.load32_splat", 2, r * aRow).set(element);
          columns.forEach((column, v) => {
            const sum = sums[r * VECTORS + v] ?? 0;
            f.get(sum).get(element).get(column).op("f32x4.mul").op("f32x4.add").set(sum);
          });
        }
        f.advance(source, aStep).advance(at, bStep).get(at).get(end).op("i32.lt_u").op("br_if", 0);
      });
      sums.forEach((sum, i) => f.get(cTile).get(sum).op("v128.store", 2, place(i)));
      f.advance(aTile, TILE_ROWS * aRow).advance(cTile, TILE_ROWS * cRow).advance(tile, -1).get(tile).op("br_if", 0);
    });
    f.advance(b, bPanel).advance(c, VECTORS * VECTOR).advance(panels, -1).get(panels).op("br_if", 0);
  });
  return f.finish(false);
};
