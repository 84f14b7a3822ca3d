/** @file Tables of monomials and attention by a polynomial on WebGL 2, WebGPU and WebAssembly: kernels without inputs, whole numbers that
 *  must be exact. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lowerTo } from "../../compiler/driver.ts";
import { taylor } from "../../ir/approximation.ts";
import { interpret } from "../../ir/interpret.ts";
import { attentionLowrank, attentionVjpLowrank, monomialProducts, monomials, monomialWeights } from "../../ir/ops/index.ts";
import { moduleOf, rounded, tensorsFor } from "../codegen/programs.ts";
import { headData, headTypes, lowRankAttrs } from "../numeric/lowrank-support.ts";
import { makeFunc, namedInputs, relativeError } from "../numeric/support.ts";
import { browserMissing, openBrowser, type BrowserSession } from "./harness.ts";

const lowered = (func: ReturnType<typeof makeFunc>, backend: string) => lowerTo(moduleOf(func), backend === "wasm" ? "wasm" : "gpujs");

const missing = browserMissing();

describe.skipIf(missing !== null)("in Chromium", () => {
  let browser: BrowserSession;
  beforeAll(async () => void (browser = await openBrowser()));
  afterAll(() => browser.close());

  describe.each(["gpujs:webgl2", "gpujs:webgpu", "wasm"])("%s", (backend) => {
    it("computes tables of up to a hundred thousand monomials without an error", async () => {
      const tables = makeFunc([], (b) => [
        b.one(monomials, [], { width: 64, degree: 3 }),
        b.one(monomials, [], { width: 16, degree: 5 }),
        b.one(monomials, [], { width: 9, degree: 7 }),
        b.one(monomialProducts, [], { width: 32, degree: 3 }),
        b.one(monomialProducts, [], { width: 5, degree: 7 }),
        b.one(monomialWeights, [], { width: 16, coefficients: [1, 1, 1, 1, 1] }),
      ]);
      const outputs = await browser.runInBrowser(lowered(tables, backend), backend, "test", {});
      for (const [name, expected] of interpret(tables, new Map()).results) {
        const got = Array.from(outputs[name]!.data, Number);
        expect(got.length).toBe(expected.length);
        expect(got.filter((value, i) => value !== expected[i]), name).toEqual([]);
      }
    });

    it("computes attention by a polynomial and its gradients", async () => {
      const sizes = { B: 1, H: 4, G: 2, N: 48, M: 48, K: 8, E: 8 };
      const attrs = lowRankAttrs({ causal: true, chunk: 16, coefficients: taylor(2), scale: 0.2 });
      const both = makeFunc(headTypes(sizes), (b, params) => [
        b.one(attentionLowrank, params.slice(0, 3), attrs),
        ...b.all(attentionVjpLowrank, params, { ...attrs, form: "plugin" }),
      ]);
      const data = rounded(headData(sizes, 4));
      const outputs = await browser.runInBrowser(lowered(both, backend), backend, "test", tensorsFor(both, data));
      for (const [name, expected] of interpret(both, namedInputs(data)).results)
        expect(relativeError(Float64Array.from(outputs[name]!.data, Number), expected), name).toBeLessThan(2e-5);
    });
  });
});
