/** @file Training by hand-written program: it learns, it resumes to the bit, it keeps what it promises about files. */

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createExecutable } from "../../runtime/backends.ts";
import { readBytes } from "../../runtime/node/checkpoint.ts";
import { train } from "../../runtime/node/train.ts";
import { writeSafetensors } from "../../runtime/safetensors.ts";
import { sample } from "../../runtime/sample.ts";
import { decodeCheckpoint, decodeParameters } from "../../runtime/train/state.ts";
import { unigramEntropy } from "../../runtime/train/text.ts";
import { bigram, plainText } from "./bigram.ts";

const program = bigram();
const text = plainText(3000);
let folder = "";
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "subquad-train-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Line {
  readonly step: number;
  readonly loss: number;
  readonly held_out_loss?: number;
  readonly gradient_norm: number;
}
const logOf = (name: string): Line[] => readFileSync(join(folder, name), "utf8").trim().split("\n").map((line) => JSON.parse(line) as Line);
const losses = (name: string): unknown[] => logOf(name).map(({ step, loss, held_out_loss, gradient_norm }) => [step, loss, held_out_loss, gradient_norm]);
const options = { steps: 30, seed: 7, warmup: 3, evaluateEvery: 10, evaluationBatches: 2 };

describe.each(["gpujs:cpu", "gpujs:webasm"])("%s", (backend) => {
  it("learns more than byte frequencies, and samples what it learned", async () => {
    const executable = await createExecutable(program, backend);
    const outcome = await train(program, executable, text, { ...options, steps: 150, evaluateEvery: 150 });
    expect(outcome.plan.unigramEntropy).toBeCloseTo(unigramEntropy(text), 12);
    expect(outcome.heldOutLoss).toBeLessThan(outcome.plan.unigramEntropy - 0.5);
    const bytes: number[] = [];
    const start = new TextEncoder().encode("the ");
    for await (const byte of sample(program, executable, outcome.state.parameters, start, { bytes: 40, seed: 1, topK: 3 })) bytes.push(byte);
    const known = new Set(text);
    expect(bytes.every((byte) => known.has(byte))).toBe(true);
    executable.destroy();
  });

  it("resumes bit for bit: interrupted anywhere, the losses and the end are those of an uninterrupted run", async () => {
    const whole = await createExecutable(program, backend);
    await train(program, whole, text, options, { save: join(folder, "whole"), log: join(folder, "whole.jsonl") });
    whole.destroy();
    const files = { save: join(folder, "parts"), log: join(folder, "parts.jsonl"), saveEvery: 4 };
    for (const [at, stopAfter] of [5, 13, 14, 99].entries()) {
      const executable = await createExecutable(program, backend);
      const stop = new AbortController();
      const watcher = { signal: stop.signal, onProgress: ({ step }: { step: number }) => step >= stopAfter && stop.abort() };
      const outcome = await train(program, executable, text, options, { ...files, resume: at > 0 }, watcher);
      expect(outcome.stopped).toBe(stopAfter < options.steps);
      executable.destroy();
    }
    expect(losses("parts.jsonl")).toEqual(losses("whole.jsonl"));
    expect(losses("whole.jsonl").length).toBe(options.steps);
    expect(readBytes(files.save)).toEqual(readBytes(join(folder, "whole")));
  });
});

describe("files of a run", () => {
  it("the log is cut to the checkpoint when the run was killed beyond it, torn last line included", async () => {
    const executable = await createExecutable(program, "gpujs:cpu");
    const files = { save: join(folder, "ck"), log: join(folder, "log.jsonl"), saveEvery: 10 };
    await train(program, executable, text, options, { log: join(folder, "whole.jsonl") });
    const stop = new AbortController();
    await train(program, executable, text, options, files, { signal: stop.signal, onProgress: ({ step }) => step === 10 && stop.abort() });
    const log = readFileSync(files.log, "utf8");
    writeFileSync(files.log, `${log}{"step":11,"loss":1}\n{"step":12,"lo`);
    await train(program, executable, text, options, { ...files, resume: true });
    expect(losses("log.jsonl")).toEqual(losses("whole.jsonl"));
    expect(readdirSync(folder).sort()).toEqual(["ck", "log.jsonl", "whole.jsonl"]);
    executable.destroy();
  });

  it("refuses to resume from other settings, another model, or nothing", async () => {
    const executable = await createExecutable(program, "gpujs:cpu");
    const files = { save: join(folder, "ck") };
    const short = { ...options, steps: 2 };
    await train(program, executable, text, short, files);
    const again = (changed: Partial<typeof options>, on = program): Promise<unknown> => train(on, executable, text, { ...short, ...changed }, { ...files, resume: true });
    await expect(again({ seed: 8 })).rejects.toMatchObject({ code: "SQ0606", message: expect.stringContaining("seed was 7, is 8") });
    const other = { ...program, parameters: program.parameters.map((each) => ({ ...each, shape: [128, 64] })) };
    await expect(again({}, other)).rejects.toMatchObject({ code: "SQ0605", message: expect.stringContaining("shape [128, 128]") });
    const absent = { save: join(folder, "none"), resume: true };
    await expect(train(program, executable, text, short, absent)).rejects.toMatchObject({ code: "SQ0001" });
    executable.destroy();
  });

  it("a checkpoint gives parameters to whoever wants them; other files are told apart", async () => {
    const executable = await createExecutable(program, "gpujs:cpu");
    const { state } = await train(program, executable, text, { ...options, steps: 2 }, { save: join(folder, "ck") });
    const bytes = readBytes(join(folder, "ck"));
    expect(decodeParameters(program, bytes)).toEqual(state.parameters);
    expect(decodeCheckpoint(program, bytes).state).toEqual(state);
    const plain = writeSafetensors(state.parameters);
    expect(decodeParameters(program, plain)).toEqual(state.parameters);
    expect(() => decodeCheckpoint(program, plain)).toThrow(/not a training checkpoint/);
    expect(() => decodeParameters(program, writeSafetensors({}))).toThrow(/lacks `table`/);
    executable.destroy();
  });

  it("a loss that is not finite ends the run and keeps the last checkpoint", async () => {
    const executable = await createExecutable(program, "gpujs:cpu");
    const files = { save: join(folder, "ck"), saveEvery: 1 };
    const wild = { ...options, learningRate: 1e39, warmup: 0, floor: 1 };
    await expect(train(program, executable, text, wild, files)).rejects.toMatchObject({ code: "SQ0610" });
    expect(decodeCheckpoint(program, readBytes(files.save)).state.step).toBeGreaterThan(0);
    executable.destroy();
  });
});
