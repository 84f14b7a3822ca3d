/** @file The parts of training by themselves: splits, batches, schedule, sampling choice, progress, files. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { InputPort, Tensors } from "../../runtime/abi.ts";
import { probeBackends } from "../../runtime/backends.ts";
import { writeAtomically } from "../../runtime/node/checkpoint.ts";
import { barLine, createProgressLine, duration } from "../../runtime/node/progress.ts";
import { readText } from "../../runtime/node/text.ts";
import { installWebGpu } from "../../runtime/node/webgpu.ts";
import { randomStream } from "../../runtime/random.ts";
import { choose } from "../../runtime/sample.ts";
import { batchShape, createBatcher } from "../../runtime/train/batch.ts";
import { createProgressMeter } from "../../runtime/train/progress.ts";
import { learningRate } from "../../runtime/train/schedule.ts";
import { splitText, textHash, unigramEntropy } from "../../runtime/train/text.ts";
import { entry, input } from "./programs.ts";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const lossOf = (...inputs: InputPort[]): ReturnType<typeof entry> => entry("loss", inputs, [], [], []);
const ids = (name: string, shape: readonly number[], below?: number): InputPort => input(name, 0, shape, { dtype: "i32", ...(below === undefined ? {} : { below }) });
const numbers = (tensors: Tensors, name: string): number[] => Array.from(tensors[name]?.data ?? [], Number);

describe("text", () => {
  it("the last tenth is held out", () => {
    const text = Uint8Array.from({ length: 1005 }, (_, at) => at % 256);
    const { training, heldOut } = splitText(text, 50);
    expect([training.length, heldOut.length]).toEqual([905, 100]);
    expect(heldOut[0]).toBe(905 % 256);
    expect(() => splitText(text, 101)).toThrow(/must hold one example of 101 bytes/);
  });

  it("entropy in nats; a hash that notices a change", () => {
    expect(unigramEntropy(encode("aabb"))).toBeCloseTo(Math.log(2), 12);
    expect(unigramEntropy(encode("aaaa"))).toBe(0);
    expect(unigramEntropy(encode("aaab"))).toBeCloseTo(-0.75 * Math.log(0.75) - 0.25 * Math.log(0.25), 12);
    expect(textHash(encode("abc"))).not.toBe(textHash(encode("abd")));
  });
});

describe("batches", () => {
  const text = Uint8Array.from({ length: 400 }, (_, at) => at % 200);

  it("next token: targets are tokens shifted by one, windows stay inside, only (seed, name) matter", () => {
    const loss = lossOf(ids("tokens", [3, 8], 256), ids("targets", [3, 8], 256));
    const shape = batchShape(loss);
    expect(shape).toMatchObject({ objective: "next", batch: 3, length: 8, window: 9, tokens: 24 });
    const batcher = createBatcher(loss, shape, text);
    for (let step = 0; step < 50; step += 1) {
      const batch = batcher(text, 1, `batch.${step}`);
      const [tokens, targets] = [numbers(batch, "tokens"), numbers(batch, "targets")];
      tokens.forEach((token, at) => expect(targets[at]).toBe((token + 1) % 200));
      expect(batcher(text, 1, `batch.${step}`)).toEqual(batch);
      expect(batcher(text, 2, `batch.${step}`)).not.toEqual(batch);
    }
    const shortest = batcher(text.subarray(0, 9), 1, "one window");
    expect(numbers(shortest, "tokens").slice(0, 8)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it("masked tokens: hidden ones are the targets, all else is ignored, padding lies behind the length", () => {
    const loss = lossOf(ids("tokens", [4, 20], 256), ids("lengths", [4]), ids("targets", [4, 20]));
    const batcher = createBatcher(loss, batchShape(loss), text);
    let [hidden, seen] = [0, 0];
    for (let step = 0; step < 200; step += 1) {
      const batch = batcher(text, 1, `${step}`);
      const [tokens, targets, lengths] = [numbers(batch, "tokens"), numbers(batch, "targets"), numbers(batch, "lengths")];
      lengths.forEach((length, row) => {
        expect(length).toBeGreaterThanOrEqual(10);
        expect(length).toBeLessThanOrEqual(20);
        const [own, goals] = [tokens.slice(row * 20, row * 20 + 20), targets.slice(row * 20, row * 20 + 20)];
        const plain = own.map((token, at) => (goals[at] === -1 ? token : (goals[at] as number)));
        plain.slice(1, length).forEach((token, at) => expect(token).toBe(((plain[at] as number) + 1) % 200));
        own.forEach((token, at) => expect(token === 255).toBe(goals[at] !== -1));
        expect(own.slice(length).every((token) => token === 0)).toBe(true);
        expect(goals.slice(0, length).some((goal) => goal !== -1)).toBe(true);
        hidden += goals.filter((goal) => goal !== -1).length;
        seen += length;
      });
    }
    expect(hidden / seen).toBeGreaterThan(0.17);
    expect(hidden / seen).toBeLessThan(0.24);
  });

  it("what cannot be fed is named, with what can", () => {
    const hint = expect.stringContaining("`lengths`: int[B]") as string;
    expect(() => batchShape(lossOf(ids("tokens", [1, 4]), ids("image", [1, 4])))).toThrow(expect.objectContaining({ code: "SQ0612", message: expect.stringContaining("`image`") as string, hint }) as Error);
    expect(() => batchShape(lossOf(ids("tokens", [1, 4])))).toThrow(/lacks `targets`/);
    expect(() => batchShape(lossOf(input("tokens", 0, [1, 4]), ids("targets", [1, 4])))).toThrow(/`tokens` is f32/);
    expect(() => batchShape(lossOf(ids("tokens", [1, 4]), ids("targets", [1, 5])))).toThrow(/`targets` is \[1, 5\]/);
    const small = lossOf(ids("tokens", [1, 4], 100), ids("targets", [1, 4], 100));
    expect(() => createBatcher(small, batchShape(small), text)).toThrow(/byte 199, the model knows 100/);
  });
});

describe("learning rate", () => {
  const schedule = { peak: 2, warmup: 10, steps: 110, floor: 0.1 };
  it("rises to the peak, falls by a cosine to the floor", () => {
    expect(learningRate(schedule, 1)).toBeCloseTo(0.2, 12);
    expect(learningRate(schedule, 10)).toBeCloseTo(2, 12);
    expect(learningRate(schedule, 60)).toBeCloseTo(1.1, 12);
    expect(learningRate(schedule, 110)).toBeCloseTo(0.2, 12);
    expect(learningRate({ ...schedule, warmup: 0, steps: 1 }, 1)).toBeCloseTo(0.2, 12);
  });
});

describe("choosing a byte", () => {
  const logits = Float64Array.of(0, 2, 1, -5);
  it("greedy, nearly greedy, among k, and in proportion", () => {
    expect(choose(logits, 0, 4, 0.99)).toBe(1);
    expect(choose(logits, 1e-3, 4, 0.999)).toBe(1);
    expect(choose(logits, 100, 1, 0.99)).toBe(1);
    const random = randomStream(1, "choose");
    const counts = [0, 0, 0, 0];
    for (let draw = 0; draw < 20_000; draw += 1) counts[choose(logits, 1, 3, random.uniform())]! += 1;
    const weights = [1, Math.exp(2), Math.exp(1)];
    const total = weights.reduce((a, b) => a + b, 0);
    weights.forEach((weight, byte) => expect(counts[byte]! / 20_000).toBeCloseTo(weight / total, 1.7));
    expect(counts[3]).toBe(0);
  });
});

describe("progress", () => {
  it("counts tokens and time from where the run began", () => {
    let clock = 0;
    const meter = createProgressMeter(20, 100, () => clock, 10);
    clock = 2;
    expect(meter.update({ step: 11, loss: 3 })).toMatchObject({ smoothedLoss: 3, tokensPerSecond: 50, secondsLeft: 18, heldOutLoss: null });
    clock = 4;
    const second = meter.update({ step: 12, loss: 1, heldOutLoss: 2.5 });
    expect(second.smoothedLoss).toBeCloseTo((0.95 * 3 + 1) / 1.95, 12);
    expect(second).toMatchObject({ secondsLeft: 16, heldOutLoss: 2.5 });
    expect(meter.update({ step: 13, loss: 1 }).heldOutLoss).toBe(2.5);
  });

  it("adds up where the time went, and says nothing where nobody knows", () => {
    const meter = createProgressMeter(20, 100, () => 1);
    const parts = (attention: number, attention_vjp: number, rest: number) => ({ attention, attention_vjp, rest });
    expect(meter.update({ step: 1, loss: 3 })).not.toHaveProperty("parts");
    expect(meter.update({ step: 2, loss: 3, seconds: parts(1, 2, 1) }).parts).toEqual(parts(0.25, 0.5, 0.25));
    expect(meter.update({ step: 3, loss: 3, seconds: parts(1, 0, 3) }).parts).toEqual(parts(0.25, 0.25, 0.5));
    expect(barLine({ ...state, parts: parts(0.25, 0.254, 0.496) }, 200)).toContain("1m 20s left  attention 25 % + 25 % of the time");
    expect(barLine({ ...state, parts: parts(0, 0, 1) }, 200)).not.toContain("attention");
  });

  const state = { step: 412, steps: 1000, loss: 2.2, smoothedLoss: 2.1034, tokensPerSecond: 18_300, secondsLeft: 80, heldOutLoss: 2.2 };
  it("one line that fits its terminal", () => {
    expect(barLine(state, 100)).toBe("step  412/1000  █████████░░░░░░░░░░░░░░  loss 2.1034  held out 2.2000  18.3k tokens/s  1m 20s left");
    for (const columns of [1, 20, 60, 79, 200]) expect(barLine(state, columns).length).toBeLessThan(Math.max(columns, 2));
    expect([45, 200, 7500].map(duration)).toEqual(["45s", "3m 20s", "2h 05m"]);
  });

  it("a terminal is redrawn, a pipe gets a line every five seconds and the last", () => {
    const shown = (isTTY: boolean): string => {
      let [text, clock] = ["", 0];
      const line = createProgressLine({ isTTY, columns: 40, write: (part) => (text += part) }, () => clock);
      for (let step = 1; step <= 12; step += 1) {
        line.show({ ...state, step, steps: 13 });
        clock += 1;
      }
      line.done();
      return text;
    };
    expect(shown(false).split("\n").map((line) => line.slice(0, 10))).toEqual(["step  1/13", "step  6/13", "step 11/13", "step 12/13", ""]);
    expect(shown(true).split("\r").length).toBe(13);
    expect(shown(true).trimEnd().includes("\n")).toBe(false);
  });
});

describe("files", () => {
  const folder = mkdtempSync(join(tmpdir(), "subquad-files-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const put = (name: string, text: string): void => {
    mkdirSync(join(folder, name, ".."), { recursive: true });
    writeFileSync(join(folder, name), text);
  };

  it("files, folders and patterns, sorted, each file once", () => {
    put("b.txt", "B");
    put("a/x.md", "X");
    put("a/deep/y.md", "Y");
    put("a/deep/z.d.ts", "Z");
    const read = (...paths: string[]): string => new TextDecoder().decode(readText(paths.map((path) => join(folder, path))));
    expect(read("b.txt")).toBe("B");
    expect(read("a")).toBe("Y\nZ\nX");
    expect(read("b.txt", "a/**/*.md", "a/x.md")).toBe("B\nY\nX");
    expect(read("a/*.md")).toBe("X");
    expect(read("**/*.{d.ts,txt}")).toBe("Z\nB");
    expect(read("a/deep/?.md")).toBe("Y");
    expect(() => read("a/*.pdf")).toThrow(/names no file/);
    expect(() => read("absent")).toThrow(expect.objectContaining({ code: "SQ0001" }) as Error);
  });

  it("writing where one cannot write is SQ0011", () => {
    expect(() => writeAtomically(join(folder, "no", "such", "folder"), Uint8Array.of(1))).toThrow(expect.objectContaining({ code: "SQ0011" }) as Error);
  });
});

describe("backends of this machine", () => {
  it("are all reported, absent ones with a reason and a way to get them", async () => {
    const reports = await probeBackends();
    expect(reports.map(({ name }) => name)).toEqual(["gpujs:webgpu", "gpujs:webgl2", "gpujs:headlessgl", "gpujs:webasm", "gpujs:cpu", "wasm", "wasm:wide", "wasm:relaxed"]);
    for (const { name, available, reason, hint } of reports) {
      expect(reason, name).not.toBe("");
      expect(hint === "", name).toBe(available);
    }
    expect(reports.filter(({ available }) => available).map(({ name }) => name)).toEqual(expect.arrayContaining(["gpujs:webasm", "gpujs:cpu", "wasm"]));
  });

  it("npm's empty stand-in for `webgpu` counts as absent", async () => {
    const stub = (await import("webgpu" as string)) as { create?: unknown };
    if (stub.create !== undefined) return;
    await expect(installWebGpu()).rejects.toMatchObject({ code: "SQ0702", message: expect.stringContaining("not installed") });
  });
});
