/** @file Low-rank attention in WebAssembly: the examples of its records, and sizes that reach several chunks, segments, blocks of
 *  monomials and rows that fill no vector, against the records in float64. */

import { describe, expect, it } from "vitest";
import { emitLowRank, emitLowRankVjp } from "../../compiler/codegen/wasm/native/lowrank.ts";
import type { LowRankAttrs, LowRankExtra, LowRankVjpAttrs } from "../../ir/ops/attention-lowrank-attrs.ts";
import { attentionLowrank, attentionVjpLowrank } from "../../ir/ops/attention-lowrank.ts";
import type { TensorType } from "../../ir/core.ts";
import { tensor } from "../../ir/types.ts";
import { casesOf, dataOf, exampleData, source, typesOf } from "../numeric/support.ts";
import { callOf, checkNative } from "./native-tools.ts";

interface Problem {
  readonly name: string;
  /** B, H, G, N, M, K, E */
  readonly sizes: readonly [number, number, number, number, number, number, number];
  readonly causal?: boolean;
  readonly coefficients?: readonly number[];
  readonly extras?: readonly LowRankExtra[];
  readonly lengths?: readonly number[];
}

const EVEN = [1, 1, 0.5];

/** Positive where the scores are, with a coefficient that is 0 and one that is negative. */
const SIGNED = [4, 0, 0.75, -0.03];

const PROBLEMS: readonly Problem[] = [
  { name: "heads of 16, three chunks", sizes: [1, 4, 4, 192, 192, 16, 16] },
  { name: "two segments, the last chunk short", sizes: [2, 1, 1, 333, 333, 16, 16] },
  { name: "four segments", sizes: [1, 1, 1, 640, 640, 8, 8] },
  { name: "groups, lengths, all extras", sizes: [2, 4, 2, 150, 150, 4, 8], extras: ["lengths", "delta", "gate"], lengths: [0, 131] },
  { name: "a length within a chunk and one on its edge", sizes: [2, 2, 1, 200, 200, 4, 4], extras: ["lengths"], lengths: [77, 128] },
  { name: "widths that fill no vector", sizes: [1, 2, 1, 130, 130, 5, 3], coefficients: SIGNED, extras: ["gate"] },
  { name: "widths of 1", sizes: [1, 1, 1, 100, 100, 1, 1], coefficients: SIGNED },
  { name: "more keys than queries", sizes: [1, 2, 2, 70, 201, 6, 9] },
  { name: "more queries than keys", sizes: [1, 2, 2, 201, 70, 6, 9], extras: ["delta"] },
  { name: "one chunk that is not full", sizes: [1, 2, 1, 21, 21, 6, 7], extras: ["gate"] },
  { name: "one query", sizes: [1, 2, 1, 1, 90, 6, 8] },
  { name: "degree 0", sizes: [1, 1, 1, 90, 90, 4, 8], coefficients: [2] },
  { name: "degree 1", sizes: [1, 1, 1, 90, 90, 4, 8], coefficients: [4, 0.5] },
  { name: "degree 4", sizes: [1, 2, 1, 90, 90, 4, 8], coefficients: [1, 1, 0.5, 1 / 6, 1 / 24] },
  { name: "wide heads", sizes: [1, 1, 1, 140, 140, 33, 40] },
  { name: "no order", sizes: [1, 2, 1, 210, 210, 16, 16], causal: false },
  { name: "no order, more keys, lengths", sizes: [2, 2, 1, 30, 170, 5, 6], causal: false, extras: ["lengths", "gate"], lengths: [99, 170] },
  { name: "no order, more queries", sizes: [1, 1, 1, 170, 30, 5, 6], causal: false, coefficients: SIGNED, extras: ["delta"] },
];

const attrsOf = ({ causal = true, coefficients = EVEN, sizes: [, , , , , K] }: Problem, extras: readonly LowRankExtra[]): LowRankAttrs => ({
  causal, scale: 1 / Math.sqrt(K), coefficients, chunk: 64, extras, site: "",
});

const typesFor = ({ sizes: [B, H, G, N, M, K, E] }: Problem, backward: boolean, extras: readonly LowRankExtra[]): readonly TensorType[] => [
  ...[[B, H, N, K], [B, G, M, K], [B, G, M, E], ...(backward ? [[B, H, N, E]] : [])].map((shape) => tensor("f32", shape)),
  ...extras.map((extra) => (extra === "lengths" ? tensor("i32", [B]) : tensor("f32", [B, H, N]))),
];

/** Queries and keys of half the usual size, so that sums of signed weights stay away from 0. */
const dataFor = (problem: Problem, types: readonly TensorType[], extras: readonly LowRankExtra[]): readonly ArrayLike<number>[] => {
  const uniform = source(5);
  const masked = types.length - extras.length;
  return types.map((type, i) => {
    if (extras[i - masked] === "lengths") return problem.lengths ?? [];
    const data = exampleData({ type, elements: "normal" }, uniform, i);
    return i < 2 ? Float64Array.from(data, (x) => 0.6 * x) : data;
  });
};

const filled = (results: readonly Float32Array[]): boolean => results.every((result) => result.some((x) => x !== 0));

describe("attention by a polynomial", () => {
  it.each(casesOf(attentionLowrank))("$label", ({ example }) => {
    expect(attentionLowrank.whole?.(typesOf(example), example.attrs as LowRankAttrs)).toBe(true);
    checkNative(emitLowRank, callOf(attentionLowrank, typesOf(example), example.attrs), dataOf(example));
  });

  it.each(PROBLEMS)("$name", (problem) => {
    const extras = (problem.extras ?? []).filter((extra) => extra === "lengths");
    const types = typesFor(problem, false, extras);
    expect(filled(checkNative(emitLowRank, callOf(attentionLowrank, types, attrsOf(problem, extras)), dataFor(problem, types, extras)))).toBe(true);
  });
});

describe("its gradients", () => {
  it.each(casesOf(attentionVjpLowrank))("$label", ({ example }) => {
    expect(attentionVjpLowrank.whole?.(typesOf(example), example.attrs as LowRankVjpAttrs)).toBe(true);
    checkNative(emitLowRankVjp, callOf(attentionVjpLowrank, typesOf(example), example.attrs), dataOf(example));
  });

  describe.each(["plugin", "surrogate"] as const)("%s", (form) => {
    it.each(PROBLEMS)("$name", (problem) => {
      const extras = problem.extras ?? [];
      const types = typesFor(problem, true, extras);
      const results = checkNative(emitLowRankVjp, callOf(attentionVjpLowrank, types, { ...attrsOf(problem, extras), form }), dataFor(problem, types, extras));
      if (form === "plugin" || (problem.coefficients ?? EVEN).length > 1) expect(filled(results)).toBe(true);
    });
  });
});
