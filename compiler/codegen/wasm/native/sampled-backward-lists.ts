/** @file The kept slots of a chunk of query rows, sorted by key (counting sort; Gustavson, "Two fast algorithms for sparse matrices:
 *  multiplication and permuted transposition", 1978), and delta_i = d_o_i · o_i - d_lse_i of the rows.
 *
 *  Empty slots are a list too, that of key -1, so that nothing branches. Three walks over a table of byte counts, all 0 at first:
 *
 *      count   table[key + 2] += bytes of an entry
 *      sum     table[i] += table[i - 1]: the bytes before list `key` are in table[key + 1]
 *      place   the next slot of `key` goes to table[key + 1], which then moves on, at last to the end of the list:
 *              list `key` is from table[key] to table[key + 1] */

import type { FunctionBuilder, LocalIndex } from "../builder.ts";
import type { PhaseBody, SampledBackward } from "./sampled-backward.ts";
import { eachColumn, element, FLOAT, laneSums, runningSums, words } from "./columns.ts";

/** Bytes of an entry in a list: its position among the slots of the key head (i32), and its weight, later its m. */
export const ENTRY = 8;

/** i32 of the table of a chunk's lists. */
export const tableLength = ({ keys }: SampledBackward): number => keys + 2;

/** Rows of a head, from `first` to before `last`. */
interface Chunk {
  readonly item: LocalIndex;
  readonly head: LocalIndex;
  readonly first: LocalIndex;
  readonly last: LocalIndex;
}

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
    f.get(head).i32(rows).op("i32.mul").get(first).op("i32.add").set(first);
    f.get(head).i32(rows).op("i32.mul").get(last).op("i32.add").set(last);
    emitDelta(body, problem, first, last);
  });
};

const emitSort = ({ f, p }: PhaseBody, problem: SampledBackward, { item, head, first, last }: Chunk): void => {
  const { slots, rows } = problem;
  const bytes = tableLength(problem) * FLOAT;
  const [table, list, kept, weight] = f.locals("i32", "base", 4) as [number, number, number, number];
  const [position, end, at, place, from] = f.locals("i32", "position", 5) as [number, number, number, number, number];
  element(f, p("tables"), item, bytes).set(table);
  element(f, p("kept"), head, rows * slots * FLOAT).set(kept);
  element(f, p("weights"), head, rows * slots * FLOAT).set(weight);
  element(f, p("lists"), head, rows * slots * ENTRY).get(first).i32(slots * ENTRY).op("i32.mul").op("i32.add").set(list);
  f.get(last).i32(slots).op("i32.mul").set(end);
  const eachSlot = (body: () => void): void => {
    f.get(first).i32(slots).op("i32.mul").set(position);
    f.block("loop", () => {
      // `at` is where the key would be in the table.
      f.get(table);
      element(f, kept, position, FLOAT).op("f32.load", 2, 0).op("i32.trunc_sat_f32_s").i32(FLOAT).op("i32.mul").op("i32.add").set(at);
      body();
      f.advance(position, 1).get(position).get(end).op("i32.lt_s").op("br_if", 0);
    });
  };
  f.get(table).i32(0).i32(bytes).op("memory.fill", 0);
  eachSlot(() => f.get(at).get(at).op("i32.load", 2, 2 * FLOAT).i32(ENTRY).op("i32.add").op("i32.store", 2, 2 * FLOAT));
  runningSums(f, table, tableLength(problem));
  eachSlot(() => {
    f.get(at).op("i32.load", 2, FLOAT).set(place);
    f.get(at).get(place).i32(ENTRY).op("i32.add").op("i32.store", 2, FLOAT);
    f.get(list).get(place).op("i32.add").tee(place).get(position).op("i32.store", 2, 0);
    element(f, weight, position, FLOAT).set(from);
    f.get(place).get(from).op("f32.load", 2, 0).op("f32.store", 2, FLOAT);
  });
};

/** Rows counted over all heads; moves `row` to `end`. */
const emitDelta = ({ f, p }: PhaseBody, { valueWidth, hasDLse }: SampledBackward, row: LocalIndex, end: LocalIndex): void => {
  const [o, dO, turns] = f.locals("i32", "row", 3) as [number, number, number];
  const sums = f.locals("v128", "sum", 2);
  const [low, high] = f.locals("v128", "half", 2) as [number, number];
  const [first = 0, second = 0] = sums;
  element(f, p("o"), row, valueWidth * FLOAT).set(o);
  element(f, p("d_o"), row, valueWidth * FLOAT).set(dO);
  f.while(row, () => f.get(end), 1, () => {
    f.splat(0).tee(first).set(second);
    eachColumn(f, valueWidth, [o, dO], turns, ({ load, vectors }) =>
      vectors.forEach((byte, v) => f.get(sums[v] ?? first).get(o).op(load, 2, byte).get(dO).op(load, 2, byte).op("f32x4.mul").op("f32x4.add").set(sums[v] ?? first)));
    f.get(first).get(second).op("f32x4.add").set(first);
    element(f, p("delta"), row, FLOAT);
    laneSums(f, [first], low, high);
    f.op("f32x4.extract_lane", 0);
    if (hasDLse) element(f, p("d_lse"), row, FLOAT).op("f32.load", 2, 0).op("f32.sub");
    f.op("f32.store", 2, 0);
  });
};

/** Walks the lists of key `item` (counted over all heads) of head `head`, chunk by chunk: four entries at a time, then single ones.
 *  `at` is the entry at hand. Each of `bodies` is emitted once. */
export const eachEntry = ({ f, p }: PhaseBody, problem: SampledBackward, item: LocalIndex, head: LocalIndex, at: LocalIndex, bodies: { readonly 4: () => void; readonly 1: () => void }): void => {
  const { keys, rows, slots, chunks, chunkRows } = problem;
  const [table, list, end, chunk] = f.locals("i32", "list", 4) as [number, number, number, number];
  element(f, p("tables"), head, chunks * tableLength(problem) * FLOAT);
  f.get(item).get(head).i32(keys).op("i32.mul").op("i32.sub").i32(FLOAT).op("i32.mul").op("i32.add").set(table);
  element(f, p("lists"), head, rows * slots * ENTRY).set(list);
  f.repeat(chunk, chunks, 1, () => {
    f.get(list).get(table).op("i32.load", 2, 0).op("i32.add").set(at);
    f.get(list).get(table).op("i32.load", 2, FLOAT).op("i32.add").set(end);
    for (const count of [4, 1] as const)
      f.block("block", () => {
        f.block("loop", () => {
          f.get(end).get(at).op("i32.sub").i32(count * ENTRY).op("i32.lt_s").op("br_if", 1);
          bodies[count]();
          f.advance(at, count * ENTRY).op("br", 0);
        });
      });
    f.advance(table, tableLength(problem) * FLOAT).advance(list, chunkRows * slots * ENTRY);
  });
};

/** The entries at `at`: their positions and their numbers, which alternate in memory, as two vectors. */
export const loadEntries = (f: FunctionBuilder, at: LocalIndex, count: 1 | 4, positions: LocalIndex, numbers: LocalIndex): void => {
  if (count === 1) {
    f.get(at).op("v128.load32_zero", 2, 0).set(positions).get(at).op("v128.load32_zero", 2, FLOAT).set(numbers);
    return;
  }
  const pick = (first: number): FunctionBuilder =>
    f.get(at).op("v128.load", 2, 0).get(at).op("v128.load", 2, 2 * ENTRY).op("i8x16.shuffle", ...words(first, first + 2, first + 4, first + 6));
  pick(0).set(positions);
  pick(1).set(numbers);
};
