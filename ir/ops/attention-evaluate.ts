/** @file The meaning of attention and of its gradient, in float64, touching only the pairs that no mask rules out.
 *
 *  s_ij = scale * q_i . k_j + bias_ij     lse_i = log sum_j exp s_ij     w_ij = exp(s_ij - lse_i)     o_i = sum_j w_ij z_ij v_j
 *  z_ij is 1, or what dropout multiplies the weight by (attention-dropout.ts). */

import type { Data, EvaluateContext } from "../core.ts";
import { attentionSizes, backwardOperands, forwardOperands, mayBeEmpty, structuralKeys } from "./attention-attrs.ts";
import type { AttentionAttrs, AttentionSizes, Named } from "./attention-attrs.ts";
import { multiplierOf } from "./attention-dropout.ts";
import { biasIsSummed } from "./attention-cost.ts";

/** One query and the keys it attends to. Offsets are into the flat data. The arrays are reused from row to row. */
export interface Row {
  /** Index of (b, h, i): times K into q, times E into o, as it is into lse. */
  readonly query: number;
  /** Index of (b, g, 0): plus j, times K into k, times E into v. */
  readonly keyBase: number;
  /** Index of (b, h, i, 0) in the bias. */
  readonly biasBase: number;
  /** The unmasked keys j, ascending; `scores[n]` is the score of `keys[n]`, for n < count. */
  readonly keys: Int32Array;
  readonly scores: Data;
  readonly count: number;
  /** How many keys the cost convention counts. */
  readonly counted: number;
}

export interface Problem extends Named<Data> {
  readonly attrs: AttentionAttrs;
  readonly sizes: AttentionSizes;
  /** Strides of the sequence and the head axis of mask and bias: 0 where the axis is broadcast. */
  readonly maskAt: (b: number, h: number, i: number) => number;
  readonly biasAt: (b: number, h: number, i: number) => number;
  readonly biasSummed: boolean;
}

type Operands = <T>(operands: readonly T[], attrs: AttentionAttrs) => Named<T>;

export const problemOf = (ctx: EvaluateContext<AttentionAttrs>, operands: Operands): Problem => {
  const types = operands(ctx.operandTypes, ctx.attrs);
  const sizes = attentionSizes(types);
  const rowIn = (name: "mask" | "bias") => {
    const [rowsB = 1, rowsH = 1] = types.maybe(name)?.shape ?? [];
    return (b: number, h: number, i: number): number =>
      (((rowsB === 1 ? 0 : b) * rowsH + (rowsH === 1 ? 0 : h)) * sizes.N + i) * sizes.M;
  };
  const bias = types.maybe("bias");
  return {
    ...operands(ctx.operands, ctx.attrs),
    attrs: ctx.attrs,
    sizes,
    maskAt: rowIn("mask"),
    biasAt: rowIn("bias"),
    biasSummed: bias !== null && biasIsSummed(bias, sizes),
  };
};

export const get = (data: Data, index: number): number => data[index] as number;

export const bump = (data: Data, index: number, by: number): void => {
  data[index] = get(data, index) + by;
};

export const dot = (a: Data, ai: number, b: Data, bi: number, width: number): number => {
  let sum = 0;
  for (let x = 0; x < width; x++) sum += get(a, ai + x) * get(b, bi + x);
  return sum;
};

/** to[at…] += factor * from[start…] */
export const accumulate = (to: Data, at: number, from: Data, start: number, width: number, factor: number): void => {
  for (let x = 0; x < width; x++) bump(to, at + x, factor * get(from, start + x));
};

/** Visits every query of every head, with its scores. */
export const forEachRow = (problem: Problem, visit: (row: Row) => void): void => {
  const { B, H, G, N, M, K } = problem.sizes;
  const [q, k, bias, active] = [problem.need("q"), problem.need("k"), problem.maybe("bias"), problem.maybe("active")];
  const keys = new Int32Array(M);
  const scores = new Float64Array(M);
  for (let b = 0; b < B; b++)
    for (let h = 0; h < H; h++)
      for (let i = 0; i < N; i++) {
        const query = (b * H + h) * N + i;
        const keyBase = (b * G + Math.floor(h / (H / G))) * M;
        const biasBase = problem.biasAt(b, h, i);
        const { first, end } = structuralKeys(problem.attrs, problem.sizes, i);
        const skipped = active !== null && get(active, b * H + h) === 0;
        const count = skipped ? 0 : unmasked(problem, keys, b, problem.maskAt(b, h, i), first, end);
        for (let n = 0; n < count; n++) {
          const j = keys[n] as number;
          const score = problem.attrs.scale * dot(q, query * K, k, (keyBase + j) * K, K);
          scores[n] = bias === null ? score : score + get(bias, biasBase + j);
        }
        visit({ query, keyBase, biasBase, keys, scores, count, counted: end - first });
      }
};

/** Writes the keys of first <= j < end that lengths and mask allow; returns how many. */
const unmasked = (p: Problem, keys: Int32Array, b: number, maskBase: number, first: number, end: number): number => {
  const [lengths, mask] = [p.maybe("lengths"), p.maybe("mask")];
  const stop = lengths === null ? end : Math.min(end, get(lengths, b));
  let count = 0;
  for (let j = first; j < stop; j++) if (mask === null || get(mask, maskBase + j) !== 0) keys[count++] = j;
  return count;
};

export const evaluateAttention = (ctx: EvaluateContext<AttentionAttrs>): readonly Data[] => {
  const problem = problemOf(ctx, forwardOperands);
  const { B, H, N, K, E } = problem.sizes;
  const v = problem.need("v");
  const o = new Float64Array(B * H * N * E);
  const lse = new Float64Array(B * H * N);
  const scoreFlops = 2 * K + 1 + (problem.maybe("bias") === null ? 0 : 1);
  const guardFlops = mayBeEmpty(problem.attrs, problem.sizes) ? 1 : 0;
  const dropFlops = problem.maybe("dropout_key") === null ? 0 : 1;
  const z = multiplierOf(ctx.attrs.dropout, problem.maybe("dropout_key"), problem.sizes);
  forEachRow(problem, ({ query, keyBase, keys, scores, count, counted }) => {
    ctx.tally.flops += counted * (scoreFlops + 4 + dropFlops + 2 * E) + E + 2 + guardFlops;
    if (count === 0) return;
    let top = Number.NEGATIVE_INFINITY;
    for (let n = 0; n < count; n++) top = Math.max(top, get(scores, n));
    let total = 0;
    for (let n = 0; n < count; n++) total += Math.exp(get(scores, n) - top);
    lse[query] = top + Math.log(total);
    for (let n = 0; n < count; n++) {
      const j = keys[n] as number;
      const weight = Math.exp(get(scores, n) - top) / total;
      accumulate(o, query * E, v, (keyBase + j) * E, E, weight * z(query, j));
    }
  });
  return [o, lse];
};

/** delta_i = do_i . o_i - d_lse_i    ds_ij = w_ij * (z_ij * do_i . v_j - delta_i)
 *  dq = scale * ds k    dk = scale * ds^T q    dv = (w z)^T do    dbias = ds, summed over the axes it was broadcast along.
 *  (B 2408.13233 prints the transposed terms without their transposes; these are checked by central differences.) */
export const evaluateAttentionVjp = (ctx: EvaluateContext<AttentionAttrs>): readonly Data[] => {
  const problem = problemOf(ctx, backwardOperands);
  const { B, G, M, K, E } = problem.sizes;
  const [q, k, v] = [problem.need("q"), problem.need("k"), problem.need("v")];
  const [o, lse, dO] = [problem.need("o"), problem.need("lse"), problem.need("d_o")];
  const [bias, dLse] = [problem.maybe("bias"), problem.maybe("d_lse")];
  const [dq, dk, dv] = [new Float64Array(q.length), new Float64Array(k.length), new Float64Array(v.length)];
  const dBias = new Float64Array(bias?.length ?? 0);
  const biasFlops = bias === null ? 0 : problem.biasSummed ? 2 : 1;
  const { scale } = problem.attrs;
  const dropFlops = problem.maybe("dropout_key") === null ? 0 : 2;
  const z = multiplierOf(ctx.attrs.dropout, problem.maybe("dropout_key"), problem.sizes);
  forEachRow(problem, ({ query, keyBase, biasBase, keys, scores, count, counted }) => {
    ctx.tally.flops += counted * (6 * K + 4 * E + 5 + dropFlops + biasFlops) + 2 * E + K + (dLse === null ? 0 : 1);
    const delta = dot(dO, query * E, o, query * E, E) - (dLse === null ? 0 : get(dLse, query));
    for (let n = 0; n < count; n++) {
      const j = keys[n] as number;
      const key = keyBase + j;
      const weight = Math.exp(get(scores, n) - get(lse, query));
      const kept = z(query, j);
      const dScore = weight * (kept * dot(dO, query * E, v, key * E, E) - delta);
      accumulate(dv, key * E, dO, query * E, E, weight * kept);
      accumulate(dq, query * K, k, key * K, K, scale * dScore);
      accumulate(dk, key * K, q, query * K, K, scale * dScore);
      if (bias !== null) bump(dBias, biasBase + j, dScore);
    }
  });
  ctx.tally.flops += B * G * M * K;
  return bias === null ? [dq, dk, dv] : [dq, dk, dv, dBias];
};
