/** @file The three backends of WebAssembly: which program runs where, what each rounds, and that wide vectors change nothing. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { compile, programFor } from "../../compiler/driver.ts";
import { resolveBackend, targetOf } from "../../compiler/node/execute.ts";
import { completeInputs } from "../../compiler/node/run.ts";
import type { Tensors, WasmProgram } from "../../runtime/abi.ts";
import { createExecutable, isOwn, wasmBackendOf, type OwnName } from "../../runtime/backends.ts";
import { missingWide } from "../../runtime/node/wide.ts";
import { evaluate, worstDeviation } from "../models/support.ts";
import { ROOT } from "../tools.ts";
import { allowRelaxed } from "./relaxed.ts";

const [noRelaxed, noWide] = [allowRelaxed(), missingWide()];
console.warn(noWide === null ? "skipped: how wasm:wide is refused: this machine has it" : `skipped: wasm:wide in Node: ${noWide}`);

const compiled = (target: "wasm" | "wasm:relaxed") => {
  const result = compile({ file: "gpt.sq", text: readFileSync(join(ROOT, "examples/gpt.sq"), "utf8"), target, dims: { B: 2 }, attentionBackward: "sus:c=4" });
  const program = programFor(result, target);
  if (program === null) throw new Error("no program");
  return { program, gradient: result.gradient };
};

const inputsOf = (program: WasmProgram): Tensors => {
  const { grad } = program.entries;
  if (grad === undefined) throw new Error("no gradient");
  return completeInputs(program, grad, undefined, 5).all;
};

const run = async (program: WasmProgram, name: OwnName, threads: number): Promise<Tensors> => {
  const executable = await createExecutable(program, name, { threads, shareFrom: 0 });
  expect(executable.backend).toBe(`${name} (${threads === 1 ? "1 thread" : `${threads} threads`})`);
  try {
    return await executable.run("grad", inputsOf(program));
  } finally {
    executable.destroy();
  }
};

const bytes = (tensors: Tensors): readonly (readonly [string, Buffer])[] =>
  Object.entries(tensors).map(([name, { data }]) => [name, Buffer.from(Float32Array.from(data, Number).buffer)]);

describe("which program runs where", () => {
  it("is said by tables", () => {
    expect(["wasm", "wasm:wide", "wasm:relaxed", "gpujs:cpu", "wasm:slow"].map((name) => [isOwn(name), wasmBackendOf(name), targetOf(name)])).toEqual([
      [true, "wasm", "wasm"], [true, "wasm", "wasm"], [true, "wasm:relaxed", "wasm:relaxed"], [false, null, "gpujs"], [false, null, "gpujs"],
    ]);
    expect(resolveBackend()).toBe(noRelaxed === null ? "wasm:relaxed" : "wasm");
  });

  it.skipIf(noRelaxed !== null)("a program for one is refused by the other, with the target that it wants", async () => {
    const [plain, relaxed] = [compiled("wasm").program, compiled("wasm:relaxed").program];
    await expect(createExecutable(plain, "wasm:relaxed")).rejects.toMatchObject({ code: "SQ0702", message: expect.stringContaining("compiled for `wasm`") as string, hint: "compile it with `--target wasm:relaxed`" });
    await expect(createExecutable(relaxed, "wasm")).rejects.toMatchObject({ code: "SQ0702", hint: "compile it with `--target wasm`" });
    await expect(createExecutable(relaxed, "gpujs")).rejects.toMatchObject({ code: "SQ0702", hint: "run it on `wasm:relaxed`" });
  });
});

describe.skipIf(noRelaxed !== null)("relaxed", () => {
  it("agrees with the interpreter, on any number of threads, and rounds otherwise than wasm", async () => {
    const { program, gradient } = compiled("wasm:relaxed");
    const [one, two, plain] = [await run(program, "wasm:relaxed", 1), await run(program, "wasm:relaxed", 2), await run(compiled("wasm").program, "wasm", 1)];
    expect(worstDeviation(one, evaluate(gradient, "grad", inputsOf(program))).error).toBeLessThanOrEqual(1e-5);
    expect(bytes(two)).toEqual(bytes(one));
    expect(bytes(plain)).not.toEqual(bytes(one));
  });
});

describe("wide", () => {
  it.skipIf(noWide === null)("is refused with a reason where there is none", async () => {
    await expect(createExecutable(compiled("wasm").program, "wasm:wide")).rejects.toMatchObject({ code: "SQ0702", message: expect.stringContaining(noWide ?? "") as string, hint: expect.stringContaining("Node 24") as string });
  });

  it.skipIf(noWide !== null)("gives the numbers of wasm, to the bit", async () => {
    const { program } = compiled("wasm");
    const plain = await run(program, "wasm", 2);
    expect(bytes(await run(program, "wasm:wide", 2))).toEqual(bytes(plain));
  });
});
