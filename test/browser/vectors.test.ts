/** @file V8 told to make vectors of 256 bits, in Chromium: the numbers are those of Node to the bit, for every form of attention's
 *  gradient. What V8 does then is experimental; this says whether it is right about our kernels. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compile, programFor } from "../../compiler/driver.ts";
import { completeInputs } from "../../compiler/node/run.ts";
import { createExecutable } from "../../runtime/backends.ts";
import { ROOT } from "../tools.ts";
import { browserMissing, openBrowser, type BrowserSession } from "./harness.ts";

const missing = browserMissing();
/** Calls of an entry point: V8 makes such vectors only of functions that are called often enough. */
const RUNS = 12;

const CASES: readonly (readonly [model: string, policy: string])[] = [
  ["gpt", "exact"],
  ["gpt", "sus:c=4"],
  ["gpt", "lowrank:degree=2,guard=1"],
  ["llama", "hybrid:c=2,degree=2"],
  ["bert", "exact"],
];

describe.skipIf(missing !== null)("wide vectors", () => {
  let browser: BrowserSession;
  beforeAll(async () => void (browser = await openBrowser({ v8Flags: "--experimental-wasm-revectorize" })));
  afterAll(() => browser.close());

  it.each(CASES)("%s, %s", async (model, attentionBackward) => {
    const compiled = compile({ file: `${model}.sq`, text: readFileSync(join(ROOT, `examples/${model}.sq`), "utf8"), target: "wasm", attentionBackward });
    const program = programFor(compiled, "wasm");
    const entry = program?.entries["grad"];
    if (program === null || entry === undefined) throw new Error("no gradient");
    const inputs = completeInputs(program, entry, undefined, 3).all;
    const node = await createExecutable(program, "wasm");
    const expected = await node.run("grad", inputs);
    node.destroy();
    const { outputs } = await browser.measureInBrowser(program, "wasm", "grad", inputs, RUNS);
    const bits = (data: Iterable<number | bigint>): Buffer => Buffer.from(Float32Array.from(data as Iterable<number>, Number).buffer);
    const names = Object.keys(expected);
    expect(names.length).toBeGreaterThan(3);
    expect(names.filter((name) => !bits(outputs[name]?.data ?? []).equals(bits(expected[name]?.data ?? [])))).toEqual([]);
  });
});
