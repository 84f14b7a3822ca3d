/** @file The standard library against naive code. */

import { describe, expect, test } from "vitest";
import { STANDARD_LIBRARY } from "../../compiler/std/embedded.ts";
import { check, evaluate, expectClose, funcOf, good, noise, run } from "./support.ts";
import type { Numbers } from "./support.ts";

const range = (n: number): Numbers => Array.from({ length: n }, (_, i) => i);
const sum = (of: Numbers): number => of.reduce((a, b) => a + b, 0);
const x = noise(12, 7).map((v) => 2 * v);
const rows = (width: number, f: (row: Numbers) => Numbers): Numbers => range(x.length / width).flatMap((i) => f(x.slice(i * width, (i + 1) * width)));

/** Runs a layer on x: [3, 4] with these parameters. */
const layer = (use: string, params: Readonly<Record<string, Numbers>>): Numbers =>
  run(funcOf(good(`dim T = 3\ndim D = 4\nmodel M(x: [T, D]) { return ${use} }`), "forward"), { x, ...params });

const gain = [1, 2, -1, 0.5];
const bias = [0, 1, 2, 3];

describe("layers", () => {
  const normalised = (eps: number): Numbers =>
    rows(4, (row) => {
      const mean = sum(row) / 4;
      const variance = sum(row.map((v) => (v - mean) ** 2)) / 4;
      return row.map((v, i) => ((v - mean) / Math.sqrt(variance + eps)) * (gain[i] ?? 0) + (bias[i] ?? 0));
    });

  test("LayerNorm", () => {
    expectClose(layer("LayerNorm(x)", { "LayerNorm.gain": gain, "LayerNorm.bias": bias }), normalised(1e-5));
    expectClose(layer("LayerNorm(x, eps: 0.5)", { "LayerNorm.gain": gain, "LayerNorm.bias": bias }), normalised(0.5));
  });

  test("RmsNorm", () => {
    const expected = rows(4, (row) => row.map((v, i) => (v / Math.sqrt(sum(row.map((u) => u * u)) / 4 + 1e-6)) * (gain[i] ?? 0)));
    expectClose(layer("RmsNorm(x)", { "RmsNorm.gain": gain }), expected);
  });

  test("Linear, with another width", () => {
    const weight = noise(8, 3);
    const expected = rows(4, (row) => range(2).map((j) => sum(row.map((v, i) => v * (weight[i * 2 + j] ?? 0))) + j));
    expectClose(layer("Linear[D, D / 2](x)", { "Linear.weight": weight, "Linear.bias": [0, 1] }), expected);
  });
});

const erf = (v: number): number => {
  let [total, term] = [v, v];
  for (let n = 1; n < 100; n++) {
    term *= (-v * v) / n;
    total += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * total;
};
const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));
const gelu = (v: number): number => 0.5 * v * (1 + erf(v / Math.SQRT2));

describe("functions of one tensor", () => {
  test.each<readonly [string, (v: number) => number]>([
    ["gelu(x)", gelu],
    ["gelu_tanh(x)", (v) => 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3)))],
    ["silu(x)", (v) => v * sigmoid(v)],
    ["swiglu(x, x + 1)", (v) => v * sigmoid(v) * (v + 1)],
    ["geglu(x, x + 1)", (v) => gelu(v) * (v + 1)],
    ["relu2(x)", (v) => Math.max(v, 0) ** 2],
    ["leaky_relu(x)", (v) => (v > 0 ? v : 0.01 * v)],
    ["leaky_relu(x, slope: 0.2)", (v) => (v > 0 ? v : 0.2 * v)],
    ["softplus(x)", (v) => Math.log(1 + Math.exp(v))],
    ["softcap(x, 1.5)", (v) => 1.5 * Math.tanh(v / 1.5)],
  ])("%s", (expr, f) => {
    expectClose(evaluate(expr, "x: [12]", { x }), x.map(f), 8);
  });
});

describe("positions", () => {
  const [T, K] = [3, 4];
  const angle = (t: number, i: number, base: number): number => t * base ** ((-2 * i) / K);

  test.each([["rope(x)", 10000], ["rope(x, base: 100)", 100]])("%s pairs i with i + K/2", (expr, base) => {
    const expected = range(T).flatMap((t) =>
      range(K).map((c) => {
        const i = c % (K / 2);
        const [a, b] = [x[t * K + i] ?? 0, x[t * K + i + K / 2] ?? 0];
        const turn = angle(t, i, base);
        return c < K / 2 ? a * Math.cos(turn) - b * Math.sin(turn) : b * Math.cos(turn) + a * Math.sin(turn);
      }),
    );
    expectClose(evaluate(expr, "x: [3, 4]", { x }), expected);
    expectClose(evaluate(expr, "x: [1, 1, 3, 4]", { x }), expected);
  });

  test("rope keeps scores a function of the distance", () => {
    const same = range(T).flatMap(() => [0.3, -0.7, 0.2, 0.9]);
    const scores = evaluate("rope(x) @ rope(x).T", "x: [3, 4]", { x: same });
    expect(scores[1]).toBeCloseTo(scores[5] ?? Number.NaN, 12);
    expect(scores[1]).not.toBeCloseTo(scores[2] ?? Number.NaN, 3);
  });

  test("alibi", () => {
    expectClose(evaluate("alibi_slopes(8) + 0 * x", "x: float", { x: [0] }), range(8).map((h) => 2 ** -(h + 1)));
    const expected = range(2).flatMap((h) => range(2).flatMap((i) => range(3).map((j) => -Math.abs(i + 1 - j) * 2 ** (-4 * (h + 1)))));
    expectClose(evaluate("alibi(2, 2, 3) + 0 * x", "x: float", { x: [0] }), expected);
  });

  test("sinusoidal", () => {
    const expected = range(T).flatMap((t) => [0, 1, 0, 1].map((i, c) => (c < 2 ? Math.sin : Math.cos)(angle(t, i, 10000))));
    expectClose(evaluate("sinusoidal(3, 4) + 0 * x", "x: float", { x: [0] }), expected);
  });
});

describe("losses", () => {
  const y = noise(12, 9);
  test("mse", () => expectClose(evaluate("mse(x, y)", "x: [12], y: [12]", { x, y }), [sum(x.map((v, i) => (v - (y[i] ?? 0)) ** 2)) / 12]));
  test("binary_cross_entropy", () => {
    const t = y.map((v) => (v > 0 ? 1 : 0));
    const expected = sum(x.map((v, i) => -Math.log(t[i] === 1 ? sigmoid(v) : 1 - sigmoid(v)))) / 12;
    expectClose(evaluate("binary_cross_entropy(x, y)", "x: [12], y: [12]", { x, y: t }), [expected]);
  });
});

test("the library itself has no complaints", () => {
  for (const { file, text } of STANDARD_LIBRARY) {
    // As a user's file it sees the rest of the library, as it does in the compiler.
    expect(check(text).diagnostics.map((d) => `${file} ${d.code} ${d.message}`)).toEqual([]);
  }
});
