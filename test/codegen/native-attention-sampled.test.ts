/** @file Sampled attention as a native kernel, against float64: both samplers, control variates, every mask, and how many keys a row keeps. */

import { describe, expect, it } from "vitest";
import { nativeSampled } from "../../compiler/codegen/wasm/native/attention.ts";
import { capacity } from "../../ir/ops/attention-sampled-attrs.ts";
import type { AttentionSizes } from "../../ir/ops/attention-attrs.ts";
import type { SampledAttrs } from "../../ir/ops/attention-sampled-attrs.ts";
import { attentionSampled } from "../../ir/ops/index.ts";
import type { TensorType } from "../../ir/core.ts";
import { elements, tensor } from "../../ir/types.ts";
import { casesOf, dataOf, source, typesOf } from "../numeric/support.ts";
import { callOf, checkNative, runNative } from "./native-tools.ts";

it.each(casesOf(attentionSampled))("$label", ({ op, example }) => {
  expect(attentionSampled.whole?.(typesOf(example), example.attrs as SampledAttrs)).toBe(true);
  checkNative(nativeSampled, callOf(op, typesOf(example), example.attrs), dataOf(example));
});

const problem = ({ B, H, G, N, M, K, E }: AttentionSizes, over: Partial<SampledAttrs>, seed = 1, size = 2) => {
  const attrs: SampledAttrs = { causal: true, window: 0, scale: 0.5, dropout: 0, extras: [], site: "", backward: "exact", c: 5, sampler: "systematic", control: [], ...over };
  const uniform = source(seed);
  const types: TensorType[] = [tensor("f32", [B, H, N, K]), tensor("f32", [B, G, M, K]), tensor("f32", [B, G, M, E]), tensor("i32", [4])];
  if (attrs.control.length > 0) types.push(tensor("f32", [B, G, K]));
  for (const extra of attrs.extras) types.push(extra === "lengths" ? tensor("i32", [B]) : tensor(extra === "mask" ? "i1" : "f32", [B, 1, N, M]));
  const data = types.map((type) => Float64Array.from({ length: elements(type) }, (_, i) => {
    if (type.dtype === "i32") return type.shape[0] === 4 && type.dims.length === 1 ? Math.floor(65536 * uniform()) : (7 * i) % (M + 1);
    return type.dtype === "i1" ? Number(uniform() < 0.7) : size * (2 * uniform() - 1);
  }));
  return { call: callOf(attentionSampled, types, attrs), data, slots: capacity(attrs, { M }) };
};

describe("masks and sizes", () => {
  const some: AttentionSizes = { B: 3, H: 4, G: 2, N: 29, M: 45, K: 5, E: 6 };
  for (const sampler of ["systematic", "bernoulli"] as const)
    it(sampler, () => {
      for (const causal of [false, true]) for (const c of [0.4, 3, 7.5]) for (const extras of [[], ["lengths"], ["lengths", "mask", "bias"]] as const) {
        const { call, data } = problem(some, { causal, c, sampler, extras, window: extras.length === 3 ? 11 : 0 });
        checkNative(nativeSampled, call, data);
      }
    });
  it("control variates", () => {
    for (const causal of [false, true]) for (const sampler of ["systematic", "bernoulli"] as const) for (const extras of [[], ["lengths"]] as const) {
      const { call, data } = problem(some, { causal, c: 6, sampler, extras, control: [1, 1, 0.5] }, 3, 0.7);
      const gate = checkNative(nativeSampled, call, data)[4] ?? [];
      expect(gate.some((open: number) => open === 1)).toBe(true);
    }
  });
  it("rows beyond one high word of the counter", () => {
    const { call, data } = problem({ B: 2, H: 2, G: 1, N: 40, M: 2 ** 19, K: 1, E: 1 }, { causal: false, c: 4, sampler: "bernoulli", extras: ["lengths"] });
    data[4] = Float64Array.of(90, 30);
    checkNative(nativeSampled, call, data);
  });
});

describe("the number of kept keys", () => {
  /** Sums of q of each row, by the lse that the kernel found. */
  const kept = (n: number, c: number, size: number): { readonly counts: number; readonly expected: number; readonly rows: number } => {
    const sizes: AttentionSizes = { B: 1, H: 1, G: 1, N: 64, M: n, K: 4, E: 4 };
    const { call, data, slots } = problem(sizes, { causal: false, c }, 5, size);
    const [, lse, keys] = runNative(nativeSampled, call, data.map((x) => Float32Array.from(x)));
    const [q = new Float64Array(), k = new Float64Array()] = data;
    let expected = 0;
    for (let i = 0; i < 64; i++)
      for (let j = 0; j < n; j++) {
        let score = 0;
        for (let x = 0; x < 4; x++) score += (q[4 * i + x] ?? 0) * (k[4 * j + x] ?? 0);
        expected += Math.min(1, c * Math.exp(0.5 * score - (lse?.[i] ?? 0)));
      }
    const counts = keys?.filter((key) => key >= 0).length ?? 0;
    for (let i = 0; i < 64; i++) {
      const row = [...(keys?.subarray(i * slots, (i + 1) * slots) ?? [])];
      expect(row.every((key, s) => s === 0 || key === -1 || key > (row[s - 1] ?? 0))).toBe(true);
    }
    return { counts, expected, rows: 64 };
  };
  it.each([[50, 8, 2], [700, 30, 4], [20_000, 25.5, 1], [70_000, 25.5, 0.2]])("%i keys, c = %d", (n, c, size) => {
    const { counts, expected, rows } = kept(n, c, size);
    // A row keeps floor or ceil of its sum, so its variance is at most 1/4.
    expect(Math.abs(counts - expected)).toBeLessThan(3.5 * Math.sqrt(rows / 4));
  });
});
