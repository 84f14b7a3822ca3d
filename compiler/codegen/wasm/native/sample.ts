/** @file Draws the sample of eight rows from their weights, which lie in scratch memory as y [key][8 rows], with for each row
 *
 *      q = min(1, |y| factor)   the probability to keep a key        w~ = max(|y| unit, cap), with y's sign   what it then weighs
 *
 *  Without a control variate y are the powers of the scores, factor = c / total, unit = 1 / total, cap = 1 / c.
 *
 *  Systematic: x, at first the row's uniform number, grows by q from key to key, and a key is kept where floor(x) steps. Four keys
 *  are added at a time, and floor(x) taken away, which is exact and leaves every sum below 5, so that no weight is lost in
 *  a long one. Where some of four rows keeps one of four keys is written to a list, without a branch that no processor could
 *  predict; what is in the list is taken apart afterwards.
 *  Bernoulli: a number for each key, kept where it is below q. */

import { SAMPLING_SITE } from "../../../../ir/ops/attention-draw.ts";
import type { SampledAttrs } from "../../../../ir/ops/attention-sampled-attrs.ts";
import { FunctionBuilder } from "../builder.ts";
import type { LocalIndex } from "../builder.ts";
import type { FunctionTable } from "../function-table.ts";
import { f32, keep } from "../math-lanes.ts";
import type { Lanes } from "../math-lanes.ts";
import type { WasmFunction } from "../module.ts";
import { rowPointers } from "./rows-lanes.ts";
import { FLOAT, LANE_BYTES, LANES, TILE } from "./rows-product.ts";
import { callPair, drawPair, drawTable, drawTableBytes, rowCounters } from "./draws.ts";
import type { Entries } from "./draws.ts";

/** Keys after which the list is emptied. */
const LISTED = 256;
/** Bytes of an entry: x before it (of four rows), where its y are, its first key, its first lane (in bytes). */
const ENTRY = { before: 0, y: 16, key: 20, lane: 24 } as const;
const ENTRY_BYTES = 32;

/** Bytes of what a group of rows has while its sample is drawn, eight numbers each: the three above, then where a row's next slot and the end
 *  of its slots are in `kept`; then the list, and the table of the draws. */
export const SAMPLE = { factor: 0, unit: 32, cap: 64, next: 96, end: 128, list: 192, table: 192 + ((2 * LISTED) / TILE + 1) * ENTRY_BYTES } as const;
export const SAMPLE_BYTES = SAMPLE.table + drawTableBytes(SAMPLING_SITE);

export interface SampleForm {
  readonly sizes: Entries;
  readonly sampler: SampledAttrs["sampler"];
  readonly slots: number;
  /** Can y be negative? */
  readonly signed: boolean;
}

const NAMES = ["y", "first", "end", "sample", "kept", "beside", "key", "head", "i"] as const;

/** rows_sample(y, first, end, sample, kept, beside, key, head, i): from keys first <= j < end; `first` is a multiple of TILE, and what y has
 *  up to the next multiple from `end` on is overwritten by 0. `kept`: row 0 of the head; `beside`: bytes from a slot there to that in `weights`. */
export const rowsSample = (form: SampleForm, table: FunctionTable): WasmFunction => {
  const { sizes: { H, N, M }, sampler, slots, signed } = form;
  const f = new FunctionBuilder(`rows_sample_${sampler}_${[H, N, M, slots].join("_")}${signed ? "_signed" : ""}`, NAMES.map((name) => ({ name, type: "i32" })));
  const p = (name: (typeof NAMES)[number]): LocalIndex => f.parameter(name);
  rowPointers(f, p("kept"), p("i"), { rows: N, width: slots }).forEach((pointer, lane) => {
    f.get(p("sample")).get(pointer).op("i32.store", 2, SAMPLE.next + lane * FLOAT);
    f.get(p("sample")).get(pointer).i32(slots * FLOAT).op("i32.add").op("i32.store", 2, SAMPLE.end + lane * FLOAT);
  });
  const tableAt = (): FunctionBuilder => f.get(p("sample")).i32(SAMPLE.table).op("i32.add");
  tableAt().get(p("key")).op("call", table.shared(() => drawTable(SAMPLING_SITE)));
  const counters = [0, 4].map((lane) => rowCounters(f, p("head"), p("i"), lane, { H, N, M: sampler === "systematic" ? 1 : M }));
  const pair = table.shared(() => drawPair(SAMPLING_SITE));
  const uniform = (key: Lanes | null): readonly Lanes[] => callPair(f, pair, tableAt, counters, key);
  const keeper = table.shared(() => sampleKeep(signed));
  f.get(p("y")).get(p("first")).i32(LANE_BYTES).op("i32.mul").op("i32.add").set(p("y"));
  if (sampler === "systematic") systematic(f, p, uniform(null), signed, keeper);
  else bernoulli(f, p, uniform, signed, keeper);
  emptySlots(f, p);
  return f.finish(false);
};

type Parameter = (name: (typeof NAMES)[number]) => LocalIndex;

/** Four keys of four rows: pointer to the first y, its key, its first lane in bytes. */
interface Place {
  readonly y: LocalIndex;
  readonly key: LocalIndex;
  readonly lane: LocalIndex;
}

/** For each bit of the mask: sample_keep. Bit n is lane n mod 4, of key floor(n / 4). */
const keepBits = (f: FunctionBuilder, p: Parameter, keeper: number, mask: LocalIndex, at: Place): void => {
  const [bit, lane, key] = f.locals("i32", "bit", 3) as [number, number, number];
  f.block("loop", () => {
    f.get(mask).op("i32.ctz").set(bit).get(mask).get(mask).i32(1).op("i32.sub").op("i32.and").set(mask);
    f.get(bit).i32(3).op("i32.and").i32(2).op("i32.shl").set(lane).get(bit).i32(2).op("i32.shr_u").set(key);
    f.get(p("sample")).get(at.lane).op("i32.add").get(lane).op("i32.add").get(p("beside")).get(at.key).get(key).op("i32.add");
    f.get(at.y).get(key).i32(LANE_BYTES).op("i32.mul").op("i32.add").get(lane).op("i32.add").op("f32.load", 2, 0);
    f.op("call", keeper).get(mask).op("br_if", 0);
  });
};

const probability = (f: FunctionBuilder, pointer: LocalIndex, byte: number, factor: Lanes, signed: boolean): Lanes => {
  const y: Lanes = (g) => void g.get(pointer).op("v128.load", 2, byte);
  return keep(f, "q", f32.smaller(f32.mul(signed ? f32.abs(y) : y, factor), f32.of(1)));
};

const factorsOf = (f: FunctionBuilder, p: Parameter): readonly Lanes[] =>
  [0, 16].map((byte) => keep(f, "factor", (g) => void g.get(p("sample")).op("v128.load", 2, SAMPLE.factor + byte)));

const systematic = (f: FunctionBuilder, p: Parameter, uniform: readonly Lanes[], signed: boolean, keeper: number): void => {
  const [stop, entry] = f.locals("i32", "list", 2) as [number, number];
  clearTail(f, p);
  const factors = factorsOf(f, p);
  const sums = uniform.map((lanes) => {
    const local = f.local("v128", "x");
    lanes(f);
    f.set(local);
    return local;
  });
  f.block("block", () => {
    f.block("loop", () => {
      f.get(p("first")).get(p("end")).op("i32.ge_s").op("br_if", 1);
      f.get(p("first")).i32(LISTED).op("i32.add").tee(stop).get(p("end")).get(stop).get(p("end")).op("i32.lt_s").op("select").set(stop);
      f.get(p("sample")).i32(SAMPLE.list).op("i32.add").set(entry);
      f.while(p("first"), () => f.get(stop), TILE, () => {
        sums.forEach((x, half) => listTile(f, p, { x, half, factor: factors[half] ?? f32.of(0), entry, signed }));
        f.advance(p("y"), TILE * LANE_BYTES);
      });
      takeApart(f, p, entry, signed, keeper);
      f.op("br", 0);
    });
  });
};

/** Whole tiles: what y has beyond the last key is 0, which no row keeps. */
const clearTail = (f: FunctionBuilder, p: Parameter): void => {
  const [key, at] = f.locals("i32", "tail", 2) as [number, number];
  f.get(p("end")).set(key).get(p("y")).get(p("end")).get(p("first")).op("i32.sub").i32(LANE_BYTES).op("i32.mul").op("i32.add").set(at);
  f.block("block", () => {
    f.block("loop", () => {
      f.get(key).i32(TILE - 1).op("i32.and").op("i32.eqz").op("br_if", 1);
      for (const byte of [0, 16]) f.get(at).splat(0).op("v128.store", 2, byte);
      f.advance(key, 1).advance(at, LANE_BYTES).op("br", 0);
    });
  });
};

interface Half {
  /** The sums of four rows. */
  readonly x: LocalIndex;
  readonly half: number;
  readonly factor: Lanes;
  /** Where the next entry of the list goes. */
  readonly entry: LocalIndex;
  readonly signed: boolean;
}

/** x += the probabilities of four keys; an entry is written, and stays where floor(x) is not 0. */
const listTile = (f: FunctionBuilder, p: Parameter, { x, half, factor, entry, signed }: Half): void => {
  const [q0, q1, q2, q3] = [0, 1, 2, 3].map((t) => probability(f, p("y"), t * LANE_BYTES + half * 16, factor, signed)) as [Lanes, Lanes, Lanes, Lanes];
  f.get(entry).get(x).op("v128.store", 2, ENTRY.before);
  f.get(entry).get(p("y")).i32(half * 16).op("i32.add").op("i32.store", 2, ENTRY.y);
  f.get(entry).get(p("first")).op("i32.store", 2, ENTRY.key);
  f.get(entry).i32(half * 16).op("i32.store", 2, ENTRY.lane);
  const after = keep(f, "after", f32.add((g) => void g.get(x), f32.add(f32.add(q0, q1), f32.add(q2, q3))));
  const whole = keep(f, "whole", f32.floor(after));
  f32.sub(after, whole)(f);
  f.set(x).get(entry);
  f32.gt(whole, f32.of(0))(f);
  f.op("i32x4.bitmask").i32(0).op("i32.ne").i32(Math.log2(ENTRY_BYTES)).op("i32.shl").op("i32.add").set(entry);
};

/** Which of the keys of the entries before `limit` which rows keep: the same sums in the same order, with floor(x) after each key. */
const takeApart = (f: FunctionBuilder, p: Parameter, limit: LocalIndex, signed: boolean, keeper: number): void => {
  const [entry, y, key, lane, mask] = f.locals("i32", "listed", 5) as [number, number, number, number, number];
  f.get(p("sample")).i32(SAMPLE.list).op("i32.add").set(entry);
  eachPlace(f, entry, () => f.get(limit), ENTRY_BYTES, () => {
    for (const [local, at] of [[y, ENTRY.y], [key, ENTRY.key], [lane, ENTRY.lane]] as const) f.get(entry).op("i32.load", 2, at).set(local);
    const factor = keep(f, "factor", (g) => void g.get(p("sample")).get(lane).op("i32.add").op("v128.load", 2, SAMPLE.factor));
    const before = keep(f, "before", (g) => void g.get(entry).op("v128.load", 2, ENTRY.before));
    const [q0, q1, q2, q3] = [0, 1, 2, 3].map((t) => probability(f, y, t * LANE_BYTES, factor, signed)) as [Lanes, Lanes, Lanes, Lanes];
    const pair = keep(f, "pair", f32.add(q0, q1));
    const floors = [q0, pair, f32.add(pair, q2), f32.add(pair, f32.add(q2, q3))].map((sum) => keep(f, "floor", f32.floor(f32.add(before, sum))));
    floors.forEach((floor, t) => {
      f32.gt(floor, floors[t - 1] ?? f32.of(0))(f);
      f.op("i32x4.bitmask");
      if (t > 0) f.i32(4 * t).op("i32.shl").get(mask).op("i32.or");
      f.set(mask);
    });
    f.get(mask);
    f.block("if", () => keepBits(f, p, keeper, mask, { y, key, lane }));
  });
};

const bernoulli = (f: FunctionBuilder, p: Parameter, uniform: (key: Lanes) => readonly Lanes[], signed: boolean, keeper: number): void => {
  const [mask, y, key, lane] = f.locals("i32", "at", 4) as [number, number, number, number];
  const factors = factorsOf(f, p);
  f.while(p("first"), () => f.get(p("end")), 1, () => {
    uniform((g) => void g.get(p("first")).op("i32x4.splat")).forEach((number, half) => {
      f32.lt(number, probability(f, p("y"), 16 * half, factors[half] ?? f32.of(0), signed))(f);
      f.op("i32x4.bitmask").tee(mask);
      f.block("if", () => {
        f.get(p("y")).i32(16 * half).op("i32.add").set(y).get(p("first")).set(key).i32(16 * half).set(lane);
        keepBits(f, p, keeper, mask, { y, key, lane });
      });
    });
    f.advance(p("y"), LANE_BYTES);
  });
};

/** For pointers, which are unsigned. */
const eachPlace = (f: FunctionBuilder, pointer: LocalIndex, limit: () => void, step: number, body: () => void): void => {
  f.block("block", () => {
    f.block("loop", () => {
      f.get(pointer);
      limit();
      f.op("i32.ge_u").op("br_if", 1);
      body();
      f.advance(pointer, step).op("br", 0);
    });
  });
};

/** -1 and 0 in what is left. */
const emptySlots = (f: FunctionBuilder, p: Parameter): void => {
  const next = f.local("i32", "slot");
  for (let lane = 0; lane < LANES; lane++) {
    f.get(p("sample")).op("i32.load", 2, SAMPLE.next + lane * FLOAT).set(next);
    eachPlace(f, next, () => f.get(p("sample")).op("i32.load", 2, SAMPLE.end + lane * FLOAT), FLOAT, () => {
      f.get(next).f32(-1).op("f32.store", 2, 0);
      f.get(next).get(p("beside")).op("i32.add").f32(0).op("f32.store", 2, 0);
    });
  }
};

/** sample_keep(lane, beside, key, y): the next slot of one row, if there is one. `lane`: the sample and four bytes a lane. */
const sampleKeep = (signed: boolean): WasmFunction => {
  const f = new FunctionBuilder(`sample_keep${signed ? "_signed" : ""}`, [
    { name: "lane", type: "i32" }, { name: "beside", type: "i32" }, { name: "key", type: "i32" }, { name: "y", type: "f32" },
  ]);
  const [lane, beside, key, y] = ["lane", "beside", "key", "y"].map((name) => f.parameter(name)) as [number, number, number, number];
  const next = f.local("i32", "next");
  f.get(lane).op("i32.load", 2, SAMPLE.next).tee(next).get(lane).op("i32.load", 2, SAMPLE.end).op("i32.lt_u");
  f.block("if", () => {
    f.get(next).get(key).op("f32.convert_i32_s").op("f32.store", 2, 0);
    f.get(next).get(beside).op("i32.add");
    f.get(y);
    if (signed) f.op("f32.abs");
    f.get(lane).op("f32.load", 2, SAMPLE.unit).op("f32.mul").get(lane).op("f32.load", 2, SAMPLE.cap).op("f32.max");
    if (signed) f.get(y).op("f32.copysign");
    f.op("f32.store", 2, 0);
    f.get(lane).get(next).i32(FLOAT).op("i32.add").op("i32.store", 2, SAMPLE.next);
  });
  return f.finish(false);
};
