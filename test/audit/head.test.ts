/** @file Statistics of heads against dense formulas, against the operation's own gradient, and against drawn gradients. */

import { describe, expect, it } from "vitest";
import type { Data, TensorType } from "../../ir/core.ts";
import type { SampledAttrs } from "../../ir/ops/attention-sampled-attrs.ts";
import { attention, attentionSampled, attentionVjpSampled } from "../../ir/ops/index.ts";
import { tensor } from "../../ir/types.ts";
import { randomStream } from "../../runtime/random.ts";
import { addHead, startHead } from "../../compiler/audit/head.ts";
import { headReport } from "../../compiler/audit/head-report.ts";
import type { HeadReport } from "../../compiler/audit/head-report.ts";
import { keptMap } from "../../compiler/audit/kept-map.ts";
import { dense, difference, gradients, problem, products, recordGradient, softmaxSlope, squared } from "./sites.ts";
import type { Problem } from "./sites.ts";

const SETTINGS = { cs: [2, 4], degrees: [0, 1, 2, 4] };
const causal = (i: number, j: number): boolean => j <= i;

const reportOf = (of: Problem, head: number): HeadReport => {
  const sums = startHead(of.site, SETTINGS);
  addHead(sums, of.site, of.captured, 0, head);
  return headReport(head, sums);
};

const flat = (rows: readonly Float64Array[]): number[] => rows.flatMap((row) => [...row]);
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

describe("weights and scores of one head", () => {
  const of = problem();
  const { weights, scores } = dense(of, 1, causal);
  const report = reportOf(of, 1);
  const allowed = flat(scores).filter((s) => !Number.isNaN(s));

  it("entropy, spread and maxima are those of the dense matrices", () => {
    const mean = sum(allowed) / allowed.length;
    expect(report.entropy).toBeCloseTo(sum(flat(weights).map((w) => (w > 0 ? -w * Math.log(w) : 0))) / 12, 12);
    expect(report.scoreStd).toBeCloseTo(Math.sqrt(sum(allowed.map((s) => (s - mean) ** 2)) / allowed.length), 12);
    expect(report.maxAbsoluteScore).toBeCloseTo(Math.max(...allowed.map(Math.abs)), 12);
    const centred = scores.flatMap((row) => {
      const own = [...row].filter((s) => !Number.isNaN(s));
      return own.map((s) => Math.abs(s - sum(own) / own.length));
    });
    expect(report.maxScore).toBeCloseTo(Math.max(...centred), 12);
  });

  it("kept is Σ min(1, c W), of n² and of the mask", () => {
    for (const c of SETTINGS.cs) {
      const kept = sum(flat(weights).map((w) => Math.min(1, c * w)));
      const point = report.sampled.find((each) => each.c === c && each.degree === null);
      expect(point?.kept).toBeCloseTo(kept / 12, 12);
      expect(point?.keptOfSquare).toBeCloseTo(kept / 144, 12);
      expect(point?.keptOfMask).toBeCloseTo(kept / 78, 12);
      expect(point?.kept).toBeLessThanOrEqual(c);
    }
  });

  it("a common offset of all keys changes raw scores and no centred one", () => {
    const shifted: Problem = {
      site: of.site,
      captured: (name) => (name === "k" ? (of.captured("k") as Float64Array).map((x) => x + 3) : of.captured(name)),
    };
    const after = reportOf(shifted, 1);
    expect(after.maxAbsoluteScore).toBeGreaterThan(report.maxAbsoluteScore * 1.5);
    expect(after.maxCentredScore).toBeCloseTo(report.maxCentredScore, 10);
    expect(after.entropy).toBeCloseTo(report.entropy, 10);
    expect(after.lowrank.map(({ error }) => error)).toEqual(report.lowrank.map(({ error }) => expect.closeTo(error, 8) as unknown));
  });
});

/** The variance of dq, dk, dv over drawn masks W̃ = base + left · (kept / p), p = min(1, c |left| / mass). */
const drawnVariance = (of: Problem, h: number, W: readonly Float64Array[], base: readonly Float64Array[], c: number, draws: number) => {
  const p = products(of, h);
  const exact = gradients(of, h, softmaxSlope(W, p), W);
  const stream = randomStream(3, "masks");
  const delta = W.map((row, i) => sum([...row].map((w, j) => w * (p[i]?.[j] as number))));
  const total = { dq: 0, dk: 0, dv: 0 };
  for (let draw = 0; draw < draws; draw++) {
    const drawn = W.map((row, i) => {
      const left = row.map((w, j) => w - (base[i]?.[j] as number));
      const mass = sum([...left].map(Math.abs));
      return left.map((x, j) => {
        const q = mass === 0 ? 0 : Math.min(1, (c * Math.abs(x)) / mass);
        return (base[i]?.[j] as number) + (q > 0 && stream.uniform() < q ? x / q : 0);
      });
    });
    const dS = drawn.map((row, i) => row.map((w, j) => w * ((p[i]?.[j] as number) - (delta[i] as number))));
    const g = gradients(of, h, dS, drawn);
    for (const part of ["dq", "dk", "dv"] as const) total[part] += difference(g[part], exact[part]) / draws;
  }
  return { dq: total.dq / squared(exact.dq), dk: total.dk / squared(exact.dk), dv: total.dv / squared(exact.dv) };
};

describe("variance in closed form against drawn masks", () => {
  const of = problem({ N: 16, M: 16 });
  const { weights } = dense(of, 0, causal);
  const report = reportOf(of, 0);

  it("sus", () => {
    const drawn = drawnVariance(of, 0, weights, weights.map((row) => row.map(() => 0)), 2, 4000);
    const point = report.sampled.find(({ c, degree }) => c === 2 && degree === null);
    for (const part of ["dq", "dk", "dv"] as const) expect(drawn[part] / (point?.variance[part] as number)).toBeCloseTo(1, 0.9);
  });

  it("sus, as the operations draw it", () => {
    const attrs: SampledAttrs = { ...of.site.attrs, c: 2, sampler: "bernoulli", control: [] };
    const data = (name: string): Data => of.captured(name) as Data;
    const types = ["q", "k", "v"].map((name) => of.site.types.get(name)!);
    const run = (key: number) => {
      const operandTypes = [...types, tensor("i32", [4])];
      const resultTypes = attentionSampled.infer(operandTypes, attrs) as readonly TensorType[];
      const operands = [data("q"), data("k"), data("v"), Float64Array.of(key, 2, 3, 4)];
      const drawn = attentionSampled.evaluate({ operands, operandTypes, resultTypes, attrs, tally: { flops: 0 } });
      const [o, , kept, weights] = drawn as [Data, Data, Data, Data];
      const backward = [data("q"), data("k"), data("v"), o, kept, weights, data("d_o")];
      const backwardTypes = [...types, ...[0, 2, 3].map((i) => resultTypes[i]!), of.site.types.get("d_o")!];
      return attentionVjpSampled.evaluate({ operands: backward, operandTypes: backwardTypes, resultTypes: types, attrs, tally: { flops: 0 } });
    };
    const p = products(of, 0);
    const exact = gradients(of, 0, softmaxSlope(weights, p), weights);
    const total = { dq: 0, dk: 0, dv: 0 };
    const draws = 2000;
    for (let draw = 0; draw < draws; draw++) {
      const results = run(draw);
      (["dq", "dk", "dv"] as const).forEach((part, i) => {
        total[part] += difference((results[i] as Data).slice(0, exact[part].length), exact[part]) / draws;
      });
    }
    const point = report.sampled.find(({ c, degree }) => c === 2 && degree === null);
    for (const part of ["dq", "dk", "dv"] as const) expect(total[part] / squared(exact[part]) / (point?.variance[part] as number)).toBeCloseTo(1, 0.9);
  });

  it("hybrid, where every row uses its control variate", () => {
    // Scores so small that degree 0 helps every row but the first, which has one key and no variance either way.
    const soft = problem({ N: 16, M: 16, spread: 0.5 });
    const W = dense(soft, 0, causal).weights;
    const uniform = W.map((row, i) => row.map((_, j) => (j <= i && i >= 1 ? 1 / (i + 1) : (row[j] as number))));
    const point = reportOf(soft, 0).sampled.find(({ c, degree }) => c === 2 && degree === 0);
    expect(point?.gated).toBeCloseTo(15 / 16, 12);
    const drawn = drawnVariance(soft, 0, W, uniform, 2, 4000);
    for (const part of ["dq", "dk", "dv"] as const) expect(drawn[part] / (point?.variance[part] as number)).toBeCloseTo(1, 0.9);
  });

  it("the variance of dv is at most |d_o|² / c", () => {
    const exact = gradients(of, 0, weights, weights);
    const dO = (of.captured("d_o") as Float64Array).slice(0, 16 * 3);
    for (const { c, degree, variance } of report.sampled) {
      if (degree === null) expect(variance.dv * squared(exact.dv)).toBeLessThanOrEqual(squared(dO) / c);
    }
  });
});

/** The same attention with the mean key taken off every key. */
const centredKeys = (of: Problem): Problem => {
  const k = of.captured("k") as Float64Array;
  const { G, M, K } = of.site.sizes;
  const means = Array.from({ length: G * K }, (_, at) => sum(Array.from({ length: M }, (__, j) => k[(Math.floor(at / K) * M + j) * K + (at % K)] as number)) / M);
  const centred = k.map((x, at) => x - (means[Math.floor(at / (M * K)) * K + (at % K)] as number));
  return { site: of.site, captured: (name) => (name === "k" ? centred : of.captured(name)) };
};

describe("errors of low-rank gradients against dense formulas", () => {
  const of = problem({ spread: 0.7 });
  const { weights, scores } = dense(of, 0, causal);
  const p = products(of, 0);
  const exact = gradients(of, 0, softmaxSlope(weights, p), weights);
  const report = reportOf(of, 0);
  const taylorAt = (degree: number, x: number): number => sum(Array.from({ length: degree + 1 }, (_, k) => x ** k / [1, 1, 2, 6, 24][k]!));
  const centre = (() => {
    const [q, k] = [of.captured("q") as Data, of.captured("k") as Data];
    return Array.from({ length: 12 }, (_, i) => sum([0, 1, 2, 3].map((x) => 0.5 * (q[i * 4 + x] as number) * (sum(Array.from({ length: 12 }, (__, j) => k[j * 4 + x] as number)) / 12))));
  })();
  const rows = (degree: number): readonly Float64Array[] => scores.map((row, i) => row.map((s) => (Number.isNaN(s) ? 0 : taylorAt(degree, s - (centre[i] as number)))));
  const over = (a: readonly Float64Array[], z: readonly Float64Array[]): readonly Float64Array[] => a.map((row, i) => row.map((x) => x / sum([...(z[i] as Float64Array)])));

  it.each([0, 1, 2, 4])("plug-in, degree %i", (degree) => {
    const f = over(rows(degree), rows(degree));
    const g = gradients(of, 0, softmaxSlope(f, p), f);
    const point = report.lowrank.find((each) => each.degree === degree && each.form === "plugin");
    for (const part of ["dq", "dk", "dv"] as const) expect(point?.errors[part]).toBeCloseTo(Math.sqrt(difference(g[part], exact[part]) / squared(exact[part])), 9);
  });

  it.each([1, 2, 4])("surrogate, degree %i", (degree) => {
    const f = over(rows(degree), rows(degree));
    const slope = over(rows(degree - 1), rows(degree));
    const dS = softmaxSlope(f, p, slope);
    // Its rows do not add up to 0, so it matters that the keys are the centred ones.
    const g = gradients(centredKeys(of), 0, dS, f);
    const point = report.lowrank.find((each) => each.degree === degree && each.form === "surrogate");
    for (const part of ["dq", "dk", "dv"] as const) expect(point?.errors[part]).toBeCloseTo(Math.sqrt(difference(g[part], exact[part]) / squared(exact[part])), 9);
  });

  it("falls with the degree, of small scores to nothing", () => {
    const small = reportOf(problem({ spread: 0.2 }), 0).lowrank.filter(({ form }) => form === "plugin").map(({ error }) => error);
    expect(small).toEqual([...small].sort((a, b) => b - a));
    expect(small.at(-1)).toBeLessThan(1e-6);
  });

  it("counts rows whose normaliser is not positive", () => {
    const sharp = reportOf(problem({ spread: 4 }), 0).lowrank;
    expect(sharp.find(({ degree }) => degree === 1)?.broken).toBeGreaterThan(0);
    expect(sharp.find(({ degree }) => degree === 2)?.broken).toBe(0);
  });
});

describe("masks, groups and extras: the exact gradient is the operation's", () => {
  const mask = { type: tensor("i1", [1, 1, 12, 12]), data: Array.from({ length: 144 }, (_, at) => ((at * 7) % 5 === 0 ? 0 : 1)) };
  const bias = { type: tensor("f32", [1, 2, 12, 12]), data: Array.from({ length: 288 }, (_, at) => Math.sin(at)) };
  const cases: readonly [string, Problem][] = [
    ["causal", problem()],
    ["window", problem({ attrs: { window: 5 } })],
    ["full, more keys than queries", problem({ N: 9, M: 14, attrs: { causal: false } })],
    ["causal, more keys than queries", problem({ N: 9, M: 14 })],
    ["grouped queries", problem({ H: 4, G: 2 })],
    ["lengths", problem({ attrs: { causal: false }, extras: { lengths: { type: tensor("i32", [1]), data: [7] } } })],
    ["mask", problem({ extras: { mask } })],
    ["bias", problem({ extras: { bias } })],
    ["d_lse", problem({ extras: { d_lse: { type: tensor("f32", [1, 2, 12]), data: Array.from({ length: 24 }, (_, at) => Math.cos(at)) } } })],
  ];
  it.each(cases)("%s", (_, of) => {
    const { H, G, N, M, K, E } = of.site.sizes;
    const names = ["q", "k", "v", ...of.site.attrs.extras.filter((name) => name !== "d_lse")];
    const attrs = { ...of.site.attrs, extras: of.site.attrs.extras.filter((name) => name !== "d_lse") };
    const types = names.map((name) => of.site.types.get(name)!);
    const results = [of.site.types.get("o")!, of.site.types.get("lse")!];
    const [o, lse] = attention.evaluate({ operands: names.map((name) => of.captured(name) as Data), operandTypes: types, resultTypes: results, attrs, tally: { flops: 0 } }) as [Data, Data];
    const [dq, dk] = recordGradient(of, o, lse) as [Data, Data, Data];
    let [queries, keys] = [0, 0];
    for (let h = 0; h < H; h++) {
      const sums = startHead(of.site, { cs: [2], degrees: [] });
      addHead(sums, of.site, of.captured, 0, h);
      queries += sums.lowrank.exact.squares.dq;
      keys += sums.lowrank.exact.squares.dk;
    }
    expect(queries).toBeCloseTo(squared(dq), 8);
    // dk of shared keys is the sum over their query heads, not the heads' own shares.
    if (H === G) expect(keys).toBeCloseTo(squared(dk), 8);
    expect([dq.length, dk.length, E * M * G]).toEqual([N * K * H, M * K * G, E * M * G]);
  });

  it("no polynomial stands for a bias, a mask or a window", () => {
    for (const of of [problem({ extras: { bias } }), problem({ extras: { mask } }), problem({ attrs: { window: 5 } })]) {
      const report = reportOf(of, 0);
      expect(report.lowrank).toEqual([]);
      expect(report.sampled.map(({ degree }) => degree)).toEqual([null, null]);
    }
  });
});

describe("the kept map", () => {
  it("holds the probabilities, averaged over cells; null above the diagonal", () => {
    const of = problem();
    const { weights } = dense(of, 0, causal);
    const fine = keptMap(of.site, of.captured, 0, 3, 64);
    expect(fine.cells).toHaveLength(12);
    expect(fine.cells[5]?.[2]).toBe(Math.round(1000 * Math.min(1, 3 * (weights[5]?.[2] as number))));
    expect(fine.cells[2]?.[5]).toBeNull();
    const coarse = keptMap(of.site, of.captured, 0, 3, 6);
    const four = [[4, 2], [4, 3], [5, 2], [5, 3]].map(([i = 0, j = 0]) => Math.min(1, 3 * (weights[i]?.[j] as number)));
    expect(coarse.cells[2]?.[1]).toBe(Math.round((1000 * sum(four)) / 4));
  });
});
