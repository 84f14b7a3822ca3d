/** @file Whole gradients in a real browser: every example and the models of zoo/ on WebGL 2 and WebGPU, against the interpreter. */

import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { programOf } from "../../compiler/node/execute.ts";
import { browserMissing, openBrowser, type BrowserSession } from "../browser/harness.ts";
import { compiledCase, evaluate, inputsFor, MODELS, report, worstDeviation, type ModelCase } from "./support.ts";

const missing = browserMissing();

/** One layer each where their number is a dim: software graphics is slow, and further layers launch the same kernels. */
const SHALLOW: readonly ModelCase[] = MODELS.map((model) => {
  const layered = /^dim L\b/m.test(readFileSync(model.file, "utf8"));
  return layered ? { ...model, dims: { ...model.dims, L: 1 } } : model;
});

describe.skipIf(missing !== null)("in Chromium", () => {
  let browser: BrowserSession;
  const observed: string[] = [];
  beforeAll(async () => void (browser = await openBrowser()));
  afterAll(async () => {
    report(observed);
    await browser.close();
  });

  describe.each(["gpujs:webgl2", "gpujs:webgpu"])("%s", (backend) => {
    it.each(SHALLOW)("$name", async (model) => {
      const compiled = await compiledCase(model);
      const inputs = inputsFor(model, compiled, "grad");
      const started = performance.now();
      const outputs = await browser.runInBrowser(programOf(compiled), backend, "grad", inputs);
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      const { name, error } = worstDeviation(outputs, evaluate(compiled.gradient, "grad", inputs));
      observed.push(`${backend} ${model.name}: ${error.toExponential(1)} (${name}), ${seconds} s`);
      expect(error).toBeLessThanOrEqual(1e-4);
    });
  });
});
