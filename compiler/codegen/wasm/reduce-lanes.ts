/** @file Sums and maxima along a loop whose neighbouring turns read neighbouring elements: partial results in vectors.
 *
 *  The order is fixed by the extent alone. With V vectors at a time (4 for long loops of short bodies, else 1), partial
 *  result v of V holds, lane by lane, the turns 4 (V t + v) + lane; whole vectors that are left go to v = 0, 1, …. The
 *  results are combined as ((0 + 1) + (2 + 3)), their lanes as (0 + 2) + (1 + 3), and then the last extent mod 4 turns are
 *  added one by one. */

import type { Expr, KernelInput } from "../kernel.ts";
import type { FunctionBuilder, LocalIndex } from "./builder.ts";
import type { Kinds } from "./kinds.ts";
import { LaneView, scalarCost } from "./lanes.ts";

type Reduce = Expr & { kind: "reduce" };

const LANES = 4;
const SHORTEST = 8;
/** Combining the lanes. */
const FINISH = 10;
const SHORT_BODY = 40;

/** Instructions of a reduction in vectors, where it pays. */
export const costAcross = (reduce: Reduce, kinds: Kinds, inputs: readonly KernelInput[]): number | null => {
  const [loop] = reduce.loops;
  if (loop === undefined || reduce.loops.length > 1 || loop.extent < SHORTEST || kinds.kind(reduce) !== "f32") return null;
  const view = new LaneView(loop.name, kinds, inputs);
  const cost = (view.cost(reduce.body, scalarCost) + 1) * (loop.extent / LANES) + FINISH;
  return cost < 0.9 * scalarCost(reduce) ? cost : null;
};

export interface Across {
  readonly f: FunctionBuilder;
  readonly reduce: Reduce;
  readonly index: LocalIndex;
  readonly extent: number;
  /** Pushes the term of the four turns at `index`, or of the one. */
  readonly term: (width: 1 | 4) => void;
}

/** Pushes the result, an f32. */
export const acrossLanes = ({ f, reduce, index, extent, term }: Across): void => {
  const [one, four] = reduce.fn === "sum" ? (["f32.add", "f32x4.add"] as const) : (["f32.max", "f32x4.max"] as const);
  const vectors = extent >= 8 * LANES && scalarCost(reduce.body) <= SHORT_BODY ? 4 : 1;
  const partial = f.locals("v128", reduce.fn, vectors);
  for (const local of partial) f.splat(reduce.fn === "sum" ? 0 : Number.NEGATIVE_INFINITY).set(local);
  const add = (local: LocalIndex): void => {
    f.get(local);
    term(LANES);
    f.op(four).set(local).advance(index, LANES);
  };
  const step = vectors * LANES;
  const whole = Math.floor(extent / step) * step;
  f.i32(0).set(index);
  f.block("loop", () => {
    partial.forEach(add);
    f.get(index).i32(whole).op("i32.lt_s").op("br_if", 0);
  });
  partial.slice(0, Math.floor((extent - whole) / LANES)).forEach(add);
  const [a = 0, b = 0, c = 0, d = 0] = partial;
  f.get(a);
  if (vectors === 4) f.get(b).op(four).get(c).get(d).op(four).op(four);
  f.set(a);
  const pick = (lane: number): FunctionBuilder => f.get(a).op("f32x4.extract_lane", lane);
  pick(0);
  pick(2).op(one);
  pick(1);
  pick(3).op(one).op(one);
  if (extent % LANES === 0) return;
  const total = f.local("f32", reduce.fn);
  f.set(total);
  f.block("loop", () => {
    f.get(total);
    term(1);
    f.op(one).set(total).advance(index, 1).get(index).i32(extent).op("i32.lt_s").op("br_if", 0);
  });
  f.get(total);
};
