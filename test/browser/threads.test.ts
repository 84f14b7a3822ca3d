/** @file Threads of `wasm` in Chromium: a page that is isolated has them, one that is not says that it has one, and the numbers are
 *  those of Node to the bit. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compile, programFor } from "../../compiler/driver.ts";
import { completeInputs } from "../../compiler/node/run.ts";
import type { Tensors, WasmProgram } from "../../runtime/abi.ts";
import { createExecutable } from "../../runtime/backends.ts";
import { f32 } from "../../runtime/tensors.ts";
import { COUNT, slow } from "../runtime/wasm-programs.ts";
import { browserMissing, openBrowser, type BrowserSession, type BrowserSettings } from "./harness.ts";

const missing = browserMissing();
const PAGES: readonly (BrowserSettings & { readonly name: string; readonly threads: string })[] = [
  { name: "an isolated page", threads: "3 threads" },
  { name: "an isolated page, minified", minified: true, threads: "3 threads" },
  { name: "a page without isolation", isolated: false, threads: "1 thread: this page is not cross-origin isolated" },
  { name: "a page that allows no workers", policy: "worker-src 'none'", threads: "1 thread: its workers did not start: this page's policy forbids workers from blobs" },
];

const gpt = (): WasmProgram => {
  const text = readFileSync(fileURLToPath(new URL("../../examples/gpt.sq", import.meta.url)), "utf8");
  const program = programFor(compile({ file: "gpt.sq", text, target: "wasm", dims: { B: 2 } }), "wasm");
  if (program === null) throw new Error("no program");
  return program;
};

describe.skipIf(missing !== null).each(PAGES)("$name", ({ threads, ...settings }) => {
  let browser: BrowserSession;
  beforeAll(async () => void (browser = await openBrowser(settings)));
  afterAll(() => browser.close());

  it("steps as Node does, to the bit", async () => {
    const program = gpt();
    const entry = program.entries["step"];
    if (entry === undefined) throw new Error("no step");
    const inputs = completeInputs(program, entry, undefined, 3).all;
    const node = await createExecutable(program, "wasm", { threads: 1 });
    const expected = await node.run("step", inputs);
    node.destroy();
    const { outputs, backend } = await browser.measureInBrowser(program, "wasm", "step", inputs, 3, { threads: 3, shareFrom: 0 });
    expect(backend).toBe(`wasm (${threads})`);
    const different = Object.keys(expected).filter((name) => !sameBits(outputs, expected, name));
    expect(different).toEqual([]);
  });

  it("tells of a kernel that fails, in whichever thread", async () => {
    const x = f32([COUNT], Array.from({ length: COUNT }, (_, at) => (at === COUNT - 1 ? -1 : at)));
    await expect(browser.measureInBrowser(slow(20_000), "wasm", "forward", { x }, 1, { threads: 3 })).rejects.toMatchObject({ code: "SQ0709", message: expect.stringContaining("unreachable") as string });
  });
});

const sameBits = (actual: Tensors, expected: Tensors, name: string): boolean => {
  const [one, other] = [actual[name], expected[name]].map((tensor) => Buffer.from(Float32Array.from(tensor?.data ?? [], Number).buffer));
  return one !== undefined && other !== undefined && one.length > 0 && one.equals(other);
};
