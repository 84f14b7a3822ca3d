/** @file Draws the sample of eight rows from their weights, which lie in scratch memory as y [key][8 rows], with for each row
 *
 *      q = min(1, |y| factor)   the probability to keep a key        w~ = max(|y| unit, cap), with y's sign   what it then weighs
 *
 *  Without a control variate y are the powers of the scores, factor = c / total, unit = 1 / total, cap = 1 / c.
 *
 *  Systematic: x, at first the row's uniform number, grows by q from key to key, and a key is kept where floor(x) steps. Four keys
 *  are added at a time, and taken apart only if some row keeps one of them; then floor(x) is taken away from x, which
 *  is exact and leaves every sum below 5, so that no weight is lost in a long one.
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
import { drawLanes, rowCounters } from "./sample-draw.ts";
import type { Entries, RowCounters } from "./sample-draw.ts";

/** Bytes of what a group of rows has while its sample is drawn, eight numbers each: the three above, then where a row's next slot and the end
 *  of its slots are in `kept`. */
export const SAMPLE = { factor: 0, unit: 32, cap: 64, next: 96, end: 128 } as const;
export const SAMPLE_BYTES = 192;

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
  const draws = table.shared(() => drawLanes(SAMPLING_SITE));
  const number = ({ high, low }: RowCounters): Lanes => (g) => {
    g.get(p("key"));
    high(g);
    low(g);
    g.op("call", draws);
  };
  const keeper = table.shared(() => sampleKeep(signed));
  f.get(p("y")).get(p("first")).i32(LANE_BYTES).op("i32.mul").op("i32.add").set(p("y"));
  if (sampler === "systematic") systematic(f, p, [0, 4].map((lane) => number(rowCounters(f, p("head"), p("i"), lane, { H, N, M: 1 }))), signed, keeper);
  else bernoulli(f, p, [0, 4].map((lane) => rowCounters(f, p("head"), p("i"), lane, { H, N, M })), number, signed, keeper);
  emptySlots(f, p);
  return f.finish(false);
};

type Parameter = (name: (typeof NAMES)[number]) => LocalIndex;

/** For each bit: keep(the slot of its lane, its key, its y). Bit n is lane n mod 4 from `half` on, of key floor(n / 4) from `first` on. */
const keepBits = (f: FunctionBuilder, p: Parameter, keeper: number, mask: LocalIndex, half: number): void => {
  const [bit, lane] = f.locals("i32", "bit", 2) as [number, number];
  f.block("loop", () => {
    f.get(mask).op("i32.ctz").set(bit).get(mask).get(mask).i32(1).op("i32.sub").op("i32.and").set(mask);
    f.get(bit).i32(3).op("i32.and").i32(2).op("i32.shl").i32(half * FLOAT).op("i32.add").set(lane);
    f.get(p("sample")).get(lane).op("i32.add").get(p("beside"));
    f.get(p("first")).get(bit).i32(2).op("i32.shr_u").op("i32.add");
    f.get(p("y")).get(bit).i32(2).op("i32.shr_u").i32(LANE_BYTES).op("i32.mul").op("i32.add").get(lane).op("i32.add").op("f32.load", 2, 0);
    f.op("call", keeper).get(mask).op("br_if", 0);
  });
};

const probability = (f: FunctionBuilder, p: Parameter, byte: number, factor: Lanes, signed: boolean): Lanes => {
  const y: Lanes = (g) => void g.get(p("y")).op("v128.load", 2, byte);
  return keep(f, "q", f32.smaller(f32.mul(signed ? f32.abs(y) : y, factor), f32.of(1)));
};

const factorsOf = (f: FunctionBuilder, p: Parameter): readonly Lanes[] =>
  [0, 16].map((byte) => keep(f, "factor", (g) => void g.get(p("sample")).op("v128.load", 2, SAMPLE.factor + byte)));

const systematic = (f: FunctionBuilder, p: Parameter, uniform: readonly Lanes[], signed: boolean, keeper: number): void => {
  const [tail, mask] = f.locals("i32", "mask", 2) as [number, number];
  // Whole tiles: no row keeps what has no weight.
  f.get(p("end")).set(tail);
  const left = f.local("i32", "tail_at");
  f.get(p("y")).get(p("end")).get(p("first")).op("i32.sub").i32(LANE_BYTES).op("i32.mul").op("i32.add").set(left);
  f.block("block", () => {
    f.block("loop", () => {
      f.get(tail).i32(TILE - 1).op("i32.and").op("i32.eqz").op("br_if", 1);
      for (const byte of [0, 16]) f.get(left).splat(0).op("v128.store", 2, byte);
      f.advance(tail, 1).advance(left, LANE_BYTES).op("br", 0);
    });
  });
  const factors = factorsOf(f, p);
  const held = uniform.map((lanes) => {
    const local = f.local("v128", "x");
    lanes(f);
    f.set(local);
    return local;
  });
  f.while(p("first"), () => f.get(p("end")), TILE, () => {
    const halves = held.map((x, half) => {
      const [q0, q1, q2, q3] = [0, 1, 2, 3].map((t) => probability(f, p, t * LANE_BYTES + half * 16, factors[half] ?? f32.of(0), signed)) as [Lanes, Lanes, Lanes, Lanes];
      const before: Lanes = (g) => void g.get(x);
      const pair = keep(f, "pair", f32.add(q0, q1));
      const after = keep(f, "after", f32.add(before, f32.add(pair, f32.add(q2, q3))));
      return { x, half, before, after, partial: [f32.add(before, q0), f32.add(before, pair), f32.add(before, f32.add(pair, q2))] };
    });
    for (const { x, half, before, after, partial } of halves) {
      after(f);
      f.splat(1).op("f32x4.ge").op("v128.any_true");
      f.block("if", () => {
        const floors = [...partial, after].map((sum) => keep(f, "floor", f32.floor(sum)));
        floors.forEach((floor, t) => {
          f32.gt(floor, floors[t - 1] ?? f32.of(0))(f);
          f.op("i32x4.bitmask");
          if (t > 0) f.i32(4 * t).op("i32.shl").get(mask).op("i32.or");
          f.set(mask);
        });
        f.get(mask);
        f.block("if", () => keepBits(f, p, keeper, mask, 4 * half));
        f32.sub(after, floors[3] ?? before)(f);
        f.set(x);
      }, () => {
        after(f);
        f.set(x);
      });
    }
    f.advance(p("y"), TILE * LANE_BYTES);
  });
};

const bernoulli = (f: FunctionBuilder, p: Parameter, rows: readonly RowCounters[], number: (at: RowCounters) => Lanes, signed: boolean, keeper: number): void => {
  const mask = f.local("i32", "mask");
  const factors = factorsOf(f, p);
  f.while(p("first"), () => f.get(p("end")), 1, () => {
    rows.forEach(({ high, low }, half) => {
      const q = probability(f, p, 16 * half, factors[half] ?? f32.of(0), signed);
      const j: Lanes = (g) => void g.get(p("first")).op("i32x4.splat");
      const at: Lanes = (g) => {
        low(g);
        j(g);
        g.op("i32x4.add");
      };
      f32.lt(number({ high, low: at }), q)(f);
      f.op("i32x4.bitmask").tee(mask);
      f.block("if", () => keepBits(f, p, keeper, mask, 4 * half));
    });
    f.advance(p("y"), LANE_BYTES);
  });
};

/** -1 and 0 in what is left. */
const emptySlots = (f: FunctionBuilder, p: Parameter): void => {
  const next = f.local("i32", "slot");
  for (let lane = 0; lane < LANES; lane++) {
    f.get(p("sample")).op("i32.load", 2, SAMPLE.next + lane * FLOAT).set(next);
    f.while(next, () => f.get(p("sample")).op("i32.load", 2, SAMPLE.end + lane * FLOAT), FLOAT, () => {
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
  f.get(lane).op("i32.load", 2, SAMPLE.next).tee(next).get(lane).op("i32.load", 2, SAMPLE.end).op("i32.lt_s");
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
