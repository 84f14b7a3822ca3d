/** @file Every fixture program in a real browser, on WebGL 2, WebGPU and WebAssembly, against plain JavaScript. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bigram, BATCH, LENGTH } from "../runtime/bigram.ts";
import { expectClose } from "../runtime/expect.ts";
import { chain, FIXTURES } from "../runtime/programs.ts";
import { initialParameters, initialState } from "../../runtime/parameters.ts";
import { createExecutable } from "../../runtime/backends.ts";
import { i32, scalar } from "../../runtime/tensors.ts";
import { browserMissing, openBrowser, type BrowserSession } from "./harness.ts";

const missing = browserMissing();

describe.skipIf(missing !== null)("in Chromium", () => {
  let browser: BrowserSession;
  beforeAll(async () => void (browser = await openBrowser()));
  afterAll(() => browser.close());

  it("says what the browser has", async () => {
    const reports = new Map((await browser.probe()).map((report) => [report.name, report.available]));
    expect(Object.fromEntries(reports)).toEqual({ "gpujs:webgpu": true, "gpujs:webgl2": true, "gpujs:headlessgl": false, "gpujs:webasm": true, "gpujs:cpu": true, wasm: true, "wasm:wide": false, "wasm:relaxed": true });
  });

  describe.each(["gpujs:webgl2", "gpujs:webgpu", "gpujs:webasm", "gpujs:cpu"])("%s", (backend) => {
    it.each([...FIXTURES, chain(3, 20_000)])("$name", async ({ program, entry, inputs, expected }) => {
      const { outputs, backend: ran } = await browser.measureInBrowser(program, backend, entry, inputs, 2);
      expect(ran).toContain(backend);
      expectClose(outputs, expected);
    });

    it("an SGD step agrees with gpujs:cpu in Node", async () => {
      const program = bigram();
      const ids = (from: number): number[] => Array.from({ length: BATCH * LENGTH }, (_, at) => (from + at * 37) % 128);
      const batch = { tokens: i32([BATCH, LENGTH], ids(3)), targets: i32([BATCH, LENGTH], ids(5)) };
      const inputs = { ...initialParameters(program, 1), ...initialState(program), ...batch, lr: scalar(0.5), step: scalar(1), key: i32([4], [1, 2, 3, 4]) };
      const node = await createExecutable(program, "gpujs:cpu");
      const expected = await node.run("step", inputs);
      node.destroy();
      const actual = await browser.runInBrowser(program, backend, "step", inputs);
      expectClose(actual, Object.fromEntries(Object.entries(expected).map(([name, tensor]) => [name, Array.from(tensor.data, Number)])), 2e-5);
    });
  });

  it.each(["gpujs:webgl2", "gpujs:webgpu"])("%s: a kernel it cannot build is an error, never the cpu", async (backend) => {
    const { program, inputs } = chain(1, 4);
    const recursive = "function add(a, b) { const t = [1, 2, 3, 4, 5, 6]; return a[this.thread.x] + t[2] * b[this.thread.x]; }";
    const broken = { ...program, kernels: [{ ...program.kernels[0]!, source: recursive }] };
    await expect(browser.runInBrowser(broken, backend, "forward", inputs)).rejects.toMatchObject({ code: expect.stringMatching(/^SQ070[34]$/) });
  });

  it("`gpujs` takes WebGL 2 where WebGPU is software", async () => {
    const { program, entry, inputs, expected } = chain(2, 4);
    const { outputs, backend } = await browser.measureInBrowser(program, "gpujs", entry, inputs, 1);
    expectClose(outputs, expected);
    expect(backend).toMatch(/^gpujs:web/);
  });
});
