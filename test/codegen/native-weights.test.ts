/** @file The exponential that weights are made with, against float64. */

import { expect, it } from "vitest";
import { FunctionBuilder } from "../../compiler/codegen/wasm/builder.ts";
import { encodeModule } from "../../compiler/codegen/wasm/encode.ts";
import { expWeight } from "../../compiler/codegen/wasm/math-exp.ts";
import { ulps } from "./wasm-math-tools.ts";

const COUNT = 1 << 16;
const PAGES = (COUNT * 4) / 65_536;

/** In place. */
const weights = (x: Float32Array): Float32Array => {
  const f = new FunctionBuilder("weights", [{ name: "end", type: "i32" }]);
  const at = f.local("i32", "at");
  const exponent = f.local("v128", "x");
  f.while(at, () => f.get(f.parameter("end")), 16, () => {
    f.get(at).op("v128.load", 2, 0).set(exponent);
    const value = expWeight(f, (g) => void g.get(exponent));
    f.get(at);
    value(f);
    f.op("v128.store", 2, 0);
  });
  const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES });
  const bytes = encodeModule({ memory: { from: "env", name: "memory", initial: PAGES, maximum: PAGES, shared: false }, functions: [f.finish(true)] });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  const data = new Float32Array(memory.buffer, 0, x.length);
  data.set(x);
  (exports["weights"] as (end: number) => void)(4 * x.length);
  return data.slice();
};

it("is within 1 ulp from -60 to 88", () => {
  const x = Float32Array.from({ length: COUNT }, (_, i) => -60 + (148 * i) / (COUNT - 1));
  const errors = Array.from(weights(x), (y, i) => ulps(y, Math.exp(x[i] ?? Number.NaN)));
  expect(Math.max(...errors.map((error) => (Number.isNaN(error) ? Infinity : error)))).toBeLessThan(1);
});

it("is 0 below: neither a weight nor its product with a gradient of ordinary size is denormal", () => {
  const x = Float32Array.of(-60.001, -87.5, -100, -104, -1e4, -1e30, -Infinity, -60);
  const y = weights(x);
  expect([...y.subarray(0, 7)]).toEqual([0, 0, 0, 0, 0, 0, 0]);
  expect(y[7]).toBeGreaterThan(2 ** -126 / 1e-10);
});
