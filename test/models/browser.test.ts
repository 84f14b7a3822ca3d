/** @file Whole gradients in a real browser: every example and the models of zoo/ on WebGL 2, WebGPU and WebAssembly, against the interpreter,
 *  and the forms of attention's gradient on two of them. */

import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Compiled } from "../../compiler/driver.ts";
import { compile } from "../../compiler/node/compile.ts";
import { programOf } from "../../compiler/node/execute.ts";
import { wasmBackendOf } from "../../runtime/backends.ts";
import { browserMissing, openBrowser, type BrowserSession } from "../browser/harness.ts";
import { compiledCase, evaluate, inputsFor, MODELS, report, worstDeviation, type ModelCase } from "./support.ts";

const missing = browserMissing();

/** One layer each where their number is a dim: software graphics is slow, and further layers launch the same kernels. */
const SHALLOW: readonly ModelCase[] = MODELS.map((model) => {
  const layered = /^dim L\b/m.test(readFileSync(model.file, "utf8"));
  return layered ? { ...model, dims: { ...model.dims, L: 1 } } : model;
});

const FORMS: readonly (readonly [model: string, policy: string])[] = [
  ["gpt", "sus:c=2"],
  ["llama", "sus:c=2,sampler=bernoulli"],
  ["llama", "hybrid:c=2,degree=2"],
  ["gpt", "lowrank:degree=2,guard=1"],
  ["llama", "lowrank:degree=2,unsafe=true"],
  ["gpt", "lowrank:degree=2,unsafe=true,forward=true"],
];

describe.skipIf(missing !== null)("in Chromium", () => {
  let browser: BrowserSession;
  const observed: string[] = [];
  beforeAll(async () => void (browser = await openBrowser()));
  afterAll(async () => {
    report(observed);
    await browser.close();
  });

  const compare = async (backend: string, model: ModelCase, what: string, compiled: Compiled): Promise<void> => {
    const inputs = inputsFor(model, compiled, "grad");
    const started = performance.now();
    const outputs = await browser.runInBrowser(programOf(compiled, wasmBackendOf(backend) ?? "gpujs"), backend, "grad", inputs);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    const { name, error } = worstDeviation(outputs, evaluate(compiled.gradient, "grad", inputs));
    observed.push(`${backend} ${what}: ${error.toExponential(1)} (${name}), ${seconds} s`);
    expect(error).toBeLessThanOrEqual(1e-4);
  };

  describe.each(["gpujs:webgl2", "gpujs:webgpu", "wasm", "wasm:relaxed"])("%s", (backend) => {
    it.each(SHALLOW)("$name", async (model) => compare(backend, model, model.name, await compiledCase(model)));

    it.each(FORMS)("%s, %s", async (name, policy) => {
      const model = SHALLOW.find((each) => each.name === name);
      if (model === undefined) throw new Error(`no model ${name}`);
      await compare(backend, model, `${name} ${policy}`, await compile({ file: model.file, dims: model.dims, attentionBackward: policy }));
    });
  });
});
