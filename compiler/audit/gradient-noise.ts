/** @file How noisy and how biased an approximate gradient of all parameters is, from sampled gradients of single sequences.
 *
 *      ρ = E_B[ Var(g̃ | B) ] / Var_B[ g ]      traces over the parameters of a group; B a minibatch, g exact, g̃ approximate
 *
 *  By the law of total variance 1 + ρ is the variance of a training step's gradient relative to the exact one's, if g̃ is
 *  unbiased. Both terms fall as one over the batch, so that batches of one sequence measure it. */

import type { HostTensor, Tensors } from "../../runtime/abi.ts";
import { expectedAbsT, jackknife, meanEstimate } from "./estimate.ts";
import type { Estimate } from "./estimate.ts";

/** Parameters that are looked at together: all of them, or those of one layer. */
export interface Group {
  readonly name: string;
  readonly parameters: readonly string[];
}

/** The sums of one sequence over one group. */
interface SequenceSums {
  /** tr of the unbiased sample variance of the draws; 0 for one draw. */
  variance: number;
  /** |mean of the draws - g|² */
  meanError: number;
  draws: number;
}

export interface NoiseReport {
  readonly group: string;
  /** ρ; null for an approximation that draws nothing. */
  readonly rho: Estimate | null;
  /** E_B[Var(g̃|B)] and Var_B[g]. */
  readonly maskVariance: number | null;
  readonly batchVariance: number;
  /** E|E[g̃|B] - g|² / E|g|², estimated without the variance of the draws: near 0, of either sign, if unbiased. */
  readonly squaredBias: Estimate;
  /** sqrt(Σ|g̃ - g|² / Σ|g|²) over sequences, of single draws. */
  readonly relativeError: Estimate;
  /** The elements' own tests, on the first sequence; null where nothing is drawn. */
  readonly z: ZReport | null;
}

/** z = (mean of the draws - exact) / (standard error of the mean), for every element that varies: Student's t with
 *  draws - 1 degrees of freedom where g̃ is unbiased and nearly normal. */
export interface ZReport {
  readonly draws: number;
  readonly elements: number;
  readonly meanAbsolute: number;
  /** Of Student's t: 0.798 for many draws, more for few. */
  readonly expected: number;
  readonly largest: number;
}

const data = (tensor: HostTensor | undefined): ArrayLike<number> => (tensor?.data ?? []) as ArrayLike<number>;

const gradientOf = (gradients: Tensors, parameter: string): ArrayLike<number> => data(gradients[`grad.${parameter}`]);

/** Exact gradients of every sequence, and what is asked of them. They are kept: the jackknife needs g_b · Σ g. */
export class ExactGradients {
  readonly #all: Tensors[] = [];
  readonly groups: readonly Group[];

  constructor(groups: readonly Group[]) {
    this.groups = groups;
  }

  add(gradients: Tensors): void {
    this.#all.push(gradients);
  }

  get count(): number {
    return this.#all.length;
  }

  of(sequence: number): Tensors {
    return this.#all[sequence] ?? {};
  }

  /** |g_b|² of every sequence. */
  norms(group: Group): readonly number[] {
    return this.#all.map((gradients) => {
      let sum = 0;
      for (const parameter of group.parameters) {
        const g = gradientOf(gradients, parameter);
        for (let i = 0; i < g.length; i++) sum += (g[i] as number) ** 2;
      }
      return sum;
    });
  }

  /** g_b · G of every sequence, G = Σ_b g_b. */
  projections(group: Group): readonly number[] {
    const sums = this.#all.map(() => 0);
    for (const parameter of group.parameters) {
      const each = this.#all.map((gradients) => gradientOf(gradients, parameter));
      for (let i = 0; i < (each[0]?.length ?? 0); i++) {
        let total = 0;
        for (const g of each) total += g[i] as number;
        each.forEach((g, b) => (sums[b] = (sums[b] as number) + (g[i] as number) * total));
      }
    }
    return sums;
  }
}

/** Var_B[g] of n vectors, or of n - 1: (Σ|g|² - |Σ g|²/n)/(n - 1), from norms and projections alone. */
export const batchVariance = (norms: readonly number[], projections: readonly number[]): ((without: number | null) => number) => {
  const squares = norms.reduce((a, b) => a + b, 0);
  const ofSum = projections.reduce((a, b) => a + b, 0);
  return (without) => {
    const norm = without === null ? 0 : (norms[without] as number);
    const count = norms.length - (without === null ? 0 : 1);
    const left = without === null ? ofSum : ofSum - 2 * (projections[without] as number) + norm;
    return (squares - norm - left / count) / (count - 1);
  };
};

/** The draws of one approximation, sequence after sequence. */
export class GradientNoise {
  readonly #exact: ExactGradients;
  readonly #sums: readonly SequenceSums[][];
  readonly #z = new Map<string, ZReport>();

  constructor(exact: ExactGradients) {
    this.#exact = exact;
    this.#sums = exact.groups.map(() => []);
  }

  /** All draws of sequence `b`. The sequences must come in order. */
  add(b: number, draws: readonly Tensors[]): void {
    const exact = this.#exact.of(b);
    this.#exact.groups.forEach((group, at) => {
      const sums: SequenceSums = { variance: 0, meanError: 0, draws: draws.length };
      const z = new ZSums(draws.length);
      for (const parameter of group.parameters) {
        z.begin(gradientOf(exact, parameter));
        addTensor(sums, gradientOf(exact, parameter), draws.map((each) => gradientOf(each, parameter)), z);
      }
      this.#sums[at]?.push(sums);
      if (b === 0 && draws.length > 1) this.#z.set(group.name, z.report());
    });
  }

  report(): readonly NoiseReport[] {
    return this.#exact.groups.map((group, at) => this.#reportOf(group, this.#sums[at] ?? []));
  }

  #reportOf(group: Group, sums: readonly SequenceSums[]): NoiseReport {
    const norms = this.#exact.norms(group);
    const variance = batchVariance(norms, this.#exact.projections(group));
    const drawn = sums.every(({ draws }) => draws > 1);
    const meanNorm = norms.reduce((a, b) => a + b, 0) / norms.length;
    const over = (of: (each: SequenceSums) => number) => (without: number | null): number => {
      const kept = sums.filter((_, b) => b !== without);
      return kept.reduce((sum, each) => sum + of(each), 0) / kept.length;
    };
    const masked = over((each) => each.variance);
    // One draw is off by the bias and its own variance: E|g̃ - g|² = |bias|² + Var.
    const single = over(({ variance: spread, meanError, draws }) => meanError + spread * (1 - 1 / draws));
    const normOver = (without: number | null): number => {
      const kept = norms.filter((_, b) => b !== without);
      return kept.reduce((a, b) => a + b, 0) / kept.length;
    };
    return {
      group: group.name,
      rho: drawn ? jackknife(sums.length, (without) => masked(without) / variance(without)) : null,
      maskVariance: drawn ? masked(null) : null,
      batchVariance: variance(null),
      squaredBias: meanEstimate(sums.map(({ meanError, variance: spread, draws }) => (meanError - spread / draws) / meanNorm)),
      relativeError: jackknife(sums.length, (without) => Math.sqrt(single(without) / normOver(without))),
      z: this.#z.get(group.name) ?? null,
    };
  }
}

const addTensor = (sums: SequenceSums, exact: ArrayLike<number>, draws: readonly ArrayLike<number>[], z: ZSums): void => {
  const count = draws.length;
  for (let i = 0; i < exact.length; i++) {
    const g = exact[i] as number;
    let total = 0;
    for (const draw of draws) total += (draw[i] as number) - g;
    const mean = total / count;
    let squares = 0;
    for (const draw of draws) squares += ((draw[i] as number) - g - mean) ** 2;
    const variance = count > 1 ? squares / (count - 1) : 0;
    sums.variance += variance;
    sums.meanError += mean * mean;
    z.add(mean, variance);
  }
};

/** Elements whose draws differ by rounding only say nothing: their standard deviation is below this share of the tensor's
 *  largest element, while a float32 kernel is right to about 1e-6 of it. */
const ROUNDING = 1e-5;

class ZSums {
  #elements = 0;
  #total = 0;
  #largest = 0;
  #floor = 0;
  readonly #draws: number;

  constructor(draws: number) {
    this.#draws = draws;
  }

  begin(exact: ArrayLike<number>): void {
    let largest = 0;
    for (let i = 0; i < exact.length; i++) largest = Math.max(largest, Math.abs(exact[i] as number));
    this.#floor = (ROUNDING * largest) ** 2;
  }

  add(mean: number, variance: number): void {
    if (!(variance > this.#floor)) return;
    const z = Math.abs(mean) / Math.sqrt(variance / this.#draws);
    this.#elements++;
    this.#total += z;
    this.#largest = Math.max(this.#largest, z);
  }

  report(): ZReport {
    const { elements, total } = { elements: this.#elements, total: this.#total };
    return { draws: this.#draws, elements, meanAbsolute: elements === 0 ? 0 : total / elements, expected: expectedAbsT(this.#draws - 1), largest: this.#largest };
  }
}
