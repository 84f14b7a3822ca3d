/** @file The lists of keys: dv_j, dk_j, and what each entry gives to dq. Four entries at a time, whose rows are fetched together:
 *
 *      p = d_o_i · v_j    m = scale w~ (p - delta_i)    dv_j += w~ d_o_i    dk_j += m q_i */

import type { FunctionBuilder, LocalIndex } from "../builder.ts";
import { eachColumn, element, laneSums, words } from "./sampled-backward-columns.ts";
import { ENTRY, tableLength } from "./sampled-backward.ts";
import type { PhaseBody, SampledBackward } from "./sampled-backward.ts";

const FLOAT = 4;
const TOGETHER = 4;

/** Where things of one key head begin, and the rows of one key. */
interface Places {
  readonly q: LocalIndex;
  readonly dO: LocalIndex;
  readonly delta: LocalIndex;
  readonly m: LocalIndex;
  readonly v: LocalIndex;
  readonly dk: LocalIndex;
  readonly dv: LocalIndex;
  /** The entries of the list, from `at` to before `end`. */
  readonly at: LocalIndex;
  readonly end: LocalIndex;
}

/** Items: keys of all heads. The first chunk overwrites dk and dv, others add. */
export const emitKeys = (body: PhaseBody, problem: SampledBackward, chunk: number): void => {
  const { f, p } = body;
  const { keys, rows, slots, chunks, chunkRows, width, valueWidth } = problem;
  const [item, head, table] = f.locals("i32", "item", 3) as [number, number, number];
  const names = ["q", "dO", "delta", "m", "v", "dk", "dv", "at", "end"] as const;
  const places = Object.fromEntries(names.map((name) => [name, f.local("i32", `${name}_at`)])) as unknown as Places;
  const list = f.local("i32", "list");
  f.get(p("begin")).set(item);
  f.while(item, () => f.get(p("end")), 1, () => {
    f.get(item).i32(keys).op("i32.div_u").set(head);
    element(f, p("q"), head, rows * width * FLOAT).set(places.q);
    element(f, p("d_o"), head, rows * valueWidth * FLOAT).set(places.dO);
    element(f, p("delta"), head, rows * FLOAT).set(places.delta);
    element(f, p("m"), head, rows * slots * FLOAT).set(places.m);
    element(f, p("v"), item, valueWidth * FLOAT).set(places.v);
    element(f, p("dk"), item, width * FLOAT).set(places.dk);
    element(f, p("dv"), item, valueWidth * FLOAT).set(places.dv);
    // The table of (head, chunk), at this key; the lists of the chunk.
    f.get(p("tables")).get(head).i32(chunks).op("i32.mul").i32(chunk).op("i32.add").i32(tableLength(problem)).op("i32.mul");
    f.get(item).get(head).i32(keys).op("i32.mul").op("i32.sub").op("i32.add").i32(FLOAT).op("i32.mul").op("i32.add").set(table);
    element(f, p("lists"), head, rows * slots * ENTRY).i32(chunk * chunkRows * slots * ENTRY).op("i32.add").set(list);
    f.get(list).get(table).op("i32.load", 2, 0).op("i32.add").set(places.at);
    f.get(list).get(table).op("i32.load", 2, FLOAT).op("i32.add").set(places.end);
    if (chunk === 0) {
      f.get(places.dk).i32(0).i32(width * FLOAT).op("memory.fill", 0);
      f.get(places.dv).i32(0).i32(valueWidth * FLOAT).op("memory.fill", 0);
    }
    walkList(f, places, TOGETHER, problem);
    walkList(f, places, 1, problem);
  });
};

/** Entries from `at` on, `count` at a time, while there are so many. */
const walkList = (f: FunctionBuilder, places: Places, count: 1 | 4, problem: SampledBackward): void => {
  const turn = entriesOf(f, places, count, problem);
  f.block("block", () => {
    f.block("loop", () => {
      f.get(places.end).get(places.at).op("i32.sub").i32(count * ENTRY).op("i32.lt_s").op("br_if", 1);
      turn();
      f.advance(places.at, count * ENTRY).op("br", 0);
    });
  });
};

const entriesOf = (f: FunctionBuilder, places: Places, count: 1 | 4, { width, valueWidth, slots, scale }: SampledBackward): (() => void) => {
  const lanes = Array.from({ length: count }, (_, lane) => lane);
  const [positions, weights, m, low, high, shared] = ["positions", "weights", "m_", "low", "high", "shared"].map((name) => f.local("v128", name)) as
    [number, number, number, number, number, number];
  const sums = lanes.map(() => f.locals("v128", "sum", 2));
  const factors = f.locals("v128", "factor", count);
  const [position, queries, outputs, pointers, own, turns] = [
    f.locals("i32", "position", count), f.locals("i32", "query", count), f.locals("i32", "output", count), f.locals("i32", "row", count), f.local("i32", "own"), f.local("i32", "turn"),
  ];
  const at = (list: readonly LocalIndex[], i: number): LocalIndex => list[i] ?? 0;
  /** sums += factor · row for each of the rows, in turn, in the row at `target`. */
  const addRows = (rows: readonly LocalIndex[], target: LocalIndex, columns: number, factor: LocalIndex): void => {
    for (const lane of lanes) f.get(factor).get(factor).op("i8x16.shuffle", ...words(lane, lane, lane, lane)).set(at(factors, lane));
    f.get(target).set(own);
    eachColumn(f, columns, [...rows, own], turns, ({ load, vectors, store }) => {
      for (const byte of vectors)
        store(own, byte, () => {
          f.get(own).op(load, 2, byte);
          rows.forEach((row, lane) => f.get(row).op(load, 2, byte).get(at(factors, lane)).op("f32x4.mul").op("f32x4.add"));
        });
    });
  };
  return () => {
    // The entries: positions and weights alternate.
    if (count === 1) f.get(places.at).op("v128.load32_zero", 2, 0).set(positions).get(places.at).op("v128.load32_zero", 2, FLOAT).set(weights);
    else {
      f.get(places.at).op("v128.load", 2, 0).set(low).get(places.at).op("v128.load", 2, 16).set(high);
      f.get(low).get(high).op("i8x16.shuffle", ...words(0, 2, 4, 6)).set(positions);
      f.get(low).get(high).op("i8x16.shuffle", ...words(1, 3, 5, 7)).set(weights);
    }
    f.splat(0).set(m);
    for (const lane of lanes) {
      f.get(positions).op("i32x4.extract_lane", lane).tee(at(position, lane)).i32(slots).op("i32.div_u").set(at(queries, lane));
      f.get(m);
      element(f, places.delta, at(queries, lane), FLOAT).op("f32.load", 2, 0).op("f32x4.replace_lane", lane).set(m);
      element(f, places.dO, at(queries, lane), valueWidth * FLOAT).tee(at(outputs, lane)).set(at(pointers, lane));
      element(f, places.q, at(queries, lane), width * FLOAT).set(at(queries, lane));
      element(f, places.m, at(position, lane), FLOAT).set(at(position, lane));
    }
    for (const sum of sums.flat()) f.splat(0).set(sum);
    f.get(places.v).set(own);
    eachColumn(f, valueWidth, [...pointers, own], turns, ({ load, vectors }) =>
      vectors.forEach((byte, v) => {
        f.get(own).op(load, 2, byte).set(shared);
        pointers.forEach((row, lane) => f.get(at(sums[lane] ?? [], v)).get(row).op(load, 2, byte).get(shared).op("f32x4.mul").op("f32x4.add").set(at(sums[lane] ?? [], v)));
      }));
    for (const [a = 0, b = 0] of sums) f.get(a).get(b).op("f32x4.add").set(a);
    const [a, b, c, d] = [0, 1, 2, 3].map((lane) => at(sums[lane] ?? sums[0] ?? [], 0)) as [number, number, number, number];
    laneSums(f, [a, b, c, d], low, high);
    f.get(m).op("f32x4.sub").get(weights).op("f32x4.mul").splat(scale).op("f32x4.mul").set(m);
    for (const lane of lanes) f.get(at(position, lane)).get(m).op("v128.store32_lane", 2, 0, lane);
    addRows(outputs, places.dv, valueWidth, weights);
    addRows(queries, places.dk, width, m);
  };
};
