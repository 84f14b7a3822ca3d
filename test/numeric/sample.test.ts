/** @file Systematic sampling keeps what it promises: every index with its own probability, a count that hardly varies; and
 *  kernels in float32 keep the same, but where a sum is within rounding of a threshold. */

import { describe, expect, it } from "vitest";
import type { Data } from "../../ir/core.ts";
import { evaluateOp, interpret } from "../../ir/interpret.ts";
import { cumsum, sample } from "../../ir/ops/index.ts";
import { tensor } from "../../ir/types.ts";
import { createExecutable } from "../../runtime/index.ts";
import { moduleOf, programFor, rounded, tensorsFor, worst } from "../codegen/programs.ts";
import { makeFunc, namedInputs, source, toKernels } from "./support.ts";

/** The indices kept of each row of p. */
const keptOf = (p: Data, u: Data, slots: number): readonly (readonly number[])[] => {
  const types = [tensor("f32", [u.length, p.length / u.length]), tensor("f32", [u.length])];
  const [kept] = evaluateOp(sample, [p, u], types, [tensor("i32", [u.length, slots])], { slots }).results;
  return Array.from(u, (_, row) => [...kept!.subarray(row * slots, (row + 1) * slots)]);
};

/** Probabilities in 64ths, by which sums, thresholds and frequencies are exact; some 0, some 1. */
const sixtyFourths = (size: number, seed: number): Data => {
  const uniform = source(seed);
  return Float64Array.from({ length: size }, () => Math.max(0, Math.min(64, Math.floor(uniform() * 90) - 12)) / 64);
};

const repeated = (p: Data, times: number): Data => Float64Array.from({ length: p.length * times }, (_, i) => p[i % p.length]!);

const total = (p: Data): number => p.reduce((sum, x) => sum + x, 0);

describe.each([1, 2, 3])("of probabilities %i", (seed) => {
  const p = sixtyFourths(40, seed);
  const slots = Math.ceil(total(p));
  const grid = Float64Array.from({ length: 64 }, (_, g) => g / 64);
  const rows = keptOf(repeated(p, 64), grid, slots).map((row) => row.filter((j) => j >= 0));

  it("keeps every index exactly as often as its probability says", () => {
    const frequency = Array.from(p, (_, j) => rows.filter((row) => row.includes(j)).length / 64);
    expect(frequency).toEqual([...p]);
    expect([p.includes(0), p.includes(1)]).toEqual([true, true]);
  });

  it("keeps the floor or the ceiling of the sum, ascending, none twice", () => {
    for (const row of rows) {
      expect([Math.floor(total(p)), Math.ceil(total(p))]).toContain(row.length);
      expect(row).toEqual([...new Set(row)].sort((a, b) => a - b));
    }
  });

  it("leaves out the last ones where there are too few slots, and fills empty slots with -1", () => {
    const few = keptOf(repeated(p, 64), grid, 5);
    const many = keptOf(repeated(p, 64), grid, slots + 3);
    rows.forEach((row, i) => {
      expect(few[i]).toEqual(row.slice(0, 5));
      expect(many[i]).toEqual([...row, ...new Array<number>(slots + 3 - row.length).fill(-1)]);
    });
  });
});


/** Does the exact sum up to an index lie within the float32 rounding of two searches, about sqrt(M) additions each, of a threshold? */
const isClose = (p: Data, u: number): boolean => {
  let sum = 0;
  return p.some((x) => {
    sum += x;
    const distance = Math.abs(sum + u - Math.round(sum + u));
    return distance < 2 * Math.sqrt(p.length) * 2 ** -24 * Math.max(1, sum);
  });
};

describe.each(["gpujs:cpu", "gpujs:webasm", "wasm"] as const)("on %s", (backend) => {
  it.each([[48, 30], [200, 25], [1000, 12]] as const)("kernels keep the same of rows of %i indices, %i on average", async (size, c) => {
    const uniform = source(size);
    const [count, slots] = [200, c + 1];
    const weights = Float64Array.from({ length: count * size }, () => -Math.log(1 - uniform()));
    const scale = Array.from({ length: count }, (_, row) => c / total(weights.subarray(row * size, (row + 1) * size)));
    const p = weights.map((x, i) => Math.min(1, x * scale[Math.floor(i / size)]!));
    const data = rounded([p, Float64Array.from({ length: count }, () => Math.floor(uniform() * 2 ** 24) / 2 ** 24)]);
    const func = makeFunc([tensor("f32", [count, size]), tensor("f32", [count])], (b, [x, u]) => [b.one(sample, [x!, u!], { slots })]);
    const module = toKernels(moduleOf(func));
    const executable = await createExecutable(programFor(module, backend), backend);
    const { r0 } = await executable.run("test", tensorsFor(func, data));
    await executable.destroy();
    const given = Float64Array.from(r0!.data as ArrayLike<number>);
    const odd = keptOf(data[0]!, data[1]!, slots).flatMap((row, i) => (row.every((j, s) => given[i * slots + s] === j) ? [] : [i]));
    for (const row of odd) expect(isClose(data[0]!.subarray(row * size, (row + 1) * size), data[1]![row]!), `row ${row}`).toBe(true);
    expect(odd.length).toBeLessThan(count / 20);
  });

  it("kernels give running sums to the rounding of float32", async () => {
    const uniform = source(4);
    const type = tensor("f32", [3, 1000]);
    const data = rounded([Float64Array.from({ length: 3000 }, uniform)]);
    const func = makeFunc([type], (b, [x]) => [b.one(cumsum, [x!], { axis: 1, reverse: false, exclusive: false })]);
    const executable = await createExecutable(programFor(toKernels(moduleOf(func)), backend), backend);
    const { r0 } = await executable.run("test", tensorsFor(func, data));
    await executable.destroy();
    expect(worst(r0!.data, interpret(func, namedInputs(data)).results.get("r0")!)).toBeLessThan(4 * 2 ** -24);
  });
});
