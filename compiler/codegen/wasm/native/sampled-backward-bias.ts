/** @file The gradient of a bias, which is m without its scale where an entry is kept, summed where the bias was broadcast:
 *
 *      dbias_ij = sum over the sequences and heads that share it, and their slots with kept = j, of m / scale
 *
 *  Items are its rows. A row is zeroed and then added to in the order of sequences, heads and slots. */

import type { PhaseBody, SampledBackward } from "./sampled-backward.ts";
import { element, FLOAT } from "./columns.ts";

/** Sequences and query heads, and how many of either have a bias of their own: all or one. */
export interface BiasShape {
  readonly B: number;
  readonly H: number;
  readonly ownB: number;
  readonly ownH: number;
}

export const emitBias = ({ B, H, ownB, ownH }: BiasShape) => ({ f, p }: PhaseBody, { queries, keys, slots, scale }: SampledBackward): void => {
  const [item, i, own, dbias, b, h, row, kept, m, end] = f.locals("i32", "item", 10) as [number, number, number, number, number, number, number, number, number, number];
  const [sharedB, sharedH] = [ownB === B ? 1 : B, ownH === H ? 1 : H];
  f.get(p("begin")).set(item);
  f.while(item, () => f.get(p("end")), 1, () => {
    element(f, p("dbias"), item, keys * FLOAT).tee(dbias).i32(0).i32(keys * FLOAT).op("memory.fill", 0);
    f.get(item).i32(queries).op("i32.rem_u").set(i).get(item).i32(queries).op("i32.div_u").set(own);
    f.repeat(b, sharedB, 1, () => {
      f.repeat(h, sharedH, 1, () => {
        // own = own sequence · ownH + own head; where a sequence or head is shared, its part of `own` is 0.
        f.get(own).i32(ownH).op("i32.div_u").get(b).op("i32.add").i32(H).op("i32.mul");
        f.get(own).i32(ownH).op("i32.rem_u").get(h).op("i32.add").op("i32.add");
        f.i32(queries).op("i32.mul").get(i).op("i32.add").set(row);
        element(f, p("kept"), row, slots * FLOAT).tee(kept).i32(slots * FLOAT).op("i32.add").set(end);
        element(f, p("m"), row, slots * FLOAT).set(m);
        f.block("block", () => {
          f.block("loop", () => {
            f.get(kept).get(end).op("i32.eq").op("br_if", 1);
            f.get(kept).op("f32.load", 2, 0).f32(0).op("f32.lt").op("br_if", 1);
            f.get(dbias).get(kept).op("f32.load", 2, 0).op("i32.trunc_sat_f32_s").i32(FLOAT).op("i32.mul").op("i32.add").tee(row);
            f.get(row).op("f32.load", 2, 0).get(m).op("f32.load", 2, 0).f32(1 / scale).op("f32.mul").op("f32.add").op("f32.store", 2, 0);
            f.advance(kept, FLOAT).advance(m, FLOAT).op("br", 0);
          });
        });
      });
    });
  });
};
