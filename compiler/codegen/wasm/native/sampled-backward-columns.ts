/** @file Loops over the columns of a few rows at once: eight columns a turn, then four, then single ones, by one formula. */

import type { FunctionBuilder, LocalIndex } from "../builder.ts";
import type { OpcodeName } from "../instructions.ts";

/** How a turn moves columns between memory and lanes. */
export interface Turn {
  readonly load: OpcodeName;
  /** Vectors of columns in this turn, 16 bytes apart. */
  readonly vectors: readonly number[];
  /** Stores what `value` pushes at this offset from what `pointer` holds. */
  readonly store: (pointer: LocalIndex, byte: number, value: () => void) => void;
}

const FLOAT = 4;
const LANES = 4;

/** body for all `width` columns; `pointers` hold where the rows begin and are moved along them. A single column has zeros in the
 *  other three lanes when it is loaded, and only the first lane is stored. */
export const eachColumn = (f: FunctionBuilder, width: number, pointers: readonly LocalIndex[], turns: LocalIndex, body: (turn: Turn) => void): void => {
  const wide = (vectors: number): Turn => ({
    load: "v128.load",
    vectors: Array.from({ length: vectors }, (_, i) => 4 * LANES * i),
    store: (pointer, byte, value) => {
      f.get(pointer);
      value();
      f.op("v128.store", 2, byte);
    },
  });
  const single: Turn = {
    load: "v128.load32_zero",
    vectors: [0],
    store: (pointer, byte, value) => {
      f.get(pointer);
      value();
      f.op("v128.store32_lane", 2, byte, 0);
    },
  };
  let left = width;
  const pass = (columns: number, turn: Turn): void => {
    const count = Math.floor(left / columns);
    left -= count * columns;
    if (count === 0) return;
    const once = (): void => {
      body(turn);
      for (const pointer of pointers) f.advance(pointer, columns * FLOAT);
    };
    if (count === 1) return once();
    f.i32(count).set(turns);
    f.block("loop", () => {
      once();
      f.get(turns).i32(1).op("i32.sub").tee(turns).op("br_if", 0);
    });
  };
  pass(2 * LANES, wide(2));
  pass(LANES, wide(1));
  pass(1, single);
};

/** Bytes of a shuffle that picks these of the eight words of two vectors. */
export const words = (a: number, b: number, c: number, d: number): readonly number[] =>
  [a, b, c, d].flatMap((word) => [0, 1, 2, 3].map((byte) => FLOAT * word + byte));

/** Pushes the sums of the lanes of four vectors, (0 + 2) + (1 + 3) each. */
export const laneSums = (f: FunctionBuilder, [a, b, c, d]: readonly [LocalIndex, LocalIndex, LocalIndex, LocalIndex], low: LocalIndex, high: LocalIndex): void => {
  const pair = (x: LocalIndex, y: LocalIndex): FunctionBuilder =>
    f.get(x).get(y).op("i8x16.shuffle", ...words(0, 4, 1, 5)).get(x).get(y).op("i8x16.shuffle", ...words(2, 6, 3, 7)).op("f32x4.add");
  pair(a, b).set(low);
  pair(c, d).set(high);
  f.get(low).get(high).op("i8x16.shuffle", ...words(0, 1, 4, 5)).get(low).get(high).op("i8x16.shuffle", ...words(2, 3, 6, 7)).op("f32x4.add");
};

/** Pushes base + index · bytes. */
export const element = (f: FunctionBuilder, base: LocalIndex, index: LocalIndex, bytes: number): FunctionBuilder =>
  f.get(base).get(index).i32(bytes).op("i32.mul").op("i32.add");
