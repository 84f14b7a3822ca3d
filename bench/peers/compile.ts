/** @file The two models that are compared, compiled by Subquad, and the tasks they make. */

import { readFileSync } from "node:fs";
import { compile } from "../../compiler/driver.ts";
import { optimizerOf } from "../../ir/optimizer-spec.ts";
import type { WasmBackend, WasmProgram } from "../../runtime/abi.ts";
import type { AttentionTask, Task, TrainingTask } from "./contract.ts";

export const ATTENTION = "bench/peers/attention.sq";
export const GPT_SMALL = "bench/gpt-small.sq";

/** `form` is how the gradient of attention is computed: `exact`, `sus:c=25`. */
const compiled = (file: string, dims: Readonly<Record<string, number>>, form: string, target: WasmBackend = "wasm") => {
  const result = compile({ file, text: readFileSync(file, "utf8"), dims, attentionBackward: form, target });
  if (result.program === null || !("wasm" in result.program)) throw new Error(`${file} did not become a WebAssembly program`);
  return { program: result.program, optimizer: optimizerOf(result.gradient) };
};

export const attentionTask = (length: number, seed: number): AttentionTask => ({ kind: "attention", heads: 4, length, width: 64, seed });

export const trainingTask = (length: number, seed: number): TrainingTask => {
  const { program: { parameters, dims }, optimizer } = compiled(GPT_SMALL, { T: length, B: 1 }, "exact");
  if (optimizer === null || typeof optimizer === "string" || optimizer.name !== "adamw") throw new Error(`${GPT_SMALL} is not trained by adamw`);
  return { kind: "training", length, layers: dims["L"] ?? 0, vocabulary: dims["V"] ?? 0, parameters, optimizer, seed };
};

/** Subquad's program for a task. */
export const programFor = (task: Task, form: string, target: WasmBackend): WasmProgram =>
  task.kind === "attention"
    ? compiled(ATTENTION, { H: task.heads, N: task.length, K: task.width }, form, target).program
    : compiled(GPT_SMALL, { T: task.length, B: 1 }, form, target).program;
