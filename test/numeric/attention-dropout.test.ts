/** @file Dropout inside attention: which weights fall away is a function of key and entry, the same in evaluation, expansion
 *  and kernels, in blocks and for kept entries alone; and nothing else changes. */

import { describe, expect, it } from "vitest";
import type { Data } from "../../ir/core.ts";
import { evaluateOp, interpret } from "../../ir/interpret.ts";
import type { AttentionAttrs } from "../../ir/ops/attention-attrs.ts";
import { countersFit, dropAt, multiplierOf } from "../../ir/ops/attention-dropout.ts";
import { expandAttention, expandAttentionVjp } from "../../ir/ops/attention-expand.ts";
import { attention } from "../../ir/ops/index.ts";
import { elements, tensor } from "../../ir/types.ts";
import { executableOf, moduleOf, rounded, tensorsFor, WASM_APART } from "../codegen/programs.ts";
import { makeFunc, namedInputs, relativeError, source, toKernels } from "./support.ts";

const KEY = Float64Array.of(65_535, 11, 40_503, 7);
const RATE = 0.3;

const attrsOf = (dropout: number): AttentionAttrs => ({
  causal: false, window: 0, scale: 0.5, dropout, extras: dropout > 0 ? ["dropout_key"] : [], site: "", backward: "exact",
});

const normalish = (count: number, seed: number): Data => {
  const uniform = source(seed);
  return Float64Array.from({ length: count }, () => uniform() + uniform() - 1);
};

describe("the multiplier", () => {
  const [H, N, M] = [3, 40, 50];
  const z = multiplierOf(RATE, KEY, { H, N, M });
  const all = Array.from({ length: 2 * H * N * M }, (_, i) => z(Math.floor(i / M), i % M));

  it("is 0 for about the share that the rate says, and makes up for it", () => {
    const dropped = all.filter((x) => x === 0).length / all.length;
    expect(Math.abs(dropped - RATE)).toBeLessThan(4 * Math.sqrt((RATE * (1 - RATE)) / all.length));
    expect([...new Set(all)].sort()).toEqual([0, 1 / (1 - RATE)]);
  });

  it("is drawn for each key, query and head alone", () => {
    for (const lag of [1, M, N * M, H * N * M]) {
      const both = all.slice(lag).filter((x, i) => x === 0 && all[i] === 0).length / (all.length - lag);
      expect(Math.abs(both - RATE ** 2), `lag ${lag}`).toBeLessThan(4.5 * Math.sqrt(RATE ** 2 / (all.length - lag)));
    }
  });

  it("is 1 without a key", () => {
    expect(multiplierOf(0, null, { H, N, M })(7, 3)).toBe(1);
  });

  it.each([[40, 50], [5, 2 ** 23], [3, 2 ** 24]])("of kept entries is that of their queries and keys: %i queries, %i keys", (queries, keys) => {
    const uniform = source(keys);
    const shape = [2, H, queries, 4];
    const kept = Float64Array.from({ length: elements(tensor("i32", shape)) }, (_, i) => (i % 4 === 3 ? -1 : Math.floor(uniform() * keys)));
    const func = makeFunc([tensor("i32", [4]), tensor("i32", shape)], (b, [key, ids]) => [dropAt(b, { key: key!, rate: RATE }, ids!, keys)]);
    const given = interpret(func, namedInputs([KEY, kept])).results.get("r0")!;
    const expected = multiplierOf(RATE, KEY, { H, N: queries, M: keys });
    given.forEach((x, i) => expect(kept[i]! < 0 || x === expected(Math.floor(i / 4), kept[i]!)).toBe(true));
    expect([...given].every(Number.isFinite)).toBe(true);
  });

  it("has counters for as many entries as it says", () => {
    expect(countersFit({ B: 64, H: 64, N: 4096, M: 4096 })).toBe(true);
    expect(countersFit({ B: 64, H: 65, N: 4, M: 4 })).toBe(false);
    expect(countersFit({ B: 1, H: 16, N: 65_536, M: 65_536 })).toBe(true);
    expect(countersFit({ B: 1, H: 17, N: 65_536, M: 65_536 })).toBe(false);
  });
});

describe("attention", () => {
  const [B, H, N, M, K] = [2, 2, 6, 7, 3];
  const types = [tensor("f32", [B, H, N, K]), tensor("f32", [B, H, M, K]), tensor("f32", [B, H, M, M])];
  const identity = Float64Array.from({ length: B * H * M * M }, (_, i) => (Math.floor(i / M) % M === i % M ? 1 : 0));
  const data = rounded([normalish(B * H * N * K, 1), normalish(B * H * M * K, 2), identity]);
  const results = [tensor("f32", [B, H, N, M]), tensor("f32", [B, H, N])];
  const plain = evaluateOp(attention, data, types, results, attrsOf(0)).results;
  const key = tensor("i32", [4]);
  const dropped = evaluateOp(attention, [...data, KEY], [...types, key], results, attrsOf(RATE)).results;

  it("multiplies the weights and leaves their log-sum-exp alone", () => {
    const z = multiplierOf(RATE, KEY, { H, N, M });
    const expected = plain[0]!.map((w, i) => w * z(Math.floor(i / M), i % M));
    expect(relativeError(dropped[0]!, expected)).toBeLessThan(1e-14);
    expect(dropped[1]).toEqual(plain[1]);
    expect(dropped[0]!.some((w) => w === 0)).toBe(true);
  });

  it.each(["gpujs:cpu", "gpujs:webasm", "wasm", WASM_APART] as const)("drops the same weights on %s", async (backend) => {
    const func = makeFunc([...types, key], (b, params) => b.all(attention, params, attrsOf(RATE)));
    const executable = await executableOf(moduleOf(func), backend);
    const { r0 } = await executable.run("test", tensorsFor(func, [...data, KEY]));
    await executable.destroy();
    expect(Array.from(r0!.data as ArrayLike<number>, (w) => w === 0)).toEqual(Array.from(dropped[0]!, (w) => w === 0));
  });
});

it("in blocks, no tensor of a function is larger than a block", () => {
  const n = 128;
  const x = tensor("f32", [1, 2, n, 4]);
  const budget = { elements: 2 * 16 * n, rows: 16 };
  const func = makeFunc([x, x, x, x, tensor("i32", [4])], (b, [q, k, v, dO, key]) => {
    const [o, lse] = expandAttention(b, [q!, k!, v!, key!], attrsOf(RATE), budget);
    return [o!, lse!, ...expandAttentionVjp(b, [q!, k!, v!, o!, lse!, dO!, key!], attrsOf(RATE), budget)];
  });
  const lowered = toKernels(moduleOf(func)).funcs[0]!;
  expect(Math.max(...lowered.ops.flatMap((op) => op.results.map(({ type }) => elements(type))))).toBe(budget.elements);
});
