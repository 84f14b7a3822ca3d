/** @file The harness of `npm run bench:peers`, as far as it goes without the peers: what everyone is held against, the bytes of a
 *  graph, who takes part, what is printed. */

import { describe, expect, it } from "vitest";
import { attentionTask, ATTENTION, trainingTask } from "../bench/peers/compile.ts";
import type { AttentionTask } from "../bench/peers/contract.ts";
import { checkLosses, passes } from "../bench/peers/checks.ts";
import { attentionInputs, batchOf, startingParameters } from "../bench/peers/inputs.ts";
import type { Outcome } from "../bench/peers/measure.ts";
import { gradientModel } from "../bench/peers/onnx-attention.ts";
import { decodeProgram, encodeProgram } from "../bench/peers/program.ts";
import { text, whole } from "../bench/peers/protobuf.ts";
import { attentionByLoops, relativeError } from "../bench/peers/reference.ts";
import { printCase } from "../bench/peers/report.ts";
import { sidesFor } from "../bench/peers/sides.ts";
import { quotients } from "../bench/peers/statistics.ts";
import { quantile } from "../compiler/bench/statistics.ts";
import { readFileSync } from "node:fs";
import { compile } from "../compiler/driver.ts";
import { generateWasmProgram } from "../compiler/codegen/wasm/program.ts";
import { interpreterExecutable } from "../compiler/interpreter.ts";
import { f32 } from "../runtime/tensors.ts";

const SMALL: AttentionTask = { kind: "attention", heads: 2, length: 24, width: 8, seed: 3 };

const compileSmall = () => compile({ file: ATTENTION, text: readFileSync(ATTENTION, "utf8"), dims: { H: SMALL.heads, N: SMALL.length, K: SMALL.width }, target: "wasm" });

describe("what sides are held against", () => {
  it("is what the interpreter computes for bench/peers/attention.sq", async () => {
    const inputs = attentionInputs(SMALL);
    const tensors = Object.fromEntries(Object.entries(inputs).map(([name, data]) => [name, f32([1, SMALL.heads, SMALL.length, SMALL.width], data)]));
    const interpreter = interpreterExecutable(compileSmall().gradient);
    const [forward, gradient] = [await interpreter.run("forward", tensors), await interpreter.run("grad", tensors)];
    const given = { out: forward["result"], dq: gradient["grad.q"], dk: gradient["grad.k"], dv: gradient["grad.v"] };
    const size = SMALL.length * SMALL.width;
    for (let head = 0; head < SMALL.heads; head += 1) {
      const expected = attentionByLoops(SMALL, inputs, head);
      for (const [name, tensor] of Object.entries(given)) {
        const part = Float32Array.from(Array.from(tensor?.data ?? [], Number).slice(head * size, (head + 1) * size));
        expect(relativeError(part, expected[name as keyof typeof given]), `${name} of head ${head}`).toBeLessThan(1e-6);
      }
    }
  });

  it("does not pass what is not a number", () => {
    expect(relativeError(Float32Array.of(1, Number.NaN), Float64Array.of(1, 2))).toBeNaN();
    const [side] = sidesFor({ peers: ["jax"], forms: [], place: "auto", v8Flags: [], backend: "wasm" }, "training", 1);
    expect(passes(checkLosses(side!, [1, Number.NaN], [1, 2]))).toBe(false);
    expect(passes(checkLosses(side!, [1, 2], [1, 2.00009]))).toBe(true);
    expect(passes(checkLosses(side!, [1, 2], [1, 2.0002]))).toBe(false);
  });
});

describe("inputs", () => {
  it("of training are those of the model, and batches are text and the same shifted", () => {
    const task = trainingTask(32, 5);
    expect(task).toMatchObject({ layers: 4, vocabulary: 256, optimizer: { name: "adamw", clip: 1 } });
    const parameters = startingParameters(task);
    expect(Object.keys(parameters)).toEqual(task.parameters.map(({ name }) => name));
    const { tokens, targets } = batchOf(task, 7);
    expect([...tokens.slice(1)]).toEqual([...targets.slice(0, -1)]);
    expect(batchOf(task, 7)).toEqual({ tokens, targets });
    expect(batchOf(task, 8).tokens).not.toEqual(tokens);
  });

  it("a program survives being text", () => {
    const program = generateWasmProgram(compileSmall().module);
    expect(decodeProgram(encodeProgram(program))).toEqual({ ...program, wasm: new Uint8Array(program.wasm) });
  });
});

describe("protocol buffers", () => {
  it("are the examples of their specification", () => {
    expect([...whole(1, 150)]).toEqual([0x08, 0x96, 0x01]);
    expect([...text(2, "testing")]).toEqual([0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67]);
    expect([...whole(20, 2 ** 40)]).toEqual([0xa0, 0x01, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20]);
  });

  it("a graph is a model with an IR version, a graph and its operators' version", () => {
    const bytes = gradientModel(SMALL);
    const fields: number[] = [];
    for (let at = 0; at < bytes.length; ) {
      const [tag, next] = varint(bytes, at);
      const [value, after] = varint(bytes, next);
      fields.push(tag >> 3);
      at = (tag & 7) === 2 ? after + value : after;
    }
    expect(fields).toEqual([1, 7, 8]);
  });
});

const varint = (bytes: Uint8Array, from: number): readonly [value: number, next: number] => {
  let [value, scale, at] = [0, 1, from];
  for (; (bytes[at] as number) >= 128; at += 1, scale *= 128) value += ((bytes[at] as number) - 128) * scale;
  return [value + (bytes[at] as number) * scale, at + 1];
};

describe("sides", () => {
  it("are those that can do the task, each where it has its threads", () => {
    const all = { peers: ["jax", "ort", "subquad"], forms: ["exact", "sus:c=25"], place: "auto", v8Flags: [], backend: "wasm" } as const;
    const named = (kind: "attention" | "training", threads: number) => sidesFor(all, kind, threads).map(({ name, place }) => `${name} in ${place}`);
    expect(named("training", 1)).toEqual(["jax-js in node", "Subquad exact in node", "Subquad sus:c=25 in node"]);
    expect(named("attention", 2)).toEqual(["jax-js in chromium", "onnxruntime-web in node", "Subquad exact in node", "Subquad sus:c=25 in node"]);
  });
});

describe("the report", () => {
  it("quantiles lie between neighbours", () => {
    expect([0, 0.25, 0.5, 1].map((share) => quantile([4, 1, 2, 3], share))).toEqual([1, 1.75, 2.5, 4]);
    expect(quotients([6, 8], [2, 4])).toEqual([3, 2]);
  });

  it("has medians, quartiles and reasons, and ratios round by round of what both did", () => {
    const outcome = (name: string, form: string | null, more: Partial<Outcome>): Outcome =>
      ({ name, form, threads: 2, runtime: `${name} 1.0`, checks: [], rounds: {}, failures: {}, wrong: false, ...more });
    const outcomes = [
      outcome("peer", null, { rounds: { forward: [400, 100, 200] }, failures: { gradient: "RangeError: too large\nand more" } }),
      outcome("absent", null, { runtime: "", failures: { forward: "not installed", gradient: "not installed" } }),
      outcome("Subquad exact", "exact", { rounds: { forward: [40, 20, 50], gradient: [9.5, 9.25, 9] } }),
    ];
    expect(`\n${printCase(attentionTask(512, 1), 2, outcomes)}\n`).toBe(`
attention, 512 tokens, 2 threads
                     forward, ms   forward+backward, ms   what ran
peer               200 (150-300)                      -   peer 1.0; RangeError: too large
absent                         -                      -   not installed
Subquad exact   40.0 (30.0-45.0)       9.25 (9.13-9.38)   Subquad exact 1.0
Subquad exact is 5.00 times as fast as peer (4.50-7.50): forward
`);
  });
});
