/** @file The product C = A B on packed panels, four rows by eight columns in registers (Goto and van de Geijn, "Anatomy of
 *  high-performance matrix multiplication", 2008, with the micro-kernel at 128-bit vectors: eight accumulators, two vectors
 *  of B and one element of A at a time leave five of sixteen registers free, so nothing is spilled).
 *
 *      A block   [rows / 4][depth][4]      B panel   [depth][8]      C   row-major, any row stride
 *
 *  The functions here work on one block of A (rows × depth, in the second-level cache) and one panel of B (depth × 8, in the
 *  first); `product.ts` cuts a whole contraction into them. Pointers and strides are bytes. */

import { FunctionBuilder } from "./builder.ts";
import type { LocalIndex } from "./builder.ts";
import type { Local, WasmFunction } from "./module.ts";

export const TILE_ROWS = 4;
export const TILE_COLUMNS = 8;
const VECTORS = TILE_COLUMNS / 4;
const FLOAT = 4;

const i32 = (name: string): Local => ({ name, type: "i32" });

/** gemm_tile(a, b, c, depth, stride, start): C tile (+)= A tile · B panel; `start` 0 adds to what C holds. */
export const gemmTile = (): WasmFunction => {
  const f = new FunctionBuilder("gemm_tile", [i32("a"), i32("b"), i32("c"), i32("depth"), i32("stride"), i32("start")]);
  const [a, b, c, depth, stride, start] = ["a", "b", "c", "depth", "stride", "start"].map((name) => f.parameter(name)) as [number, number, number, number, number, number];
  const sums = f.locals("v128", "sum", TILE_ROWS * VECTORS);
  const columns = f.locals("v128", "b_", VECTORS);
  const element = f.local("v128", "a_");
  const row = f.local("i32", "row");
  const sum = (r: number, v: number): LocalIndex => sums[r * VECTORS + v] ?? 0;
  const eachRow = (body: (r: number, v: number) => void): void => {
    f.get(c).set(row);
    for (let r = 0; r < TILE_ROWS; r++) {
      for (let v = 0; v < VECTORS; v++) body(r, v);
      if (r + 1 < TILE_ROWS) f.get(row).get(stride).op("i32.add").set(row);
    }
  };
  f.get(start).op("i32.eqz");
  f.block("if", () => eachRow((r, v) => f.get(row).op("v128.load", 2, 16 * v).set(sum(r, v))));
  const turn = (at: number): void => {
    columns.forEach((column, v) => f.get(b).op("v128.load", 2, at * TILE_COLUMNS * FLOAT + 16 * v).set(column));
    for (let r = 0; r < TILE_ROWS; r++) {
      f.get(a).op("v128.load32_splat", 2, (at * TILE_ROWS + r) * FLOAT).set(element);
      columns.forEach((column, v) => f.get(sum(r, v)).get(element).get(column).op("f32x4.mul").op("f32x4.add").set(sum(r, v)));
    }
  };
  const loop = (unroll: number): void => {
    f.block("block", () => {
      f.block("loop", () => {
        f.get(depth).i32(unroll).op("i32.lt_s").op("br_if", 1);
        for (let at = 0; at < unroll; at++) turn(at);
        f.advance(a, unroll * TILE_ROWS * FLOAT).advance(b, unroll * TILE_COLUMNS * FLOAT).advance(depth, -unroll).op("br", 0);
      });
    });
  };
  loop(4);
  loop(1);
  eachRow((r, v) => f.get(row).get(sum(r, v)).op("v128.store", 2, 16 * v));
  return f.finish(true);
};
