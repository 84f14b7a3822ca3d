/** @file Compiled models learn: every example for a few steps, alike on two backends; dropout; resuming to the bit. */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { createBackend, programOf } from "../../compiler/node/execute.ts";
import { compile } from "../../compiler/node/compile.ts";
import { train, type TrainFiles, type TrainOutcome, type TrainWatcher } from "../../runtime/node/train.ts";
import type { TrainOptions } from "../../runtime/train/loop.ts";
import { plainText } from "../runtime/bigram.ts";
import { EXAMPLES, normOf, report, ZOO, type ModelCase } from "./support.ts";

const text = plainText(3000);
const SMALL = { B: 2, T: 8, D: 12, V: 257, L: 1 };

const trainable = (model: ModelCase): ModelCase => ({ ...model, dims: { ...model.dims, ...SMALL } });

const trained = async (
  model: ModelCase, backend: string, options: TrainOptions, files: TrainFiles = {}, watcher: TrainWatcher = {},
): Promise<TrainOutcome & { readonly losses: readonly number[] }> => {
  const compiled = await compile({ file: model.file, dims: model.dims });
  const executable = await createBackend(compiled, backend);
  const losses: number[] = [];
  const onProgress: NonNullable<TrainWatcher["onProgress"]> = (progress, event) => {
    losses.push(event.loss);
    watcher.onProgress?.(progress, event);
  };
  try {
    return { ...(await train(programOf(compiled), executable, text, options, files, { ...watcher, onProgress })), losses };
  } finally {
    executable.destroy();
  }
};

const observed: string[] = [];
afterAll(() => report(observed));

describe.each(EXAMPLES.map(trainable))("$name", (model) => {
  it("learns in ten steps, the same on gpujs:webasm and gpujs:cpu", async () => {
    const learningRate = model.name === "window" ? 1 : 1e-2;
    const options = { steps: 10, seed: 3, warmup: 1, learningRate, evaluateEvery: 10, evaluationBatches: 1 };
    const [fast, plain] = [await trained(model, "gpujs:webasm", options), await trained(model, "gpujs:cpu", options)];
    const [first = 0, last = Infinity] = [fast.losses[0], fast.heldOutLoss ?? Infinity];
    const apart = fast.losses.map((loss, at) => Math.abs(loss - (plain.losses[at] ?? Number.NaN)));
    observed.push(`${model.name}: ${first.toFixed(3)} to ${last.toFixed(3)}, at most ${Math.max(...apart).toExponential(1)} apart`);
    expect(last).toBeLessThan(first - 0.1);
    expect(fast.losses).toHaveLength(10);
    expect(Math.max(...apart)).toBeLessThanOrEqual(1e-4 * first);
  });
});

describe("dropout", () => {
  const noisy = ZOO.find(({ name }) => name === "noisy");
  if (noisy === undefined) throw new Error("no model with dropout");
  const model = trainable(noisy);
  const options = { steps: 6, seed: 5, warmup: 1, learningRate: 1e-2, evaluateEvery: 6, evaluationBatches: 1 };

  it("trains, with other noise for another seed and none in evaluation", async () => {
    const [one, again] = [await trained(model, "gpujs:webasm", options), await trained(model, "gpujs:webasm", options)];
    expect(one.heldOutLoss).toBeLessThan(one.losses[0] ?? 0);
    expect(again.losses).toEqual(one.losses);
    const gradient = await compile({ file: model.file, dims: model.dims });
    const takesKey = (name: string): boolean => programOf(gradient).entries[name]?.inputs.some(({ role }) => role === "key") ?? false;
    expect(["forward", "loss", "train_loss", "grad", "step"].map(takesKey)).toEqual([false, false, true, true, true]);
  });

  it("draws the same noise on every backend", async () => {
    const [fast, plain] = [await trained(model, "gpujs:webasm", options), await trained(model, "gpujs:cpu", options)];
    const difference = fast.losses.map((loss, at) => loss - (plain.losses[at] ?? Number.NaN));
    expect(normOf(difference)).toBeLessThanOrEqual(1e-4 * normOf(plain.losses));
  });
});

describe("resuming", () => {
  let folder = "";
  beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "subquad-models-"))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const bert = EXAMPLES.find(({ name }) => name === "bert");
  if (bert === undefined) throw new Error("no example with dropout");

  it.each(["gpujs:webasm", "gpujs:cpu"])("%s: a model with dropout goes on to the bit", async (backend) => {
    const model = trainable(bert);
    const options = { steps: 8, seed: 11, warmup: 2, evaluateEvery: 4, evaluationBatches: 1 };
    const whole = await trained(model, backend, options, { save: join(folder, "whole") });
    const files = { save: join(folder, "parts"), saveEvery: 3 };
    const stop = new AbortController();
    const part = await trained(model, backend, options, files, { signal: stop.signal, onProgress: ({ step }) => step === 5 && stop.abort() });
    const rest = await trained(model, backend, options, { ...files, resume: true });
    expect([...part.losses, ...rest.losses]).toEqual(whole.losses);
    expect(readFileSync(files.save).equals(readFileSync(join(folder, "whole")))).toBe(true);
  });
});
