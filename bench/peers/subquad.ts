/** @file The adapter of Subquad itself: a compiled program on the backend `wasm`, called as any user would call it. Inputs go in
 *  and results come out by copying at every call, but for what a training run keeps with the backend. */

import type { Executable, Tensors, WasmProgram } from "../../runtime/abi.ts";
import { createExecutable } from "../../runtime/backends.ts";
import { initialState } from "../../runtime/parameters.ts";
import { keyFor } from "../../runtime/random.ts";
import { f32, i32, scalar, scalarValue } from "../../runtime/tensors.ts";
import type { AttentionTask, Open, Session, TrainingTask } from "./contract.ts";
import { attentionInputs, batchOf, startingParameters } from "./inputs.ts";
import { decodeProgram } from "./program.ts";

/** The key of a step for an entry that draws; nothing for one that does not. */
const keyOf = (program: WasmProgram, entry: string, seed: number, step: number): Tensors =>
  program.entries[entry]?.inputs.some(({ role }) => role === "key") === true ? { key: i32([4], keyFor(seed, step)) } : {};

const openAttention = (task: AttentionTask, program: WasmProgram, executable: Executable): Session => {
  const shape = [1, task.heads, task.length, task.width];
  const inputs = Object.fromEntries(Object.entries(attentionInputs(task)).map(([name, data]) => [name, f32(shape, data)]));
  let calls = 0;
  const forward = (): Promise<Tensors> => executable.run("forward", inputs);
  const gradient = (): Promise<Tensors> => executable.run("grad", { ...inputs, ...keyOf(program, "grad", task.seed, calls++) });
  return {
    runtime: `Subquad (${executable.backend})`,
    run: async (action) => {
      await (action === "forward" ? forward() : gradient());
      return 0;
    },
    results: async (action) => {
      const outputs = action === "forward" ? await forward() : await gradient();
      const named = action === "forward" ? { out: "result" } : { dq: "grad.q", dk: "grad.k", dv: "grad.v" };
      return Object.fromEntries(Object.entries(named).map(([name, output]) => [name, outputs[output]?.data as Float32Array]));
    },
  };
};

type Step = (inputs: Tensors) => Promise<Tensors>;

/** Steps whose parameters and optimizer state stay with the backend, or travel where it cannot keep them. */
const stepper = async (start: Tensors, executable: Executable): Promise<Step> => {
  const kept = await executable.keep?.(start);
  if (kept !== undefined) return (inputs) => kept.run("step", inputs);
  let state = start;
  return async (inputs) => {
    const outputs = await executable.run("step", { ...state, ...inputs });
    state = Object.fromEntries(Object.keys(state).map((name) => [name, outputs[name] as Tensors[string]]));
    return outputs;
  };
};

const openTraining = async (task: TrainingTask, program: WasmProgram, executable: Executable): Promise<Session> => {
  const step = await stepper({ ...startingParameters(task), ...initialState(program) }, executable);
  let done = 0;
  return {
    runtime: `Subquad (${executable.backend})`,
    run: async () => {
      const { tokens, targets } = batchOf(task, done);
      const shape = [1, task.length];
      const key = keyOf(program, "step", task.seed, done);
      done += 1;
      const { loss } = await step({ tokens: i32(shape, tokens), targets: i32(shape, targets), lr: scalar(task.optimizer.lr), step: scalar(done), ...key });
      return loss === undefined ? Number.NaN : scalarValue(loss);
    },
    results: async () => ({}),
  };
};

export const openSubquad: Open = async (task, { threads, program: text, backend }) => {
  if (text === null || backend === null) throw new Error("Subquad's adapter needs a program");
  const program = decodeProgram(text);
  const executable = await createExecutable(program, backend, { threads });
  return task.kind === "attention" ? openAttention(task, program, executable) : openTraining(task, program, executable);
};
