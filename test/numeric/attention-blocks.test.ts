/** @file Attention by blocks of query rows, forced by small budgets: the same numbers as in one piece, evaluated and as
 *  kernels; no tensor beyond the budget; all blocks on the same kernels. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { generateProgram } from "../../compiler/codegen/program.ts";
import type { Func, TensorType } from "../../ir/core.ts";
import { costOfFunc } from "../../ir/cost.ts";
import { evaluateOp, interpret } from "../../ir/interpret.ts";
import type { AttentionAttrs } from "../../ir/ops/attention-attrs.ts";
import { blockRows } from "../../ir/ops/attention-blocks.ts";
import type { BlockBudget } from "../../ir/ops/attention-blocks.ts";
import { expandAttention, expandAttentionVjp } from "../../ir/ops/attention-expand.ts";
import { attention, attentionVjp } from "../../ir/ops/index.ts";
import * as poly from "../../ir/poly.ts";
import { elements, tensor } from "../../ir/types.ts";
import type { Executable } from "../../runtime/abi.ts";
import { createExecutable } from "../../runtime/index.ts";
import { browserMissing, openBrowser, type BrowserSession } from "../browser/harness.ts";
import { moduleOf, programFor, rounded, tensorsFor, worst } from "../codegen/programs.ts";
import { casesOf, dataOf, makeFunc, namedInputs, relativeError, resultTypesOf, typesOf, toKernels as lowered } from "./support.ts";
import type { Case } from "./support.ts";

const CASES = [...casesOf(attention), ...casesOf(attentionVjp)];
const LABELS = CASES.map((c) => [c.label, c] as const);

/** Blocks of one row, of two, and of three, which fill up the last block of most lengths. */
const BUDGETS: readonly BlockBudget[] = [1, 2, 3].map((rows) => ({ elements: 1, rows }));

const expanded = ({ label, op, example }: Case, budget: BlockBudget): Func => {
  const expand = op === attention ? expandAttention : expandAttentionVjp;
  const body = makeFunc(typesOf(example), (b, params) => expand(b, params, example.attrs as AttentionAttrs, budget));
  return { ...body, name: label };
};

describe.each(LABELS)("%s", (_, c) => {
  it.each(BUDGETS)("by blocks of $rows rows is what it is in one piece", (budget) => {
    const data = dataOf(c.example);
    const types = resultTypesOf(c);
    const whole = evaluateOp(c.op, data, typesOf(c.example), types, c.example.attrs).results;
    const parts = [...interpret(expanded(c, budget), namedInputs(data)).results.values()];
    expect(parts).toHaveLength(whole.length);
    parts.forEach((part, i) => expect(relativeError(part, whole[i]!), `result ${i}`).toBeLessThan(1e-12));
  });
});

const toKernels = (funcs: readonly Func[]): readonly Func[] =>
  lowered(moduleOf(...funcs)).funcs;

describe.each([["gpujs:cpu", 1e-6], ["gpujs:webasm", 1e-5], ["wasm", 1e-5]] as const)("%s", (backend, tolerance) => {
  const program = programFor(moduleOf(...toKernels(CASES.map((c) => expanded(c, { elements: 1, rows: 2 })))), backend);
  let executable: Executable;
  beforeAll(async () => {
    executable = await createExecutable(program, backend);
  });
  afterAll(() => executable.destroy());

  it.each(LABELS)("%s", async (label, c) => {
    const data = rounded(dataOf(c.example));
    const whole = evaluateOp(c.op, data, typesOf(c.example), resultTypesOf(c), c.example.attrs).results;
    const outputs = await executable.run(label, tensorsFor(expanded(c, { elements: 1, rows: 2 }), data));
    whole.forEach((expected, i) => expect(worst(outputs[`r${i}`]?.data ?? [], expected), `result ${i}`).toBeLessThanOrEqual(tolerance));
  });
});

describe.skipIf(browserMissing() !== null)("in Chromium", () => {
  let browser: BrowserSession;
  beforeAll(async () => void (browser = await openBrowser()));
  afterAll(() => browser.close());

  describe.each(["gpujs:webgl2", "gpujs:webgpu"])("%s", (backend) => {
    it.each(LABELS.filter((_, i) => i % 6 === 2))("%s", async (label, c) => {
      const func = expanded(c, { elements: 1, rows: 2 });
      const data = rounded(dataOf(c.example));
      const whole = evaluateOp(c.op, data, typesOf(c.example), resultTypesOf(c), c.example.attrs).results;
      const outputs = await browser.runInBrowser(generateProgram(moduleOf(...toKernels([func]))), backend, label, tensorsFor(func, data));
      whole.forEach((expected, i) => expect(worst(outputs[`r${i}`]?.data ?? [], expected), `result ${i}`).toBeLessThanOrEqual(1e-4));
    });
  });
});

const ATTRS: AttentionAttrs = { causal: true, window: 0, scale: 0.5, dropout: 0, extras: [], site: "", backward: "exact" };

/** Both directions of self-attention over n positions. */
const pairOf = (n: number, budget: BlockBudget, attrs = ATTRS): Func => {
  const x = tensor("f32", [1, 2, n, 4]);
  return makeFunc([x, x, x, x], (b, [q, k, v, dO]) => {
    const [o, logSum] = expandAttention(b, [q!, k!, v!], attrs, budget);
    return [o!, logSum!, ...expandAttentionVjp(b, [q!, k!, v!, o!, logSum!, dO!], attrs, budget)];
  });
};

describe("memory", () => {
  it.each([{}, { window: 8 }, { causal: false }])("no tensor of a function is larger than a block, %o", (masks) => {
    const n = 128;
    const budget = { elements: 2 * 16 * n, rows: 16 };
    const [func] = toKernels([pairOf(n, budget, { ...ATTRS, ...masks })]);
    const sizes = func!.ops.flatMap(({ results }) => results.map(({ type }) => elements(type)));
    expect(Math.max(...sizes)).toBe(budget.elements);
    expect(budget.elements).toBeLessThan(n * n);
  });

  it("what both directions compute from q and k in one block is computed twice", () => {
    const [func] = toKernels([pairOf(16, { elements: 2 ** 22, rows: 16 })]);
    const einsums = func!.ops.filter(({ op }) => op.mnemonic === "einsum");
    expect(einsums).toHaveLength(7);
  });

  it("has blocks of one size, as few as fit", () => {
    const sizes = (N: number, M = N): Parameters<typeof blockRows>[0] => ({ B: 1, H: 2, G: 2, N, M, K: 4, E: 4 });
    const rows = (N: number, elements: number): number => blockRows(sizes(N), { elements, rows: 16 });
    expect(rows(64, 2 * 64 * 64)).toBe(64);
    expect(rows(64, 2 * 64 * 64 - 1)).toBe(32);
    expect(rows(1000, 2 * 1000 * 130)).toBe(125);
    expect(rows(1001, 2 * 1001 * 130)).toBe(126);
    expect(rows(64, 1)).toBe(16);
    expect(rows(11, 1)).toBe(11);
  });
});

/** `fuse` does the updates and sums of a few blocks in one kernel, so that what is left over has kernels of its own. */
const LEFT_OVER = 3;

it("more blocks are more launches of the same kernels", () => {
  const counts = [8, 16, 32, 64].map((blocks) => {
    const [func] = toKernels([pairOf(16 * blocks, { elements: 1, rows: 16 })]);
    const program = generateProgram(moduleOf({ ...func!, name: "pair" }));
    return { kernels: program.kernels.length, launches: program.entries["pair"]!.launches.length };
  });
  const kernels = counts.map((count) => count.kernels);
  expect(Math.max(...kernels) - Math.min(...kernels)).toBeLessThanOrEqual(LEFT_OVER);
  expect(counts.at(-1)!.launches).toBeGreaterThan(6 * counts[0]!.launches);
});

describe("work", () => {
  const gradient = (n: number, budget: BlockBudget): Func => {
    const [x, lse]: readonly [TensorType, TensorType] = [tensor("f32", [1, 2, n, 4]), tensor("f32", [1, 2, n])];
    return makeFunc([x, x, x, x, lse, x], (b, params) => expandAttentionVjp(b, params, ATTRS, budget));
  };
  const flops = (n: number, budget: BlockBudget): number => poly.evaluate(costOfFunc(gradient(n, budget)).flops, new Map());
  const slope = (from: number, to: number, budget: (n: number) => BlockBudget): number =>
    Math.log(flops(to, budget(to)) / flops(from, budget(from))) / Math.log(to / from);

  it("of the gradient grows with the square of the length, whatever the blocks", () => {
    const whole = (n: number): BlockBudget => ({ elements: 2 * n * n, rows: 16 });
    const blocks = (n: number): BlockBudget => ({ elements: 2 * 32 * n, rows: 16 });
    expect(slope(1024, 4096, whole)).toBeCloseTo(2, 2);
    expect(slope(1024, 4096, blocks)).toBeCloseTo(2, 2);
    const ratio = flops(4096, blocks(4096)) / flops(4096, whole(4096));
    expect(ratio).toBeGreaterThanOrEqual(1);
    expect(ratio).toBeLessThan(1.01);
  });
});
