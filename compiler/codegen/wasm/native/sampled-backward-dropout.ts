/** @file The dropout of kept entries in the gradient of sampled attention: z of each, drawn again by the counters that the pair has in
 *  the forward (ir/ops/attention-draw.ts). */

import { rowsToAHighWord } from "../../../../ir/ops/attention-draw.ts";
import type { LocalIndex } from "../builder.ts";
import type { PhaseBody, SampledBackward } from "./sampled-backward.ts";
import { dropoutLanes, dropoutTable } from "./dropout.ts";
import { held, modulo, over } from "./integers.ts";

/** Emits the z of up to four entries of a key. */
export interface EntryDropout {
  /** Takes the row (of the key head's) of the entry in this lane. */
  readonly place: (lane: number, row: LocalIndex) => void;
  /** Pushes z of the entries that were placed. */
  readonly push: () => void;
}

/** To be emitted once, at the phase's beginning. */
export const prepareDropout = ({ f, p, table }: PhaseBody): void =>
  void f.get(p("scratch")).get(p("dropout_key")).op("call", table.shared(dropoutTable));

/** `head` and `key` count over all key heads. */
export const entryDropout = ({ f, p }: PhaseBody, { rows, queries, keys, dropout }: SampledBackward, head: LocalIndex, key: LocalIndex): EntryDropout => {
  const [high, low] = f.locals("v128", "counter", 2) as [number, number];
  const [query, at] = f.locals("i32", "query", 2) as [number, number];
  const toAWord = rowsToAHighWord(keys);
  const words = Math.ceil(queries / toAWord);
  return {
    place: (lane, row) => {
      // The query heads of a key head follow each other: a row's head and index are those among the queries of all heads.
      f.get(head).i32(rows).op("i32.mul").get(row).op("i32.add").set(at);
      f.get(at).i32(queries).op("i32.div_u").set(query);
      f.get(at).get(query).i32(queries).op("i32.mul").op("i32.sub").set(at);
      f.get(high).get(query).i32(words).op("i32.mul");
      if (words > 1) {
        over(held(at), toAWord)(f);
        f.op("i32.add");
      }
      f.op("i32x4.replace_lane", lane).set(high);
      f.get(low);
      (words > 1 ? modulo(held(at), toAWord) : held(at))(f);
      f.i32(keys).op("i32.mul").get(key).get(head).i32(keys).op("i32.mul").op("i32.sub").op("i32.add").op("i32x4.replace_lane", lane).set(low);
    },
    push: () => dropoutLanes(f, p("scratch"), (g) => void g.get(high), (g) => void g.get(low), dropout),
  };
};
