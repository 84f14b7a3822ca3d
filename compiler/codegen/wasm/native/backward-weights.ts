/** @file What happens to a block of scores between its products, in place: s and d_o·v become
 *
 *      p z, p = exp(scale s + bias - lse)      dS = p (z d_o·v - delta)
 *
 *  and 0 where a key is masked. z is what dropout multiplies a weight by, or 1. A block is rows of queries × columns of keys, its rows `keys` elements apart. */

import { FLOAT } from "./backward-plan.ts";
import type { BackwardPlan } from "./backward-plan.ts";
import { FunctionBuilder } from "../builder.ts";
import type { LocalIndex } from "../builder.ts";
import { expWeight } from "../math-exp.ts";
import { bits, f32, keep } from "../math-lanes.ts";
import type { Lanes } from "../math-lanes.ts";
import type { WasmFunction } from "../module.ts";
import { alongRow } from "./row-moves.ts";

const LANES = 4;
/** Takes the place of a masked score: no exponential of it less a log-sum-exp is above 0. */
const MASKED = -1e30;

const held = (local: LocalIndex): Lanes => (f) => void f.get(local);
const loaded = (address: LocalIndex): Lanes => (f) => void f.get(address).op("v128.load", 2, 0);
const splat = (address: LocalIndex): Lanes => (f) => void f.get(address).op("v128.load32_splat", 2, 0);

const builderOf = (name: string, names: readonly string[]): { readonly f: FunctionBuilder; readonly p: (name: string) => LocalIndex } => {
  const f = new FunctionBuilder(name, names.map((parameter) => ({ name: parameter, type: "i32" })));
  return { f, p: (parameter) => f.parameter(parameter) };
};

/** Are scores scaled, biased and masked (`finishScores`) before their weights are taken? */
export const hasPrologue = ({ has }: BackwardPlan): boolean => has("bias") || has("mask");

/** backward_weights(s, dp, lse, delta[, z], rows, columns): every pair of the block is unmasked.
 *  backward_weights_masked(…, diagonal, limit): with t = diagonal + row, causality leaves columns j <= t, a window j > t - window,
 *  lengths j < limit. `columns` counts whole vectors. */
export const weightsOfBlock = (plan: BackwardPlan, masked: boolean): WasmFunction => {
  const { keys, attrs } = plan;
  const drops = attrs.dropout > 0;
  const scale = hasPrologue(plan) ? 1 : attrs.scale;
  const { f, p } = builderOf(`backward_weights_${keys}_${scale}${drops ? "_dropout" : ""}${masked ? `_masked_${attrs.causal}_${attrs.window}` : ""}`, [
    "s", "dp", "lse", "delta", ...(drops ? ["z"] : []), "rows", "columns", ...(masked ? ["diagonal", "limit"] : []),
  ]);
  const [row, column, s, dp, z] = f.locals("i32", "at", 5) as [number, number, number, number, number];
  const times = (value: Lanes): Lanes => (drops ? f32.mul(value, loaded(z)) : value);
  const pointers = [["s", s], ["dp", dp], ...(drops ? [["z", z] as const] : [])] as const;
  const [lse, delta, weight] = f.locals("v128", "lanes", 3) as [number, number, number];
  const bounds = masked ? rowBounds(f, plan, row) : null;
  f.while(row, () => f.get(p("rows")), 1, () => {
    for (const [name, local] of [["lse", lse], ["delta", delta]] as const) {
      splat(p(name))(f);
      f.set(local).advance(p(name), FLOAT);
    }
    for (const [name, at] of pointers) f.get(p(name)).set(at).advance(p(name), keys * FLOAT);
    f.i32(0).set(column);
    bounds?.start();
    f.while(column, () => f.get(p("columns")), LANES, () => {
      const scaled: Lanes = scale === 1 ? loaded(s) : f32.mul(loaded(s), f32.of(scale));
      const exponential = expWeight(f, keep(f, "exponent", f32.sub(scaled, held(lse))));
      const allowed = bounds === null ? null : keep(f, "allowed", bounds.allowed);
      const store = (to: LocalIndex, value: Lanes): void => {
        f.get(to);
        (allowed === null ? value : bits.and(value, allowed))(f);
        f.op("v128.store", 2, 0);
      };
      exponential(f);
      f.set(weight);
      store(s, times(held(weight)));
      store(dp, f32.mul(held(weight), f32.sub(times(loaded(dp)), held(delta))));
      for (const [, at] of pointers) f.advance(at, LANES * FLOAT);
      bounds?.step();
    });
  });
  return f.finish(false);
};

interface RowBounds {
  /** Before the first columns of a row. */
  readonly start: () => void;
  /** After four columns. */
  readonly step: () => void;
  readonly allowed: Lanes;
}

const rowBounds = (f: FunctionBuilder, { attrs: { causal, window } }: BackwardPlan, row: LocalIndex): RowBounds => {
  const [index, first, end] = f.locals("v128", "bound", 3) as [number, number, number];
  const onDiagonal = (offset: number): FunctionBuilder => f.get(f.parameter("diagonal")).get(row).op("i32.add").i32(offset).op("i32.add").op("i32x4.splat");
  return {
    start: () => {
      f.op("v128.const", ...new Uint8Array(Int32Array.of(0, 1, 2, 3).buffer)).set(index);
      if (window > 0) onDiagonal(1 - window).set(first);
      f.get(f.parameter("limit")).op("i32x4.splat");
      if (causal) onDiagonal(1).op("i32x4.min_s");
      f.set(end);
    },
    step: () => void f.get(index).splatBits(LANES).op("i32x4.add").set(index),
    allowed: (g) => {
      g.get(index).get(end).op("i32x4.lt_s");
      if (window > 0) g.get(index).get(first).op("i32x4.ge_s").op("v128.and");
    },
  };
};

/** For each row of a block and of the matrices beside it (rows of M elements): pointers at its first element. */
const rowByRow = (plan: BackwardPlan, f: FunctionBuilder, block: LocalIndex, beside: readonly LocalIndex[], body: (width: 1 | 4, at: readonly LocalIndex[]) => void): void => {
  const [row, column] = f.locals("i32", "index", 2) as [number, number];
  const starts = [block, ...beside];
  const at = f.locals("i32", "at", starts.length);
  f.while(row, () => f.get(f.parameter("rows")), 1, () => {
    at.forEach((pointer, i) => f.get(starts[i] ?? 0).set(pointer));
    alongRow(f, column, () => f.get(f.parameter("columns")), at, (width) => body(width, at));
    f.advance(block, plan.keys * FLOAT);
    for (const start of beside) f.advance(start, plan.sizes.M * FLOAT);
  });
};

/** backward_scores(s, bias, mask, rows, columns), those of bias and mask that there are: s = scale s + bias, MASKED where the mask is 0. */
export const finishScores = (plan: BackwardPlan): WasmFunction => {
  const extras = (["bias", "mask"] as const).filter(plan.has);
  const { f, p } = builderOf(`backward_scores_${plan.keys}_${plan.sizes.M}_${plan.attrs.scale}_${extras.join("_")}`, ["s", ...extras, "rows", "columns"]);
  rowByRow(plan, f, p("s"), extras.map(p), (width, [s = 0, ...others]) => {
    const load = (from: LocalIndex): FunctionBuilder => f.get(from).op(width === 1 ? "f32.load" : "v128.load", 2, 0);
    const constant = (value: number): FunctionBuilder => (width === 1 ? f.f32(value) : f.splat(value));
    f.get(s);
    load(s);
    constant(plan.attrs.scale).op(width === 1 ? "f32.mul" : "f32x4.mul");
    extras.forEach((extra, i) => {
      if (extra === "mask") constant(MASKED);
      load(others[i] ?? 0);
      if (extra === "bias") f.op(width === 1 ? "f32.add" : "f32x4.add");
      else {
        constant(0).op(width === 1 ? "f32.ne" : "f32x4.ne");
        f.op(width === 1 ? "select" : "v128.bitselect");
      }
    });
    f.op(width === 1 ? "f32.store" : "v128.store", 2, 0);
  });
  return f.finish(false);
};

/** backward_bias(dp, dbias, rows, columns): dbias += dS. */
export const addToBias = (plan: BackwardPlan): WasmFunction => {
  const { f, p } = builderOf(`backward_bias_${plan.keys}_${plan.sizes.M}`, ["dp", "dbias", "rows", "columns"]);
  rowByRow(plan, f, p("dp"), [p("dbias")], (width, [dp = 0, dBias = 0]) => {
    const load = width === 1 ? "f32.load" : "v128.load";
    f.get(dBias).get(dBias).op(load, 2, 0).get(dp).op(load, 2, 0);
    f.op(width === 1 ? "f32.add" : "f32x4.add").op(width === 1 ? "f32.store" : "v128.store", 2, 0);
  });
  return f.finish(false);
};
