/** @file Functions over rows of one position each: copies between tensors and padded rows, transposes, the pairs of a chunk, and the
 *  cotangents of queries. */

import { FunctionBuilder } from "../builder.ts";
import type { LocalIndex } from "../builder.ts";
import type { WasmFunction } from "../module.ts";
import { countDown, routine, VECTOR } from "./lowrank-features.ts";
import { FLOAT } from "./lowrank-plan.ts";
import type { LowRankPlan } from "./lowrank-plan.ts";

/** `count` > 0 times: `body`. */
const ifAny = (f: FunctionBuilder, count: LocalIndex, body: () => void): void => {
  f.get(count).i32(0).op("i32.gt_s");
  f.block("if", () => countDown(f, count, body));
};

/** Vectors, then what is left one by one. */
const copyRow = (f: FunctionBuilder, to: LocalIndex, from: LocalIndex, width: number): void => {
  const whole = Math.floor(width / 4) * 4;
  for (let i = 0; i < whole; i += 4) f.get(to).get(from).op("v128.load", 2, i * FLOAT).op("v128.store", 2, i * FLOAT);
  for (let i = whole; i < width; i++) f.get(to).get(from).op("f32.load", 2, i * FLOAT).op("f32.store", 2, i * FLOAT);
};

/** Rows wider than this are copied by an instruction for memory. */
const UNROLLED = 64;

const copier = (f: FunctionBuilder, to: LocalIndex, from: LocalIndex, width: number): void => {
  if (width <= UNROLLED) copyRow(f, to, from, width);
  else f.get(to).get(from).i32(width * FLOAT).op("memory.copy");
};

/** load_rows(to, from, first, last, one): rows first … last of a chunk, of `width` floats, into rows of `padded`; all others, and what
 *  is between, 0. `one`: 1 after the last float of a row. `from` is where row `first` is. */
export const loadRowsRoutine = ({ chunk }: LowRankPlan, width: number, padded: number, one: boolean): WasmFunction => {
  const { f, p } = routine(`load_rows_${chunk}_${width}_${padded}${one ? "_one" : ""}`, ["to", "from", "first", "last"]);
  const left = f.local("i32", "left");
  f.get(p("to")).i32(0).i32(chunk * padded * FLOAT).op("memory.fill");
  f.get(p("to")).get(p("first")).i32(padded * FLOAT).op("i32.mul").op("i32.add").set(p("to"));
  f.get(p("last")).get(p("first")).op("i32.sub").set(left);
  ifAny(f, left, () => {
    copier(f, p("to"), p("from"), width);
    if (one) f.get(p("to")).f32(1).op("f32.store", 2, width * FLOAT);
    f.advance(p("to"), padded * FLOAT).advance(p("from"), width * FLOAT);
  });
  return f.finish(false);
};

/** store_rows(to, from, first, last): the way back; `to` is where row `first` is to be. */
export const storeRowsRoutine = (width: number, padded: number): WasmFunction => {
  const { f, p } = routine(`store_rows_${width}_${padded}`, ["to", "from", "first", "last"]);
  const left = f.local("i32", "left");
  f.get(p("from")).get(p("first")).i32(padded * FLOAT).op("i32.mul").op("i32.add").set(p("from"));
  f.get(p("last")).get(p("first")).op("i32.sub").set(left);
  ifAny(f, left, () => {
    copier(f, p("to"), p("from"), width);
    f.advance(p("to"), width * FLOAT).advance(p("from"), padded * FLOAT);
  });
  return f.finish(false);
};

/** transposed(to, from): `rows` rows of `width` floats as `width` rows of `rows`, four by four in registers; both multiples of 4, strides
 *  in bytes. `add`: to what is there. */
export const transposedRoutine = (rows: number, width: number, fromBytes: number, toBytes: number, add: boolean): WasmFunction => {
  const { f, p } = routine(`transposed_${[rows, width, fromBytes, toBytes].join("_")}${add ? "_add" : ""}`, ["to", "from"]);
  const lanes = f.locals("v128", "row", 4);
  const halves = f.locals("v128", "half", 4);
  const [row0 = 0, row1 = 0, row2 = 0, row3 = 0] = lanes;
  const [half0 = 0, half1 = 0, half2 = 0, half3 = 0] = halves;
  const words = (...picked: readonly number[]): readonly number[] => picked.flatMap((word) => [0, 1, 2, 3].map((byte) => 4 * word + byte));
  const shuffle = (a: LocalIndex, b: LocalIndex, picked: readonly number[]): FunctionBuilder => f.get(a).get(b).op("i8x16.shuffle", ...picked);
  const [i, j, source, target] = f.locals("i32", "at", 4) as [number, number, number, number];
  f.repeat(i, width, 4, () => {
    f.get(p("from")).set(source).get(p("to")).set(target);
    f.repeat(j, rows, 4, () => {
      lanes.forEach((row, r) => f.get(source).op("v128.load", 2, r * fromBytes).set(row));
      shuffle(row0, row1, words(0, 4, 1, 5)).set(half0);
      shuffle(row2, row3, words(0, 4, 1, 5)).set(half1);
      shuffle(row0, row1, words(2, 6, 3, 7)).set(half2);
      shuffle(row2, row3, words(2, 6, 3, 7)).set(half3);
      [[half0, half1, words(0, 1, 4, 5)], [half0, half1, words(2, 3, 6, 7)], [half2, half3, words(0, 1, 4, 5)], [half2, half3, words(2, 3, 6, 7)]].forEach(([a, b, picked], r) => {
        f.get(target);
        if (add) f.get(target).op("v128.load", 2, r * toBytes);
        shuffle(a as number, b as number, picked as readonly number[]);
        if (add) f.op("f32x4.add");
        f.op("v128.store", 2, r * toBytes);
      });
      f.advance(source, 4 * fromBytes).advance(target, VECTOR);
    });
    f.advance(p("from"), VECTOR).advance(p("to"), 4 * toBytes);
  });
  return f.finish(false);
};

export interface PairsOptions {
  /** Of the polynomial of scale · score. */
  readonly coefficients: readonly number[];
  readonly scale: number;
  /** Multiply with scale and with what `out` holds. */
  readonly times: boolean;
  /** Add the sum of row i to sums[i]. */
  readonly sums: boolean;
}

/** pairs(out, scores, seen, sums): out[i][j] = polynomial(scale · scores[i][j]) seen[j] for j <= i, 0 for others. */
export const pairsRoutine = ({ chunk, rowBytes }: LowRankPlan, { coefficients, scale, times, sums }: PairsOptions): WasmFunction => {
  const { f, p } = routine(`pairs_${chunk}_${coefficients.join("_")}_${scale}${times ? "_times" : ""}${sums ? "_sums" : ""}`, ["out", "scores", "seen", "sums"]);
  const [row, column, byte, own] = f.locals("i32", "at", 4) as [number, number, number, number];
  const [score, value, total] = f.locals("v128", "v", 3) as [number, number, number];
  const iota = [0, 1, 2, 3].flatMap((lane) => [lane, 0, 0, 0]);
  f.repeat(row, chunk, 1, () => {
    f.splat(0).set(total).i32(0).set(column).get(p("out")).set(own);
    f.while(column, () => f.get(row).i32(1).op("i32.add"), 4, () => {
      f.get(column).i32(FLOAT).op("i32.mul").set(byte);
      f.get(p("scores")).get(byte).op("i32.add").op("v128.load", 2, 0).splat(scale).op("f32x4.mul").set(score);
      const [highest = 0, ...lower] = coefficients.toReversed();
      f.splat(highest);
      for (const a of lower) f.get(score).op("f32x4.mul").splat(a).op("f32x4.add");
      f.get(p("seen")).get(byte).op("i32.add").op("v128.load", 2, 0).op("f32x4.mul");
      if (times) f.splat(scale).op("f32x4.mul").get(own).op("v128.load", 2, 0).op("f32x4.mul");
      f.op("v128.const", ...iota).get(column).op("i32x4.splat").op("i32x4.add").get(row).op("i32x4.splat").op("i32x4.le_s").op("v128.and").set(value);
      f.get(own).get(value).op("v128.store", 2, 0);
      if (sums) f.get(total).get(value).op("f32x4.add").set(total);
      f.advance(own, VECTOR);
    });
    f.while(column, () => f.i32(chunk), 4, () => {
      f.get(own).splat(0).op("v128.store", 2, 0);
      f.advance(own, VECTOR);
    });
    if (sums) {
      f.get(p("sums")).get(p("sums")).op("f32.load", 2, 0);
      for (let lane = 0; lane < 4; lane++) f.get(total).op("f32x4.extract_lane", lane).op("f32.add");
      f.op("f32.store", 2, 0).advance(p("sums"), FLOAT);
    }
    f.advance(p("out"), rowBytes).advance(p("scores"), rowBytes);
  });
  return f.finish(false);
};

/** divided(o, totals, first, last): rows of o over their totals, 1 for those that are 0. */
export const dividedRoutine = ({ width, panels }: LowRankPlan): WasmFunction => {
  const { f, p } = routine(`divided_${width}_${panels}`, ["o", "totals", "first", "last"]);
  const left = f.local("i32", "left");
  const total = f.local("f32", "total");
  const factor = f.local("v128", "factor");
  startAt(f, p("first"), [[p("o"), width * FLOAT], [p("totals"), FLOAT]]);
  f.get(p("last")).get(p("first")).op("i32.sub").set(left);
  ifAny(f, left, () => {
    orOne(f, p("totals"), total);
    f.get(total).op("f32x4.splat").set(factor);
    for (let byte = 0; byte < panels * 2 * VECTOR; byte += VECTOR) f.get(p("o")).get(p("o")).op("v128.load", 2, byte).get(factor).op("f32x4.div").op("v128.store", 2, byte);
    f.advance(p("o"), width * FLOAT).advance(p("totals"), FLOAT);
  });
  return f.finish(false);
};

const startAt = (f: FunctionBuilder, first: LocalIndex, pointers: readonly (readonly [LocalIndex, number])[]): void => {
  for (const [pointer, bytes] of pointers) f.get(pointer).get(first).i32(bytes).op("i32.mul").op("i32.add").set(pointer);
};

const orOne = (f: FunctionBuilder, from: LocalIndex, to: LocalIndex): void => {
  f.get(from).op("f32.load", 2, 0).set(to);
  f.f32(1).get(to).get(to).f32(0).op("f32.eq").op("select").set(to);
};

/** cotangents(rows, o, totals, gate, delta, factors, lasts, first, last): rows of d_o become c_i = gate_i / total_i [d_o_i, -delta_i];
 *  what the rows are multiplied with is kept in `factors`, the last element in `lasts`. delta_i is given, or d_o_i . o_i / total_i gate_i.
 *  gate, delta, factors, lasts: where row `first` is. */
export const cotangentsRoutine = (plan: LowRankPlan, gated: boolean, given: boolean): WasmFunction => {
  const { width, panels, sizes: { E } } = plan;
  const { f, p } = routine(`cotangents_${width}_${E}${gated ? "_gate" : ""}${given ? "_delta" : ""}`, ["rows", "o", "totals", "gate", "delta", "factors", "lasts", "first", "last"]);
  const left = f.local("i32", "left");
  const [total, last] = f.locals("f32", "value", 2) as [number, number];
  const [factor, sum] = f.locals("v128", "v", 2) as [number, number];
  startAt(f, p("first"), [[p("rows"), width * FLOAT], [p("o"), width * FLOAT], [p("totals"), FLOAT]]);
  f.get(p("last")).get(p("first")).op("i32.sub").set(left);
  const eachVector = (body: (byte: number) => void): void => {
    for (let byte = 0; byte < panels * 2 * VECTOR; byte += VECTOR) body(byte);
  };
  ifAny(f, left, () => {
    orOne(f, p("totals"), total);
    if (gated) f.get(p("gate")).op("f32.load", 2, 0);
    else f.f32(1);
    f.get(total).op("f32.div").set(total);
    f.get(total).op("f32x4.splat").set(factor);
    if (given) f.get(p("delta")).op("f32.load", 2, 0).set(last);
    else {
      f.splat(0).set(sum);
      eachVector((byte) => f.get(sum).get(p("rows")).op("v128.load", 2, byte).get(p("o")).op("v128.load", 2, byte).op("f32x4.mul").op("f32x4.add").set(sum));
      f.f32(0);
      for (let lane = 0; lane < 4; lane++) f.get(sum).op("f32x4.extract_lane", lane).op("f32.add");
      f.get(total).op("f32.mul").set(last);
    }
    f.get(last).get(total).op("f32.mul").op("f32.neg").set(last);
    eachVector((byte) => f.get(p("rows")).get(p("rows")).op("v128.load", 2, byte).get(factor).op("f32x4.mul").op("v128.store", 2, byte));
    f.get(p("rows")).get(last).op("f32.store", 2, E * FLOAT);
    f.get(p("factors")).get(total).op("f32.store", 2, 0).get(p("lasts")).get(last).op("f32.store", 2, 0);
    f.advance(p("rows"), width * FLOAT).advance(p("o"), width * FLOAT);
    for (const each of ["totals", "gate", "delta", "factors", "lasts"]) f.advance(p(each), FLOAT);
  });
  return f.finish(false);
};

/** cotangents_again(rows, factors, lasts, first, last): the same from what was kept. */
export const cotangentsAgainRoutine = ({ width, panels, sizes: { E } }: LowRankPlan): WasmFunction => {
  const { f, p } = routine(`cotangents_again_${width}_${E}`, ["rows", "factors", "lasts", "first", "last"]);
  const left = f.local("i32", "left");
  const factor = f.local("v128", "factor");
  startAt(f, p("first"), [[p("rows"), width * FLOAT]]);
  f.get(p("last")).get(p("first")).op("i32.sub").set(left);
  ifAny(f, left, () => {
    f.get(p("factors")).op("v128.load32_splat", 2, 0).set(factor);
    for (let byte = 0; byte < panels * 2 * VECTOR; byte += VECTOR) f.get(p("rows")).get(p("rows")).op("v128.load", 2, byte).get(factor).op("f32x4.mul").op("v128.store", 2, byte);
    f.get(p("rows")).get(p("lasts")).op("f32.load", 2, 0).op("f32.store", 2, E * FLOAT);
    f.advance(p("rows"), width * FLOAT).advance(p("factors"), FLOAT).advance(p("lasts"), FLOAT);
  });
  return f.finish(false);
};

/** column(to, from): to[i] = the element after the values in row i. */
export const columnRoutine = ({ chunk, width, sizes: { E } }: LowRankPlan): WasmFunction => {
  const { f, p } = routine(`column_${chunk}_${width}_${E}`, ["to", "from"]);
  const left = f.local("i32", "left");
  f.i32(chunk).set(left);
  countDown(f, left, () => {
    f.get(p("to")).get(p("from")).op("f32.load", 2, E * FLOAT).op("f32.store", 2, 0);
    f.advance(p("to"), FLOAT).advance(p("from"), width * FLOAT);
  });
  return f.finish(false);
};
