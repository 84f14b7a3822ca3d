/** @file Sums of rows that entries name, each times the entry's m (which has the scale in it), four entries at a time:
 *
 *      dk_j = sum over the list of j of m q_i        dq_i = sum over the slots of i of m k_j */

import type { PhaseBody, SampledBackward } from "./sampled-backward.ts";
import { element, FLOAT, rowAdder } from "./columns.ts";
import { eachEntry, loadEntries } from "./sampled-backward-lists.ts";

/** Items: keys of all heads. */
export const emitKeys = (body: PhaseBody, problem: SampledBackward): void => {
  const { f, p } = body;
  const { keys, rows, slots, width } = problem;
  const [item, head, q, dk, at] = f.locals("i32", "item", 5) as [number, number, number, number, number];
  const entries = (count: 1 | 4) => {
    const [positions, m] = f.locals("v128", "entry", 2) as [number, number];
    const pointers = f.locals("i32", "row", count);
    const add = rowAdder(f, count);
    return (): void => {
      loadEntries(f, at, count, positions, m);
      pointers.forEach((pointer, lane) =>
        f.get(q).get(positions).op("i32x4.extract_lane", lane).i32(slots).op("i32.div_u").i32(width * FLOAT).op("i32.mul").op("i32.add").set(pointer));
      add(dk, width, pointers, m);
    };
  };
  const bodies = { 4: entries(4), 1: entries(1) };
  f.get(p("begin")).set(item);
  f.while(item, () => f.get(p("end")), 1, () => {
    f.get(item).i32(keys).op("i32.div_u").set(head);
    element(f, p("q"), head, rows * width * FLOAT).set(q);
    element(f, p("dk"), item, width * FLOAT).tee(dk).i32(0).i32(width * FLOAT).op("memory.fill", 0);
    eachEntry(body, problem, item, head, at, bodies);
  });
};

/** Items: query rows of all heads. Empty slots are the last of a row. */
export const emitRows = ({ f, p }: PhaseBody, { rows, keys, width, slots }: SampledBackward): void => {
  const [item, k, dq, kept, m, slot] = f.locals("i32", "item", 6) as [number, number, number, number, number, number];
  const walk = (count: 1 | 4): void => {
    const [offsets, factors] = f.locals("v128", "entry", 2) as [number, number];
    const pointers = f.locals("i32", "row", count);
    const add = rowAdder(f, count);
    const load = count === 1 ? "v128.load32_zero" : "v128.load";
    f.block("block", () => {
      f.block("loop", () => {
        f.get(slot).i32(slots - count).op("i32.gt_s").op("br_if", 1);
        f.get(kept).op("f32.load", 2, (count - 1) * FLOAT).f32(0).op("f32.lt").op("br_if", 1);
        f.get(kept).op(load, 2, 0).op("i32x4.trunc_sat_f32x4_s").splatBits(width * FLOAT).op("i32x4.mul").get(k).op("i32x4.splat").op("i32x4.add").set(offsets);
        pointers.forEach((pointer, lane) => f.get(offsets).op("i32x4.extract_lane", lane).set(pointer));
        f.get(m).op(load, 2, 0).set(factors);
        add(dq, width, pointers, factors);
        f.advance(kept, count * FLOAT).advance(m, count * FLOAT).advance(slot, count).op("br", 0);
      });
    });
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
