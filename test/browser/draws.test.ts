/** @file Random numbers for given counters, running sums and systematic samples on WebGL 2 and WebGPU, whose shaders must
 *  carry a number through a loop as JavaScript does, and on WebAssembly. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { interpret } from "../../ir/interpret.ts";
import { cumsum, randomAt, sample } from "../../ir/ops/index.ts";
import { tensor } from "../../ir/types.ts";
import { moduleOf, programFor, rounded, tensorsFor, worst } from "../codegen/programs.ts";
import { makeFunc, namedInputs, source, toKernels } from "../numeric/support.ts";
import { browserMissing, openBrowser, type BrowserSession } from "./harness.ts";

const [ROWS, SIZE, SLOTS] = [24, 100, 16];

const func = makeFunc(
  [tensor("i32", [4]), tensor("i32", [ROWS]), tensor("i32", [ROWS]), tensor("f32", [ROWS, SIZE])],
  (b, [key, high, low, p]) => {
    const u = b.one(randomAt, [key!, high!, low!], { site: 1 });
    return [u, b.one(sample, [p!, u], { slots: SLOTS }), b.one(cumsum, [p!], { axis: 1, reverse: true, exclusive: true })];
  },
);

/** Probabilities in 64ths, so that only the thresholds, of 24 bits, are not exact; numbers near the ends of their ranges. */
const inputs = (): readonly Float64Array[] => {
  const uniform = source(3);
  const below = (limit: number): number => Math.floor(uniform() * limit);
  return rounded([
    Float64Array.of(65_535, 1, 40_503, 65_534),
    Float64Array.from({ length: ROWS }, (_, i) => (i < 4 ? 4095 : below(4096))),
    Float64Array.from({ length: ROWS }, (_, i) => (i < 8 ? 2 ** 24 - 1 - i : below(2 ** 24))),
    Float64Array.from({ length: ROWS * SIZE }, () => Math.max(0, below(24) - 8) / 64),
  ]);
};

const missing = browserMissing();

describe.skipIf(missing !== null)("in Chromium", () => {
  let browser: BrowserSession;
  beforeAll(async () => void (browser = await openBrowser()));
  afterAll(() => browser.close());

  it.each(["gpujs:webgl2", "gpujs:webgpu", "wasm"])("%s draws and keeps what the interpreter does", async (backend) => {
    const module = toKernels(moduleOf(func));
    const data = inputs();
    const outputs = await browser.runInBrowser(programFor(module, backend), backend, "test", tensorsFor(func, data));
    const { results } = interpret(func, namedInputs(data));
    const of = (name: string): readonly number[] => Array.from(outputs[name]!.data, Number);
    expect(of("r0")).toEqual([...results.get("r0")!]);
    expect(of("r1")).toEqual([...results.get("r1")!]);
    expect(worst(of("r2"), results.get("r2")!)).toBeLessThan(1e-6);
  });
});
