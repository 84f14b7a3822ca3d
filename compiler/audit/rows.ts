/** @file One head of captured attention, row by row, in float64 and without n² memory.
 *
 *  s_ij = scale q_i · k_j + bias_ij    W_ij = exp(s_ij - lse_i)    p_ij = d_o_i · v_j    δ_i = Σ_j W_ij p_ij - d_lse_i
 *
 *  W and δ are recomputed from q, k, v, d_o: exact to float64 for the captured values, whatever the backend's o and lse
 *  were rounded to. Arrays of a row are reused from row to row. */

import { structuralKeys } from "../../ir/ops/attention-attrs.ts";
import type { Site } from "./probe.ts";

export type Numbers = Float64Array | Float32Array | Int32Array | Uint8Array;

/** The data of an operand by name; null for one that the site does not have. */
export type Captured = (operand: string) => Numbers | null;

export interface Row {
  readonly i: number;
  /** The unmasked keys, ascending, and what belongs to them; the first `count` elements of each are this row's. */
  readonly count: number;
  readonly keys: Int32Array;
  readonly scores: Float64Array;
  readonly weights: Float64Array;
  /** p_ij */
  readonly products: Float64Array;
  readonly delta: number;
  readonly dLse: number;
  /** scale q_i · k̄: what the score of the mean key is. */
  readonly centre: number;
}

/** One query head of one sequence. Offsets are into the captured data, in elements. */
export interface HeadView {
  readonly q: Numbers;
  readonly k: Numbers;
  readonly v: Numbers;
  readonly dO: Numbers;
  /** Of query 0 in q (in rows; times K or E), of key 0 in k and v. */
  readonly queryBase: number;
  readonly keyBase: number;
  /** Keys that count: `lengths[b]`, or all. */
  readonly stop: number;
  /** k̄: the mean of the keys that count. */
  readonly meanKey: Float64Array;
  readonly forEachRow: (visit: (row: Row) => void) => void;
}

const need = (captured: Captured, name: string): Numbers => captured(name) ?? new Float64Array();

const at = (data: Numbers, index: number): number => data[index] as number;

const dot = (a: Numbers, ai: number, b: Numbers, bi: number, width: number): number => {
  let sum = 0;
  for (let x = 0; x < width; x++) sum += (a[ai + x] as number) * (b[bi + x] as number);
  return sum;
};

export const headView = (site: Site, captured: Captured, b: number, h: number): HeadView => {
  const { H, G, N, M, K } = site.sizes;
  const [q, k, v, dO] = [need(captured, "q"), need(captured, "k"), need(captured, "v"), need(captured, "d_o")];
  const queryBase = (b * H + h) * N;
  const keyBase = (b * G + Math.floor(h / (H / G))) * M;
  const lengths = captured("lengths");
  const stop = lengths === null ? M : Math.max(0, Math.min(M, at(lengths, b)));
  const meanKey = new Float64Array(K);
  for (let j = 0; j < stop; j++) for (let x = 0; x < K; x++) meanKey[x] = at(meanKey, x) + at(k, (keyBase + j) * K + x) / stop;
  const view = { q, k, v, dO, queryBase, keyBase, stop, meanKey };
  return { ...view, forEachRow: (visit) => visitRows(site, captured, view, b, h, visit) };
};

/** Where row (b, h, i) of a mask or bias begins; its first two axes may be broadcast. */
const rowOf = (site: Site, name: string, b: number, h: number): ((i: number) => number) => {
  const { N, M } = site.sizes;
  const [rowsB = 1, rowsH = 1] = site.types.get(name)?.shape ?? [];
  const base = ((rowsB === 1 ? 0 : b) * rowsH + (rowsH === 1 ? 0 : h)) * N;
  return (i) => (base + i) * M;
};

const visitRows = (site: Site, captured: Captured, view: Omit<HeadView, "forEachRow">, b: number, h: number, visit: (row: Row) => void): void => {
  const { attrs, sizes } = site;
  const { N, M, K, E } = sizes;
  const { q, k, v, dO, queryBase, keyBase, stop, meanKey } = view;
  const [mask, bias, dLse] = [captured("mask"), captured("bias"), captured("d_lse")];
  const [maskRow, biasRow] = [rowOf(site, "mask", b, h), rowOf(site, "bias", b, h)];
  const keys = new Int32Array(M);
  const [scores, weights, products] = [new Float64Array(M), new Float64Array(M), new Float64Array(M)];
  for (let i = 0; i < N; i++) {
    const { first, end } = structuralKeys(attrs, sizes, i);
    const query = queryBase + i;
    let count = 0;
    let top = Number.NEGATIVE_INFINITY;
    for (let j = first; j < Math.min(end, stop); j++) {
      if (mask !== null && at(mask, maskRow(i) + j) === 0) continue;
      const score = attrs.scale * dot(q, query * K, k, (keyBase + j) * K, K) + (bias === null ? 0 : at(bias, biasRow(i) + j));
      keys[count] = j;
      scores[count] = score;
      products[count] = dot(dO, query * E, v, (keyBase + j) * E, E);
      if (score > top) top = score;
      count++;
    }
    let total = 0;
    for (let n = 0; n < count; n++) total += weights[n] = Math.exp(at(scores, n) - top);
    let delta = 0;
    for (let n = 0; n < count; n++) {
      weights[n] = at(weights, n) / total;
      delta += at(weights, n) * at(products, n);
    }
    const ofLse = dLse === null ? 0 : at(dLse, query);
    const centre = attrs.scale * dot(q, query * K, meanKey, 0, K);
    visit({ i, count, keys, scores, weights, products, delta: delta - ofLse, dLse: ofLse, centre });
  }
};
