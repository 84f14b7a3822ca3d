/** @file The sampled gradient of attention as compiled kernels: against its meaning in float64 on every example, unbiased and
 *  of the promised variance over 2000 draws, and without a tensor of all pairs at length 16384. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { evaluateOp, interpret } from "../../ir/interpret.ts";
import { attentionSampled, attentionVjpSampled } from "../../ir/ops/index.ts";
import { expandSampled } from "../../ir/ops/attention-sampled-expand.ts";
import { elements } from "../../ir/types.ts";
import type { Executable } from "../../runtime/abi.ts";
import { caseFunc, executableOf, moduleOf, rounded, tensorsFor, WASM_APART, worst } from "../codegen/programs.ts";
import { asData, lowered, momentsFunc, pairFunc } from "./sus-kernels-support.ts";
import { biasRatios, isUnbiased, key, problemOf, sampledAttrs, varianceRatios } from "./sus-support.ts";
import type { Moments, Problem } from "./sus-support.ts";
import { casesOf, dataOf, makeFunc, namedInputs, relativeError, resultTypesOf, typesOf } from "./support.ts";

const CASES = [attentionSampled, attentionVjpSampled].flatMap(casesOf);
const labelled = CASES.map((c) => [c.label, c] as const);

describe.each(["gpujs:cpu", "gpujs:webasm", "wasm", WASM_APART])("%s", (backend) => {
  let executable: Executable;
  beforeAll(async () => void (executable = await executableOf(moduleOf(...CASES.map(caseFunc)), backend)));
  afterAll(() => executable.destroy());

  it.each(labelled)("computes what %s means", async (_, c) => {
    const data = rounded(dataOf(c.example));
    const whole = evaluateOp(c.op, data, typesOf(c.example), resultTypesOf(c), c.example.attrs).results;
    const results = Object.values(await executable.run(c.label, tensorsFor(caseFunc(c), data)));
    expect(results.length).toBe(whole.length);
    results.forEach((result, i) => expect(worst(result?.data ?? [], whole[i]!), `result ${i}`).toBeLessThanOrEqual(1e-5));
  });
});

it.each(labelled.filter(([, { op }]) => op === attentionSampled))("%s is the same drawn in blocks of two rows", (_, c) => {
  const types = typesOf(c.example);
  const data = dataOf(c.example);
  const whole = evaluateOp(c.op, data, types, resultTypesOf(c), c.example.attrs).results;
  const blocks = makeFunc(types, (b, params) => expandSampled(b, params, c.example.attrs as never, { elements: 1, rows: 2 }));
  [...interpret(blocks, namedInputs(data)).results.values()].forEach((part, i) => expect(relativeError(part, whole[i]!), `result ${i}`).toBeLessThan(1e-12));
});

const DRAWS = 2000;
const COPIES = 100;

const SAMPLERS = (["systematic", "bernoulli"] as const).flatMap((sampler) => ["gpujs:webasm", "wasm"].map((backend) => [sampler, backend] as const));

describe.each(SAMPLERS)("%s, on %s, n = 256, d = 16, c = 16", (sampler, backend) => {
  const p = problemOf({ n: 256, d: 16, causal: true, sharpness: 1.5, c: 16, sampler });
  const func = momentsFunc({ copies: COPIES, n: p.n, d: p.d }, p.attrs);
  let executable: Executable;
  let moments: Moments;
  const keptOf: (readonly number[])[] = [];
  let largestWeightError = 0;
  let slots = 0;

  beforeAll(async () => {
    executable = await executableOf(moduleOf(func), backend);
    const sum = p.exact.map(({ length }) => new Float64Array(length));
    const squares = p.exact.map(() => 0);
    for (let run = 0; run < DRAWS / COPIES; run++) {
      const results = Object.values(await executable.run("test", tensorsFor(func, [p.q, p.k, p.v, key(run + 1), p.dO, ...p.exact])));
      const [kept, weights, ...rest] = results.map((result) => asData(result?.data ?? []));
      rest.slice(0, 3).forEach((part, which) => part.forEach((x, at) => (sum[which]![at]! += x)));
      rest.slice(3).forEach((part, which) => (squares[which]! += part[0]!));
      slots = kept!.length / COPIES / p.n;
      kept!.forEach((j, at) => (largestWeightError = Math.max(largestWeightError, weightError(p, slots, at, j, weights![at]!))));
      for (let row = 0; row < COPIES * p.n; row++) keptOf.push([...kept!.subarray(row * slots, (row + 1) * slots)].filter((j) => j >= 0));
    }
    moments = { draws: DRAWS, sum, squares };
  }, 600_000);
  afterAll(() => executable.destroy());

  it("has the exact gradient as its mean", () => {
    expect(biasRatios(p, moments).every(Number.isFinite)).toBe(true);
    expect(isUnbiased(p, moments)).toBe(true);
  });

  it("has the variance of the closed form", () => {
    for (const ratio of varianceRatios(p, moments)) expect(Math.abs(ratio - 1)).toBeLessThan(sampler === "bernoulli" ? 0.02 : 0.1);
  });

  it("gives kept entries the weight max(w, 1 / c), to float32 rounding", () => expect(largestWeightError).toBeLessThan(2e-5));

  it("keeps sum min(1, c w) entries of a row on average, those of probability 1, and no more than it has slots", () => {
    const counts = new Float64Array(p.n);
    let [sure, missed] = [0, 0];
    keptOf.forEach((row, at) => {
      const i = at % p.n;
      counts[i]! += row.length;
      for (let j = 0; j <= i; j++) {
        if (p.c * p.w[i * p.n + j]! < 1) continue;
        sure += 1;
        missed += row.includes(j) ? 0 : 1;
      }
    });
    expect(keptOf.every((row) => row.length <= slots)).toBe(true);
    if (sampler === "systematic") expect(slots).toBe(p.c);
    expect(missed / sure).toBeLessThan(1e-5);
    counts.forEach((count, i) => {
      let mean = 0;
      for (let j = 0; j <= i; j++) mean += Math.min(1, p.c * p.w[i * p.n + j]!);
      expect(Math.abs(count / DRAWS - mean)).toBeLessThanOrEqual(4 * Math.sqrt(mean / DRAWS));
    });
  });
});

const weightError = (p: Problem, slots: number, at: number, j: number, weight: number): number => {
  if (j < 0) return Math.abs(weight);
  const expected = Math.max(p.w[(Math.floor(at / slots) % p.n) * p.n + j]!, 1 / p.c);
  return Math.abs(weight - expected) / expected;
};

it.each(["gpujs:webasm", "wasm"])("a key that every row keeps has the sum over all rows as its gradient, on %s", async (backend) => {
  const p = problemOf({ n: 600, d: 4, causal: true, sharpness: 1, c: 4, sampler: "systematic" });
  const sink = (x: Float64Array, at: (i: number) => boolean): Float64Array => x.map((y, e) => (e % p.d === 0 && at(Math.floor(e / p.d)) ? 5 : y));
  const func = pairFunc({ copies: 1, n: p.n, d: p.d }, p.attrs);
  const data = [sink(p.q, () => true), sink(p.k, (j) => j === 0), p.v, key(5), p.dO];
  const expected = [...interpret(func, namedInputs(data)).results.values()];
  const slots = expected[0]!.length / p.n;
  expect(expected[0]!.filter((j, at) => at % slots === 0 && j === 0).length).toBe(p.n);
  const executable = await executableOf(moduleOf(func), backend);
  const results = Object.values(await executable.run("test", tensorsFor(func, data)));
  executable.destroy();
  // Where one weight is near 1, d_o . v - delta cancels.
  results.forEach((result, i) => expect(relativeError(asData(result?.data ?? []), expected[i]!), `result ${i}`).toBeLessThan(1e-4));
});

describe("at length 16384", () => {
  const [n, d, c] = [16_384, 16, 27];
  const attrs = sampledAttrs({ d, causal: true, c, sampler: "systematic" });
  const buffers = lowered(pairFunc({ copies: 1, n, d }, attrs)).funcs.flatMap(({ ops }) => ops).filter(({ inline }) => !inline);
  const sizes = buffers.map(({ op, results }) => ({ op: op.mnemonic, size: Math.max(...results.map(({ type }) => elements(type))) }));
  const afterSampling = sizes.slice(sizes.findIndex(({ op }) => op === "merge_runs"));

  it("no buffer holds more than a block of the n^2 pairs", () => {
    expect(Math.max(...sizes.map(({ size }) => size))).toBeLessThan(2 ** 24);
  });

  it("the backward pass holds nothing larger than the slots: what is taken of k and v, and the updates, are computed in place", () => {
    expect(afterSampling.length).toBeGreaterThan(5);
    expect(Math.max(...afterSampling.map(({ size }) => size))).toBeLessThanOrEqual(n * Math.max(c, d));
  });
});
