/** @file The gradient of values, and what each kept entry gives to those of keys and queries:
 *
 *      m = scale w~ (z d_o_i · v_j - delta_i)    dv_j = sum over the list of j of w~ z d_o_i
 *
 *  z is what dropout multiplies the entry's weight with, 1 without it.
 *  m takes the weight's place in the list, and its slot's place for the rows. */

import type { LocalIndex } from "../builder.ts";
import type { PhaseBody, SampledBackward } from "./sampled-backward.ts";
import { eachColumn, element, FLOAT, laneSums, rowAdder } from "./columns.ts";
import { entryDropout, prepareDropout } from "./sampled-backward-dropout.ts";
import type { EntryDropout } from "./sampled-backward-dropout.ts";
import { eachEntry, ENTRY, loadEntries } from "./sampled-backward-lists.ts";

/** The key at hand: its rows, and where its head's rows begin. */
interface Key {
  readonly v: LocalIndex;
  readonly dv: LocalIndex;
  readonly dO: LocalIndex;
  readonly delta: LocalIndex;
  readonly m: LocalIndex;
  /** The entry. */
  readonly at: LocalIndex;
}

/** Items: keys of all heads. */
export const emitValues = (body: PhaseBody, problem: SampledBackward): void => {
  const { f, p } = body;
  const { keys, rows, slots, valueWidth } = problem;
  const [item, head] = f.locals("i32", "item", 2) as [number, number];
  const [v, dv, dO, delta, m, at] = f.locals("i32", "place", 6) as [number, number, number, number, number, number];
  const key: Key = { v, dv, dO, delta, m, at };
  const drops = (): EntryDropout | null => (problem.dropout > 0 ? entryDropout(body, problem, head, item) : null);
  const bodies = { 4: entries(body, problem, key, drops(), 4), 1: entries(body, problem, key, drops(), 1) };
  if (problem.dropout > 0) prepareDropout(body);
  f.get(p("begin")).set(item);
  f.while(item, () => f.get(p("end")), 1, () => {
    f.get(item).i32(keys).op("i32.div_u").set(head);
    element(f, p("v"), item, valueWidth * FLOAT).set(v);
    element(f, p("dv"), item, valueWidth * FLOAT).tee(dv).i32(0).i32(valueWidth * FLOAT).op("memory.fill", 0);
    element(f, p("d_o"), head, rows * valueWidth * FLOAT).set(dO);
    element(f, p("delta"), head, rows * FLOAT).set(delta);
    element(f, p("m"), head, rows * slots * FLOAT).set(m);
    eachEntry(body, problem, item, head, at, bodies);
  });
};

/** Emits what is done with `count` entries at `at`. */
const entries = ({ f }: PhaseBody, { slots, valueWidth, scale }: SampledBackward, key: Key, drop: EntryDropout | null, count: 1 | 4): (() => void) => {
  const [positions, weights, m, z, low, high, shared] = f.locals("v128", "entry", 7) as [number, number, number, number, number, number, number];
  const [slot, pointers, outputs] = [f.locals("i32", "slot", count), f.locals("i32", "row", count), f.locals("i32", "row", count)];
  const sums = f.locals("v128", "sum", 2 * count);
  const [own, turns] = f.locals("i32", "own", 2) as [number, number];
  const add = rowAdder(f, count);
  const local = (list: readonly LocalIndex[], i: number): LocalIndex => list[i] ?? 0;
  const products = (): void => {
    for (const sum of sums) f.splat(0).set(sum);
    f.get(key.v).set(own);
    eachColumn(f, valueWidth, [...pointers, own], turns, ({ load, vectors }) =>
      vectors.forEach((byte, v) => {
        f.get(own).op(load, 2, byte).set(shared);
        pointers.forEach((row, i) => f.get(local(sums, 2 * i + v)).get(row).op(load, 2, byte).get(shared).op("f32x4.mul").op("f32x4.add").set(local(sums, 2 * i + v)));
      }));
    pointers.forEach((_, i) => f.get(local(sums, 2 * i)).get(local(sums, 2 * i + 1)).op("f32x4.add").set(local(sums, 2 * i)));
    laneSums(f, sums.filter((_, i) => i % 2 === 0), low, high);
  };
  return () => {
    loadEntries(f, key.at, count, positions, weights);
    f.splat(0).set(m);
    slot.forEach((at, lane) => {
      const row = local(pointers, lane);
      f.get(positions).op("i32x4.extract_lane", lane).tee(at).i32(slots).op("i32.div_u").set(row);
      drop?.place(lane, row);
      f.get(m);
      element(f, key.delta, row, FLOAT).op("f32.load", 2, 0).op("f32x4.replace_lane", lane).set(m);
      element(f, key.dO, row, valueWidth * FLOAT).tee(row).set(local(outputs, lane));
      element(f, key.m, at, FLOAT).set(at);
    });
    drop?.push();
    if (drop !== null) f.set(z);
    products();
    if (drop !== null) f.get(z).op("f32x4.mul");
    f.get(m).op("f32x4.sub").get(weights).op("f32x4.mul").splat(scale).op("f32x4.mul").set(m);
    slot.forEach((at, lane) => {
      f.get(at).get(m).op("v128.store32_lane", 2, 0, lane);
      f.get(key.at).get(m).op("v128.store32_lane", 2, lane * ENTRY + FLOAT, lane);
    });
    if (drop !== null) f.get(weights).get(z).op("f32x4.mul").set(weights);
    add(key.dv, valueWidth, outputs, weights);
  };
};
