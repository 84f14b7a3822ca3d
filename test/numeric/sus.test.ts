/** @file The sampled gradient of attention as an estimator: unbiased, with the variance and the counts that the formulas of
 *  ir/ops/attention-sampled.ts promise, in float64; and estimators that are wrong on purpose, which the same test rejects.
 *  The compiled kernels: sus-kernels.test.ts. Fixed seeds throughout. */

import { describe, expect, it } from "vitest";
import type { Data } from "../../ir/core.ts";
import { capacity } from "../../ir/ops/attention-sampled-attrs.ts";
import { drawBernoulli } from "../../ir/ops/attention-sampled-row.ts";
import { biasRatios, closedForm, drawOf, gradientOf, isUnbiased, momentsOf, problemOf, varianceRatios } from "./sus-support.ts";
import type { Draw, Problem, Setup } from "./sus-support.ts";
import { source } from "./support.ts";

const DRAWS = 2000;
const small: Setup = { n: 64, d: 8, causal: true, sharpness: 1.5, c: 6, sampler: "systematic" };
const SAMPLERS = ["systematic", "bernoulli"] as const;
const SHARPNESS = [["soft", 0.3], ["middle", 1], ["sharp", 4]] as const;

const problems = new Map(SAMPLERS.map((sampler) => [sampler, problemOf({ ...small, sampler })]));
const draws = new Map(SAMPLERS.map((sampler) => [sampler, Array.from({ length: DRAWS }, (_, r) => drawOf(problems.get(sampler)!, r + 1))]));

/** Kept entries of each row of a draw. */
const rowsOf = ({ n }: Problem, { kept }: Draw): readonly (readonly number[])[] => {
  const slots = kept.length / n;
  return Array.from({ length: n }, (_, i) => [...kept.subarray(i * slots, (i + 1) * slots)].filter((j) => j >= 0));
};

const probability = ({ n, c, w }: Problem, i: number, j: number): number => Math.min(1, c * w[i * n + j]!);

const expectedCount = (p: Problem, i: number): number =>
  Array.from({ length: p.n }, (_, j) => probability(p, i, j)).reduce((sum, x) => sum + x, 0);

describe.each(SAMPLERS)("%s, in float64", (sampler) => {
  const p = problems.get(sampler)!;
  const sample = draws.get(sampler)!;
  const moments = momentsOf(p, DRAWS, (r) => gradientOf(p, sample[r]!));

  it("has the exact gradient as its mean, within what the spread of 2000 draws allows", () => {
    expect(biasRatios(p, moments).map((x) => x.toFixed(3)).join(), "ratios").not.toContain("NaN");
    expect(isUnbiased(p, moments)).toBe(true);
  });

  it("has the variance of the closed form", () => {
    for (const ratio of varianceRatios(p, moments)) expect(Math.abs(ratio - 1)).toBeLessThan(sampler === "bernoulli" ? 0.02 : 0.1);
  });

  it("gives every kept entry the weight max(w, 1 / c)", () => {
    for (const draw of sample.slice(0, 50)) {
      const slots = draw.kept.length / p.n;
      draw.kept.forEach((j, at) => {
        const expected = j < 0 ? 0 : Math.max(p.w[Math.floor(at / slots) * p.n + j]!, 1 / p.c);
        expect(Math.abs(draw.weights[at]! - expected)).toBeLessThanOrEqual(1e-12);
      });
    }
  });

  it("keeps sum min(1, c w) <= c entries of a row on average", () => {
    const counts = new Float64Array(p.n);
    for (const draw of sample) rowsOf(p, draw).forEach((row, i) => (counts[i]! += row.length));
    counts.forEach((count, i) => {
      const mean = expectedCount(p, i);
      expect(mean).toBeLessThanOrEqual(p.c + 1e-9);
      expect(Math.abs(count / DRAWS - mean)).toBeLessThanOrEqual(4 * Math.sqrt(mean / DRAWS));
    });
  });

  it("keeps rows ascending, without repeats, of unmasked keys, empty slots last", () => {
    for (const draw of sample)
      rowsOf(p, draw).forEach((row, i) => {
        const slots = draw.kept.length / p.n;
        expect(draw.kept.subarray(i * slots, i * slots + row.length).every((j) => j >= 0)).toBe(true);
        expect(row.every((j, s) => j <= i && j > (row[s - 1] ?? -1))).toBe(true);
      });
  });

  it("always keeps entries of probability 1", () => {
    let sure = 0;
    for (const draw of sample)
      rowsOf(p, draw).forEach((row, i) => {
        for (let j = 0; j <= i; j++) if (p.c * p.w[i * p.n + j]! >= 1) sure += row.includes(j) ? 1 : Number.NaN;
      });
    expect(sure).toBeGreaterThan(DRAWS * p.n);
  });
});

it("systematic sampling keeps floor or ceiling of the expected count of every row, so never more than ceil(c)", () => {
  const p = problems.get("systematic")!;
  for (const draw of draws.get("systematic")!) {
    expect(draw.kept.length / p.n).toBe(Math.ceil(p.c));
    rowsOf(p, draw).forEach((row, i) => {
      const mean = expectedCount(p, i);
      expect(row.length >= Math.floor(mean - 1e-9) && row.length <= Math.ceil(mean + 1e-9)).toBe(true);
    });
  }
});

describe.each(SHARPNESS)("%s rows", (_, sharpness) => {
  it.each([true, false])("keep at most the fraction c / n of all pairs, and nc - c(c-1)/2 of a causal triangle (causal: %s)", (causal) => {
    const p = problemOf({ ...small, sampler: "bernoulli", sharpness, causal }, 3);
    const { n, c } = p;
    let [kept, variance] = [0, 0];
    for (let r = 0; r < 200; r++) kept += rowsOf(p, drawOf(p, r + 1)).flat().length / 200;
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) variance += probability(p, i, j) * (1 - probability(p, i, j));
    const most = causal ? n * c - (c * (c - 1)) / 2 : n * c;
    expect(kept).toBeLessThanOrEqual(most + 3 * Math.sqrt(variance / 200));
  });

  it("have tr Var dv <= |d_o|^2 / c", () => {
    const p = problemOf({ ...small, sharpness, causal: false }, 4);
    expect(closedForm(p)[2]).toBeLessThanOrEqual(p.dO.reduce((sum, x) => sum + x * x, 0) / p.c);
  });
});

it("bernoulli's slots are too few for fewer than one row in 10^8, whatever c is", () => {
  for (let c = 0.05; c < 200; c += c < 10 ? 0.05 : 1) {
    const slots = capacity({ ...problems.get("bernoulli")!.attrs, c }, { M: Number.POSITIVE_INFINITY });
    // The tail of a Poisson variable of mean c bounds that of a sum of independent draws of mean c (Hoeffding 1956).
    let term = Array.from({ length: slots + 1 }, (_, k) => Math.log(c) - Math.log(k + 1)).reduce((sum, x) => sum + x, -c);
    let tail = 0;
    for (let k = slots + 1; term > -80; k++, term += Math.log(c / k)) tail += Math.exp(term);
    expect(tail).toBeLessThan(1e-8);
  }
});

it("what finds no slot is the last keys", () => {
  expect(drawBernoulli(new Float64Array(5).fill(1), () => 0.5, 3)).toEqual([0, 1, 2]);
});

it("uniform rows keep exactly c of n", () => {
  const p = problemOf({ ...small, sharpness: 0, causal: false }, 5);
  for (let r = 0; r < 20; r++) for (const row of rowsOf(p, drawOf(p, r + 1))) expect(row.length).toBe(p.c);
});

describe("the test of unbiasedness rejects", () => {
  const p = problems.get("systematic")!;
  const sample = draws.get("systematic")!;
  const slots = sample[0]!.kept.length / p.n;
  const verdict = (gradient: (draw: number) => readonly Data[]): boolean => isUnbiased(p, momentsOf(p, DRAWS, gradient));
  const weightsBy = (draw: Draw, f: (weight: number, at: number) => number): Draw => ({ ...draw, weights: draw.weights.map(f) });

  it("nothing that is right", () => expect(verdict((r) => gradientOf(p, sample[r]!))).toBe(true));

  it("kept weights without 1 / q", () => {
    const plain = (draw: Draw): Draw => weightsBy(draw, (_, at) => (draw.kept[at]! < 0 ? 0 : p.w[Math.floor(at / slots) * p.n + draw.kept[at]!]!));
    expect(verdict((r) => gradientOf(p, plain(sample[r]!)))).toBe(false);
  });

  it("rows renormalised to 1", () => {
    const rowSum = ({ weights }: Draw, i: number): number => weights.subarray(i * slots, (i + 1) * slots).reduce((sum, x) => sum + x, 0);
    expect(verdict((r) => gradientOf(p, weightsBy(sample[r]!, (x, at) => x / rowSum(sample[r]!, Math.floor(at / slots)))))).toBe(false);
  });

  it("the c largest weights of each row", () => {
    const kept = new Float64Array(p.n * slots).fill(-1);
    const weights = new Float64Array(p.n * slots);
    for (let i = 0; i < p.n; i++) {
      const best = Array.from({ length: i + 1 }, (_, j) => j).sort((a, b) => p.w[i * p.n + b]! - p.w[i * p.n + a]!).slice(0, slots).sort((a, b) => a - b);
      best.forEach((j, s) => {
        kept[i * slots + s] = j;
        weights[i * slots + s] = p.w[i * p.n + j]!;
      });
    }
    const top = gradientOf(p, { kept, weights });
    expect(verdict(() => top)).toBe(false);
  });

  it("delta of the sampled output", () => {
    const output = ({ kept, weights }: Draw): Data => Float64Array.from({ length: p.n * p.d }, (_, at) => {
      const [i, e] = [Math.floor(at / p.d), at % p.d];
      return Array.from({ length: slots }, (_slot, s) => i * slots + s).reduce((sum, slot) => sum + (kept[slot]! < 0 ? 0 : weights[slot]! * p.v[kept[slot]! * p.d + e]!), 0);
    });
    expect(verdict((r) => gradientOf(p, sample[r]!, output(sample[r]!)))).toBe(false);
  });
});

it("one pass over a row, with the running normaliser, has c (1 + ln(n / c)) candidates and accepts the same entries", () => {
  const [n, c, rows] = [2048, 27, 400];
  const uniform = source(11);
  let candidates = 0;
  for (let row = 0; row < rows; row++) {
    const scores = row === 0 ? Float64Array.from({ length: n }, () => 3 * uniform()) : new Float64Array(n);
    const found: { readonly j: number; readonly e: number; readonly u: number }[] = [];
    const numbers = scores.map(() => uniform());
    let total = 0;
    scores.forEach((s, j) => {
      const e = Math.exp(s);
      total += e;
      if (numbers[j]! < Math.min(1, (c * e) / total)) found.push({ j, e, u: numbers[j]! });
    });
    const accepted = found.filter(({ e, u }) => u < Math.min(1, (c * e) / total)).map(({ j }) => j);
    const direct = [...numbers.keys()].filter((j) => numbers[j]! < Math.min(1, (c * Math.exp(scores[j]!)) / total));
    expect(accepted).toEqual(direct);
    if (row > 0) candidates += found.length / (rows - 1);
  }
  expect(Math.abs(candidates / (c * (1 + Math.log(n / c))) - 1)).toBeLessThan(0.05);
});

it("the distance of a mean from the exact gradient is measured as written here", () => {
  const p = problems.get("systematic")!;
  const shifted = momentsOf(p, 2, (r) => p.exact.map((x) => x.map((y) => y + (r === 0 ? 1 : -1))));
  expect(biasRatios(p, shifted).every((x) => x < 1e-9)).toBe(true);
});
