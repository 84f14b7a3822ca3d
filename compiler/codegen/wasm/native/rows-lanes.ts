/** @file Rows of a matrix as lanes of [column][8 rows], and back. A group of rows that ends beyond the last one repeats that: its
 *  lanes compute, and write to one place, the same bits. */

import { FunctionBuilder } from "../builder.ts";
import type { LocalIndex } from "../builder.ts";
import { bits, choose, f32, keep, shuffle } from "../math-lanes.ts";
import type { Lanes } from "../math-lanes.ts";
import { log } from "../math-log.ts";
import type { WasmFunction } from "../module.ts";
import { FLOAT, LANE_BYTES, LANES } from "./rows-product.ts";

/** `rows` rows of `width` neighbours. */
export interface RowMatrix {
  readonly rows: number;
  readonly width: number;
}

/** Index of lane `lane` of the group that starts at row `first`. */
export const rowOf = (f: FunctionBuilder, first: LocalIndex, lane: number, rows: number): void => {
  f.get(first).i32(lane).op("i32.add");
  if (rows % LANES === 0) return;
  const index = f.local("i32", "row");
  f.tee(index).i32(rows - 1).get(index).i32(rows - 1).op("i32.lt_s").op("select");
};

/** The same of four lanes from `lane` on, as four i32. */
export const rowsOf = (f: FunctionBuilder, first: LocalIndex, lane: number, rows: number): Lanes => {
  const bytes = new Uint8Array(Int32Array.of(lane, lane + 1, lane + 2, lane + 3).buffer);
  f.get(first).op("i32x4.splat").op("v128.const", ...bytes).op("i32x4.add");
  if (rows % LANES !== 0) f.splatBits(rows - 1).op("i32x4.min_s");
  const local = f.local("v128", "rows");
  f.set(local);
  return (g) => void g.get(local);
};

/** Where the rows of the eight lanes start, in bytes. */
export const rowPointers = (f: FunctionBuilder, base: LocalIndex, first: LocalIndex, { rows, width }: RowMatrix): readonly LocalIndex[] =>
  Array.from({ length: LANES }, (_, lane) => {
    const pointer = f.local("i32", "row_at");
    f.get(base);
    rowOf(f, first, lane, rows);
    f.i32(width * FLOAT).op("i32.mul").op("i32.add").set(pointer);
    return pointer;
  });

/** Four vectors as columns of what they are rows of. */
const transposed = (f: FunctionBuilder, [a, b, c, d]: readonly [Lanes, Lanes, Lanes, Lanes]): readonly Lanes[] => {
  const [low, low2, high, high2] = [
    keep(f, "half", shuffle(a, b, [0, 4, 1, 5])), keep(f, "half", shuffle(c, d, [0, 4, 1, 5])),
    keep(f, "half", shuffle(a, b, [2, 6, 3, 7])), keep(f, "half", shuffle(c, d, [2, 6, 3, 7])),
  ];
  return [shuffle(low, low2, [0, 1, 4, 5]), shuffle(low, low2, [2, 3, 6, 7]), shuffle(high, high2, [0, 1, 4, 5]), shuffle(high, high2, [2, 3, 6, 7])];
};

const loaded = (f: FunctionBuilder, pointer: LocalIndex, byte: number): Lanes => keep(f, "four", (g) => void g.get(pointer).op("v128.load", 2, byte));

const fourOf = (lanes: readonly Lanes[]): readonly [Lanes, Lanes, Lanes, Lanes] => lanes as readonly [Lanes, Lanes, Lanes, Lanes];

/** for (column = 0; …) in steps of four as far as they go, then single ones. */
const eachColumn = (f: FunctionBuilder, width: number, four: () => void, one: () => void): void => {
  const column = f.local("i32", "column");
  if (width >= 4) f.repeat(column, width - 3, 4, four);
  if (width % 4 > 0) f.repeat(column, width % 4, 1, one);
};

/** rows_in(to, from, first): to[column][lane] = scale · from[first + lane][column]. */
export const rowsIn = (matrix: RowMatrix, scale: number): WasmFunction => {
  const names = ["to", "from", "first"];
  const f = new FunctionBuilder(`rows_in_${matrix.rows}_${matrix.width}_${new Uint32Array(Float32Array.of(scale).buffer)[0] ?? 0}`, names.map((name) => ({ name, type: "i32" })));
  const [to, from, first] = names.map((name) => f.parameter(name)) as [number, number, number];
  const pointers = rowPointers(f, from, first, matrix);
  const step = (columns: number): void => {
    f.advance(to, columns * LANE_BYTES);
    for (const pointer of pointers) f.advance(pointer, columns * FLOAT);
  };
  const four = (): void => {
    for (const half of [0, 4])
      transposed(f, fourOf(pointers.slice(half, half + 4).map((pointer) => loaded(f, pointer, 0)))).forEach((column, t) => {
        f.get(to);
        f32.mul(column, f32.of(scale))(f);
        f.op("v128.store", 2, t * LANE_BYTES + half * FLOAT);
      });
    step(4);
  };
  eachColumn(f, matrix.width, four, () => {
    pointers.forEach((pointer, lane) => f.get(to).get(pointer).op("f32.load", 2, 0).f32(scale).op("f32.mul").op("f32.store", 2, lane * FLOAT));
    step(1);
  });
  return f.finish(false);
};

const LN2 = Math.LN2;

/** rows_out(from, sums, o, lse, first): from is [column][lane]; `sums` the largest score of each lane (in bits), then the total of powers.
 *  o[first + lane][column] = from / total, lse[first + lane] = largest ln 2 + log total; both 0 where the total is. */
export const rowsOut = (matrix: RowMatrix): WasmFunction => {
  const names = ["from", "sums", "o", "lse", "first"];
  const f = new FunctionBuilder(`rows_out_${matrix.rows}_${matrix.width}`, names.map((name) => ({ name, type: "i32" })));
  const [from, sums, o, lse, first] = names.map((name) => f.parameter(name)) as [number, number, number, number, number];
  const pointers = rowPointers(f, o, first, matrix);
  const inverses = [0, 4].map((half) => {
    const total = loaded(f, sums, LANE_BYTES + half * FLOAT);
    const none = keep(f, "none", f32.eq(total, f32.of(0)));
    const value = keep(f, "lse_", bits.andNot(f32.add(f32.mul(loaded(f, sums, half * FLOAT), f32.of(LN2)), log(f, total)), none));
    for (let lane = 0; lane < 4; lane++) {
      f.get(lse);
      rowOf(f, first, half + lane, matrix.rows);
      f.i32(FLOAT).op("i32.mul").op("i32.add");
      value(f);
      f.op("f32x4.extract_lane", lane).op("f32.store", 2, 0);
    }
    return keep(f, "inverse", f32.div(f32.of(1), choose(none, f32.of(1), total)));
  });
  const step = (columns: number): void => {
    f.advance(from, columns * LANE_BYTES);
    for (const pointer of pointers) f.advance(pointer, columns * FLOAT);
  };
  const four = (): void => {
    [0, 4].forEach((half, i) => {
      const columns = [0, 1, 2, 3].map((t) => keep(f, "column", f32.mul(loaded(f, from, t * LANE_BYTES + half * FLOAT), inverses[i] ?? f32.of(1))));
      transposed(f, fourOf(columns)).forEach((row, lane) => {
        f.get(pointers[half + lane] ?? 0);
        row(f);
        f.op("v128.store", 2, 0);
      });
    });
    step(4);
  };
  const one = (): void => {
    [0, 4].forEach((half, i) => {
      const column = keep(f, "column", f32.mul(loaded(f, from, half * FLOAT), inverses[i] ?? f32.of(1)));
      for (let lane = 0; lane < 4; lane++) {
        f.get(pointers[half + lane] ?? 0);
        column(f);
        f.op("f32x4.extract_lane", lane).op("f32.store", 2, 0);
      }
    });
    step(1);
  };
  eachColumn(f, matrix.width, four, one);
  return f.finish(false);
};
