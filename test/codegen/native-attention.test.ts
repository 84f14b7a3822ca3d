/** @file Attention as a native kernel: every mask and grouping, sizes that fill no tile, against float64 and in pieces. */

import { describe, expect, it } from "vitest";
import { nativeAttention } from "../../compiler/codegen/wasm/native/attention.ts";
import { attention } from "../../ir/ops/index.ts";
import type { AttentionAttrs, AttentionExtra } from "../../ir/ops/attention-attrs.ts";
import type { TensorType } from "../../ir/core.ts";
import { elements, tensor } from "../../ir/types.ts";
import { casesOf, dataOf, source, typesOf } from "../numeric/support.ts";
import { callOf, checkNative, runNative } from "./native-tools.ts";

interface Case {
  readonly sizes: readonly [B: number, H: number, G: number, N: number, M: number, K: number, E: number];
  readonly attrs?: Partial<AttentionAttrs>;
  readonly lengths?: readonly number[];
  /** Axes of which mask and bias are broadcast. */
  readonly mask?: "BHNM" | "1HNM" | "B1NM" | "11NM";
  readonly bias?: "BHNM" | "1HNM" | "B1NM" | "11NM";
}

const problem = ({ sizes: [B, H, G, N, M, K, E], attrs = {}, lengths, mask, bias }: Case, seed: number) => {
  const random = source(seed);
  const size = (axes: string): number[] => [...axes].map((axis) => (axis === "1" ? 1 : { B, H, N, M }[axis] ?? 1));
  const types: TensorType[] = [tensor("f32", [B, H, N, K]), tensor("f32", [B, G, M, K]), tensor("f32", [B, G, M, E])];
  const extras: AttentionExtra[] = [];
  const data: Float64Array[] = types.map((type) => Float64Array.from({ length: elements(type) }, () => 4 * random() - 2));
  const give = (extra: AttentionExtra, type: TensorType, value: (i: number) => number): void => {
    extras.push(extra);
    types.push(type);
    data.push(Float64Array.from({ length: elements(type) }, (_, i) => value(i)));
  };
  if (lengths !== undefined) give("lengths", tensor("i32", [B]), (b) => lengths[b] ?? 0);
  if (mask !== undefined) give("mask", tensor("i1", size(mask)), () => Number(random() < 0.6));
  if (bias !== undefined) give("bias", tensor("f32", size(bias)), () => 6 * random() - 3);
  const all: AttentionAttrs = { causal: false, window: 0, scale: 0.4, dropout: 0, site: "", backward: "exact", ...attrs, extras };
  return { call: callOf(attention, types, all), data };
};

const check = (each: Case, seed = 1): readonly Float32Array[] => {
  const { call, data } = problem(each, seed);
  expect(attention.whole?.(call.operands, call.attrs as AttentionAttrs)).toBe(true);
  return checkNative(nativeAttention, call, data);
};

it.each(casesOf(attention))("$label", ({ op, example }) => {
  expect(attention.whole?.(typesOf(example), example.attrs as AttentionAttrs)).toBe(true);
  checkNative(nativeAttention, callOf(op, typesOf(example), example.attrs), dataOf(example));
});

describe("sizes", () => {
  const widths = [[1, 1], [3, 2], [4, 8], [7, 5], [17, 12]] as const;
  it.each(widths)("width %i of keys and %i of values, with any number of rows and keys", (K, E) => {
    for (const N of [1, 2, 7, 8, 9, 17, 33]) for (const M of [1, 3, 4, 9, 37]) for (const causal of [false, true]) check({ sizes: [1, 2, 1, N, M, K, E], attrs: { causal } });
  });
  it("many chunks of keys", () => {
    for (const causal of [false, true]) {
      check({ sizes: [1, 1, 1, 40, 600, 64, 64], attrs: { causal } });
      check({ sizes: [1, 2, 1, 37, 333, 260, 3], attrs: { causal } });
      check({ sizes: [1, 1, 1, 21, 333, 3, 270], attrs: { causal } });
    }
  });
});

describe("masks", () => {
  const sizes: Case["sizes"] = [3, 4, 2, 29, 43, 8, 8];
  it.each([1, 2, 5, 8, 16, 30, 70])("a window of %i", (window) => {
    for (const causal of [false, true]) for (const [N, M] of [[29, 43], [43, 29], [40, 40]] as const) check({ sizes: [1, 2, 1, N, M, 4, 4], attrs: { causal, window } });
  });
  it("lengths, none among them", () => {
    for (const causal of [false, true]) for (const window of [0, 9]) check({ sizes, attrs: { causal, window }, lengths: [0, 17, 43] });
    check({ sizes, lengths: [1, 100, -3] });
  });
  it.each(["BHNM", "1HNM", "B1NM", "11NM"] as const)("mask and bias %s", (axes) => {
    for (const causal of [false, true]) {
      check({ sizes, attrs: { causal }, mask: axes });
      check({ sizes, attrs: { causal }, bias: axes });
      check({ sizes, attrs: { causal, window: 6 }, lengths: [40, 0, 12], mask: axes, bias: "BHNM" });
    }
  });
  it("a row without keys is zero", () => {
    const [o, lse] = check({ sizes: [1, 1, 1, 9, 4, 4, 4], attrs: { causal: true } });
    expect(o?.subarray(0, 5 * 4)).toEqual(new Float32Array(20));
    expect(lse?.subarray(0, 5)).toEqual(new Float32Array(5));
  });
});

it("dropout", () => {
  for (const [N, M] of [[40, 40], [19, 150]] as const) {
    const { call, data } = problem({ sizes: [2, 4, 2, N, M, 4, 20], attrs: { causal: true } }, 4);
    const types = [...call.operands, tensor("i32", [4])];
    checkNative(nativeAttention, callOf(attention, types, { ...call.attrs, dropout: 0.3, extras: ["dropout_key"] }), [...data, Float64Array.of(7, 65535, 300, 40_000)]);
  }
});

it("scores far apart neither overflow nor are lost", () => {
  const { call, data } = problem({ sizes: [1, 1, 1, 16, 24, 8, 4], attrs: { scale: 60 } }, 3);
  const [o, lse] = runNative(nativeAttention, call, data);
  checkNative(nativeAttention, call, data, 1e-4);
  expect([...(o ?? []), ...(lse ?? [])].every(Number.isFinite)).toBe(true);
});
