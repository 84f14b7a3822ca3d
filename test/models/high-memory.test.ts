/** @file Pointers of WebAssembly are unsigned: wherever in 4 GiB an arena lies, also across 2 GiB, kernels compute the same bits. */

import { describe, expect, it } from "vitest";
import { compile } from "../../compiler/node/compile.ts";
import { programOf } from "../../compiler/node/execute.ts";
import { completeInputs } from "../../compiler/node/run.ts";
import type { Entry, Tensors, WasmProgram } from "../../runtime/abi.ts";
import { createExecutable } from "../../runtime/index.ts";

const FLOAT = 4;

/** Its buffers `elements` further on. */
const moved = (entry: Entry, elements: number): Entry => ({
  ...entry,
  values: entry.values.map((value) => ({ ...value, offset: value.offset + elements })),
  arenaBytes: entry.arenaBytes + elements * FLOAT,
});

const gradients = async (program: WasmProgram, entry: Entry): Promise<Tensors> => {
  const only: WasmProgram = { ...program, entries: { [entry.name]: entry } };
  const executable = await createExecutable(only, "wasm", { threads: 1 });
  try {
    return await executable.run(entry.name, completeInputs(only, entry, undefined, 1).all);
  } finally {
    executable.destroy();
  }
};

const CASES: readonly (readonly [file: string, policy: string])[] = [
  ["examples/gpt.sq", "exact"],
  ["examples/gpt.sq", "sus:c=8"],
  ["examples/llama.sq", "hybrid:c=4,degree=0"],
  ["examples/bert.sq", "sus:c=4,sampler=bernoulli"],
  ["examples/window.sq", "exact"],
  ["examples/qknorm.sq", "lowrank:degree=2,unsafe=true,forward=true"],
];

describe.each(CASES)("%s, %s", async (file, policy) => {
  const program = programOf(await compile({ file, target: "wasm", attentionBackward: policy }), "wasm");
  const entry = program.entries["step"] as Entry;
  const expected = await gradients(program, entry);

  // Half of the arena below 2 GiB; all of it above; the last byte a little below 4 GiB.
  it.each([2 ** 31 - Math.floor(entry.arenaBytes / 2), 2 ** 31, 2 ** 32 - 2 ** 24 - entry.arenaBytes])("computes the same %d bytes on", async (bytes) => {
    const results = await gradients(program, moved(entry, 4 * Math.floor(bytes / 16)));
    for (const [name, { data }] of Object.entries(expected)) expect(results[name]?.data, name).toEqual(data);
  });
});
