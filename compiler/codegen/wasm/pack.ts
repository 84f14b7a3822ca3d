/** @file Copies a factor of a product into panels: [groups][depth][lanes], lanes being the rows of A or the columns of B in a tile (gemm.ts).
 *
 *  Where an element lies is read from two tables of byte offsets, one for the lanes and one for the depth, so that any
 *  strides and any number of axes look the same. What is next to each other in memory decides how it is copied:
 *
 *      lanes      the lanes of a group are neighbours: vectors, or half a one, a step of the depth
 *      depth      four steps of the depth are neighbours: four by four transposed in registers
 *      neither    element by element
 *
 *  pack(to, from, lanes, depths, groups, depth): `lanes` has `groups` · width entries, `depths` has `depth`. */

import { FunctionBuilder } from "./builder.ts";
import type { LocalIndex } from "./builder.ts";
import type { Tile } from "./gemm.ts";
import type { WasmFunction } from "./module.ts";

export type Neighbours = "lanes" | "depth" | "neither";

const FLOAT = 4;

const PARAMETERS = ["to", "from", "lanes", "depths", "groups", "depth"] as const;

type Parameters = Readonly<Record<(typeof PARAMETERS)[number], LocalIndex>>;

export const pack = (neighbours: Neighbours, width: Tile["rows" | "columns"]): WasmFunction => {
  const f = new FunctionBuilder(`pack_${neighbours}_${width}`, PARAMETERS.map((name) => ({ name, type: "i32" })));
  const p = Object.fromEntries(PARAMETERS.map((name) => [name, f.parameter(name)])) as Parameters;
  if (neighbours === "lanes") stepByStep(f, p, width);
  else groupByGroup(f, p, width, neighbours);
  return f.finish(false);
};

/** Each group along the whole depth: four steps at a time where they are neighbours, then one by one. */
const groupByGroup = (f: FunctionBuilder, { to, from, lanes, depths, groups, depth }: Parameters, width: number, neighbours: Neighbours): void => {
  const [group, at, next] = f.locals("i32", "at", 3) as [number, number, number];
  const lane = f.locals("i32", "lane", width);
  const forStep: ForStep = (steps, body) => {
    f.block("block", () => {
      f.block("loop", () => {
        f.get(depth).get(at).op("i32.sub").i32(steps).op("i32.lt_s").op("br_if", 1);
        body(() => f.get(next).op("i32.load", 2, 0));
        f.advance(to, steps * width * FLOAT).advance(next, steps * FLOAT).advance(at, steps).op("br", 0);
      });
    });
  };
  f.while(group, () => f.get(groups), 1, () => {
    lane.forEach((pointer, i) => f.get(from).get(lanes).op("i32.load", 2, i * FLOAT).op("i32.add").set(pointer));
    f.i32(0).set(at).get(depths).set(next);
    if (neighbours === "depth") transposed(f, to, lane, forStep);
    forStep(1, (offset) => {
      lane.forEach((pointer, i) => {
        f.get(to).get(pointer);
        offset();
        f.op("i32.add").op("f32.load", 2, 0).op("f32.store", 2, i * FLOAT);
      });
    });
    f.advance(lanes, width * FLOAT);
  });
};

type ForStep = (steps: number, body: (offset: () => void) => void) => void;

/** Groups that are read beside each other, so that a line of the cache is read once. */
const TOGETHER = 4;

/** Some groups along the whole depth, then the next ones. */
const stepByStep = (f: FunctionBuilder, { to, from, lanes, depths, groups, depth }: Parameters, width: number): void => {
  const [group, at, next, row, stride] = f.locals("i32", "at", 5) as [number, number, number, number, number];
  const lane = f.locals("i32", "lane", TOGETHER);
  const target = f.locals("i32", "to", TOGETHER);
  f.get(depth).i32(width * FLOAT).op("i32.mul").set(stride);
  for (const count of [TOGETHER, 1])
    f.while(group, () => f.get(groups).i32(count - 1).op("i32.sub"), count, () => {
      const each = lane.slice(0, count).map((from_, i) => [from_, target[i] ?? to] as const);
      each.forEach(([pointer, place], i) => {
        f.get(lanes).op("i32.load", 2, i * width * FLOAT).get(from).op("i32.add").set(pointer);
        f.get(to).set(place).get(to).get(stride).op("i32.add").set(to);
      });
      f.i32(0).set(at).get(depths).set(next);
      f.while(at, () => f.get(depth), 1, () => {
        f.get(next).op("i32.load", 2, 0).set(row);
        for (const [pointer, place] of each) {
          for (let lane = 0; lane < width; lane += 4) {
            const [load, store] = lane + 4 <= width ? (["v128.load", "v128.store"] as const) : (["f64.load", "f64.store"] as const);
            f.get(place).get(pointer).get(row).op("i32.add").op(load, 2, lane * FLOAT).op(store, 2, lane * FLOAT);
          }
          f.advance(place, width * FLOAT);
        }
        f.advance(next, FLOAT);
      });
      f.advance(lanes, count * width * FLOAT);
    });
};

/** Bytes of a shuffle that picks these of eight words. */
const words = (...picked: readonly number[]): readonly number[] => picked.flatMap((word) => [0, 1, 2, 3].map((byte) => 4 * word + byte));

const transposed = (f: FunctionBuilder, to: LocalIndex, lane: readonly LocalIndex[], forStep: ForStep): void => {
  const offsetLocal = f.local("i32", "offset");
  const rows = f.locals("v128", "row", 4);
  const halves = f.locals("v128", "half", 4);
  const [row0 = 0, row1 = 0, row2 = 0, row3 = 0] = rows;
  const [half0 = 0, half1 = 0, half2 = 0, half3 = 0] = halves;
  const shuffle = (a: LocalIndex, b: LocalIndex, picked: readonly number[]): FunctionBuilder => f.get(a).get(b).op("i8x16.shuffle", ...picked);
  forStep(4, (offset) => {
    offset();
    f.set(offsetLocal);
    for (let quad = 0; quad < lane.length; quad += 4) {
      rows.forEach((row, i) => f.get(lane[quad + i] ?? lane.at(-1) ?? 0).get(offsetLocal).op("i32.add").op("v128.load", 2, 0).set(row));
      shuffle(row0, row1, words(0, 4, 1, 5)).set(half0);
      shuffle(row2, row3, words(0, 4, 1, 5)).set(half1);
      shuffle(row0, row1, words(2, 6, 3, 7)).set(half2);
      shuffle(row2, row3, words(2, 6, 3, 7)).set(half3);
      const store = (step: number, low: LocalIndex, high: LocalIndex, picked: readonly number[]): void => {
        f.get(to);
        shuffle(low, high, picked);
        const byte = (step * lane.length + quad) * FLOAT;
        if (quad + 4 <= lane.length) f.op("v128.store", 2, byte);
        else f.op("f64x2.extract_lane", 0).op("f64.store", 2, byte);
      };
      store(0, half0, half1, words(0, 1, 4, 5));
      store(1, half0, half1, words(2, 3, 6, 7));
      store(2, half2, half3, words(0, 1, 4, 5));
      store(3, half2, half3, words(2, 3, 6, 7));
    }
  });
};
