/** @file The gradient of sampled attention in WebAssembly: the examples of its record, sizes that fit no vector, empty rows, dropout,
 *  one chunk of rows and several, against the record in float64. */

import { describe, expect, it } from "vitest";
import { emitSampledVjp } from "../../compiler/codegen/wasm/native/sampled-backward.ts";
import { structuralKeys } from "../../ir/ops/attention-attrs.ts";
import { capacity } from "../../ir/ops/attention-sampled-attrs.ts";
import type { AttentionSizes } from "../../ir/ops/attention-attrs.ts";
import type { SampledAttrs } from "../../ir/ops/attention-sampled-attrs.ts";
import { attentionVjpSampled } from "../../ir/ops/attention-sampled.ts";
import { tensor } from "../../ir/types.ts";
import { casesOf, dataOf, exampleData, source, typesOf } from "../numeric/support.ts";
import { callOf, checkNative } from "./native-tools.ts";

const attrsOf = (attrs: Partial<SampledAttrs>): SampledAttrs =>
  ({ causal: true, window: 0, scale: 0.3, dropout: 0, extras: [], site: "", backward: "exact", c: 5, sampler: "systematic", control: [], ...attrs });

/** Kept keys of one row: some, ascending, of those that causality leaves, often fewer than the slots, in some rows none. */
const keptRow = (attrs: SampledAttrs, sizes: AttentionSizes, row: number, uniform: () => number): readonly number[] => {
  const slots = capacity(attrs, sizes);
  const { end } = structuralKeys(attrs, sizes, row);
  const wanted = row % 7 === 3 ? 0 : row % 3 === 0 ? slots : Math.floor(uniform() * (slots + 1));
  const drawn = new Set(Array.from({ length: wanted }, () => Math.floor(uniform() * end)).filter((key) => key < end));
  return Array.from({ length: slots }, (_, slot) => [...drawn].sort((x, y) => x - y)[slot] ?? -1);
};

const check = (sizes: AttentionSizes, over: Partial<SampledAttrs> = {}, bias: readonly number[] = []): void => {
  const attrs = attrsOf(over);
  const { B, H, G, N, M, K, E } = sizes;
  const shapes = [[B, H, N, K], [B, G, M, K], [B, G, M, E], [B, H, N, E], [B, H, N, capacity(attrs, sizes)], [B, H, N, capacity(attrs, sizes)], [B, H, N, E]];
  const extras = attrs.extras.map((extra) => (extra === "bias" ? tensor("f32", [...bias, N, M]) : extra === "d_lse" ? tensor("f32", [B, H, N]) : tensor("i32", [extra === "dropout_key" ? 4 : B])));
  const types = [...shapes.map((shape, i) => tensor(i === 4 ? "i32" : "f32", shape)), ...extras];
  const uniform = source(11);
  const data = types.map((type, i) => exampleData({ type, elements: type.dtype !== "i32" ? "normal" : attrs.extras[i - 7] === "dropout_key" ? "key" : "index" }, uniform, i));
  data[4] = Float64Array.from(Array.from({ length: B * H * N }, (_, row) => keptRow(attrs, sizes, row % N, uniform)).flat());
  const results = checkNative(emitSampledVjp, callOf(attentionVjpSampled, types, attrs), data);
  expect(results.every((result) => result.some((x) => x !== 0))).toBe(true);
};

describe("the gradient of sampled attention", () => {
  const cases = casesOf(attentionVjpSampled);
  const taken = cases.filter(({ example }) => attentionVjpSampled.whole?.(typesOf(example), example.attrs as SampledAttrs));

  it("takes every example", () => {
    expect(taken.length).toBe(cases.length);
    expect(cases.some(({ example }) => JSON.stringify(example.attrs).includes("bias"))).toBe(true);
  });

  it("leaves a bias without a scale to the expansion, which does not divide by it", () => {
    const [biased] = cases.filter(({ example }) => JSON.stringify(example.attrs).includes("bias"));
    const { example } = biased!;
    expect(attentionVjpSampled.whole?.(typesOf(example), { ...(example.attrs as SampledAttrs), scale: 0 })).toBe(false);
  });

  it.each([[2, 4], [1, 4], [2, 1], [1, 1]])("a bias of [%i, %i, N, M], for 2 sequences of 4 heads", (ownB, ownH) => {
    check({ B: 2, H: 4, G: 2, N: 19, M: 19, K: 8, E: 4 }, { extras: ["bias"] }, [ownB, ownH]);
  });

  it.each(taken)("$label", ({ example }) => {
    checkNative(emitSampledVjp, callOf(attentionVjpSampled, typesOf(example), example.attrs), dataOf(example));
  });

  it.each([1, 2, 3, 4, 5, 7, 8, 11, 12, 16, 21])("width %i", (width) => {
    check({ B: 1, H: 2, G: 2, N: 9, M: 9, K: width, E: width });
  });

  it.each([
    ["K 64, E 64", { B: 1, H: 2, G: 2, N: 40, M: 40, K: 64, E: 64 }, {}],
    ["K 3, E 20", { B: 2, H: 1, G: 1, N: 13, M: 13, K: 3, E: 20 }, {}],
    ["K 20, E 1", { B: 1, H: 3, G: 3, N: 13, M: 17, K: 20, E: 1 }, {}],
    ["three query heads to a key head", { B: 2, H: 6, G: 2, N: 11, M: 11, K: 8, E: 8 }, {}],
    ["more queries than keys", { B: 1, H: 2, G: 1, N: 30, M: 12, K: 8, E: 4 }, {}],
    ["more keys than queries", { B: 1, H: 2, G: 1, N: 7, M: 50, K: 8, E: 4 }, { causal: false }],
    ["bernoulli", { B: 1, H: 2, G: 2, N: 33, M: 33, K: 8, E: 8 }, { sampler: "bernoulli" as const, c: 3.5 }],
    ["a gradient of lse, and lengths", { B: 2, H: 2, G: 1, N: 17, M: 17, K: 8, E: 8 }, { extras: ["lengths", "d_lse"] as const }],
    ["dropout", { B: 2, H: 2, G: 2, N: 17, M: 17, K: 8, E: 8 }, { dropout: 0.4, extras: ["dropout_key"] as const }],
    ["dropout, four query heads to a key head", { B: 1, H: 4, G: 1, N: 19, M: 23, K: 4, E: 12 }, { dropout: 0.2, extras: ["dropout_key", "d_lse"] as const }],
    ["dropout, with more pairs than a word counts", { B: 1, H: 2, G: 1, N: 4200, M: 4200, K: 1, E: 2 }, { c: 2, dropout: 0.5, extras: ["dropout_key"] as const }],
    ["one slot", { B: 1, H: 1, G: 1, N: 21, M: 21, K: 8, E: 8 }, { c: 1 }],
    ["heads enough to sort each in one chunk", { B: 3, H: 2, G: 2, N: 20, M: 20, K: 8, E: 12 }, {}],
    ["fewer rows than chunks", { B: 1, H: 1, G: 1, N: 3, M: 9, K: 8, E: 12 }, {}],
    ["long lists, of a few keys", { B: 1, H: 2, G: 1, N: 300, M: 12, K: 12, E: 4 }, { causal: false, c: 9 }],
  ] as const)("%s", (_name, sizes, attrs) => {
    check(sizes, attrs);
  });
});
