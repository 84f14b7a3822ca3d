/** @file The gradient of attention, exact, in blocks: weights are computed again from scores and lse, so that no buffer has an
 *  element for each pair (Dao et al., "FlashAttention", 2022, algorithm 4; ir/ops/attention-evaluate.ts has the formulas).
 *
 *      delta   delta_i = d_o_i · o_i - d_lse_i, row by row
 *      main    chunks of keys: their dk and dv, dbias, and for each query a sum of dS k over the chunk (backward-main.ts)
 *      sum     dq = scale · (the chunks' sums, in order)
 *
 *  Chunks depend on shapes alone, and so do the bits of results. Temporaries have a row for each query and chunk. */

import { BACKWARD } from "../../../../ir/ops/attention-attrs.ts";
import type { AttentionAttrs } from "../../../../ir/ops/attention-attrs.ts";
import { emitBackwardMain, queriesOf } from "./backward-main.ts";
import { backwardItems, backwardPlan, FLOAT, partialElements } from "./backward-plan.ts";
import type { BackwardPlan } from "./backward-plan.ts";
import { FunctionBuilder } from "../builder.ts";
import type { LocalIndex } from "../builder.ts";
import type { FunctionTable } from "../function-table.ts";
import type { WasmFunction } from "../module.ts";
import { add, call, held, keep, less, min, modulo, of, over, sub, times } from "./integers.ts";
import type { Int } from "./integers.ts";
import type { NativeEmitter, NativePhase } from "./native.ts";
import { alongRow, moveRows } from "./row-moves.ts";

const DELTA_ROWS = 256;

export const emitAttentionVjp: NativeEmitter = ({ operands, attrs }) => {
  const given = attrs as AttentionAttrs;
  const plan = backwardPlan(operands, given);
  const { sizes: { B, H, N, M, K, E }, rows, chunks } = plan;
  const names = ["dq", "dk", "dv", ...(plan.has("bias") ? ["dbias"] : []), "delta", "partials", ...BACKWARD, ...given.extras, "begin", "end"];
  const phase = (suffix: string, counts: Omit<NativePhase, "suffix" | "emit">, write: (f: FunctionBuilder, table: FunctionTable) => WasmFunction): NativePhase => ({
    suffix, ...counts,
    emit: (name, table) => {
      const parameters = counts.scratchBytes === 0 ? names : [...names, "scratch"];
      return write(new FunctionBuilder(name, parameters.map((parameter) => ({ name: parameter, type: "i32" }))), table);
    },
  });
  const pairs = B * H * N * M;
  return {
    temporaries: [B * H * N, partialElements(plan)],
    phases: [
      phase("delta", { items: Math.ceil((B * H * N) / DELTA_ROWS), grain: 1, work: 2 * B * H * N * E, scratchBytes: 0 }, (f) => emitDelta(plan, f)),
      phase("", { items: backwardItems(plan), grain: 1, work: pairs * (6 * K + 4 * E + 5), scratchBytes: plan.scratchBytes }, (f, table) => emitBackwardMain(plan, f, table)),
      phase("sum", { items: B * H * Math.ceil(N / rows), grain: 1, work: chunks * B * H * N * K, scratchBytes: 0 }, (f, table) => emitSum(plan, f, table)),
    ],
  };
};

/** delta of DELTA_ROWS rows of all heads an item. */
const emitDelta = ({ has, sizes: { B, H, N, E } }: BackwardPlan, f: FunctionBuilder): WasmFunction => {
  const p = (name: string): Int => held(f.parameter(name));
  const row = keep(f, "row", times(p("begin"), DELTA_ROWS));
  const end = keep(f, "limit", min(times(p("end"), DELTA_ROWS), of(B * H * N)));
  const atRow = (base: string, width: number): LocalIndex => keep(f, `${base}_`, add(p(base), times(held(row), width * FLOAT)));
  const [o, dO] = [atRow("o", E), atRow("d_o", E)];
  const [delta, dLse] = [atRow("delta", 1), has("d_lse") ? atRow("d_lse", 1) : null];
  const column = f.local("i32", "column");
  const sums = f.local("v128", "sums");
  const sum = f.local("f32", "sum");
  f.while(row, () => f.get(end), 1, () => {
    f.splat(0).set(sums).f32(0).set(sum);
    alongRow(f, column, () => f.i32(E), [o, dO], (width) => {
      const [total, load, shape] = width === 1 ? ([sum, "f32.load", "f32"] as const) : ([sums, "v128.load", "f32x4"] as const);
      f.get(total).get(o).op(load, 2, 0).get(dO).op(load, 2, 0).op(`${shape}.mul`).op(`${shape}.add`).set(total);
    });
    f.get(delta).get(sum);
    for (let lane = 0; lane < 4; lane++) f.get(sums).op("f32x4.extract_lane", lane).op("f32.add");
    if (dLse !== null) f.get(dLse).op("f32.load", 2, 0).op("f32.sub").advance(dLse, FLOAT);
    f.op("f32.store", 2, 0).advance(delta, FLOAT);
  });
  return f.finish(true);
};

/** dq of a block of queries an item. */
const emitSum = (plan: BackwardPlan, f: FunctionBuilder, table: FunctionTable): WasmFunction => {
  const { attrs, chunks, chunkKeys, rows, paddedRows, queryWidth, sizes: { B, H, N, M, K } } = plan;
  const p = (name: string): Int => held(f.parameter(name));
  const blocks = Math.ceil(N / rows);
  const item = keep(f, "item", p("begin"));
  const chunk = f.local("i32", "chunk");
  f.while(item, () => p("end")(f), 1, () => {
    const head = held(keep(f, "head", over(held(item), blocks)));
    const first = held(keep(f, "first", times(modulo(held(item), blocks), rows)));
    const count = held(keep(f, "count", min(sub(of(N), first), of(rows))));
    const dq = held(keep(f, "dq_", add(p("dq"), times(add(times(head, N), first), K * FLOAT))));
    dq(f);
    f.i32(0);
    times(count, K * FLOAT)(f);
    f.op("memory.fill").i32(0).set(chunk);
    f.while(chunk, () => f.i32(chunks), 1, () => {
      const keys = held(keep(f, "keys", times(held(chunk), chunkKeys)));
      const seen = queriesOf(plan, keys, min(add(keys, of(chunkKeys)), of(M)));
      const seenHere = (g: FunctionBuilder): void => void (less(seen.first, add(first, of(1)))(g), less(first, seen.end)(g), g.op("i32.and"));
      seenHere(f);
      f.block("if", () => {
        const partial = times(add(times(add(times(held(chunk), B * H), head), paddedRows), first), queryWidth * FLOAT);
        call(f, table.shared(() => moveRows("add", K, K * FLOAT, queryWidth * FLOAT)), dq, add(p("partials"), partial), count);
      });
    });
    call(f, table.shared(() => moveRows({ factor: attrs.scale }, K, K * FLOAT, K * FLOAT)), dq, dq, count);
  });
  return f.finish(true);
};
