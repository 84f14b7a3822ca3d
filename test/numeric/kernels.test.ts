/** @file Every kernel-stage op, on each of its examples, as a kernel: the kernel's data evaluated directly, and the emitted
 *  source on gpu.js in Node, and as WebAssembly, against the op's own evaluation. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { generateEntry } from "../../compiler/codegen/entry.ts";
import { evaluateKernel } from "../../compiler/codegen/evaluate-kernel.ts";
import { KernelTable } from "../../compiler/codegen/kernel-table.ts";
import { LOWERINGS } from "../../compiler/codegen/lower.ts";
import { OPS } from "../../ir/ops/index.ts";
import type { Executable } from "../../runtime/abi.ts";
import { createExecutable } from "../../runtime/index.ts";
import { caseData, caseFunc, caseResult, casesModule, KERNEL_CASES, programFor, tensorsFor, worst } from "../codegen/programs.ts";

it("the lowering table has exactly the ops without an expansion", () => {
  const wanted = OPS.filter((op) => op.expand === null).map((op) => op.mnemonic);
  expect([...LOWERINGS.keys()].map((op) => op.mnemonic).sort()).toEqual(wanted.sort());
});

it("every kernel-stage op has an example", () => {
  expect(OPS.filter((op) => op.expand === null && op.examples.length === 0)).toEqual([]);
});

describe("kernels as data", () => {
  it.each(KERNEL_CASES)("$label", (c) => {
    const table = new KernelTable();
    const entry = generateEntry(caseFunc(c), table);
    const data = caseData(c);
    const [launch] = entry.launches;
    const kernel = table.kernels[launch?.kernel ?? -1];
    if (launch === undefined || kernel === undefined) throw new Error(`${c.label} launches nothing`);
    const result = evaluateKernel(kernel, launch.args.map((value) => data[value] ?? new Float64Array()));
    expect(worst(result, caseResult(c, data))).toBeLessThanOrEqual(1e-12);
  });
});

describe.each([["gpujs:cpu", 1e-6], ["gpujs:webasm", 1e-5], ["wasm", 1e-6]] as const)("%s", (backend, tolerance) => {
  let executable: Executable;
  beforeAll(async () => {
    executable = await createExecutable(programFor(casesModule(), backend), backend);
  });
  afterAll(() => executable.destroy());

  it.each(KERNEL_CASES)("$label", async (c) => {
    const data = caseData(c);
    const { r0 } = await executable.run(c.label, tensorsFor(caseFunc(c), data));
    expect(worst(r0?.data ?? [], caseResult(c, data))).toBeLessThanOrEqual(tolerance);
  });
});
