/** @file Operations kept whole: every op that a backend may compute whole has a kernel, and its records' examples agree. */

import { describe, expect, it } from "vitest";
import { NATIVE } from "../../compiler/codegen/wasm/native/table.ts";
import { generateWasm } from "../../compiler/codegen/wasm/program.ts";
import { OPS } from "../../ir/ops/index.ts";
import { decomposeNative } from "../../passes/decompose.ts";
import { runPipeline, step } from "../../passes/run.ts";
import { compile } from "../../compiler/node/compile.ts";
import { programOf } from "../../compiler/node/execute.ts";

const wholes = OPS.filter(({ whole }) => whole !== undefined);

it("every op that may be whole has a native kernel, and no other", () => {
  expect(wholes.map(({ mnemonic }) => mnemonic).toSorted()).toEqual(Object.keys(NATIVE).toSorted());
  for (const { expand } of wholes) expect(expand).not.toBeNull();
});

describe("a model of the native stage", async () => {
  const file = "examples/gpt.sq";
  const compiled = await compile({ file, target: "wasm", attentionBackward: "sus:c=4" });
  const grad = programOf(compiled, "wasm").entries["grad"];

  it("has one launch a phase, which share results and temporaries", () => {
    const vjps = (grad?.launches ?? []).filter(({ part }) => part === "attention_vjp");
    expect(vjps.length).toBeGreaterThan(0);
    const results = new Set(vjps.map(({ result }) => result));
    const sites = compiled.gradient.funcs.find(({ name }) => name === "grad")?.ops.filter(({ op }) => op.mnemonic === "attention_vjp_sampled");
    expect(results.size).toBe(sites?.length);
    for (const result of results) {
      const [first, ...others] = vjps.filter((launch) => launch.result === result);
      for (const { also, args } of others) expect([also, args]).toEqual([first?.also, first?.args]);
    }
  });

  it("no two values that are alive together lie in one place", () => {
    for (const { launches, values, inputs } of Object.values(programOf(compiled, "wasm").entries)) {
      for (const { result, also = [], args } of launches) {
        const places = [...new Set([result, ...also, ...args])].map((value) => values[value] ?? { offset: 0, elements: 0 }).toSorted((a, b) => a.offset - b.offset);
        places.forEach(({ offset, elements }, i) => expect(offset + elements).toBeLessThanOrEqual(places[i + 1]?.offset ?? Number.POSITIVE_INFINITY));
      }
      expect(inputs.length).toBeGreaterThan(0);
    }
  });

  it("can be printed, and is the same when it is made again", () => {
    const lowered = runPipeline(compiled.gradient, [step(decomposeNative)]).module;
    expect(lowered.funcs.flatMap(({ ops }) => ops).some(({ op }) => op.whole !== undefined)).toBe(true);
    expect(generateWasm(compiled.module).program.kernels).toEqual(programOf(compiled, "wasm").kernels);
  });
});
