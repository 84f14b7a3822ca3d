/** @file ρ, bias and z against naive formulas, for estimators whose noise and bias are known; the biased one is the negative
 *  control: it has to be found out. */

import { describe, expect, it } from "vitest";
import { f32 } from "../../runtime/tensors.ts";
import { randomStream } from "../../runtime/random.ts";
import type { Tensors } from "../../runtime/abi.ts";
import { expectedAbsT, jackknife, logGamma, meanEstimate } from "../../compiler/audit/estimate.ts";
import { batchVariance, ExactGradients, GradientNoise } from "../../compiler/audit/gradient-noise.ts";
import type { NoiseReport } from "../../compiler/audit/gradient-noise.ts";
import { leading } from "../../compiler/audit/leading.ts";

const SIZE = 400;
const SEQUENCES = 24;
const stream = randomStream(11, "gradients");
const normals = (count: number, std: number): Float32Array => Float32Array.from({ length: count }, () => std * stream.normal());

const named = (a: Float32Array, b: Float32Array): Tensors => ({ "grad.a": f32([a.length], a), "grad.b": f32([b.length], b) });

/** Exact gradients N(1, 1) in `a` and N(0, 1/4) in `b`. */
const exactGradients = (): ExactGradients => {
  const exact = new ExactGradients([{ name: "all", parameters: ["a", "b"] }, { name: "b", parameters: ["b"] }]);
  for (let b = 0; b < SEQUENCES; b++) exact.add(named(normals(SIZE, 1).map((x) => x + 1), normals(SIZE, 0.5)));
  return exact;
};

/** Draws with noise of standard deviation `std` and a bias `off` on every element of a. */
const report = (exact: ExactGradients, std: number, off: number, draws: (b: number) => number): readonly NoiseReport[] => {
  const noise = new GradientNoise(exact);
  for (let b = 0; b < SEQUENCES; b++) {
    const [a, c] = [exact.of(b)["grad.a"]?.data as Float32Array, exact.of(b)["grad.b"]?.data as Float32Array];
    noise.add(b, Array.from({ length: draws(b) }, () => named(a.map((x) => x + off + std * stream.normal()), c.map((x) => x + std * stream.normal()))));
  }
  return noise.report();
};

describe("noise of an unbiased gradient", () => {
  const exact = exactGradients();
  const [all, b] = report(exact, 0.3, 0, (at) => (at === 0 ? 8 : 2)) as [NoiseReport, NoiseReport];

  it("ρ is the ratio of the variances that went in, within its error", () => {
    expect(all.maskVariance).toBeCloseTo(2 * SIZE * 0.09, -0.5);
    expect(all.batchVariance).toBeCloseTo(SIZE * 1.25, -1.5);
    expect(Math.abs((all.rho?.value ?? 0) - 0.18 / 1.25)).toBeLessThan(4 * (all.rho?.error ?? 0));
    expect(Math.abs((b.rho?.value ?? 0) - 0.09 / 0.25)).toBeLessThan(4 * (b.rho?.error ?? 0));
    expect(all.rho?.error).toBeGreaterThan(0);
  });

  it("Var_B from norms and projections is the sample variance", () => {
    const values = Array.from({ length: SEQUENCES }, (_, s) => exact.of(s)["grad.b"]?.data as Float32Array);
    const naive = (kept: readonly Float32Array[]): number => {
      let trace = 0;
      for (let i = 0; i < SIZE; i++) {
        const mean = kept.reduce((sum, g) => sum + (g[i] as number), 0) / kept.length;
        trace += kept.reduce((sum, g) => sum + ((g[i] as number) - mean) ** 2, 0) / (kept.length - 1);
      }
      return trace;
    };
    const [, group] = exact.groups;
    if (group === undefined) throw new Error("no group");
    const variance = batchVariance(exact.norms(group), exact.projections(group));
    expect(variance(null)).toBeCloseTo(naive(values), 6);
    expect(variance(5)).toBeCloseTo(naive(values.filter((_, s) => s !== 5)), 6);
  });

  it("no bias: |z| as Student's t has it, squared bias within its error of 0", () => {
    expect(all.z?.draws).toBe(8);
    expect(all.z?.elements).toBe(2 * SIZE);
    expect(all.z?.expected).toBeCloseTo(0.898, 3);
    expect(Math.abs((all.z?.meanAbsolute ?? 0) - (all.z?.expected ?? 0))).toBeLessThan(0.1);
    expect(Math.abs(all.squaredBias.value)).toBeLessThan(4 * all.squaredBias.error);
  });

  it("the error of one draw", () => {
    expect(all.relativeError.value).toBeCloseTo(Math.sqrt(0.18 / (2 + 0.25)), 1.5);
  });
});

describe("negative control: a biased gradient", () => {
  const exact = exactGradients();
  const [all, b] = report(exact, 0.3, 0.2, (at) => (at === 0 ? 8 : 2)) as [NoiseReport, NoiseReport];

  it("is found by the elements and by the squared bias, where it is and only there", () => {
    expect(all.z?.meanAbsolute).toBeGreaterThan(1.3 * expectedAbsT(7));
    expect(all.squaredBias.value / all.squaredBias.error).toBeGreaterThan(10);
    expect(Math.abs(all.squaredBias.value - 0.04 / 2.25)).toBeLessThan(4 * all.squaredBias.error);
    expect(Math.abs(b.squaredBias.value)).toBeLessThan(4 * b.squaredBias.error);
  });

  it("a gradient that draws nothing has no ρ, but an error", () => {
    const [fixed] = report(exact, 0, 0.2, () => 1) as [NoiseReport];
    expect([fixed.rho, fixed.maskVariance, fixed.z]).toEqual([null, null, null]);
    expect(fixed.relativeError.value).toBeCloseTo(Math.sqrt(0.04 / 2.25), 2);
    expect(fixed.squaredBias.value).toBeCloseTo(0.04 / 2.25, 3);
  });

  it("elements that differ by rounding are not tested", () => {
    const [quiet] = report(exact, 1e-7, 1e-6, () => 4) as [NoiseReport];
    expect(quiet.z).toMatchObject({ elements: 0, meanAbsolute: 0 });
  });
});

describe("estimates", () => {
  it("ln Γ at known points", () => {
    expect(logGamma(5)).toBeCloseTo(Math.log(24), 11);
    expect(logGamma(0.5)).toBeCloseTo(Math.log(Math.sqrt(Math.PI)), 11);
    expect(logGamma(3.5)).toBeCloseTo(Math.log(3.3233509704478426), 11);
  });

  it("E|t| of Student's t: infinite, known, and the normal's in the limit", () => {
    expect(expectedAbsT(1)).toBe(Number.POSITIVE_INFINITY);
    expect(expectedAbsT(2)).toBeCloseTo(Math.SQRT2, 12);
    expect(expectedAbsT(3)).toBeCloseTo((2 * Math.sqrt(3)) / Math.PI, 12);
    expect(expectedAbsT(1e6)).toBeCloseTo(Math.sqrt(2 / Math.PI), 5);
  });

  it("the jackknife of a mean is its standard error", () => {
    const values = [3, 1, 4, 1, 5, 9, 2, 6];
    const mean = (without: number | null): number => {
      const kept = values.filter((_, i) => i !== without);
      return kept.reduce((a, b) => a + b, 0) / kept.length;
    };
    expect(jackknife(values.length, mean).error).toBeCloseTo(meanEstimate(values).error, 12);
    expect(meanEstimate([2]).error).toBeNaN();
  });

  it("the leading rows of a tensor", () => {
    const table = f32([3, 4], Array.from({ length: 12 }, (_, at) => at));
    expect([...leading(table, [2, 3]).data]).toEqual([0, 1, 2, 4, 5, 6]);
    expect(leading(table, [3, 4])).toBe(table);
  });
});
