/** @file Rewritten attention on its own, in float64: guards decide head by head, an approximate forward pass has its exact
 *  gradient, and lengths, grouped heads and several chunks change none of it. */

import { describe, expect, test } from "vitest";
import { compile } from "../../compiler/driver.ts";
import type { Data, Module } from "../../ir/core.ts";
import { interpret } from "../../ir/interpret.ts";
import { source } from "./support.ts";

interface Shape {
  readonly T: number;
  readonly mask: string;
  readonly H?: number;
  readonly G?: number;
}

const [B, K] = [2, 4];

/** loss = Σ r ∘ attention(q, k, v), whose gradients are those of attention for d_o = r. */
const moduleOf = ({ T, mask, H = 4, G = 2 }: Shape, policy: string): Module => {
  const text = `dim B = ${B}\ndim H = ${H}\ndim G = ${G}\ndim T = ${T}\ndim K = ${K}
model A(q: [B, H, T, K], k: [B, G, T, K], v: [B, G, T, K], lengths: int[B]) -> [B, H, T, K] { return attention(q, k, v, mask: ${mask}) }
loss(q: [B, H, T, K], k: [B, G, T, K], v: [B, G, T, K], lengths: int[B], r: [B, H, T, K]) = sum(A(q, k, v, lengths) * r)`;
  return compile({ file: "a.sq", text, attentionBackward: policy }).gradient;
};

const PORTS = ["q", "k", "v", "r"] as const;

const inputsFor = ({ T, H = 4, G = 2 }: Shape, scaleOf: (name: string, head: number) => number): ReadonlyMap<string, Data> => {
  const draw = source(T);
  const heads = { q: H, k: G, v: G, r: H };
  const tensors = PORTS.map((name): [string, Data] => {
    const at = (i: number): number => Math.floor(i / (T * K)) % heads[name];
    return [name, Float64Array.from({ length: B * heads[name] * T * K }, (_, i) => scaleOf(name, at(i)) * (2 * draw() - 1))];
  });
  return new Map([...tensors, ["lengths", Float64Array.of(T, Math.ceil(T / 2))], ["key", Float64Array.of(1, 2, 3, 4)]]);
};

const run = (module: Module, name: string, inputs: ReadonlyMap<string, Data>): ReadonlyMap<string, Data> => {
  const func = module.funcs.find((each) => each.name === name);
  if (func === undefined) throw new Error(`no ${name}`);
  return interpret(func, new Map([...inputs].filter(([key]) => func.params.some((param) => param.name === key)))).results;
};

const norm = (data: ArrayLike<number>): number => Math.hypot(...Array.from(data));

const error = (a: Data | undefined, b: Data | undefined): number => norm((b ?? new Float64Array()).map((x, i) => x - (a?.[i] ?? Number.NaN))) / norm(b ?? []);

const GRADIENTS = ["grad.q", "grad.k", "grad.v"] as const;

const same = (a: ReadonlyMap<string, Data>, b: ReadonlyMap<string, Data>): number => Math.max(...GRADIENTS.map((name) => error(a.get(name), b.get(name))));

const SHAPES: readonly Shape[] = [
  { T: 6, mask: "causal" },
  { T: 6, mask: "padding(lengths)" },
  { T: 6, mask: "none", H: 3, G: 3 },
  { T: 70, mask: "causal and padding(lengths)", H: 2, G: 1 },
];

describe.each(SHAPES)("$mask, $T keys", (shape) => {
  const small = inputsFor(shape, (name) => (name === "q" || name === "k" ? 0.3 : 1));
  const exact = run(moduleOf(shape, "exact"), "grad", small);

  test.each(["sus:c=1e9", "sus:c=1e9,sampler=bernoulli", "hybrid:c=1e9,degree=0", "hybrid:c=1e9,degree=2", "lowrank:degree=2,guard=1e-9"])("%s is exact", (policy) => {
    expect(same(run(moduleOf(shape, policy), "grad", small), exact)).toBeLessThan(1e-9);
  });

  test.each(["lowrank:degree=4,unsafe=true", "lowrank:degree=4,form=surrogate,unsafe=true", "lowrank:degree=4,features=chebyshev,guard=2"])("%s is near where scores are small", (policy) => {
    expect(same(run(moduleOf(shape, policy), "grad", small), exact)).toBeLessThan(3e-3);
  });

  test("an approximate forward pass has its own exact gradient", () => {
    const module = moduleOf(shape, "lowrank:degree=2,forward=true,unsafe=true");
    const inputs = inputsFor(shape, () => 1);
    const gradients = run(module, "grad", inputs);
    const draw = source(7);
    for (const name of ["q", "k", "v"]) {
      const [origin, gradient] = [inputs.get(name) ?? new Float64Array(), gradients.get(`grad.${name}`) ?? new Float64Array()];
      const direction = origin.map((__, i) => 2 * draw() - 1 + (gradient[i] ?? 0));
      const along = (h: number): number => run(module, "loss", new Map(inputs).set(name, origin.map((x, i) => x + h * (direction[i] ?? 0)))).get("loss")?.[0] ?? Number.NaN;
      const h = 1e-4;
      const slope = (8 * (along(h) - along(-h)) - (along(2 * h) - along(-2 * h))) / (12 * h);
      const expected = direction.reduce((sum, x, i) => sum + x * (gradient[i] ?? 0), 0);
      expect(Math.abs(slope - expected) / Math.abs(expected), name).toBeLessThan(1e-7);
    }
  });

  test("a guard decides head by head", () => {
    const { T, H = 4 } = shape;
    const wild = (name: string, head: number): number => (name === "q" && head === 1 ? 3 : name === "q" ? 0.2 : 1);
    const inputs = inputsFor(shape, wild);
    const [own, low, whole] = ["lowrank:degree=2,guard=0.9", "lowrank:degree=2,unsafe=true", "exact"].map((policy) => run(moduleOf(shape, policy), "grad", inputs));
    expect(own?.get("guarded.A")?.[0]).toBeCloseTo(1 / H, 12);
    const ofHead = (results: ReadonlyMap<string, Data> | undefined, head: number): Data =>
      (results?.get("grad.q") ?? new Float64Array()).filter((__, i) => Math.floor(i / (T * K)) % H === head);
    for (let head = 0; head < H; head++) {
      expect(error(ofHead(own, head), ofHead(head === 1 ? whole : low, head)), `head ${head}`).toBeLessThan(1e-9);
      expect(error(ofHead(whole, head), ofHead(low, head))).toBeGreaterThan(1e-7);
    }
  });
});

describe("samples are unbiased", () => {
  const shape: Shape = { T: 8, mask: "causal" };
  const DRAWS = 300;

  test.each(["sus:c=2", "sus:c=2,sampler=bernoulli", "hybrid:c=1.5,degree=0", "hybrid:c=1.5,degree=2"])("%s: the mean of many draws is the exact gradient, up to their noise", (policy) => {
    // Scores are large enough that the gates of some rows open and those of others do not.
    const inputs = inputsFor(shape, () => 1.5);
    const exact = run(moduleOf(shape, "exact"), "grad", inputs);
    const module = moduleOf(shape, policy);
    const draw = source(11);
    const draws = Array.from({ length: DRAWS }, () =>
      run(module, "grad", new Map(inputs).set("key", Float64Array.from({ length: 4 }, () => Math.floor(draw() * 2 ** 16)))));
    for (const name of GRADIENTS) {
      const expected = exact.get(name) ?? new Float64Array();
      const values = draws.map((results) => results.get(name) ?? new Float64Array());
      const mean = expected.map((_, i) => values.reduce((sum, each) => sum + (each[i] ?? 0), 0) / DRAWS);
      const variance = expected.map((_, i) => values.reduce((sum, each) => sum + ((each[i] ?? 0) - (mean[i] ?? 0)) ** 2, 0) / (DRAWS - 1));
      const noise = Math.sqrt(variance.reduce((sum, v) => sum + v, 0) / DRAWS);
      expect(noise / norm(expected), name).toBeGreaterThan(1e-3);
      expect(norm(expected.map((x, i) => x - (mean[i] ?? 0))) / noise, name).toBeLessThan(1.3);
    }
  });
});
