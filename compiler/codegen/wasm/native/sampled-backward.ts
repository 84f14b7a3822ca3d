/** @file The gradient of sampled attention, in time linear in the kept entries (ir/ops/attention-sampled-evaluate.ts has the formulas).
 *
 *      lists   the kept set by key: for each chunk of query rows, a counting sort of its slots by key, stable, and the rows' delta
 *      keys    key by key:   m = w~ (d_o_i · v_j - delta_i)    dv_j += w~ d_o_i    dk_j += scale m q_i
 *      rows    row by row:   dq_i = sum over its slots of scale m k_j
 *
 *  What costs time is to fetch the rows that an entry names, so the entries are walked such that few are fetched: with v_j at hand,
 *  an entry of the list of j needs the rows d_o_i and q_i, and then k_j once, where walking rows first and lists afterwards needs
 *  four. The lists of a chunk of rows are walked for all keys before those of the next chunk, because a chunk of d_o and q fits
 *  the second-level cache, in a phase of its own. Every sum is over ascending rows, or slots: no order depends on threads.
 *
 *  The query heads that read one key head are seen as one head with as many more rows. */

import { attentionSizes } from "../../../../ir/ops/attention-attrs.ts";
import { capacity, SAMPLED_BACKWARD, sampledVjpOperands } from "../../../../ir/ops/attention-sampled-attrs.ts";
import type { SampledAttrs } from "../../../../ir/ops/attention-sampled-attrs.ts";
import type { TensorType } from "../../../../ir/core.ts";
import { FunctionBuilder } from "../builder.ts";
import type { LocalIndex } from "../builder.ts";
import type { NativeEmitter, NativePhase } from "./native.ts";
import { emitKeys } from "./sampled-backward-keys.ts";
import { emitLists } from "./sampled-backward-lists.ts";
import { emitRows } from "./sampled-backward-rows.ts";

/** Sizes of the problem as the phases see it. */
export interface SampledBackward {
  /** Key heads of all sequences. */
  readonly heads: number;
  /** Query rows that read a key head. */
  readonly rows: number;
  readonly keys: number;
  /** Of q and k, and of v. */
  readonly width: number;
  readonly valueWidth: number;
  /** Of a query row. */
  readonly slots: number;
  readonly chunks: number;
  readonly chunkRows: number;
  readonly scale: number;
  readonly hasDLse: boolean;
}

/** Bytes of an entry in a list: its position among the slots of the key head (i32), its weight. */
export const ENTRY = 8;

/** i32 of the table of a chunk's lists: the bytes before list j are in element j. */
export const tableLength = ({ keys }: SampledBackward): number => keys + 2;

/** Bytes of d_o and q that stay in a second-level cache beside what else passes through. */
const CACHE = 768 * 1024;
/** Entries of a key in a chunk, on average and at least: each visit loads v_j and moves dk_j and dv_j. */
const LEAST = 8;
const FLOAT = 4;

const problemOf = (operands: readonly TensorType[], attrs: SampledAttrs): SampledBackward => {
  const types = sampledVjpOperands(operands, attrs);
  const { B, H, G, N, M, K, E } = attentionSizes(types);
  const slots = capacity(attrs, { M });
  const rows = (H / G) * N;
  const wanted = Math.ceil((rows * (K + E) * FLOAT) / CACHE);
  const chunkRows = Math.ceil(rows / Math.max(1, Math.min(wanted, Math.floor((rows * slots) / M / LEAST))));
  return {
    heads: B * G, rows, keys: M, width: K, valueWidth: E, slots,
    chunkRows, chunks: Math.ceil(rows / chunkRows),
    scale: attrs.scale, hasDLse: types.maybe("d_lse") !== null,
  };
};

/** Not with dropout, whose draws are made elsewhere, nor with a bias, whose gradient has a number for every pair. */
export const takesSampledVjp = (_operands: readonly TensorType[], { dropout, extras }: SampledAttrs): boolean =>
  dropout === 0 && !extras.includes("bias");

/** A phase's function in the making, and its parameters by name. */
export interface PhaseBody {
  readonly f: FunctionBuilder;
  readonly p: (name: string) => LocalIndex;
}

const KEYS_AT_ONCE = 64;
const ROWS_AT_ONCE = 64;

export const emitSampledVjp: NativeEmitter = ({ operands, attrs }) => {
  const given = attrs as SampledAttrs;
  const problem = problemOf(operands, given);
  const { heads, rows, keys, width, valueWidth, slots, chunks } = problem;
  const names = ["dq", "dk", "dv", "delta", "tables", "lists", "m", ...SAMPLED_BACKWARD, ...given.extras, "begin", "end"];
  const entries = heads * rows * slots;
  const phase = (suffix: string, counts: Pick<NativePhase, "items" | "grain" | "work">, write: (body: PhaseBody, problem: SampledBackward) => void): NativePhase => ({
    suffix, ...counts, scratchBytes: 0,
    emit: (name) => {
      const f = new FunctionBuilder(name, names.map((parameter) => ({ name: parameter, type: "i32" })));
      write({ f, p: (parameter) => f.parameter(parameter) }, problem);
      return f.finish(true);
    },
  });
  return {
    temporaries: [heads * rows, heads * chunks * tableLength(problem), 2 * entries, entries],
    phases: [
      phase("lists", { items: heads * chunks, grain: 1, work: entries * 4 + 2 * heads * rows * valueWidth }, emitLists),
      ...Array.from({ length: chunks }, (_, chunk) =>
        phase(`keys_${chunk}`, { items: heads * keys, grain: KEYS_AT_ONCE, work: (entries / chunks) * (4 * valueWidth + 2 * width) }, (body) => emitKeys(body, problem, chunk))),
      phase("", { items: heads * rows, grain: ROWS_AT_ONCE, work: entries * 2 * width }, emitRows),
    ],
  };
};
