/** @file The gradient of attention in blocks, in WebAssembly, against the record of the operation in float64. */

import { describe, expect, it } from "vitest";
import { emitAttentionVjp } from "../../compiler/codegen/wasm/native/backward.ts";
import { backwardItems, backwardPlan } from "../../compiler/codegen/wasm/native/backward-plan.ts";
import { attention, attentionVjp } from "../../ir/ops/attention.ts";
import { BACKWARD } from "../../ir/ops/attention-attrs.ts";
import type { AttentionAttrs, AttentionExtra } from "../../ir/ops/attention-attrs.ts";
import { attentionVjpExamples } from "../../ir/ops/attention-examples.ts";
import { wholeAttention } from "../../ir/ops/attention-whole.ts";
import { tensor } from "../../ir/types.ts";
import { dataOf, source } from "../numeric/support.ts";
import { callOf, checkNative, reference } from "./native-tools.ts";

describe("the examples of attention_vjp", () => {
  it.each(attentionVjpExamples.map((example, index) => ({ example, index })))("$index", ({ example }) => {
    expect(wholeAttention(example.operands.map(({ type }) => type))).toBe(true);
    for (const seed of [1, 2]) checkNative(emitAttentionVjp, callOf(attentionVjp, example.operands.map(({ type }) => type), example.attrs), dataOf(example, seed));
  });
});

interface Problem {
  readonly sizes: readonly [B: number, H: number, G: number, N: number, M: number, K: number, E: number];
  readonly masks?: Partial<Pick<AttentionAttrs, "causal" | "window">>;
  readonly extras?: readonly AttentionExtra[];
  readonly bias?: string;
  readonly mask?: string;
  readonly dropout?: number;
  /** Keys of each sequence. */
  readonly lengths?: readonly number[];
}

/** Inputs whose o and lse are those of attention. */
const problemOf = ({ sizes, masks = {}, extras = [], bias = "BHNM", mask = "BHNM", dropout = 0, lengths = [] }: Problem): { readonly call: ReturnType<typeof callOf>; readonly inputs: readonly ArrayLike<number>[] } => {
  const size = new Map([..."BHGNMKE"].map((letter, i) => [letter, sizes[i] ?? 1]));
  const typeOf = (letters: string, dtype: "f32" | "i32" | "i1" = "f32"): ReturnType<typeof tensor> => tensor(dtype, [...letters].map((letter) => size.get(letter) ?? 1));
  const uniform = source(5);
  const numbers = (letters: string, number: () => number): Float32Array => Float32Array.from({ length: typeOf(letters).shape.reduce((a, b) => a * b, 1) }, number);
  const normal = (): number => 2 * (uniform() + uniform() + uniform() - 1.5);
  const extraTypes = { lengths: typeOf("B", "i32"), mask: typeOf(mask, "i1"), bias: typeOf(bias), dropout_key: tensor("i32", [4]), active: typeOf("BH", "i1"), d_lse: typeOf("BHN") };
  const extraData = (extra: AttentionExtra): ArrayLike<number> => {
    if (extra === "lengths") return lengths;
    if (extra === "mask") return numbers(mask, () => (uniform() < 0.6 ? 1 : 0));
    if (extra === "dropout_key") return [1, 65535, 30000, 7];
    if (extra === "active") return numbers("BH", () => (uniform() < 0.6 ? 1 : 0));
    return numbers(extra === "bias" ? bias : "BHN", normal);
  };
  const attrs: AttentionAttrs = { causal: false, window: 0, scale: 0.6, dropout, extras, site: "", backward: "exact", ...masks };
  const qkv = ["BHNK", "BGMK", "BGME"];
  const given = extras.map(extraData);
  const leading = qkv.map((letters) => numbers(letters, normal));
  const forward = extras.filter((extra) => extra !== "active" && extra !== "d_lse");
  const forwardCall = callOf(attention, [...qkv.map((letters) => typeOf(letters)), ...forward.map((extra) => extraTypes[extra])], { ...attrs, extras: forward });
  const [o = [], lse = []] = reference(forwardCall, [...leading, ...given.filter((_, i) => forward.some((extra) => extra === extras[i]))]);
  const types = [...qkv, "BHNE", "BHN", "BHNE"].map((letters) => typeOf(letters));
  expect(types.length).toBe(BACKWARD.length);
  return {
    call: callOf(attentionVjp, [...types, ...extras.map((extra) => extraTypes[extra])], attrs),
    inputs: [...leading, o, lse, numbers("BHNE", normal), ...given],
  };
};

const check = (problem: Problem): void => {
  const { call, inputs } = problemOf(problem);
  checkNative(emitAttentionVjp, call, inputs);
};

describe("sizes", () => {
  const masks = [{}, { causal: true }, { causal: true, window: 7 }, { window: 30 }] as const;
  const sizes = [
    [1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 7, 1, 3], [1, 2, 1, 3, 9, 3, 5], [2, 2, 2, 64, 64, 8, 16], [1, 1, 1, 65, 66, 8, 8],
    [1, 2, 1, 130, 71, 12, 4], [1, 1, 1, 71, 140, 7, 9], [1, 4, 2, 96, 96, 16, 8],
  ] as const;
  it.each(sizes)("B %i, H %i, G %i, N %i, M %i, K %i, E %i", (...size) => {
    for (const mask of masks) check({ sizes: size, masks: mask });
  });
});

it("a window that ends one key before a whole block", () => {
  check({ sizes: [1, 1, 1, 70, 70, 2, 2], masks: { window: 63 } });
  check({ sizes: [1, 1, 1, 130, 130, 2, 2], masks: { causal: true, window: 127 } });
});

describe("chunks of keys", () => {
  it.each([{}, { causal: true }, { causal: true, window: 90 }, { window: 300 }])("%o", (masks) => {
    const problem = problemOf({ sizes: [1, 2, 1, 601, 701, 4, 8], masks });
    const { operands, attrs } = problem.call;
    expect(backwardPlan(operands, attrs as AttentionAttrs).chunks).toBe(2);
    checkNative(emitAttentionVjp, problem.call, problem.inputs);
  });
  it("more queries than keys, and fewer", () => {
    for (const [N, M] of [[700, 530], [130, 800]] as const) check({ sizes: [1, 1, 1, N, M, 3, 4], masks: { causal: true, window: 100 } });
  });
});

describe("operands that are data", () => {
  it("lengths: none, some within a block, more than there are", () => {
    for (const masks of [{}, { causal: true }]) check({ sizes: [4, 2, 1, 70, 150, 4, 4], masks, extras: ["lengths"], lengths: [0, 13, 128, 150] });
  });
  it.each(["BHNM", "1HNM", "B1NM", "11NM"])("a mask and a bias %s", (letters) => {
    for (const masks of [{}, { causal: true }])
      check({ sizes: [2, 4, 2, 69, 75, 4, 8], masks, extras: ["lengths", "mask", "bias", "d_lse"], mask: letters, bias: letters, lengths: [75, 66] });
  });
  it("a bias of several chunks, shared", () => {
    check({ sizes: [2, 2, 1, 80, 1100, 4, 4], extras: ["bias"], bias: "11NM" });
  });
  it("dropout", () => {
    for (const masks of [{}, { causal: true, window: 80 }]) check({ sizes: [2, 4, 2, 70, 530, 4, 8], masks, extras: ["dropout_key", "d_lse"], dropout: 0.4 });
    check({ sizes: [2, 2, 1, 30, 70, 4, 4], extras: ["lengths", "mask", "bias", "dropout_key"], dropout: 0.1, lengths: [3, 67] });
  });
  it("heads whose gradient is not wanted", () => {
    check({ sizes: [2, 4, 2, 70, 70, 8, 8], masks: { causal: true }, extras: ["bias", "active", "d_lse"] });
  });
  it("items of a shared bias visit all that share it", () => {
    const items = (bias: string): number => {
      const { call } = problemOf({ sizes: [2, 4, 2, 3, 4, 2, 2], extras: ["bias"], bias });
      return backwardItems(backwardPlan(call.operands, call.attrs as AttentionAttrs));
    };
    expect(["BHNM", "1HNM", "B1NM", "11NM"].map(items)).toEqual([4, 2, 2, 1]);
  });
});

it("weights that all but vanish are 0: no result is a denormal number", () => {
  const { call, inputs } = problemOf({ sizes: [1, 1, 1, 16, 64, 8, 8] });
  const sharp = inputs.map((input, i) => (i === 0 ? Float32Array.from(input, (x) => 12 * x) : input));
  const [o = [], lse = []] = reference(callOf(attention, call.operands.slice(0, 3), { ...call.attrs, extras: [] }), sharp.slice(0, 3));
  const [, ...rest] = checkNative(emitAttentionVjp, call, sharp.map((input, i) => (i === 3 ? o : i === 4 ? lse : input)), 1e-4);
  for (const result of rest) expect(result.every((x) => x === 0 || Math.abs(x) > 2 ** -126)).toBe(true);
});
