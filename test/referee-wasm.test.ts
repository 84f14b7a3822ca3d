/** @file wabt, the WebAssembly community's own tools, reads the text of our modules and makes the bytes of it that we made. Skipped,
 *  saying so, where it is absent. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { printWat } from "../compiler/codegen/wasm/print-wat.ts";
import { generateWasm } from "../compiler/codegen/wasm/program.ts";
import { compile } from "../compiler/node/compile.ts";
import { programOnPath, ROOT, runProgram } from "./tools.ts";

const [wat2wasm, validate] = [programOnPath("wat2wasm"), programOnPath("wasm-validate")];

if (wat2wasm === null) console.warn("skipped: wat2wasm is not on PATH (Debian: wabt), so nobody else reads our WebAssembly");

/** Every kind of kernel: loops, products, and attention of all forms. */
const MODELS: readonly (readonly [file: string, policy: string])[] = [
  ["gpt", "exact"],
  ["gpt", "sus:c=8"],
  ["llama", "hybrid:c=4,degree=0"],
  ["bert", "sus:c=4,sampler=bernoulli"],
  ["window", "exact"],
  ["qknorm", "lowrank:degree=2,unsafe=true,forward=true"],
];

describe.skipIf(wat2wasm === null)("wabt", () => {
  const folder = mkdtempSync(join(tmpdir(), "subquad-wabt-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(MODELS)("makes the same bytes of the text of %s, %s", async (model, policy) => {
    const compiled = await compile({ file: join(ROOT, `examples/${model}.sq`), target: "wasm", attentionBackward: policy });
    const { program, code } = generateWasm(compiled.module);
    const [text, made, ours] = ["text.wat", "made.wasm", "ours.wasm"].map((name) => join(folder, name)) as [string, string, string];
    writeFileSync(text, printWat(code));
    writeFileSync(ours, program.wasm);
    expect(runProgram(wat2wasm ?? "", ["--enable-threads", text, "-o", made], "")).toMatchObject({ ok: true, stderr: "" });
    expect(Buffer.compare(readFileSync(made), Buffer.from(program.wasm))).toBe(0);
    expect(runProgram(validate ?? "", ["--enable-threads", ours], "")).toMatchObject({ ok: true, stderr: "" });
  });
});
