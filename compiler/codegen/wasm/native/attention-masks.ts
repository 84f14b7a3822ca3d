/** @file Which keys a group of rows visits, and the scores of those that some row must not see. */

import { structuralKeys } from "../../../../ir/ops/attention-attrs.ts";
import { FunctionBuilder } from "../builder.ts";
import type { LocalIndex } from "../builder.ts";
import { bits, choose, f32, keep as keepLanes } from "../math-lanes.ts";
import type { Lanes } from "../math-lanes.ts";
import type { WasmFunction } from "../module.ts";
import { RECORD } from "./attention-plan.ts";
import type { AttentionPlan, Broadcast } from "./attention-plan.ts";
import { add, down, held, keep, max, min, of, sub, up } from "./integers.ts";
import type { Int } from "./integers.ts";
import { rowPointers, rowsOf } from "./rows-lanes.ts";
import { FLOAT, LANE_BYTES, LANES, TILE } from "./rows-product.ts";

/** Where i is known when the kernel runs: keys first <= j < end of structuralKeys. */
const boundsOf = (f: FunctionBuilder, { attrs, sizes }: AttentionPlan, i: LocalIndex): { readonly first: LocalIndex; readonly end: LocalIndex } => {
  const { N, M } = sizes;
  const diagonal = keep(f, "diagonal", add(held(i), of(M - N)));
  const end = keep(f, "end", attrs.causal ? max(of(0), add(held(diagonal), of(1))) : of(M));
  const recent = keep(f, "recent", attrs.window > 0 ? max(of(0), sub(held(diagonal), of(attrs.window - 1))) : of(0));
  return { first: keep(f, "first", min(held(recent), held(end))), end };
};

/** Fills first, open, shut and end of the record of the group whose rows start at `i`. `limit`: keys from there on are masked. */
export const writeBounds = (f: FunctionBuilder, plan: AttentionPlan, record: LocalIndex, i: LocalIndex, limit: LocalIndex): void => {
  const last = keep(f, "last", min(add(held(i), of(LANES - 1)), of(plan.sizes.N - 1)));
  const [oldest, newest] = [boundsOf(f, plan, i), boundsOf(f, plan, last)];
  const end = keep(f, "end", min(held(newest.end), held(limit)));
  const first = keep(f, "first", down(min(held(oldest.first), held(end)), TILE));
  const each = plan.has("mask") || plan.has("bias");
  const open = keep(f, "open", up(held(newest.first), TILE));
  const shut = keep(f, "shut", down(min(held(oldest.end), held(end)), TILE));
  const store = (part: keyof typeof RECORD, value: Int): void => {
    f.get(record);
    value(f);
    f.op("i32.store", 2, RECORD[part]);
  };
  store("first", held(first));
  store("end", held(end));
  const none = each ? of(1) : (g: FunctionBuilder): void => void g.get(open).get(shut).op("i32.ge_s");
  none(f);
  f.block("if", () => {
    store("open", held(first));
    store("shut", held(first));
  }, () => {
    store("open", held(open));
    store("shut", held(shut));
  });
};

/** Can some row of a group be without a key that another one of it has? */
export const needsEdges = (plan: AttentionPlan): boolean => {
  const { attrs, sizes: { N, M } } = plan;
  const { first, end } = structuralKeys(attrs, plan.sizes, 0);
  return plan.has("mask") || plan.has("bias") || plan.has("lengths") || M % TILE !== 0 || (N > 1 && attrs.causal) || (attrs.window > 0 && attrs.window < M + N) || first > 0 || end < M;
};

/** Byte offset of row 0 of a head in a tensor [B or 1, H or 1, N, M]. */
export const headOffset = ({ sizes: { B, H, N, M } }: AttentionPlan, own: Broadcast, head: LocalIndex) => (f: FunctionBuilder): void => {
  const sequence = (): FunctionBuilder => f.get(head).i32(H).op("i32.div_u");
  f.i32(0);
  if (own.B > 1 || B === 1) sequence().i32(own.H * N * M * FLOAT).op("i32.mul").op("i32.add");
  if (own.H > 1) f.get(head).i32(H).op("i32.rem_u").i32(N * M * FLOAT).op("i32.mul").op("i32.add");
};

/** attention_edges(s, top, i, from, to[, mask][, bias]): for keys from <= j < to adds the bias (times log2 e), puts -infinity where a row
 *  may not attend, and raises `top` to what remains. `mask`, `bias`: of row 0 of the head. */
export const attentionEdges = (plan: AttentionPlan): WasmFunction => {
  const { attrs, sizes: { N, M } } = plan;
  const extras = (["mask", "bias"] as const).filter(plan.has);
  const names = ["s", "top", "i", "from", "to", ...extras];
  const f = new FunctionBuilder(`attention_edges_${N}_${M}${attrs.causal ? "_causal" : ""}${attrs.window > 0 ? `_window_${attrs.window}` : ""}${extras.map((extra) => `_${extra}`).join("")}`, names.map((name) => ({ name, type: "i32" })));
  const [s, top, i, from, to] = names.map((name) => f.parameter(name)) as [number, number, number, number, number];
  const pointers = new Map(extras.map((extra) => [extra, rowPointers(f, f.parameter(extra), i, { rows: N, width: M })]));
  const tops = f.locals("v128", "most", 2);
  const newest = [0, 4].map((half) => newestKey(f, plan, i, half));
  const at = f.local("i32", "at");
  tops.forEach((local, v) => f.get(top).op("v128.load", 2, 16 * v).set(local));
  f.while(from, () => f.get(to), 1, () => {
    f.get(s).get(from).i32(LANE_BYTES).op("i32.mul").op("i32.add").set(at);
    const key = keepLanes(f, "key", (g) => void g.get(from).op("i32x4.splat"));
    const given = (extra: "mask" | "bias", half: number): Lanes | null => {
      const rows = pointers.get(extra);
      return rows === undefined ? null : gathered(f, rows.slice(half, half + 4), from);
    };
    tops.forEach((local, v) => {
      const bias = given("bias", 4 * v);
      const mask = given("mask", 4 * v);
      const score: Lanes = (g) => void g.get(at).op("v128.load", 2, 16 * v);
      const biased = keepLanes(f, "score", bias === null ? score : f32.add(score, f32.mul(bias, f32.of(Math.LOG2E))));
      const allowed = [...(newest[v]?.(key) ?? []), ...(mask === null ? [] : [not(f32.eq(mask, f32.of(0)))])];
      const [one, ...others] = allowed;
      const left = one === undefined ? biased : keepLanes(f, "left", choose(others.reduce(bits.and, one), biased, f32.of(-Infinity)));
      f.get(at);
      left(f);
      f.op("v128.store", 2, 16 * v).get(local);
      left(f);
      f.op("f32x4.pmax").set(local);
    });
  });
  tops.forEach((local, v) => f.get(top).get(local).op("v128.store", 2, 16 * v));
  return f.finish(false);
};

const not = (a: Lanes): Lanes => (f) => {
  a(f);
  f.op("v128.not");
};

/** For four rows: given the lanes of a key, the conditions under which they attend to it. */
const newestKey = (f: FunctionBuilder, { attrs, sizes: { N, M } }: AttentionPlan, i: LocalIndex, half: number): ((key: Lanes) => readonly Lanes[]) => {
  if (!attrs.causal && attrs.window === 0) return () => [];
  const diagonal = keepLanes(f, "diagonal", shifted(rowsOf(f, i, half, N), M - N));
  const oldest = attrs.window === 0 ? null : keepLanes(f, "oldest", shifted(diagonal, -attrs.window));
  return (key) => [...(attrs.causal ? [compared("i32x4.le_s", key, diagonal)] : []), ...(oldest === null ? [] : [compared("i32x4.gt_s", key, oldest)])];
};

const shifted = (a: Lanes, by: number): Lanes => (f) => {
  a(f);
  f.splatBits(by >>> 0).op("i32x4.add");
};

const compared = (op: "i32x4.le_s" | "i32x4.gt_s", a: Lanes, b: Lanes): Lanes => (f) => {
  a(f);
  b(f);
  f.op(op);
};

/** Element `index` of four rows. */
const gathered = (f: FunctionBuilder, rows: readonly LocalIndex[], index: LocalIndex): Lanes =>
  keepLanes(f, "given", (g) => {
    g.splat(0);
    rows.forEach((row, lane) => g.get(row).get(index).i32(FLOAT).op("i32.mul").op("i32.add").op("f32.load", 2, 0).op("f32x4.replace_lane", lane));
  });
