/** @file The product C = A B on packed panels, a tile of it in registers (Goto and van de Geijn, "Anatomy of high-performance matrix
 *  multiplication", 2008, with the micro-kernel at 128-bit vectors). V8 gives fifteen registers, for the sums, the vectors of B, an
 *  element of A and the product of two: eight sums, or twelve where multiplication and addition are one instruction and the
 *  product needs none. The loop is not unrolled: V8 places all loads of a turn before its arithmetic, and two turns of them
 *  no longer fit the registers (a third of the speed is lost).
 *
 *      A block   [rows / tile][depth][tile]      B panel   [depth][tile]      C   rows of neighbours, each row anywhere
 *
 *  The functions here work on one block of A (rows × depth, in the second-level cache) and one panel of B (depth × tile, in the
 *  first); `product-code.ts` cuts a whole contraction into them. Pointers and offsets are bytes. */

import { FunctionBuilder } from "./builder.ts";
import type { LocalIndex } from "./builder.ts";
import type { Local, WasmFunction } from "./module.ts";

const FLOAT = 4;
const LANES = 4;

const i32 = (name: string): Local => ({ name, type: "i32" });

/** What is in registers, and whether a step is rounded once (`f32x4.relaxed_madd`) or twice. */
export interface Tile {
  readonly rows: 2 | 4 | 6;
  readonly columns: 8 | 16;
  readonly fused: boolean;
}

/** As fast as four rows of eight, and twice as fast as they are where V8 makes two vectors one of 256 bits. */
export const LONG: Tile = { rows: 2, columns: 16, fused: false };
export const SHORT: Tile = { rows: 4, columns: 8, fused: false };
export const FUSED: Tile = { rows: 6, columns: 8, fused: true };

/** Where a tile's elements of A for one step of the depth are: next to each other (as they are in a packed block), or in rows
 *  of their own. */
export type Rows = "together" | "apart";

/** gemm_panel(a, b, c, sources, targets, tiles, depth, step, start): for each tile of rows, C (+)= A tile · B panel.
 *  Row i of C is at c + targets[i], row i of A (of which only each tile's first counts where they are together) at a + sources[i],
 *  and A's next step of the depth `step` bytes on. `start` 0 adds to what C holds. The additions of an element follow the
 *  depth, whatever the tiles are. */
export const gemmPanel = (rows: Rows, tile: Tile): WasmFunction => {
  const names = ["a", "b", "c", "sources", "targets", "tiles", "depth", "step", "start"] as const;
  const f = new FunctionBuilder(nameOf("panel", rows, tile), names.map(i32));
  const p = parametersOf(f, names);
  const vectors = tile.columns / LANES;
  const sums = f.locals("v128", "sum", tile.rows * vectors);
  const columns = f.locals("v128", "b_", vectors);
  const element = f.local("v128", "a_");
  const targets = f.locals("i32", "c_", tile.rows);
  const sources = f.locals("i32", "source", rows === "together" ? 1 : tile.rows);
  const [at, end] = f.locals("i32", "at", 2) as [number, number];
  const sum = (r: number, v: number): LocalIndex => sums[r * vectors + v] ?? 0;
  const eachVector = (body: (target: LocalIndex, sum: LocalIndex, byte: number) => void): void =>
    targets.forEach((target, r) => columns.forEach((_, v) => body(target, sum(r, v), 16 * v)));
  const bytes = tile.columns * FLOAT;
  f.get(p.b).get(p.depth).i32(bytes).op("i32.mul").op("i32.add").set(end);
  f.block("loop", () => {
    targets.forEach((target, r) => f.get(p.c).get(p.targets).op("i32.load", 2, r * FLOAT).op("i32.add").set(target));
    sources.forEach((source, r) => f.get(p.a).get(p.sources).op("i32.load", 2, r * FLOAT).op("i32.add").set(source));
    f.get(p.start);
    f.block("if", () => eachVector((_target, s) => f.splat(0).set(s)), () => eachVector((target, s, byte) => f.get(target).op("v128.load", 2, byte).set(s)));
    f.get(p.b).set(at);
    f.block("loop", () => {
      columns.forEach((column, v) => f.get(at).op("v128.load", 2, 16 * v).set(column));
      for (let r = 0; r < tile.rows; r++) {
        f.get(sources[r] ?? sources[0] ?? 0).op("v128.load32_splat", 2, rows === "together" ? r * FLOAT : 0).set(element);
        columns.forEach((column, v) => addProduct(f, tile, sum(r, v), element, column));
      }
      for (const source of sources) f.get(source).get(p.step).op("i32.add").set(source);
      f.advance(at, bytes).get(at).get(end).op("i32.lt_u").op("br_if", 0);
    });
    eachVector((target, s, byte) => f.get(target).get(s).op("v128.store", 2, byte));
    f.advance(p.sources, tile.rows * FLOAT).advance(p.targets, tile.rows * FLOAT).advance(p.tiles, -1).get(p.tiles).op("br_if", 0);
  });
  return f.finish(false);
};

const nameOf = (part: string, rows: Rows, tile: Tile): string => `gemm_${part}_${rows}_${tile.rows}x${tile.columns}`;

/** sum += a · b */
const addProduct = (f: FunctionBuilder, { fused }: Tile, sum: LocalIndex, a: LocalIndex, b: LocalIndex): void => {
  if (fused) f.get(a).get(b).get(sum).op("f32x4.relaxed_madd").set(sum);
  else f.get(sum).get(a).get(b).op("f32x4.mul").op("f32x4.add").set(sum);
};

const parametersOf = <N extends string>(f: FunctionBuilder, names: readonly N[]): Readonly<Record<N, LocalIndex>> =>
  Object.fromEntries(names.map((name) => [name, f.parameter(name)])) as Readonly<Record<N, LocalIndex>>;

/** A tile's elements, and the places of its rows. */
export const edgeBytes = ({ rows, columns }: Tile): number => (columns + 1) * rows * FLOAT;

/** gemm_edge(a, b, c, sources, targets, columns, height, width, depth, step, start, tile): one tile of which only the first rows and columns
 *  exist, or whose columns are not neighbours: computed in `tile` (`edgeBytes` of scratch memory), copied element by element. */
export const gemmEdge = (rows: Rows, tile: Tile, panel: number): WasmFunction => {
  const names = ["a", "b", "c", "sources", "targets", "columns", "height", "width", "depth", "step", "start", "tile"] as const;
  const f = new FunctionBuilder(nameOf("edge", rows, tile), names.map(i32));
  const p = parametersOf(f, names);
  const [row, column] = f.locals("i32", "index", 2) as [number, number];
  const bytes = tile.columns * FLOAT;
  const table = tile.rows * bytes;
  for (let r = 0; r < tile.rows; r++) f.get(p.tile).i32(r * bytes).op("i32.store", 2, table + r * FLOAT);
  const inTile = (): FunctionBuilder =>
    f.get(p.tile).get(row).i32(tile.columns).op("i32.mul").get(column).op("i32.add").i32(FLOAT).op("i32.mul").op("i32.add");
  const entry = (base: LocalIndex, index: LocalIndex): FunctionBuilder => f.get(base).get(index).i32(FLOAT).op("i32.mul").op("i32.add").op("i32.load", 2, 0);
  const inResult = (): void => {
    f.get(p.c);
    entry(p.targets, row).op("i32.add");
    entry(p.columns, column).op("i32.add");
  };
  const each = (body: () => void): void => {
    f.i32(0).set(row);
    f.while(row, () => f.get(p.height), 1, () => {
      f.i32(0).set(column);
      f.while(column, () => f.get(p.width), 1, body);
    });
  };
  f.get(p.start).op("i32.eqz");
  f.block("if", () =>
    each(() => {
      inTile();
      inResult();
      f.op("f32.load", 2, 0).op("f32.store", 2, 0);
    }));
  f.get(p.a).get(p.b).get(p.tile).get(p.sources).get(p.tile).i32(table).op("i32.add").i32(1).get(p.depth).get(p.step).get(p.start).op("call", panel);
  each(() => {
    inResult();
    inTile().op("f32.load", 2, 0).op("f32.store", 2, 0);
  });
  return f.finish(false);
};
