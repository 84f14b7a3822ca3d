/** @file The same key keeps the same entries on every backend, but where a running sum, or an entry's number, is within float32
 *  rounding of the threshold that decides: the interpreter in float64, gpu.js in Node, and Chromium's WebGL 2, WebGPU and WebAssembly. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Data } from "../../ir/core.ts";
import { interpret } from "../../ir/interpret.ts";
import { attentionSampled } from "../../ir/ops/index.ts";
import { SAMPLING_SITE } from "../../ir/ops/attention-draw.ts";
import { draw, NUMBERS, UNIT } from "../../ir/random.ts";
import { tensor } from "../../ir/types.ts";
import { lowerTo } from "../../compiler/driver.ts";
import { createExecutable } from "../../runtime/backends.ts";
import type { AnyProgram, Tensors } from "../../runtime/abi.ts";
import { moduleOf, tensorsFor } from "../codegen/programs.ts";
import { asData } from "../numeric/sus-kernels-support.ts";
import { key, problemOf } from "../numeric/sus-support.ts";
import type { Problem } from "../numeric/sus-support.ts";
import { makeFunc, namedInputs } from "../numeric/support.ts";
import { browserMissing, openBrowser, type BrowserSession } from "./harness.ts";

const missing = browserMissing();
const SETUP = { n: 256, d: 16, causal: true, sharpness: 2, c: 16 } as const;
const HEADS = 4;
const KEY = key(77);

/** Bounds what float32 makes of a sum of up to c probabilities: eight units in the last place of c. */
const ROUNDING = 8 * SETUP.c * 2 ** -24;

/** kept of HEADS heads: copies of one problem, drawn apart. */
const funcOf = ({ n, d, attrs }: Problem) => {
  const x = tensor("f32", [1, HEADS, n, d]);
  return makeFunc([x, x, x, tensor("i32", [4])], (b, [q, k, v, keyValue]) => b.all(attentionSampled, [q!, k!, v!, keyValue!], attrs).slice(2, 3));
};

const repeated = (x: Data): Data => Float64Array.from({ length: HEADS * x.length }, (_, i) => x[i % x.length]!);

/** Of a row's running sums in float64 and its number u: is every entry on which the two disagree decided by rounding? */
const decidedByRounding = (p: Problem, row: number, mine: Data, other: Data): boolean => {
  const [i, head] = [row % p.n, Math.floor(row / p.n)];
  const probability = (j: number): number => Math.min(1, p.c * p.w[i * p.n + j]!);
  const number = (high: number, low: number): number => draw(NUMBERS, [KEY[0]!, KEY[1]!, KEY[2]!, KEY[3]!], SAMPLING_SITE, high, low) * UNIT;
  if (p.sampler === "bernoulli") {
    const all = new Set([...mine, ...other].filter((j) => j >= 0));
    const disagree = [...all].filter((j) => mine.includes(j) !== other.includes(j));
    return disagree.every((j) => Math.abs(number(head, i * p.n + j) - probability(j)) < ROUNDING);
  }
  const u = number(head, i);
  const sums = Array.from({ length: p.n }, (_, j) => j).reduce<number[]>((list, j) => [...list, (list.at(-1) ?? 0) + probability(j)], []);
  return mine.every((j, slot) => {
    const k = other[slot]!;
    if (j === k) return true;
    const [low, high] = [Math.min(j < 0 ? p.n : j, k < 0 ? p.n : k), Math.max(j < 0 ? p.n : j, k < 0 ? p.n : k)];
    return Math.abs(sums[low]! - (slot + 1 - u)) < ROUNDING && Math.abs(sums[high - 1]! - (slot + 1 - u)) < ROUNDING;
  });
};

const expectSameDraw = (p: Problem, expected: Data, kept: Data): void => {
  const slots = expected.length / (HEADS * p.n);
  let different = 0;
  for (let row = 0; row < HEADS * p.n; row++) {
    const [mine, other] = [expected, kept].map((all) => all.subarray(row * slots, (row + 1) * slots)) as [Data, Data];
    different += mine.filter((j, slot) => j !== other[slot]).length;
    expect(decidedByRounding(p, row, mine, other), `row ${row}: ${[...mine].join()} and ${[...other].join()}`).toBe(true);
  }
  expect(different / expected.filter((j) => j >= 0).length).toBeLessThan(0.005);
};

describe.each(["systematic", "bernoulli"] as const)("%s sampling", (sampler) => {
  const p = problemOf({ ...SETUP, sampler });
  const func = funcOf(p);
  const data = [repeated(p.q), repeated(p.k), repeated(p.v), KEY];
  const expected = interpret(func, namedInputs(data)).results.get("r0")!;
  const programOn = (backend: string): AnyProgram => lowerTo(moduleOf(func), backend === "wasm" ? "wasm" : "gpujs");
  const inputs: Tensors = tensorsFor(func, data);

  it("keeps something, and not everything", () => {
    expect(expected.filter((j) => j >= 0).length).toBeGreaterThan(HEADS * p.n * 4);
    expect(expected.filter((j) => j >= 0).length).toBeLessThan(HEADS * p.n * p.c);
  });

  it.each(["gpujs:cpu", "gpujs:webasm", "wasm"])("keeps the same on %s", async (backend) => {
    const executable = await createExecutable(programOn(backend), backend);
    const { r0 } = await executable.run("test", inputs);
    executable.destroy();
    expectSameDraw(p, expected, asData(r0?.data ?? []));
  });

  it("would show a difference that rounding does not explain", () => {
    const slots = expected.length / (HEADS * p.n);
    const row = p.n - 1;
    const own = expected.subarray(row * slots, (row + 1) * slots);
    expect(decidedByRounding(p, row, own, own.map((j, slot) => (slot === 0 ? j + 1 : j)))).toBe(false);
  });

  describe.skipIf(missing !== null)("in Chromium", () => {
    let browser: BrowserSession;
    beforeAll(async () => void (browser = await openBrowser()));
    afterAll(() => browser.close());

    it.each(["gpujs:webgl2", "gpujs:webgpu", "wasm"])("keeps the same on %s", async (backend) => {
      const { r0 } = await browser.runInBrowser(programOn(backend), backend, "test", inputs);
      expectSameDraw(p, expected, asData(r0?.data ?? []));
    });
  });
});
