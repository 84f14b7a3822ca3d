/** @file What kernels that fetch rows by index are made of: loops over the columns of a few rows at once, eight columns a turn, then
 *  four, then single ones, by one formula; and the sums of a counting sort. */

import type { FunctionBuilder, LocalIndex } from "../builder.ts";
import type { OpcodeName } from "../instructions.ts";

export const FLOAT = 4;
const LANES = 4;

/** How a turn moves columns between memory and lanes. */
export interface Turn {
  readonly load: OpcodeName;
  /** Where the vectors of columns of this turn are, in bytes from the pointers. */
  readonly vectors: readonly number[];
  /** Stores what `value` pushes at this offset from what `pointer` holds. */
  readonly store: (pointer: LocalIndex, byte: number, value: () => void) => void;
}

const turnOf = (f: FunctionBuilder, load: OpcodeName, vectors: number, storeAt: (byte: number) => void): Turn => ({
  load,
  vectors: Array.from({ length: vectors }, (_, i) => LANES * FLOAT * i),
  store: (pointer, byte, value) => {
    f.get(pointer);
    value();
    storeAt(byte);
  },
});

/** body for all `width` columns; `pointers` hold where the rows begin and move along them, `turns` counts. A single column has zeros in
 *  the other three lanes when it is loaded, and only the first lane is stored. */
export const eachColumn = (f: FunctionBuilder, width: number, pointers: readonly LocalIndex[], turns: LocalIndex, body: (turn: Turn) => void): void => {
  const whole = (byte: number): void => void f.op("v128.store", 2, byte);
  let left = width;
  const pass = (columns: number, turn: Turn): void => {
    const count = Math.floor(left / columns);
    left -= count * columns;
    const once = (): void => {
      body(turn);
      for (const pointer of pointers) f.advance(pointer, columns * FLOAT);
    };
    if (count === 1) once();
    if (count <= 1) return;
    f.i32(count).set(turns);
    f.block("loop", () => {
      once();
      f.get(turns).i32(1).op("i32.sub").tee(turns).op("br_if", 0);
    });
  };
  pass(2 * LANES, turnOf(f, "v128.load", 2, whole));
  pass(LANES, turnOf(f, "v128.load", 1, whole));
  pass(1, turnOf(f, "v128.load32_zero", 1, (byte) => void f.op("v128.store32_lane", 2, byte, 0)));
};

/** Bytes of a shuffle that picks these of the eight words of two vectors. */
export const words = (a: number, b: number, c: number, d: number): readonly number[] =>
  [a, b, c, d].flatMap((word) => [0, 1, 2, 3].map((byte) => FLOAT * word + byte));

/** Pushes the four sums of lanes of four vectors, (0 + 2) + (1 + 3) each; `low` and `high` are overwritten. */
export const laneSums = (f: FunctionBuilder, vectors: readonly LocalIndex[], low: LocalIndex, high: LocalIndex): void => {
  const [a = 0, b = a, c = a, d = a] = vectors;
  const pair = (x: LocalIndex, y: LocalIndex): FunctionBuilder =>
    f.get(x).get(y).op("i8x16.shuffle", ...words(0, 4, 1, 5)).get(x).get(y).op("i8x16.shuffle", ...words(2, 6, 3, 7)).op("f32x4.add");
  pair(a, b).set(low);
  pair(c, d).set(high);
  f.get(low).get(high).op("i8x16.shuffle", ...words(0, 1, 4, 5)).get(low).get(high).op("i8x16.shuffle", ...words(2, 3, 6, 7)).op("f32x4.add");
};

/** Pushes base + index · bytes. */
export const element = (f: FunctionBuilder, base: LocalIndex, index: LocalIndex, bytes: number): FunctionBuilder =>
  f.get(base).get(index).i32(bytes).op("i32.mul").op("i32.add");

/** Adds rows to the row at `target`, each times its factor, in turn. */
export type AddRows = (target: LocalIndex, columns: number, rows: readonly LocalIndex[], factors: LocalIndex) => void;

/** What emits target += factor · row for `count` rows: `rows` hold where they begin, and are moved along; their factors are the lanes of
 *  `factors`. */
export const rowAdder = (f: FunctionBuilder, count: 1 | 4): AddRows => {
  const spread = f.locals("v128", "factor", count);
  const [own, turns] = f.locals("i32", "own", 2) as [number, number];
  return (target, columns, rows, factors) => {
    spread.forEach((factor, lane) => f.get(factors).get(factors).op("i8x16.shuffle", ...words(lane, lane, lane, lane)).set(factor));
    f.get(target).set(own);
    eachColumn(f, columns, [...rows, own], turns, ({ load, vectors, store }) => {
      for (const byte of vectors)
        store(own, byte, () => {
          f.get(own).op(load, 2, byte);
          rows.forEach((row, lane) => f.get(row).op(load, 2, byte).get(spread[lane] ?? 0).op("f32x4.mul").op("f32x4.add"));
        });
    });
  };
};

/** Each of `length` i32 at `table` becomes its sum with all before it. */
export const runningSums = (f: FunctionBuilder, table: LocalIndex, length: number): void => {
  const [at, total, index] = f.locals("i32", "sum", 3) as [number, number, number];
  f.get(table).set(at).i32(0).set(total);
  f.repeat(index, length, 1, () => {
    f.get(at).get(total).get(at).op("i32.load", 2, 0).op("i32.add").tee(total).op("i32.store", 2, 0);
    f.advance(at, FLOAT);
  });
};
