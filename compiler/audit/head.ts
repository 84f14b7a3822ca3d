/** @file What an approximate gradient would do to one head, summed over sequences. With v_ij the variance of W̃_ij and
 *  b_ij = p_ij - δ_i, independent draws give
 *
 *      tr Var[dq] = scale² Σ v_ij b_ij² |k_j|²    tr Var[dk] = scale² Σ v_ij b_ij² |q_i|²    tr Var[dv] = Σ v_ij |d_o_i|²
 *      sus     v_ij = W_ij max(1/c - W_ij, 0)            keeps (i, j) with probability min(1, c W_ij)
 *      hybrid  v_ij = |ρ_ij| max(A_i/c - |ρ_ij|, 0)      with ρ = W - Ŵ, A_i = Σ_j |ρ_ij|; sus where that has less variance
 *
 *  (Systematic sampling draws dependently: these are then estimates, usually from above.) A query head that shares its keys
 *  is measured by its own share of dk and dv. */

import { polynomialAt, taylor } from "../../ir/approximation.ts";
import { noParts } from "./head-gradient.ts";
import type { Parts } from "./head-gradient.ts";
import type { Site } from "./probe.ts";
import { headView } from "./rows.ts";
import type { Captured, Numbers, Row } from "./rows.ts";
import { LowrankErrors } from "./lowrank-error.ts";

/** Variances at one (c, degree); degree null is plain sus. */
export interface SampledSums {
  readonly c: number;
  readonly degree: number | null;
  kept: number;
  /** Rows in which the control variate is used. */
  gated: number;
  readonly variance: Parts;
}

export interface HeadSums {
  rows: number;
  pairs: number;
  /** N · M, masked pairs included. */
  square: number;
  entropy: number;
  score: number;
  scoreSquares: number;
  maxScore: number;
  maxCentred: number;
  maxFromRowMean: number;
  sequences: number;
  readonly sampled: readonly SampledSums[];
  /** The exact gradient too. */
  readonly lowrank: LowrankErrors;
}

export interface HeadSettings {
  readonly cs: readonly number[];
  readonly degrees: readonly number[];
}

/** Why no polynomial of q·k can stand for this attention; null where one can. */
export const notLowrank = ({ attrs }: Site): string | null => {
  const extra = attrs.extras.find((name) => name === "mask" || name === "bias");
  if (extra !== undefined) return `a ${extra} that is data`;
  return attrs.window > 0 ? "a window" : null;
};

export const startHead = (site: Site, { cs, degrees }: HeadSettings): HeadSums => {
  const usable = notLowrank(site) === null ? degrees : [];
  // A control variate of odd degree may be negative; the hybrid is not built from one.
  const points = [null, ...usable.filter((degree) => degree % 2 === 0)].flatMap((degree) => cs.map((c) => ({ c, degree })));
  return {
    rows: 0, pairs: 0, square: 0, entropy: 0, score: 0, scoreSquares: 0, maxScore: 0, maxCentred: 0, maxFromRowMean: 0, sequences: 0,
    sampled: points.map(({ c, degree }) => ({ c, degree, kept: 0, gated: 0, variance: noParts() })),
    lowrank: new LowrankErrors(site.sizes, usable),
  };
};

/** Adds one head of one sequence. */
export const addHead = (sums: HeadSums, site: Site, captured: Captured, b: number, h: number): void => {
  const view = headView(site, captured, b, h);
  const { N, M, K, E } = site.sizes;
  const scale = site.attrs.scale ** 2;
  const [keySquares, querySquares, outSquares] = [rowSquares(view.k, view.keyBase, M, K), rowSquares(view.q, view.queryBase, N, K), rowSquares(view.dO, view.queryBase, N, E)];
  const controls = new Map(sums.sampled.flatMap(({ degree }): [number, Control][] => (degree === null ? [] : [[degree, new Control(degree, M)]])));
  sums.sequences++;
  sums.square += N * M;
  view.forEachRow((row) => {
    sums.lowrank.add(view, site.attrs.scale, row);
    if (row.count === 0) return;
    addScores(sums, row);
    for (const control of controls.values()) control.fill(row);
    const weight = { q: scale * at(querySquares, row.i), o: at(outSquares, row.i), keys: keySquares, scale };
    for (const point of sums.sampled) {
      const control = point.degree === null ? undefined : controls.get(point.degree);
      if (control?.helps(point.c, row) === true) {
        point.gated++;
        addVariance(point, row, control.residual, control.mass, weight);
      } else addVariance(point, row, row.weights, 1, weight);
    }
  });
  sums.lowrank.finish();
};

const at = (data: Float64Array, index: number): number => data[index] as number;

const rowSquares = (data: Numbers, base: number, rows: number, width: number): Float64Array =>
  Float64Array.from({ length: rows }, (_, i) => {
    let sum = 0;
    for (let x = 0; x < width; x++) sum += (data[(base + i) * width + x] as number) ** 2;
    return sum;
  });

const addScores = (sums: HeadSums, { count, scores, weights, centre }: Row): void => {
  let total = 0;
  for (let n = 0; n < count; n++) {
    const [score, weight] = [at(scores, n), at(weights, n)];
    total += score;
    sums.scoreSquares += score * score;
    sums.maxScore = Math.max(sums.maxScore, Math.abs(score));
    sums.maxCentred = Math.max(sums.maxCentred, Math.abs(score - centre));
    if (weight > 0) sums.entropy -= weight * Math.log(weight);
  }
  const mean = total / count;
  for (let n = 0; n < count; n++) sums.maxFromRowMean = Math.max(sums.maxFromRowMean, Math.abs(at(scores, n) - mean));
  sums.score += total;
  sums.pairs += count;
  sums.rows++;
};

interface Factors {
  /** scale² |q_i|² and |d_o_i|². */
  readonly q: number;
  readonly o: number;
  /** |k_j|², to be multiplied by scale². */
  readonly keys: Float64Array;
  readonly scale: number;
}

/** Adds a row in which entry x_j is drawn with probability min(1, c |x_j| / mass). */
const addVariance = (point: SampledSums, row: Row, drawn: Float64Array, mass: number, { q, o, keys, scale }: Factors): void => {
  const { variance, c } = point;
  const limit = mass / c;
  let [kept, free, toKeys, toQuery] = [0, 0, 0, 0];
  for (let n = 0; n < row.count; n++) {
    const size = Math.abs(at(drawn, n));
    if (size >= limit) {
      kept++;
      continue;
    }
    kept += size / limit;
    const spread = size * (limit - size);
    const b = at(row.products, n) - row.delta;
    free += spread;
    toQuery += spread * b * b * at(keys, row.keys[n] as number);
    toKeys += spread * b * b;
  }
  point.kept += kept;
  variance.dq += scale * toQuery;
  variance.dk += q * toKeys;
  variance.dv += o * free;
};

/** Ŵ_ij = P(s_ij - scale q_i·k̄) / Σ_j P(…) of one row, and what it leaves over. */
class Control {
  readonly residual: Float64Array;
  mass = 0;
  readonly #coefficients: readonly number[];

  constructor(degree: number, keys: number) {
    this.#coefficients = taylor(degree);
    this.residual = new Float64Array(keys);
  }

  fill({ count, scores, weights, centre }: Row): void {
    let total = 0;
    for (let n = 0; n < count; n++) total += this.residual[n] = polynomialAt(this.#coefficients, at(scores, n) - centre);
    this.mass = 0;
    for (let n = 0; n < count; n++) {
      const left = at(weights, n) - at(this.residual, n) / total;
      this.residual[n] = left;
      this.mass += Math.abs(left);
    }
  }

  /** Σ_j |ρ| max(A/c - |ρ|, 0) < Σ_j W max(1/c - W, 0): less variance than without. */
  helps(c: number, { count, weights }: Row): boolean {
    let difference = 0;
    for (let n = 0; n < count; n++) {
      const [left, weight] = [Math.abs(at(this.residual, n)), at(weights, n)];
      difference += left * Math.max(this.mass / c - left, 0) - weight * Math.max(1 / c - weight, 0);
    }
    return difference < 0;
  }
}
