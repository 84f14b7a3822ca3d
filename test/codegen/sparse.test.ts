/** @file Sums over slots as the kernels that training runs: rows are taken inside contractions, updates are computed inside the
 *  sums of the lists, and transposing a kept set is a kernel for each doubling of the runs. */

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { generateProgram } from "../../compiler/codegen/program.ts";
import type { Builder } from "../../ir/builder.ts";
import type { Data, Func, Value } from "../../ir/core.ts";
import { interpret } from "../../ir/interpret.ts";
import * as sq from "../../ir/ops/index.ts";
import { elements, named, tensor } from "../../ir/types.ts";
import type { Program, Tensors } from "../../runtime/abi.ts";
import { createExecutable } from "../../runtime/index.ts";
import { i32 } from "../../runtime/tensors.ts";
import { browserMissing, openBrowser } from "../browser/harness.ts";
import type { BrowserSession } from "../browser/harness.ts";
import { makeFunc, namedInputs, source, toKernels } from "../numeric/support.ts";
import { moduleOf, tensorsFor, worst } from "./programs.ts";

const kernelsOf = (func: Func): Program =>
  generateProgram(toKernels({ ...moduleOf(func), dims: new Map() }));

const [B, G, H, N, M, S, E] = [2, 2, 4, 40, 50, 6, 16];
const queries = named("f32", [["B", B], ["H", H], ["N", N], ["E", E]]);
const keys = named("f32", [["B", B], ["G", G], ["M", M], ["E", E]]);
const kept = named("i32", [["B", B], ["H", H], ["N", N], ["S", S]]);

/** Ascending rows with -1 at the end, some of them empty, some full. */
const keptData = (rows: number, slots: number, size: number, seed = 3): Data => {
  const uniform = source(seed);
  const out = new Float64Array(rows * slots).fill(-1);
  for (let row = 0; row < rows; row++) {
    const wanted = Math.floor(uniform() * (slots + 1));
    const found = new Set<number>();
    for (let i = 0; i < wanted; i++) found.add(Math.floor(uniform() ** 2 * size));
    [...found].toSorted((a, b) => a - b).forEach((key, s) => (out[row * slots + s] = key));
  }
  return out;
};

const rowwise = (b: Builder, q: Value, k: Value, slots: Value, spec: string): Value =>
  b.one(sq.einsum, [q, b.one(sq.takeRows, [k, slots], {})], { spec });

/** Three contractions, none of which may store what it takes: scores of slots, their weighted sum of rows, dP. */
const taking = makeFunc([queries, keys, kept], (b, [q, k, slots]) => {
  const scores = rowwise(b, q!, k!, slots!, "b h n e, b h n s e -> b h n s");
  return [scores, rowwise(b, scores, k!, slots!, "b h n s, b h n s e -> b h n e")];
});

/** Σ over the slots that keep a key of factor · row: the gradient of keys. */
const listed = makeFunc([named("f32", [["B", B], ["H", H], ["N", N], ["S", S]]), queries, kept], (b, [factor, q, slots]) => {
  const lists = b.all(sq.transposeKept, [slots!], { groups: G, keys: M });
  const type = tensor("f32", [B, H, N, S, E]);
  const wide = (x: Value, last: number): Value => b.one(sq.broadcast, [x], { axes: [0, 1, 2, last], type });
  const product = b.one(sq.mul, [wide(factor!, 3), wide(q!, 4)], {});
  const updates = b.one(sq.reshape, [product], { type: tensor("f32", [B, G, (H / G) * N * S, E]) });
  return [b.one(sq.segmentSum, [lists[0]!, lists[1]!, updates], {}), ...lists];
});

const inputsOf = (func: Func): readonly Data[] => {
  const uniform = source(11);
  const numbers = (length: number): Data => Float64Array.from({ length }, () => Math.fround(uniform() - 0.5));
  return func.params.map(({ value: { type } }) => (type.dtype === "i32" ? keptData(B * H * N, S, M) : numbers(elements(type))));
};

const PROGRAMS = [{ name: "taking", func: taking }, { name: "listed", func: listed }].map(({ name, func }) => {
  const data = inputsOf(func);
  return { name, program: kernelsOf(func), tensors: tensorsFor(func, data), expected: [...interpret(func, namedInputs(data)).results.values()] };
});

const launchesOf = (program: Program): readonly string[] =>
  program.entries["test"]!.launches.map(({ kernel }) => program.kernels[kernel]!.name);

const largest = (program: Program): number => Math.max(...program.entries["test"]!.values.map((value) => value.elements));

const agree = (results: Tensors, expected: readonly Data[], tolerance: number): void =>
  expected.forEach((want, i) => expect(worst(results[`r${i}`]?.data ?? [], want), `r${i}`).toBeLessThan(tolerance));

describe("kernels of slots", () => {
  it("rows are taken inside the contraction that uses them", () => {
    const [{ program }] = PROGRAMS as [typeof PROGRAMS[number]];
    expect(launchesOf(program)).toHaveLength(2);
    expect(largest(program)).toBeLessThan(B * H * N * S * E);
    expect(program.kernels[0]!.source).toMatchInlineSnapshot(`
      "function einsum(p0, p2, p1) {
        let s = this.thread.x;
        let n = this.thread.y;
        let bh = this.thread.z;
        let base = bh * 640 + n * 16;
        let p2_at = p2[bh * 240 + n * 6 + s];
        let v = (p2_at < 0 ? 1 : 0);
        let v2 = Math.floor(bh * 0.25) * 1600 + Math.floor((bh - Math.floor(bh * 0.25) * 4) * 0.5) * 800;
        let sum = 0;
        for (let e = 0; e < 16; e++) {
          sum += p0[base + e] * (v != 0 ? 0 : p1[v2 + p2_at * 16 + e]);
        }
        return sum;
      }"
    `);
  });

  it("updates are computed inside the sums; sorting doubles the runs; nothing has a row for every slot", () => {
    const { program } = PROGRAMS[1]!;
    const levels = Math.ceil(Math.log2(((H / G) * N * S) / S));
    // The keys, and at every level the positions and then their keys; those of the last level are read in the kernel of starts.
    expect(launchesOf(program)).toHaveLength(1 + 2 * levels - 1 + 2);
    expect(largest(program)).toBeLessThan(B * H * N * S * E);
    expect(program.kernels.find(({ name }) => name.includes("segment") || name.startsWith("r0"))!.source).toMatchInlineSnapshot(`
      "function segment_sum(x0, runs_of_480, p0, p1) {
        let l = this.thread.x;
        let k = this.thread.y;
        let ij = this.thread.z;
        let base = ij * 51 + k;
        let x0_at = x0[base];
        let x0_at2 = x0[base + 1];
        let base2 = ij * 480;
        let base3 = ij * 1280 + l;
        let place = (x0_at < x0_at2 ? x0_at : (-1));
        let sum = 0;
        while (place >= 0) {
          let runs_of_480_at = runs_of_480[base2 + place];
          let v = Math.floor((runs_of_480_at + 0.5) / 6);
          let v2 = v + Math.floor((runs_of_480_at - v * 6 + 0.5) / 6);
          let v3 = runs_of_480_at - v2 * 6;
          sum += p0[base2 + runs_of_480_at] * p1[base3 + (v2 - (v3 < 0 ? 1 : 0) + (v3 >= 6 ? 1 : 0)) * 16];
          let base4 = place + 1;
          place = (base4 < x0_at2 ? base4 : (-1));
        }
        return sum;
      }"
    `);
  });

  it.each(["gpujs:cpu", "gpujs:webasm"])("agree with the interpreter on %s", async (backend) => {
    for (const { program, tensors, expected } of PROGRAMS) {
      const executable = await createExecutable(program, backend);
      agree(await executable.run("test", tensors), expected, 1e-5);
      executable.destroy();
    }
  });
});

describe.skipIf(browserMissing() !== null)("kernels of slots in a browser", () => {
  let browser: BrowserSession;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser.close());

  it.each(["gpujs:webgl2", "gpujs:webgpu"])("agree with the interpreter on %s", async (backend) => {
    for (const { program, tensors, expected } of PROGRAMS) agree(await browser.runInBrowser(program, backend, "test", tensors), expected, 1e-5);
  });
});

describe("transposing a kept set", () => {
  it("is the stable sort by key, whatever the sizes", async () => {
    const upTo = (max: number): fc.Arbitrary<number> => fc.integer({ min: 1, max });
    const sizes = fc.record({ groups: upTo(2), members: upTo(3), n: upTo(9), slots: upTo(5), size: upTo(7), seed: fc.nat(1000) });
    await fc.assert(
      fc.asyncProperty(sizes, async ({ groups, members, n, slots, size, seed }) => {
        const type = tensor("i32", [1, groups * members, n, slots]);
        const func = makeFunc([type], (b, [x]) => b.all(sq.transposeKept, [x!], { groups, keys: size }));
        const data = keptData(groups * members * n, slots, size, seed);
        const executable = await createExecutable(kernelsOf(func), "gpujs:webasm");
        const { r0, r1 } = await executable.run("test", { p0: i32(type.shape, [...data]) });
        executable.destroy();
        const count = members * n * slots;
        for (let group = 0; group < groups; group++) {
          const own = [...data.subarray(group * count, (group + 1) * count)].map((key) => (key < 0 ? size : key));
          const order = own.map((_, p) => p).toSorted((p, q) => own[p]! - own[q]!);
          expect([...(r1?.data ?? [])].slice(group * count, (group + 1) * count)).toEqual(order);
          const starts = Array.from({ length: size + 1 }, (_, j) => own.filter((key) => key < j).length);
          expect([...(r0?.data ?? [])].slice(group * (size + 1), (group + 1) * (size + 1))).toEqual(starts);
        }
      }),
      { numRuns: 40 },
    );
  });
});
