/** @file dq_i = sum over the slots of row i of m k_j, four slots at a time; m has the scale in it. */

import type { LocalIndex } from "../builder.ts";
import { eachColumn, element, words } from "./sampled-backward-columns.ts";
import type { PhaseBody, SampledBackward } from "./sampled-backward.ts";

const FLOAT = 4;

/** Items: query rows of all heads. Empty slots are the last of a row. */
export const emitRows = ({ f, p }: PhaseBody, { rows, keys, width, slots }: SampledBackward): void => {
  const [item, k, dq, kept, m, slot] = ["item", "k_at", "dq_at", "kept_at", "m_at", "slot"].map((name) => f.local("i32", name)) as [number, number, number, number, number, number];
  const walk = (count: 1 | 4): void => {
    const turn = slotsOf(count);
    f.block("block", () => {
      f.block("loop", () => {
        f.get(slot).i32(slots - count).op("i32.gt_s").op("br_if", 1);
        f.get(kept).op("f32.load", 2, (count - 1) * FLOAT).f32(0).op("f32.lt").op("br_if", 1);
        turn();
        f.advance(kept, count * FLOAT).advance(m, count * FLOAT).advance(slot, count).op("br", 0);
      });
    });
  };
  const slotsOf = (count: 1 | 4): (() => void) => {
    const [offsets, values] = f.locals("v128", "slots", 2) as [number, number];
    const factors = f.locals("v128", "factor", count);
    const pointers = f.locals("i32", "row", count);
    const [own, turns] = f.locals("i32", "own", 2) as [number, number];
    const at = (list: readonly LocalIndex[], i: number): LocalIndex => list[i] ?? 0;
    const load = count === 1 ? "v128.load32_zero" : "v128.load";
    return () => {
      f.get(kept).op(load, 2, 0).op("i32x4.trunc_sat_f32x4_s").splatBits(width * FLOAT).op("i32x4.mul").get(k).op("i32x4.splat").op("i32x4.add").set(offsets);
      f.get(m).op(load, 2, 0).set(values);
      pointers.forEach((pointer, lane) => {
        f.get(offsets).op("i32x4.extract_lane", lane).set(pointer);
        f.get(values).get(values).op("i8x16.shuffle", ...words(lane, lane, lane, lane)).set(at(factors, lane));
      });
      f.get(dq).set(own);
      eachColumn(f, width, [...pointers, own], turns, (turn) => {
        for (const byte of turn.vectors)
          turn.store(own, byte, () => {
            f.get(own).op(turn.load, 2, byte);
            pointers.forEach((pointer, lane) => f.get(pointer).op(turn.load, 2, byte).get(at(factors, lane)).op("f32x4.mul").op("f32x4.add"));
          });
      });
    };
  };
  f.get(p("begin")).set(item);
  f.while(item, () => f.get(p("end")), 1, () => {
    f.get(p("k")).get(item).i32(rows).op("i32.div_u").i32(keys * width * FLOAT).op("i32.mul").op("i32.add").set(k);
    element(f, p("dq"), item, width * FLOAT).tee(dq).i32(0).i32(width * FLOAT).op("memory.fill", 0);
    element(f, p("kept"), item, slots * FLOAT).set(kept);
    element(f, p("m"), item, slots * FLOAT).set(m);
    f.i32(0).set(slot);
    walk(4);
    walk(1);
  });
};
