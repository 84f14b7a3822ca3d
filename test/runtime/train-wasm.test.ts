/** @file Training where the state stays in memory: the run is the one that copies it, to the bit; checkpoints and logs come out of
 *  it as ever; and memory stays flat. */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compile, programFor } from "../../compiler/driver.ts";
import type { Executable, WasmProgram } from "../../runtime/abi.ts";
import { createExecutable } from "../../runtime/backends.ts";
import { readBytes } from "../../runtime/node/checkpoint.ts";
import { train } from "../../runtime/node/train.ts";
import { prepareTraining, type StepEvent } from "../../runtime/train/loop.ts";
import { decodeCheckpoint, startState, type TrainState } from "../../runtime/train/state.ts";
import { plainText } from "./bigram.ts";

const text = plainText(2000);
const options = { steps: 6, seed: 7, evaluateEvery: 3, evaluationBatches: 2 };
const folder = mkdtempSync(join(tmpdir(), "subquad-wasm-"));
let program: WasmProgram;
let executable: Executable;

beforeAll(async () => {
  const source = readFileSync(fileURLToPath(new URL("../../examples/gpt.sq", import.meta.url)), "utf8");
  const made = programFor(compile({ file: "gpt.sq", text: source, target: "wasm", dims: { B: 2, T: 32 } }), "wasm");
  if (made === null) throw new Error("no program");
  program = made;
  executable = await createExecutable(program, "wasm", { threads: 2, shareFrom: 0 });
});
afterAll(() => {
  executable.destroy();
  rmSync(folder, { recursive: true, force: true });
});

/** The same without a memory of its own for state. */
const copying = (): Executable => ({ backend: executable.backend, run: executable.run, destroy: () => {} });

const eventsOf = async (on: Executable): Promise<{ readonly facts: unknown[]; readonly states: TrainState[] }> => {
  const [facts, states]: [unknown[], TrainState[]] = [[], []];
  for await (const { state, seconds, ...rest } of prepareTraining(program, on, text, options).run(startState(program, 1))) {
    expect(seconds === undefined).toBe(on.spent === undefined);
    facts.push(rest);
    states.push(state());
  }
  return { facts, states };
};

describe("a run that keeps its state in memory", () => {
  it("is the one that copies it", async () => {
    const [kept, copied] = [await eventsOf(executable), await eventsOf(copying())];
    expect(kept.facts).toEqual(copied.facts);
    expect(kept.states).toEqual(copied.states);
    expect(kept.facts.length).toBe(options.steps);
  });

  it("gives the state until the next step, and no later", async () => {
    let last: StepEvent | null = null;
    for await (const event of prepareTraining(program, executable, text, options).run(startState(program, 1))) {
      if (last !== null) expect(() => last?.state()).toThrow(`the state after step ${event.step - 1} is asked for`);
      last = event;
    }
    expect(last?.state()).toBe(last?.state());
  });

  it("saves, resumes and logs where the time went", async () => {
    const files = { save: join(folder, "ck"), log: join(folder, "log.jsonl"), saveEvery: 2 };
    const whole = await train(program, executable, text, options);
    const stop = new AbortController();
    await train(program, executable, text, options, files, { signal: stop.signal, onProgress: ({ step }) => step === 4 && stop.abort() });
    const resumed = await train(program, executable, text, options, { ...files, resume: true });
    expect(resumed.state).toEqual(whole.state);
    expect(decodeCheckpoint(program, readBytes(files.save)).state).toEqual(whole.state);
    const lines = readFileSync(files.log, "utf8").trim().split("\n").map((line) => JSON.parse(line) as { readonly parts: Readonly<Record<string, number>> });
    expect(lines.length).toBe(options.steps);
    for (const { parts } of lines) {
      expect(Object.keys(parts).sort()).toEqual(["attention", "attention_vjp", "rest"]);
      expect(Object.values(parts).reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 3);
    }
  });

  it("takes the memory of its first steps to its last", async () => {
    const steps = 120;
    const rss: number[] = [];
    for await (const { step } of prepareTraining(program, executable, text, { steps, seed: 1, evaluateEvery: steps }).run(startState(program, 1))) rss[step] = process.memoryUsage().rss;
    expect(Math.max(...rss.slice(steps - 30)) / Math.max(...rss.slice(20, 51))).toBeLessThan(1.05);
  });
});
