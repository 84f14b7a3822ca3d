/** @file Two steps of attention that a block of rows calls for a chunk of keys: its scores, and dropout. */

import { DROPOUT_SITE } from "../../../../ir/ops/attention-draw.ts";
import { factor, leastKept } from "../../../../ir/ops/attention-dropout.ts";
import { UNIT } from "../../../../ir/random.ts";
import { FunctionBuilder } from "../builder.ts";
import type { LocalIndex } from "../builder.ts";
import type { FunctionTable } from "../function-table.ts";
import type { WasmFunction } from "../module.ts";
import type { AttentionPlan } from "./attention-plan.ts";
import { add, call, held, max, min, of, sub, times } from "./integers.ts";
import type { Int } from "./integers.ts";
import { FLOAT, LANE_BYTES, rowsProduct, TILE } from "./rows-product.ts";
import { callPair, drawPair, drawTable, rowCounters } from "./draws.ts";

/** attention_scores(k, q, s, from, to, top): scores of keys from <= j < to, `from` a multiple of TILE; a last tile may compute keys beyond `to`.
 *  Keys beyond the last whole tile of all keys are computed one by one. Nothing where to <= from. */
export const attentionScores = ({ sizes: { M, K } }: AttentionPlan, table: FunctionTable): WasmFunction => {
  const names = ["k", "q", "s", "from", "to", "top"];
  const f = new FunctionBuilder(`attention_scores_${M}_${K}`, names.map((name) => ({ name, type: "i32" })));
  const [k, q, s, from, to, top] = names.map((name) => f.parameter(name)) as [number, number, number, number, number, number];
  const count = f.local("i32", "count");
  const product = (size: 1 | typeof TILE): void => {
    const row = (base: LocalIndex, bytes: number): Int => add(held(base), times(held(from), bytes));
    f.get(count).i32(0).op("i32.gt_s");
    f.block("if", () =>
      call(f, table.shared(() => rowsProduct(size, { across: K * FLOAT, along: FLOAT }, "fresh")), row(k, K * FLOAT), held(q), row(s, LANE_BYTES), held(count), of(K), held(top)));
  };
  const whole = M - (M % TILE);
  if (whole > 0) {
    sub(min(held(to), of(whole)), held(from))(f);
    f.i32(TILE - 1).op("i32.add").i32(2).op("i32.shr_s").set(count);
    product(TILE);
  }
  if (whole < M) {
    max(held(from), of(whole))(f);
    f.set(from);
    sub(held(to), held(from))(f);
    f.set(count);
    product(1);
  }
  return f.finish(false);
};

/** attention_dropped(e, to, first, count, key, head, i): to = e, of `count` >= 1 keys from `first` on, times 1 / (1 - rate) where the entry's
 *  number is at least the rate, else 0. `to` has place for the table of the draws after the keys of a chunk. */
export const attentionDropped = ({ attrs: { dropout }, sizes: { H, N, M }, mixKeys }: AttentionPlan, table: FunctionTable): WasmFunction => {
  const names = ["e", "to", "first", "count", "key", "head", "i"];
  const f = new FunctionBuilder(`attention_dropped_${[H, N, M, mixKeys].join("_")}_${new Uint32Array(Float32Array.of(dropout).buffer)[0] ?? 0}`, names.map((name) => ({ name, type: "i32" })));
  const [e, to, first, count, key, head, i] = names.map((name) => f.parameter(name)) as [number, number, number, number, number, number, number];
  const tableAt = (): FunctionBuilder => f.get(to).i32(mixKeys * LANE_BYTES).op("i32.add");
  const draws = table.shared(() => drawPair(DROPOUT_SITE));
  const rows = [0, 4].map((lane) => rowCounters(f, head, i, lane, { H, N, M }));
  const start = f.local("i32", "table");
  tableAt().tee(start).get(key).op("call", table.shared(() => drawTable(DROPOUT_SITE)));
  f.block("loop", () => {
    callPair(f, draws, () => f.get(start), rows, (g) => void g.get(first).op("i32x4.splat")).forEach((number, half) => {
      f.get(to).get(e).op("v128.load", 2, 16 * half).splat(factor(dropout)).op("f32x4.mul");
      number(f);
      f.splat(leastKept(dropout) * UNIT).op("f32x4.ge").op("v128.and").op("v128.store", 2, 16 * half);
    });
    f.advance(e, LANE_BYTES).advance(to, LANE_BYTES).advance(first, 1).advance(count, -1).get(count).op("br_if", 0);
  });
  return f.finish(false);
};
