/** @file The kept slots of a chunk of query rows, sorted by key (counting sort; Gustavson, "Two fast algorithms for sparse matrices:
 *  multiplication and permuted transposition", 1978), and delta_i = d_o_i · o_i - d_lse_i of the rows.
 *
 *  Empty slots are a list too, that of key -1, so that nothing branches. Three walks over a table of bytes, [0, 0, …] at first:
 *
 *      count   table[key + 2] += bytes of an entry
 *      add     table[i] += table[i - 1]: the bytes before list `key` are in table[key + 1]
 *      place   the next slot of `key` goes to table[key + 1], which then moves on, at last to the end of the list:
 *              list `key` is from table[key] to table[key + 1] */

import type { FunctionBuilder, LocalIndex } from "../builder.ts";
import { element, eachColumn, laneSums } from "./sampled-backward-columns.ts";
import { ENTRY, tableLength } from "./sampled-backward.ts";
import type { PhaseBody, SampledBackward } from "./sampled-backward.ts";

const FLOAT = 4;

/** Items: chunks of rows, those of a key head together. */
export const emitLists = (body: PhaseBody, problem: SampledBackward): void => {
  const { f, p } = body;
  const { rows, chunks, chunkRows } = problem;
  const [item, head, first, last] = f.locals("i32", "item", 4) as [number, number, number, number];
  f.get(p("begin")).set(item);
  f.while(item, () => f.get(p("end")), 1, () => {
    f.get(item).i32(chunks).op("i32.div_u").set(head);
    f.get(item).get(head).i32(chunks).op("i32.mul").op("i32.sub").i32(chunkRows).op("i32.mul").tee(first).i32(chunkRows).op("i32.add").set(last);
    f.get(last).i32(rows).get(last).i32(rows).op("i32.lt_s").op("select").set(last);
    emitSort(body, problem, { item, head, first, last });
    element(f, first, head, rows).set(first);
    element(f, last, head, rows).set(last);
    emitDelta(body, problem, first, last);
  });
};

interface Chunk {
  readonly item: LocalIndex;
  readonly head: LocalIndex;
  /** Rows of the key head: from `first` to before `last`. */
  readonly first: LocalIndex;
  readonly last: LocalIndex;
}

const emitSort = ({ f, p }: PhaseBody, problem: SampledBackward, { item, head, first, last }: Chunk): void => {
  const { slots, rows } = problem;
  const length = tableLength(problem);
  const [table, list, kept, weight, position, end, place] = ["table", "list", "kept_at", "weight_at", "position", "position_end", "place"].map((name) => f.local("i32", name)) as
    [number, number, number, number, number, number, number];
  const start = f.local("i32", "slots_before");
  element(f, p("tables"), item, length * FLOAT).set(table);
  f.get(head).i32(rows * slots).op("i32.mul").set(start);
  f.get(first).i32(slots).op("i32.mul").set(position);
  f.get(last).i32(slots).op("i32.mul").set(end);
  f.get(p("lists")).get(start).get(position).op("i32.add").i32(ENTRY).op("i32.mul").op("i32.add").set(list);
  f.get(table).i32(0).i32(length * FLOAT).op("memory.fill", 0);
  const eachSlot = (slot: () => void): void => {
    f.get(first).i32(slots).op("i32.mul").set(position);
    f.get(p("kept")).get(start).get(position).op("i32.add").i32(FLOAT).op("i32.mul").op("i32.add").set(kept);
    f.block("loop", () => {
      f.get(table).get(kept).op("f32.load", 2, 0).op("i32.trunc_sat_f32_s").i32(FLOAT).op("i32.mul").op("i32.add").set(place);
      slot();
      f.advance(kept, FLOAT).advance(position, 1).get(position).get(end).op("i32.lt_s").op("br_if", 0);
    });
  };
  eachSlot(() => f.get(place).get(place).op("i32.load", 2, 2 * FLOAT).i32(ENTRY).op("i32.add").op("i32.store", 2, 2 * FLOAT));
  runningSums(f, table, length);
  element(f, p("weights"), start, FLOAT).set(weight);
  const [weightAt, at] = f.locals("i32", "at", 2) as [number, number];
  eachSlot(() => {
    f.get(place).op("i32.load", 2, FLOAT).set(at);
    f.get(place).get(at).i32(ENTRY).op("i32.add").op("i32.store", 2, FLOAT);
    f.get(at).get(list).op("i32.add").tee(at).get(position).op("i32.store", 2, 0);
    element(f, weight, position, FLOAT).set(weightAt);
    f.get(at).get(weightAt).op("f32.load", 2, 0).op("f32.store", 2, FLOAT);
  });
};

const runningSums = (f: FunctionBuilder, table: LocalIndex, length: number): void => {
  const [at, total, index] = f.locals("i32", "sum", 3) as [number, number, number];
  f.get(table).set(at).i32(0).set(total);
  f.repeat(index, length, 1, () => {
    f.get(at).get(total).get(at).op("i32.load", 2, 0).op("i32.add").tee(total).op("i32.store", 2, 0);
    f.advance(at, FLOAT);
  });
};

/** Rows `from` to before `to`, counted over all heads. */
const emitDelta = ({ f, p }: PhaseBody, { valueWidth, hasDLse }: SampledBackward, from: LocalIndex, to: LocalIndex): void => {
  const [o, dO, turns] = f.locals("i32", "row", 3) as [number, number, number];
  const sums = f.locals("v128", "sum", 2);
  const [a, b] = sums as [number, number];
  const [low, high] = f.locals("v128", "half", 2) as [number, number];
  element(f, p("o"), from, valueWidth * FLOAT).set(o);
  element(f, p("d_o"), from, valueWidth * FLOAT).set(dO);
  f.while(from, () => f.get(to), 1, () => {
    f.splat(0).tee(a).set(b);
    eachColumn(f, valueWidth, [o, dO], turns, ({ load, vectors }) =>
      vectors.forEach((byte, v) => f.get(sums[v] ?? a).get(o).op(load, 2, byte).get(dO).op(load, 2, byte).op("f32x4.mul").op("f32x4.add").set(sums[v] ?? a)));
    f.get(a).get(b).op("f32x4.add").set(a);
    element(f, p("delta"), from, FLOAT);
    laneSums(f, [a, a, a, a], low, high);
    f.op("f32x4.extract_lane", 0);
    if (hasDLse) element(f, p("d_lse"), from, FLOAT).op("f32.load", 2, 0).op("f32.sub");
    f.op("f32.store", 2, 0);
  });
};
