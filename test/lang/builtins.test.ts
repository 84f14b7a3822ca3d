/** @file Every builtin against a computation by hand. */

import { describe, expect, test } from "vitest";
import { BUILTINS } from "../../compiler/check/builtins/index.ts";
import { evaluate, expectClose, funcOf, good, opsOf, run } from "./support.ts";
import type { Numbers } from "./support.ts";

const x = [0.5, -1, 2, 0.25, 3, -0.75];
const y = [2, 1, -3];
const p = [0.5, 1, 2, 0.25, 3, 0.75];
const map = (f: (v: number) => number, of: Numbers = x): Numbers => of.map(f);
const sum = (of: Numbers): number => of.reduce((a, b) => a + b, 0);
const rows = (f: (row: Numbers) => Numbers): Numbers => [...f(x.slice(0, 3)), ...f(x.slice(3))];
const softmax = (row: Numbers): Numbers => row.map((v) => Math.exp(v) / sum(row.map(Math.exp)));
const range = (n: number): Numbers => Array.from({ length: n }, (_, i) => i);

interface Case {
  readonly expr: string;
  readonly expected: Numbers;
  readonly args?: string;
  readonly inputs?: Readonly<Record<string, Numbers>>;
}

const unary = (name: string, f: (v: number) => number, of: Numbers = x): Case => ({ expr: `${name}(x)`, expected: map(f, of), inputs: { x: of } });

/** At least one case for every builtin. The arguments are `x: [2, 3], y: [3], n: int[2, 3]` unless said otherwise. */
const CASES: Readonly<Record<string, readonly Case[]>> = {
  exp: [unary("exp", Math.exp)],
  log: [unary("log", Math.log, p)],
  sqrt: [unary("sqrt", Math.sqrt, p), { expr: "x * sqrt(16)", expected: map((v) => 4 * v) }],
  rsqrt: [unary("rsqrt", (v) => 1 / Math.sqrt(v), p)],
  tanh: [unary("tanh", Math.tanh)],
  erf: [{ expr: "erf(x) + erf(-x) + erf(0.5)", expected: x.map(() => 0.5204998778130465) }],
  sigmoid: [unary("sigmoid", (v) => 1 / (1 + Math.exp(-v)))],
  sin: [unary("sin", Math.sin)],
  cos: [unary("cos", Math.cos)],
  abs: [unary("abs", Math.abs), { expr: "abs(0 - n)", expected: [1, 0, 2, 2, 1, 0] }],
  sign: [unary("sign", Math.sign)],
  floor: [unary("floor", Math.floor)],
  pow: [{ expr: "pow(x, y)", inputs: { x: p }, expected: p.map((v, i) => v ** (y[i % 3] ?? 0)) }, { expr: "x ** 2", expected: map((v) => v * v) },
    { expr: "x ** 3", expected: map((v) => v ** 3) }, { expr: "x ** 0.5", inputs: { x: p }, expected: map(Math.sqrt, p) },
    { expr: "x ** -1", expected: map((v) => 1 / v) }, { expr: "x ** -0.5", inputs: { x: p }, expected: map((v) => v ** -0.5, p) },
    { expr: "x ** 1", expected: x }, { expr: "2 ** x", expected: map((v) => 2 ** v) }],
  idiv: [{ expr: "idiv(n + 5, 2)", expected: [3, 2, 3, 3, 3, 2] }],
  mod: [{ expr: "mod(n + 5, 2)", expected: [0, 1, 1, 1, 0, 1] }],
  relu: [unary("relu", (v) => Math.max(v, 0))],
  where: [{ expr: "where(x > 0, y, -1)", expected: x.map((v, i) => (v > 0 ? (y[i % 3] ?? 0) : -1)) },
    { expr: "where(not (n == 1) and n < 2 or n >= 2, 1, 0)", expected: [0, 1, 1, 1, 0, 1] }],
  float: [{ expr: "float(n) / 2", expected: [0.5, 0, 1, 1, 0.5, 0] }, { expr: "float(x != 2)", expected: [1, 1, 0, 1, 1, 1] }],
  int: [{ expr: "int(x * 2)", expected: [1, -2, 4, 0, 6, -1] }],
  sum: [{ expr: "sum(x)", expected: [sum(x)] }, { expr: "sum(x, axis: -1)", expected: rows((row) => [sum(row)]) },
    { expr: "x - sum(x, axis: 0, keep: true)", expected: x.map((v, i) => v - (x[i % 3] ?? 0) - (x[3 + (i % 3)] ?? 0)) },
    { expr: "sum(x, axis: (0, -1))", expected: [sum(x)] }],
  mean: [{ expr: "mean(x, axis: 1)", expected: rows((row) => [sum(row) / 3]) }],
  var: [{ expr: "var(x, axis: -1)", expected: rows((row) => [sum(row.map((v) => (v - sum(row) / 3) ** 2)) / 3]) }],
  max: [{ expr: "max(x, y)", expected: x.map((v, i) => Math.max(v, y[i % 3] ?? 0)) }, { expr: "max(x, axis: -1)", expected: rows((row) => [Math.max(...row)]) },
    { expr: "max(x)", expected: [3] }, { expr: "max(x, 0.3)", expected: map((v) => Math.max(v, 0.3)) }],
  min: [{ expr: "min(x, y)", expected: x.map((v, i) => Math.min(v, y[i % 3] ?? 0)) }, { expr: "min(x, axis: -1, keep: true)", expected: rows((row) => [Math.min(...row)]) }],
  softmax: [{ expr: "softmax(x)", expected: rows(softmax) }, { expr: "softmax(x.T, axis: 0).T", expected: rows(softmax) }],
  log_softmax: [{ expr: "log_softmax(x, axis: -1)", expected: rows((row) => softmax(row).map(Math.log)) }],
  einsum: [{ expr: 'einsum(x, y, "i j, j -> i")', expected: rows((row) => [sum(row.map((v, i) => v * (y[i] ?? 0)))]) },
    { expr: 'einsum(x, "i j -> j")', expected: range(3).map((i) => (x[i] ?? 0) + (x[i + 3] ?? 0)) },
    { expr: 'einsum(x, "i j -> j i")', expected: range(6).map((i) => x[(i % 2) * 3 + Math.floor(i / 2)] ?? 0) },
    { expr: 'einsum(x, y, y, "i j, k, j -> i")', expected: rows((row) => [sum(y) * sum(row.map((v, i) => v * (y[i] ?? 0)))]) }],
  rearrange: [{ expr: 'rearrange(x, "i j -> j i")', expected: range(6).map((i) => x[(i % 2) * 3 + Math.floor(i / 2)] ?? 0) },
    { expr: 'rearrange(x, "i (j k) -> k (i j) 1", k: 1)', expected: x }, { expr: 'rearrange(x, "... j -> (... j)")', args: "x: [6]", expected: x },
    { expr: 'rearrange(x, "... j -> ... j 1")', expected: x }],
  zeros: [{ expr: "x + zeros(2, 3)", expected: x }],
  ones: [{ expr: "x * ones(3)", expected: x }],
  full: [{ expr: "x + full(0.5, 2, 3)", expected: map((v) => v + 0.5) }],
  arange: [{ expr: "float(arange(3)) * x", expected: x.map((v, i) => v * (i % 3)) }],
  concat: [{ expr: "concat(x, x * 2, axis: 0)", expected: [...x, ...map((v) => 2 * v)] },
    { expr: "concat(x, x[:, 0:1], axis: -1)", expected: rows((row) => [...row, row[0] ?? 0]) }],
  split: [{ expr: "left(x)", expected: [0.5, 2, 0.25, 3].map((_, i) => [0.5, -1, 2, 0.25][i] ?? 0), args: "x: [2, 4]", inputs: { x: [0.5, -1, 9, 9, 2, 0.25, 9, 9] } }],
  attention: [],
  window: [],
  padding: [],
  mask: [{ expr: "mask(x, causal)", args: "x: [2, 3]", expected: [0.5, -1, -1e30, 0.25, 3, -0.75] },
    { expr: "mask(x, x > 0)", expected: map((v) => (v > 0 ? v : -1e30)) },
    { expr: "mask(x, window(1))", expected: [-1e30, -1, -1e30, -1e30, -1e30, -0.75] },
    { expr: "mask(rearrange(x, \"b m -> b 1 m\"), padding(k))", args: "x: [2, 3], k: int[2]", inputs: { k: [2, 0] }, expected: [0.5, -1, -1e30, -1e30, -1e30, -1e30] },
    { expr: "mask(x, none)", expected: x }],
  cross_entropy: [{ expr: "cross_entropy(x, k)", args: "x: [2, 3], k: int[2]", inputs: { k: [2, 0] }, expected: [-(Math.log(softmax(x.slice(0, 3))[2] ?? 0) + Math.log(softmax(x.slice(3))[0] ?? 0)) / 2] },
    { expr: "cross_entropy(x, k, ignore: -1)", args: "x: [2, 3], k: int[2]", inputs: { k: [2, -1] }, expected: [-Math.log(softmax(x.slice(0, 3))[2] ?? 0)] },
    { expr: "cross_entropy(x, k, ignore: -1)", args: "x: [2, 3], k: int[2]", inputs: { k: [-1, -1] }, expected: [0] }],
  dropout: [{ expr: "dropout(x, rate: 0.5)", expected: x }, { expr: "dropout(x, 0)", expected: x }],
};

const DEFAULTS = { x, y, n: [1, 0, 2, 2, 1, 0] };

describe("builtins by hand", () => {
  for (const { name } of BUILTINS) {
    test(name, () => {
      const cases = CASES[name];
      if (cases === undefined) throw new Error(`${name} has no case`);
      for (const { expr, expected, args, inputs } of cases) {
        const before = name === "split" ? "fn left(x) {\n let a, _b = split(x, 2)\n return a }" : "";
        expectClose(evaluate(expr, args ?? "x: [2, 3], y: [3], n: int[2, 3]", { ...DEFAULTS, ...inputs }, before), expected);
      }
    });
  }
});

/** Attention of one head by hand; `allowed(i, j)`. */
const attend = (q: Numbers, k: Numbers, v: Numbers, width: number, allowed: (i: number, j: number) => boolean, bias = (_i: number, _j: number): number => 0): Numbers => {
  const [n, m] = [q.length / width, k.length / width];
  return range(n).flatMap((i) => {
    const scores = range(m).map((j) => (allowed(i, j) ? sum(range(width).map((c) => (q[i * width + c] ?? 0) * (k[j * width + c] ?? 0))) / Math.sqrt(width) + bias(i, j) : -1e30));
    const top = Math.max(...scores);
    const e = scores.map((s) => Math.exp(s - top));
    return range(width).map((c) => sum(e.map((w, j) => w * (v[j * width + c] ?? 0))) / sum(e));
  });
};

describe("attention", () => {
  const values = (seed: number, n: number): Numbers => range(n).map((i) => Math.sin(seed + 1.7 * i));
  const [q, k, v] = [values(1, 8), values(2, 8), values(3, 8)];
  const inputs = { q, k, v };
  const args = "q: [4, 2], k: [4, 2], v: [4, 2]";

  test.each([
    ["none", "attention(q, k, v)", (): boolean => true],
    ["none by name", "attention(q, k, v, mask: none)", (): boolean => true],
    ["causal", "attention(q, k, v, mask: causal)", (i: number, j: number): boolean => j <= i],
    ["window", "attention(q, k, v, mask: window(2))", (i: number, j: number): boolean => j <= i && j > i - 2],
    ["two bands", "attention(q, k, v, mask: (window(3), window(2)))", (i: number, j: number): boolean => j <= i && j > i - 2],
  ])("%s", (_name, expr, allowed) => {
    expectClose(evaluate(expr, args, inputs), attend(q, k, v, 2, allowed));
  });

  test("padding, and padding with causal", () => {
    const padded = "q: [1, 1, 4, 2], k: [1, 1, 4, 2], v: [1, 1, 4, 2], n: int[1]";
    expectClose(evaluate("attention(q, k, v, mask: padding(n))", padded, { ...inputs, n: [3] }), attend(q, k, v, 2, (_i, j) => j < 3));
    expectClose(evaluate("attention(q, k, v, mask: (causal, padding(n)))", padded, { ...inputs, n: [2] }), attend(q, k, v, 2, (i, j) => j <= i && j < 2));
    expectClose(evaluate("attention(q, k, v, mask: causal and padding(n))", padded, { ...inputs, n: [2] }), attend(q, k, v, 2, (i, j) => j <= i && j < 2));
  });

  test("a bool tensor, a bias, a scale", () => {
    const even = (i: number, j: number): boolean => (i + j) % 2 === 0;
    const expr = "attention(q, k, v, mask: float(m) > 0.5)";
    const m = range(16).map((at) => (even(Math.floor(at / 4), at % 4) ? 1 : 0));
    expectClose(evaluate(expr, `${args}, m: int[4, 4]`, { ...inputs, m }), attend(q, k, v, 2, even));
    const bias = range(4).map((j) => j / 3);
    expectClose(evaluate("attention(q, k, v, bias: b)", `${args}, b: [4]`, { ...inputs, b: bias }), attend(q, k, v, 2, () => true, (_i, j) => j / 3));
    const scaled = attend(q.map((a) => 3 * a), k, v, 2, () => true);
    expectClose(evaluate("attention(q, k, v, scale: 3 / sqrt(2))", args, inputs), scaled);
  });

  test("any rank gives the same: batches, heads, groups, more leading axes", () => {
    const two = { q: [...q, ...values(4, 8)], k: [...k, ...values(5, 8)], v: [...v, ...values(6, 8)] };
    const each = [0, 8].flatMap((at) => attend(two.q.slice(at, at + 8), two.k.slice(at, at + 8), two.v.slice(at, at + 8), 2, (i, j) => j <= i));
    for (const lead of ["2", "1, 2", "2, 1", "2, 1, 1", "1, 2, 1", "1, 1, 1, 2"]) {
      const type = `[${lead}, 4, 2]`;
      expectClose(evaluate("attention(q, k, v, mask: causal)", `q: ${type}, k: ${type}, v: ${type}`, two), each);
    }
    const grouped = [0, 8].flatMap((at) => attend(two.q.slice(at, at + 8), k, v, 2, () => true));
    expectClose(evaluate("attention(q, k, v)", "q: [2, 4, 2], k: [1, 4, 2], v: [1, 4, 2]", { ...inputs, q: two.q }), grouped);
    const masked = [0, 8].flatMap((at) => attend(two.q.slice(at, at + 8), two.k.slice(at, at + 8), two.v.slice(at, at + 8), 2, () => true, (i, j) => (at === 0 ? i : j) / 5));
    const b = range(32).map((at) => (at < 16 ? Math.floor(at / 4) : at % 4) / 5);
    for (const lead of ["2", "1, 2", "2, 1", "1, 2, 1"]) {
      const type = `[${lead}, 4, 2]`;
      expectClose(evaluate("attention(q, k, v, bias: b)", `q: ${type}, k: ${type}, v: ${type}, b: [${lead}, 4, 4]`, { ...two, b }), masked);
    }
  });
});

test("attention drops weights in training, each of them alone, and keeps the rest scaled", () => {
  const size = "[4, 20, 30]";
  const module = good(`model M(x: ${size}) { return attention(0 * x, 0 * x, x, dropout: 0.25) }\nloss(x: ${size}) = mean(M(x))`);
  expect(["loss", "train_loss"].map((name) => opsOf(funcOf(module, name), "attention").map(({ attrs }) => (attrs as { dropout: number }).dropout))).toEqual([[0], [0.25]]);
  const train = funcOf(module, "train_loss");
  expect(train.params.map((param) => param.role)).toEqual(["input", "key"]);
  const of = (func: typeof train, key: readonly number[]): number => run(func, { x: range(2400).map(() => 1), key })[0] ?? 0;
  expect(of(funcOf(module, "loss"), [])).toBeCloseTo(1, 12);
  const means = [[1, 2, 3, 4], [5, 6, 7, 8]].map((key) => of(train, key));
  for (const mean of means) expect(Math.abs(mean - 1)).toBeLessThan(0.06);
  expect(new Set([...means, 1]).size).toBe(3);
});

test("dropout in training keeps about the share it says, scaled", () => {
  const module = good("model M(x: [1000]) { return dropout(x, rate: 0.25) }\nloss(x: [1000]) = mean(M(x))");
  const loss = funcOf(module, "train_loss");
  expect(loss.params.map((param) => param.role)).toEqual(["input", "key"]);
  expect(opsOf(funcOf(module, "loss"), "random_uniform")).toEqual([]);
  const [mean = 0] = run(loss, { x: range(1000).map(() => 1), key: [1, 2, 3, 4] });
  expect(Math.abs(mean - 1)).toBeLessThan(0.06);
  expect(mean).not.toBe(1);
});
