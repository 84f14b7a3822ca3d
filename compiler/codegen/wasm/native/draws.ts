/** @file The random numbers of `ir/random.ts` on vectors of four, and the counters that attention draws at (attention-draw.ts).
 *
 *  Some numbers of a draw depend on the key and the site alone. They are computed once into a table, four equal lanes each; what
 *  belongs there follows from the generator's own definition, by which the arithmetic here knows what is made of the key and of
 *  constants only. A draw is one long chain of instructions that wait for each other, so two vectors are drawn at once. */

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

const VECTOR = 16;

const binary = (op: OpcodeName) => (a: Lanes, b: Lanes): Lanes => (f) => {
  a(f);
  b(f);
  f.op(op);
};

const product = binary("i32x4.mul");

/** Whole numbers: of each vector that is drawn, or one for all of them, made of the key and of constants. */
interface Drawn {
  readonly lanes: readonly Lanes[];
  readonly fixed: boolean;
}

/** Numbers are not negative and divisors powers of two. `fixedTo` says where a fixed number that meets another is to be had. */
const arithmetic = (f: FunctionBuilder, vectors: number, fixedTo: (value: Lanes) => Lanes): Arithmetic<Drawn> => {
  const spread = ({ lanes: [first, ...others], fixed }: Drawn): readonly Lanes[] => {
    if (first === undefined || !fixed) return first === undefined ? [] : [first, ...others];
    const at = fixedTo(first);
    return Array.from({ length: vectors }, () => at);
  };
  const meet = (of: (a: Lanes, b: Lanes) => Lanes) => (a: Drawn, b: Drawn): Drawn => {
    const fixed = a.fixed && b.fixed;
    const [left, right] = fixed ? [a.lanes, b.lanes] : [spread(a), spread(b)];
    return { lanes: left.map((each, n) => of(each, right[n] ?? each)), fixed };
  };
  const each = (a: Drawn, of: (lanes: Lanes) => Lanes): Drawn => ({ lanes: a.lanes.map(of), fixed: a.fixed });
  return {
    constant: (value) => ({ lanes: [i32.of(value)], fixed: true }),
    add: meet(i32.add),
    mul: meet(product),
    mod: (a, divisor) => each(a, (lanes) => bits.and(lanes, i32.of(divisor - 1))),
    idiv: (a, divisor) => each(a, (lanes) => i32.shrS(lanes, Math.log2(divisor))),
    share: (value, body) => body(each(value, (lanes) => keep(f, "word", lanes))),
  };
};

/** The counters of four elements. */
export interface Counters {
  readonly high: Lanes;
  readonly low: Lanes;
}

interface Draws {
  /** For each of the counters, whole numbers below 2^24. */
  readonly lanes: readonly Lanes[];
  /** What the table must hold, in order. */
  readonly fixed: readonly Lanes[];
}

/** Writes draws into `f`, from the table at a pointer. */
export const writeDraws = (f: FunctionBuilder, site: number, table: LocalIndex, counters: readonly Counters[]): Draws => {
  const fixed: Lanes[] = [];
  const n = arithmetic(f, counters.length, (value) => {
    const at = VECTOR * (fixed.push(value) - 1);
    return (g) => void g.get(table).op("v128.load", 2, at);
  });
  const word = (index: number): Drawn => ({ lanes: [(g) => void g.get(g.parameter("key")).op("v128.load32_splat", 2, index * FLOAT).op("i32x4.trunc_sat_f32x4_s")], fixed: true });
  const words: Words<Drawn> = [word(0), word(1), word(2), word(3)];
  const { lanes } = draw(n, words, site, { lanes: counters.map(({ high }) => high), fixed: false }, { lanes: counters.map(({ low }) => low), fixed: false });
  return { lanes, fixed };
};

const fixedParts = (site: number): readonly Lanes[] => {
  const f = new FunctionBuilder("none", [{ name: "table", type: "i32" }]);
  return writeDraws(f, site, f.parameter("table"), [{ high: i32.of(0), low: i32.of(0) }]).fixed;
};

export const drawTableBytes = (site: number): number => fixedParts(site).length * VECTOR;

/** draw_table_<site>(table, key): `key` are four whole numbers as float32. */
export const drawTable = (site: number): WasmFunction => {
  const f = new FunctionBuilder(`draw_table_${site}`, ["table", "key"].map((name) => ({ name, type: "i32" })));
  fixedParts(site).forEach((value, i) => {
    f.get(f.parameter("table"));
    value(f);
    f.op("v128.store", 2, VECTOR * i);
  });
  return f.finish(false);
};

/** draw_pair_<site>(table, high, low, high2, low2): eight numbers in [0, 1), two vectors. */
export const drawPair = (site: number): WasmFunction => {
  const names = ["high", "low", "high2", "low2"];
  const f = new FunctionBuilder(`draw_pair_${site}`, [{ name: "table", type: "i32" }, ...names.map((name) => ({ name, type: "v128" as const }))]);
  const [high, low, high2, low2] = names.map((name): Lanes => (g) => void g.get(g.parameter(name))) as [Lanes, Lanes, Lanes, Lanes];
  for (const lanes of writeDraws(f, site, f.parameter("table"), [{ high, low }, { high: high2, low: low2 }]).lanes) f32.mul(f32.fromI32(lanes), f32.of(UNIT))(f);
  return f.finish(false, ["v128", "v128"]);
};

/** Calls it (its index is `func`), for counters of which `key` is added to the low words. */
export const callPair = (f: FunctionBuilder, func: number, table: () => void, rows: readonly Counters[], key: Lanes | null): readonly Lanes[] => {
  const uniform = f.locals("v128", "uniform", rows.length);
  table();
  for (const { high, low } of rows) {
    high(f);
    (key === null ? low : i32.add(low, key))(f);
  }
  f.op("call", func);
  for (const local of uniform.toReversed()) f.set(local);
  return uniform.map((local) => (g) => void g.get(local));
};

export interface Entries {
  readonly H: number;
  readonly N: number;
  readonly M: number;
}

/** Of the entries (head, row, 0) of four rows, where key j has low + j: of four lanes, from `lane` on, of the group whose rows start at `first`. */
export const rowCounters = (f: FunctionBuilder, head: LocalIndex, first: LocalIndex, lane: number, sizes: Entries): Counters => {
  const { N, M } = sizes;
  const rows = rowsToAHighWord(M);
  const { high: words } = entryCounters(sizes, [0, 1, 0, 0]);
  if (rows >= N)
    return {
      high: keep(f, "high", (g) => void g.get(head).op("i32x4.splat")),
      low: keep(f, "low", product(rowsOf(f, first, lane, N), i32.of(M))),
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
