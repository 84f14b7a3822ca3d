/** @file Fused kernels mean what the operations mean: random functions with random inline decisions, as kernels, against the
 *  interpreter; some of them also on the backends of Node and, where there is a Chromium, on WebGL 2 and WebGPU. */

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { generateEntry } from "../../compiler/codegen/entry.ts";
import { evaluateKernel } from "../../compiler/codegen/evaluate-kernel.ts";
import { KernelTable } from "../../compiler/codegen/kernel-table.ts";
import { generateProgram } from "../../compiler/codegen/program.ts";
import type { Data, Func } from "../../ir/core.ts";
import { interpret } from "../../ir/interpret.ts";
import { createExecutable } from "../../runtime/index.ts";
import { browserMissing, openBrowser } from "../browser/harness.ts";
import type { BrowserSession } from "../browser/harness.ts";
import { namedInputs, source } from "../numeric/support.ts";
import { KERNEL_CASES, allCases, caseData, caseResult, moduleOf, programFor, tensorsFor, worst } from "./programs.ts";
import { choices, randomData, randomFunc } from "./random-funcs.ts";

/** Runs an entry on the kernel evaluator. */
const evaluateEntry = (func: Func, inputs: readonly Data[]): readonly Data[] => {
  const table = new KernelTable();
  const entry = generateEntry(func, table);
  const values = new Map<number, Data>(entry.inputs.map((port, i) => [port.value, inputs[i] ?? new Float64Array()]));
  const valueAt = (value: number): Data => values.get(value) ?? new Float64Array();
  for (const { kernel, args, result } of entry.launches) {
    const found = table.kernels[kernel];
    if (found === undefined) throw new Error(`no kernel ${kernel}`);
    values.set(result, evaluateKernel(found, args.map(valueAt)));
  }
  return entry.outputs.map((port) => valueAt(port.value));
};

const expected = (func: Func, data: readonly Data[]): readonly Data[] => [...interpret(func, namedInputs(data)).results.values()];

describe("random functions", () => {
  it("as kernels agree with the interpreter", () => {
    fc.assert(
      fc.property(choices, fc.nat(), (made, seed) => {
        const func = randomFunc(made);
        const data = randomData(source(seed));
        const results = evaluateEntry(func, data);
        expected(func, data).forEach((want, i) => expect(worst(results[i] ?? [], want)).toBeLessThan(1e-9));
      }),
      { numRuns: 500 },
    );
  });

  const sample = fc.sample(choices, { numRuns: 30, seed: 7 }).map((made, i): Func => ({ ...randomFunc(made), name: `f${i}` }));

  it.each([["gpujs:cpu", 1e-6], ["gpujs:webasm", 1e-4], ["wasm", 1e-5]] as const)("run on %s", async (backend, tolerance) => {
    const executable = await createExecutable(programFor(moduleOf(...sample), backend), backend);
    for (const [i, func] of sample.entries()) {
      const data = randomData(source(i));
      const results = await executable.run(func.name, tensorsFor(func, data));
      expected(func, data).forEach((want, r) => expect(worst(results[`r${r}`]?.data ?? [], want), `${func.name} r${r}`).toBeLessThan(tolerance));
    }
    executable.destroy();
  });

  describe.skipIf(browserMissing() !== null)("in a browser", () => {
    let browser: BrowserSession;
    beforeAll(async () => {
      browser = await openBrowser();
    });
    afterAll(() => browser.close());

    // SwiftShader's sine is good to 2e-4.
    it.each(["gpujs:webgl2", "gpujs:webgpu"])("%s: every kernel-stage op on its examples", async (backend) => {
      const { program, inputs } = allCases();
      const results = await browser.runInBrowser(program, backend, "all", inputs);
      KERNEL_CASES.forEach((c, i) => {
        const tolerance = /^(sin|cos)/.test(c.label) ? 2e-4 : 1e-5;
        expect(worst(results[`${i}.r0`]?.data ?? [], caseResult(c, caseData(c))), c.label).toBeLessThan(tolerance);
      });
    });

    it.each(["gpujs:webgl2", "gpujs:webgpu"])("%s: random functions", async (backend) => {
      for (const [i, func] of sample.slice(0, 12).entries()) {
        const data = randomData(source(i));
        const results = await browser.runInBrowser(generateProgram(moduleOf(func)), backend, func.name, tensorsFor(func, data));
        expected(func, data).forEach((want, r) => expect(worst(results[`r${r}`]?.data ?? [], want), `${func.name} r${r}`).toBeLessThan(1e-4));
      }
    });
  });
});
