/** @file What the forms of attention's gradient cost as sequences grow, counted from the IR of a compiled model; and that no
 *  tensor of n² elements is anywhere in its kernels at n = 16384. */

import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { logLogSlope } from "../../compiler/audit/estimate.ts";
import { compile } from "../../compiler/node/compile.ts";
import type { Compiled } from "../../compiler/driver.ts";
import { programOf } from "../../compiler/node/execute.ts";
import { memoryReport } from "../../compiler/inspect/memory.ts";
import { costOf } from "../../ir/cost.ts";
import type { Operation } from "../../ir/core.ts";
import * as poly from "../../ir/poly.ts";
import { elements } from "../../ir/types.ts";
import { ROOT } from "../tools.ts";
import { funcOf, report } from "./support.ts";

const LONG = 16384;
const LENGTHS = [1024, 2048, 4096, 8192, LONG];

const gpt = (policy: string, T: number, stopAfter?: string): Promise<Compiled> =>
  compile({
    file: join(ROOT, "examples/gpt.sq"),
    dims: { B: 1, T, L: 1 },
    backward: [{ pattern: "**", policy }],
    ...(stopAfter === undefined ? {} : { stopAfter }),
  });

const flops = (compiled: Compiled, ops: readonly Operation[]): number =>
  ops.reduce((sum, operation) => sum + poly.evaluate(costOf(operation).flops, compiled.gradient.dims), 0);

/** The gradient of attention is every operation that mentions it and is not its forward. */
const isForward = ({ op }: Operation): boolean => /^attention(_sampled|_lowrank)?$/.test(op.mnemonic);
const isBackward = ({ op }: Operation): boolean => op.mnemonic.startsWith("attention_vjp");

interface Count {
  readonly forward: number;
  readonly backward: number;
  readonly step: number;
}

const countAt = async (policy: string, T: number): Promise<Count> => {
  const compiled = await gpt(policy, T, "make-step");
  const [grad, step] = [funcOf(compiled.gradient, "grad"), funcOf(compiled.gradient, "step")];
  return {
    forward: flops(compiled, grad.ops.filter(isForward)),
    backward: flops(compiled, grad.ops.filter(isBackward)),
    step: flops(compiled, step.ops),
  };
};

const slope = (ys: readonly number[]): number => logLogSlope(LENGTHS.map((n, i) => [n, ys[i] ?? Number.NaN]));

const observed: string[] = [];
afterAll(() => report(observed));

describe("floating-point operations against length, counted from the IR", () => {
  const counts = async (policy: string): Promise<readonly Count[]> => {
    const found: Count[] = [];
    for (const T of LENGTHS) found.push(await countAt(policy, T));
    return found;
  };

  it.each([
    ["exact", 2],
    ["sus:c=25", 1],
    ["lowrank:degree=2,unsafe=true", 1],
  ] as const)("the backward of %s has slope %d", async (policy, expected) => {
    const found = slope((await counts(policy)).map(({ backward }) => backward));
    observed.push(`${policy}: slope of the backward ${found.toFixed(4)}`);
    expect(found).toBeCloseTo(expected, 2);
  });

  it("the whole step with the forward approximated too has slope 1", async () => {
    const found = slope((await counts("lowrank:degree=2,unsafe=true,forward=true")).map(({ step }) => step));
    observed.push(`lowrank, forward too: slope of the step ${found.toFixed(4)}`);
    expect(found).toBeCloseTo(1, 2);
  });

  it("a sampled backward costs at most 1.6 c/n of the dense one, delta = d_o . o aside, which both need", async () => {
    const [dense, sampled] = [await counts("exact"), await counts("sus:c=25")];
    const width = 64;
    const delta = LENGTHS.map((n) => 2 * n * width);
    const ratios = sampled.map(({ backward }, i) => (backward - (delta[i] ?? 0)) / ((dense[i]?.backward ?? Number.NaN) - (delta[i] ?? 0)));
    ratios.forEach((ratio, i) => expect(ratio).toBeLessThanOrEqual((1.6 * 25) / (LENGTHS[i] ?? Number.NaN)));
    observed.push(`sus(c: 25) / exact: ${ratios.map((ratio) => ratio.toFixed(5)).join(" ")}`);
  });
});

describe(`${LONG} tokens`, () => {
  const forms = ["exact", "sus:c=25", "lowrank:degree=2,unsafe=true", "lowrank:degree=2,unsafe=true,forward=true", "hybrid:c=25,degree=2"];

  it.each(forms)("%s: no tensor has n² elements, in a buffer or inside a kernel", async (policy) => {
    const compiled = await gpt(policy, LONG);
    const sizes = compiled.module.funcs.flatMap((func) => func.ops.flatMap(({ results }) => results.map(({ type }) => elements(type))));
    expect(sizes.length).toBeGreaterThan(100);
    expect(Math.max(...sizes)).toBeLessThan(LONG ** 2);
    const program = programOf(compiled);
    for (const entry of Object.values(program.entries)) for (const value of entry.values) expect(value.elements).toBeLessThan(LONG ** 2);
    const peaks = memoryReport(program).entries.map(({ name, peak }) => `${name} ${(peak.aliveBytes / 2 ** 20).toFixed(0)} MiB`);
    observed.push(`${policy}: ${program.kernels.length} kernels; most bytes alive: ${peaks.join(", ")}`);
  });
});
