/** @file `run`: inputs from files, outputs that feed the next call, comparison against another backend. */

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { compare } from "../../compiler/node/compare.ts";
import { readSafetensors, writeSafetensors } from "../../runtime/safetensors.ts";
import { f32, i32 } from "../../runtime/tensors.ts";
import { scratch, SMALL, subquad, succeed, TEXT } from "./support.ts";

const file = scratch();
const model = file("small.sq", SMALL);
const text = file("text.txt", TEXT);
const cpu = ["--backend", "gpujs:cpu"];

const tensorsOf = (path: string) => readSafetensors(readFileSync(path)).tensors;

describe("run", () => {
  const small = [...cpu];

  it("loss on drawn inputs: a table on stdout, the seed decides", async () => {
    const one = await succeed(["run", model, "loss", ...small]);
    expect(one.out).toMatch(/^output +shape +norm +first values\nloss +\[\] +5\.\d+ +5\.\d+\n$/);
    expect(one.err).toContain("ran on gpujs:cpu");
    expect((await succeed(["run", model, "loss", ...small])).out).toBe(one.out);
    expect((await succeed(["run", model, "loss", ...small, "--seed", "1"])).out).not.toBe(one.out);
  });

  it("a step's outputs, renamed to nothing, are the next step's inputs", async () => {
    const tokens = i32([2, 8], Array.from({ length: 16 }, (_, at) => 60 + at));
    const first = file("step-0.safetensors", writeSafetensors({ tokens, targets: tokens }));
    const losses: number[] = [];
    let inputs = first;
    for (let step = 1; step <= 3; step++) {
      const to = file(`step-${step}.safetensors`);
      const { err } = await succeed(["run", model, "step", "--inputs", inputs, "--outputs", to, ...small]);
      expect(err).toMatch(/wrote \d+ tensors to /);
      const { loss, grad_norm: norm, ...state } = tensorsOf(to);
      expect(Number(norm?.data[0])).toBeGreaterThan(0);
      losses.push(Number(loss?.data[0]));
      const next = { ...state, tokens, targets: tokens, lr: f32([], [0.01]), step: f32([], [step + 1]) };
      inputs = file(`inputs-${step}.safetensors`, writeSafetensors(next));
    }
    expect(losses[1]).toBeLessThan(losses[0] as number);
    expect(losses[2]).toBeLessThan(losses[1] as number);
  });

  it("--against agrees within the tolerance, or exits with 4", async () => {
    const good = await succeed(["run", model, "grad", ...small, "--against", "interpreter"]);
    expect(good.err).toMatch(/largest relative error against interpreter: \d\.\d+e-\d+ \(/);
    const { code, err } = await subquad(["run", model, "grad", ...small, "--against", "interpreter", "--tolerance", "1e-14"]);
    expect(code).toBe(4);
    expect(err).toMatch(/error: .*above the tolerance 1e-14/);
  });

  it("the interpreter runs too, in float64", async () => {
    const to = file("f64.safetensors");
    await succeed(["run", model, "forward", "--backend", "interpreter", "--outputs", to]);
    expect(tensorsOf(to)["result"]).toMatchObject({ dtype: "F64", shape: [2, 8, 256] });
  });

  const bad: readonly [string, Readonly<Record<string, ReturnType<typeof i32>>>, RegExp][] = [
    ["missing", { tokens: i32([2, 8], new Int32Array(16)) }, /SQ0601.*`targets` i32\[2, 8\] \(B, T\)/],
    ["extra", { tokens: i32([2, 8], new Int32Array(16)), targets: i32([2, 8], new Int32Array(16)), masks: i32([1], [1]) }, /SQ0608.*`masks`/],
    ["of another shape", { tokens: i32([16], new Int32Array(16)), targets: i32([2, 8], new Int32Array(16)) }, /SQ0602/],
    ["of another dtype", { tokens: f32([2, 8], new Float32Array(16)), targets: i32([2, 8], new Int32Array(16)) }, /SQ0603/],
    ["out of range", { tokens: i32([2, 8], new Int32Array(16).fill(256)), targets: i32([2, 8], new Int32Array(16)) }, /SQ0609/],
  ];
  it.each(bad)("an input that is %s is refused", async (name, tensors, says) => {
    const path = file(`${name}.safetensors`, writeSafetensors(tensors));
    for (const backend of ["gpujs:cpu", "interpreter"]) {
      const { code, err } = await subquad(["run", model, "loss", "--inputs", path, "--backend", backend]);
      expect(err).toMatch(says);
      expect(code).toBe(1);
    }
  });

  it("a file that is no safetensors file is refused, a backend that is not here exits with 3", async () => {
    const refused = await subquad(["run", model, "loss", "--inputs", text]);
    expect(refused).toMatchObject({ code: 1, err: expect.stringContaining("SQ0604") });
    const missing = await subquad(["run", model, "loss", "--backend", "gpujs:webgl2"]);
    expect(missing).toMatchObject({ code: 3, err: expect.stringContaining("SQ0702") });
  });

  it("a model without a loss has no gradient to run", async () => {
    const plain = file("plain.sq", "dim T = 4\nmodel M(x: [T]) -> [T] {\n  return x * 2\n}\n");
    expect((await succeed(["run", plain, "forward", ...small])).out).toContain("result");
    const { code, err } = await subquad(["run", plain, "grad", ...small]);
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining("SQ0706") });
  });
});

describe("compare", () => {
  const wide = f32([2], [3, 4]);
  it("is relative to the reference, and to the largest of the family where the reference is zero", () => {
    expect(compare({ "grad.a": f32([2], [3, 4.5]) }, { "grad.a": wide })).toEqual([{ name: "grad.a", error: 0.1 }]);
    const zero = { "grad.a": wide, "grad.b": { dtype: "F64" as const, shape: [2], data: Float64Array.of(1e-15, 0) } };
    expect(compare({ "grad.a": wide, "grad.b": f32([2], [0.5, 0]) }, zero)[0]).toMatchObject({ name: "grad.b", error: expect.closeTo(0.1, 12) });
    const small = { ...zero, "grad.b": { dtype: "F64" as const, shape: [2], data: Float64Array.of(1e-6, 0) } };
    expect(compare({ "grad.a": wide, "grad.b": f32([2], [2e-6, 0]) }, small)[0]?.error).toBeCloseTo(1, 5);
  });
  it("is infinite where it cannot be, and zero between zeros", () => {
    expect(compare({ a: wide }, {})[0]?.error).toBe(Infinity);
    expect(compare({ a: f32([2], [Number.NaN, 0]) }, { a: wide })[0]?.error).toBe(Infinity);
    expect(compare({ a: f32([1], [0]) }, { a: f32([1], [0]) })[0]?.error).toBe(0);
  });
});
