/** @file dq, dk, dv of one head, added up row by row: their squares, and their sum over sequences. dq needs one row at a time. */

import type { AttentionSizes } from "../../ir/ops/attention-attrs.ts";
import type { HeadView, Numbers, Row } from "./rows.ts";

/** One number for each of dq, dk, dv: sums of squares, mostly. */
export interface Parts {
  dq: number;
  dk: number;
  dv: number;
}

export const noParts = (): Parts => ({ dq: 0, dk: 0, dv: 0 });

export const totalOf = ({ dq, dk, dv }: Parts): number => dq + dk + dv;

/** Squares of a gradient, summed over sequences. */
export class HeadGradient {
  readonly squares: Parts = noParts();
  readonly #sizes: AttentionSizes;
  readonly #row: Float64Array;
  readonly #dk: Float64Array;
  readonly #dv: Float64Array;
  readonly #sum: { readonly dq: Float64Array; readonly dk: Float64Array; readonly dv: Float64Array } | null;

  /** @param summed keep Σ_b g_b too, which the variance over sequences needs. */
  constructor(sizes: AttentionSizes, summed: boolean) {
    const { N, M, K, E } = sizes;
    this.#sizes = sizes;
    [this.#row, this.#dk, this.#dv] = [new Float64Array(K), new Float64Array(M * K), new Float64Array(M * E)];
    this.#sum = summed ? { dq: new Float64Array(N * K), dk: new Float64Array(M * K), dv: new Float64Array(M * E) } : null;
  }

  /** Adds a row of dS (without scale) and of the weights: dq = scale dS (k - k̄), dk = scale dSᵀ q, dv = Wᵀ d_o. Where dS adds up
   *  to 0, as that of a softmax does, k̄ makes no difference.
   *  @param centred take k̄ off the keys. */
  add({ q, k, dO, queryBase, keyBase, meanKey }: HeadView, scale: number, { i, count, keys }: Row, dS: Float64Array, weights: Float64Array, centred: boolean): void {
    const { K, E } = this.#sizes;
    const [row, dk, dv] = [this.#row, this.#dk, this.#dv];
    const query = queryBase + i;
    row.fill(0);
    let total = 0;
    for (let n = 0; n < count; n++) {
      const j = keys[n] as number;
      const factor = scale * (dS[n] as number);
      total += factor;
      axpy(factor, k, (keyBase + j) * K, row, 0, K);
      axpy(factor, q, query * K, dk, j * K, K);
      axpy(weights[n] as number, dO, query * E, dv, j * E, E);
    }
    if (centred) axpy(-total, meanKey, 0, row, 0, K);
    this.squares.dq += squared(row);
    if (this.#sum !== null) axpy(1, row, 0, this.#sum.dq, i * K, K);
  }

  /** Closes a sequence. */
  finish(): void {
    this.squares.dk += squared(this.#dk);
    this.squares.dv += squared(this.#dv);
    if (this.#sum !== null) {
      axpy(1, this.#dk, 0, this.#sum.dk, 0, this.#dk.length);
      axpy(1, this.#dv, 0, this.#sum.dv, 0, this.#dv.length);
    }
    this.#dk.fill(0);
    this.#dv.fill(0);
  }

  /** Var_B[g], traces: (Σ|g_b|² - |Σ g_b|²/n) / (n - 1); the mean square itself where there is one sequence only. */
  variance(sequences: number): Parts {
    const sum = this.#sum;
    const of = (part: keyof Parts): number => {
      if (sum === null || sequences < 2) return this.squares[part] / Math.max(1, sequences);
      return (this.squares[part] - squared(sum[part]) / sequences) / (sequences - 1);
    };
    return { dq: of("dq"), dk: of("dk"), dv: of("dv") };
  }
}

const axpy = (factor: number, from: Numbers, start: number, to: Float64Array, at: number, width: number): void => {
  for (let x = 0; x < width; x++) to[at + x] = (to[at + x] as number) + factor * (from[start + x] as number);
};

const squared = (data: Float64Array): number => {
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += (data[i] as number) ** 2;
  return sum;
};
