/** @file The random numbers of `ir/random.ts` on four lanes, and the counters that attention draws at (attention-draw.ts). */

import { entryCounters, rowsToAHighWord } from "../../../../ir/ops/attention-draw.ts";
import { draw, UNIT } from "../../../../ir/random.ts";
import type { Arithmetic, Words } from "../../../../ir/random.ts";
import { FunctionBuilder } from "../builder.ts";
import type { LocalIndex } from "../builder.ts";
import type { OpcodeName } from "../instructions.ts";
import { bits, f32, i32, keep } from "../math-lanes.ts";
import type { Lanes } from "../math-lanes.ts";
import type { WasmFunction } from "../module.ts";
import { rowOf, rowsOf } from "./rows-lanes.ts";
import { FLOAT } from "./rows-product.ts";

const binary = (op: OpcodeName) => (a: Lanes, b: Lanes): Lanes => (f) => {
  a(f);
  b(f);
  f.op(op);
};

/** Four i32. Divisors are powers of two. */
const arithmetic = (f: FunctionBuilder): Arithmetic<Lanes> => ({
  constant: (value) => i32.of(value),
  add: i32.add,
  mul: binary("i32x4.mul"),
  mod: (a, divisor) => bits.and(a, i32.of(divisor - 1)),
  idiv: (a, divisor) => i32.shrS(a, Math.log2(divisor)),
  share: (value, body) => body(keep(f, "word", value)),
});

/** draw_<site>(key, high, low): four numbers in [0, 1), at the counters in the lanes. `key`: four whole numbers as float32. */
export const drawLanes = (site: number): WasmFunction => {
  const f = new FunctionBuilder(`draw_${site}`, [{ name: "key", type: "i32" }, { name: "high", type: "v128" }, { name: "low", type: "v128" }]);
  const word = (index: number): Lanes =>
    keep(f, "key_word", (g) => void g.get(f.parameter("key")).op("v128.load32_splat", 2, index * FLOAT).op("i32x4.trunc_sat_f32x4_s"));
  const words: Words<Lanes> = [word(0), word(1), word(2), word(3)];
  const lanes = (name: string): Lanes => (g) => void g.get(f.parameter(name));
  f32.mul(f32.fromI32(draw(arithmetic(f), words, site, lanes("high"), lanes("low"))), f32.of(UNIT))(f);
  return f.finish(false, ["v128"]);
};

/** Of the entries (head, row, 0) of four rows; key j has low + j. */
export interface RowCounters {
  readonly high: Lanes;
  readonly low: Lanes;
}

export interface Entries {
  readonly H: number;
  readonly N: number;
  readonly M: number;
}

/** Of four lanes, from `lane` on, of the group whose rows start at `first`. */
export const rowCounters = (f: FunctionBuilder, head: LocalIndex, first: LocalIndex, lane: number, sizes: Entries): RowCounters => {
  const { N, M } = sizes;
  const rows = rowsToAHighWord(M);
  const { high: words } = entryCounters(sizes, [0, 1, 0, 0]);
  if (rows >= N)
    return {
      high: keep(f, "high", (g) => void g.get(head).op("i32x4.splat")),
      low: keep(f, "low", binary("i32x4.mul")(rowsOf(f, first, lane, N), i32.of(M))),
    };
  const [high, low] = f.locals("v128", "counter", 2) as [number, number];
  const row = f.local("i32", "row");
  for (let each = 0; each < 4; each++) {
    rowOf(f, first, lane + each, N);
    f.set(row).get(high).get(head).i32(words).op("i32.mul").get(row).i32(rows).op("i32.div_u").op("i32.add").op("i32x4.replace_lane", each).set(high);
    f.get(low).get(row).i32(rows).op("i32.rem_u").i32(M).op("i32.mul").op("i32x4.replace_lane", each).set(low);
  }
  return { high: (g) => void g.get(high), low: (g) => void g.get(low) };
};
