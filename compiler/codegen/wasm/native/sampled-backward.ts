/** @file The gradient of sampled attention, in time linear in the kept entries (ir/ops/attention-sampled-evaluate.ts has the formulas).
 *
 *      lists   the kept set by key (a counting sort of each key head's slots), and delta of the rows
 *      values  key by key, over its list:   m = scale w~ (z d_o_i · v_j - delta_i)    dv_j = sum of w~ z d_o_i
 *      keys    key by key, over its list:   dk_j = sum of m q_i
 *      rows    row by row, over its slots:  dq_i = sum of m k_j
 *      bias    where there is one, row by row of its gradient
 *
 *  The time goes into fetching the rows that entries name, from the third-level cache where heads are long. So an entry fetches three:
 *  with v_j at hand d_o_i serves the product and the sum, and m is kept for the others; rows first and lists afterwards would fetch four.
 *  A phase gathers from one tensor only, a head of which may fit the second-level cache where two do not. All sums are over
 *  ascending rows or slots, each in one thread: no addition's place depends on threads, and nothing is added to memory by two.
 *
 *  The query heads that read one key head are taken as one head of as many more rows. */

import type { TensorType } from "../../../../ir/core.ts";
import { attentionSizes } from "../../../../ir/ops/attention-attrs.ts";
import { capacity, SAMPLED_BACKWARD, sampledVjpOperands } from "../../../../ir/ops/attention-sampled-attrs.ts";
import type { SampledAttrs } from "../../../../ir/ops/attention-sampled-attrs.ts";
import { FunctionBuilder } from "../builder.ts";
import type { LocalIndex } from "../builder.ts";
import type { FunctionTable } from "../function-table.ts";
import { dropoutTableBytes } from "./dropout.ts";
import type { NativeEmitter, NativePhase } from "./native.ts";
import { emitBias } from "./sampled-backward-bias.ts";
import type { BiasShape } from "./sampled-backward-bias.ts";
import { emitLists, tableLength } from "./sampled-backward-lists.ts";
import { emitKeys, emitRows } from "./sampled-backward-sums.ts";
import { emitValues } from "./sampled-backward-values.ts";

/** Sizes of the problem as the phases see it. */
export interface SampledBackward {
  /** Key heads of all sequences. */
  readonly heads: number;
  /** Query rows that read a key head. */
  readonly rows: number;
  /** Of a query head. */
  readonly queries: number;
  readonly keys: number;
  /** Of q and k, and of v. */
  readonly width: number;
  readonly valueWidth: number;
  /** Of a query row. */
  readonly slots: number;
  /** Parts of a head's rows, each of which has lists of its own. */
  readonly chunks: number;
  readonly chunkRows: number;
  readonly scale: number;
  readonly dropout: number;
  readonly hasDLse: boolean;
}

/** A phase's function in the making, and its parameters by name. */
export interface PhaseBody {
  readonly f: FunctionBuilder;
  readonly p: (name: string) => LocalIndex;
  readonly table: FunctionTable;
}

/** So many chunks of rows are there at least to sort, for threads to share. Not many: the lists of a key are walked chunk by chunk, and
 *  short ones cost more (chunks that fit the second-level cache gain nothing over it). */
const LEAST_CHUNKS = 2;
/** Keys or rows that a thread takes at a time. */
const GRAIN = 64;

const problemOf = (operands: readonly TensorType[], attrs: SampledAttrs): SampledBackward => {
  const types = sampledVjpOperands(operands, attrs);
  const { B, H, G, N, M, K, E } = attentionSizes(types);
  const [heads, rows] = [B * G, (H / G) * N];
  const chunkRows = Math.ceil(rows / Math.ceil(LEAST_CHUNKS / heads));
  return {
    heads, rows, queries: N, keys: M, width: K, valueWidth: E, slots: capacity(attrs, { M }),
    chunkRows, chunks: Math.ceil(rows / chunkRows),
    scale: attrs.scale, dropout: attrs.dropout, hasDLse: types.maybe("d_lse") !== null,
  };
};

const biasOf = (operands: readonly TensorType[], attrs: SampledAttrs): BiasShape | null => {
  const types = sampledVjpOperands(operands, attrs);
  const [ownB, ownH] = types.maybe("bias")?.shape ?? [];
  const { B, H } = attentionSizes(types);
  return ownB === undefined || ownH === undefined ? null : { B, H, ownB, ownH };
};

export const emitSampledVjp: NativeEmitter = ({ operands, attrs }) => {
  const given = attrs as SampledAttrs;
  const problem = problemOf(operands, given);
  const { heads, rows, queries, keys, width, valueWidth, slots, chunks } = problem;
  const bias = biasOf(operands, given);
  const names = ["dq", "dk", "dv", ...(bias === null ? [] : ["dbias"]), "delta", "tables", "lists", "m", ...SAMPLED_BACKWARD, ...given.extras, "begin", "end"];
  const entries = heads * rows * slots;
  const phase = (suffix: string, items: number, grain: number, work: number, write: (body: PhaseBody, problem: SampledBackward) => void, scratchBytes = 0): NativePhase => ({
    suffix, items, grain, work, scratchBytes,
    emit: (name, table) => {
      const f = new FunctionBuilder(name, [...names, ...(scratchBytes === 0 ? [] : ["scratch"])].map((parameter) => ({ name: parameter, type: "i32" })));
      write({ f, p: (parameter) => f.parameter(parameter), table }, problem);
      return f.finish(true);
    },
  });
  return {
    temporaries: [heads * rows, heads * chunks * tableLength(problem), 2 * entries, entries],
    phases: [
      phase("lists", heads * chunks, 1, 2 * heads * rows * valueWidth, emitLists),
      phase("values", heads * keys, GRAIN, entries * (4 * valueWidth + 3), emitValues, given.dropout > 0 ? dropoutTableBytes() : 0),
      phase("keys", heads * keys, GRAIN, 2 * entries * width, emitKeys),
      phase("", heads * rows, GRAIN, 2 * entries * width, emitRows),
      ...(bias === null ? [] : [phase("bias", bias.ownB * bias.ownH * queries, GRAIN, 4 * entries + bias.ownB * bias.ownH * queries * keys, emitBias(bias))]),
    ],
  };
};
