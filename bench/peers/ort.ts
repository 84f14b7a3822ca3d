/** @file The adapter of ONNX Runtime for the web (`onnxruntime-web`) on WebAssembly. It has no derivatives and does not train:
 *  attention's gradient is a graph of ours (`onnx-attention.ts`). */

import type { Action, AttentionTask, Open } from "./contract.ts";
import { attentionInputs } from "./inputs.ts";
import { forwardModel, gradientModel } from "./onnx-attention.ts";
import { importPeer, versionOf } from "./packages.ts";

const NAME = "onnxruntime-web";

interface OrtTensor {
  readonly data: Float32Array;
}

type Feeds = Readonly<Record<string, OrtTensor>>;

interface OrtSession {
  readonly inputNames: readonly string[];
  run(feeds: Feeds): Promise<Feeds>;
}

interface Ort {
  readonly env: { readonly wasm: { numThreads?: number; wasmPaths?: string } };
  readonly Tensor: new (type: "float32", data: Float32Array, dims: readonly number[]) => OrtTensor;
  readonly InferenceSession: { create(model: Uint8Array, options: { readonly executionProviders: readonly string[]; readonly graphOptimizationLevel: "all" }): Promise<OrtSession> };
}

export const openOrt: Open = async (task, setting) => {
  if (task.kind !== "attention") throw new Error("onnxruntime-web does not train");
  const inPage = typeof document !== "undefined";
  const ort = await importPeer<Ort>(setting, NAME, inPage ? "dist/ort.wasm.min.mjs" : "dist/ort.node.min.mjs");
  ort.env.wasm.numThreads = setting.threads;
  if (inPage) ort.env.wasm.wasmPaths = `${setting.packages}${NAME}/dist/`;
  const tensors = tensorsOf(task, ort);
  const run = sessionsFor(task, ort, tensors);
  return {
    runtime: `onnxruntime-web ${await versionOf(setting, NAME)} (wasm)`,
    run: async (action) => {
      await run(action);
      return 0;
    },
    results: async (action) => {
      const outputs = await run(action);
      return Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [name, data]));
    },
  };
};

const tensorsOf = (task: AttentionTask, { Tensor }: Ort): Feeds =>
  Object.fromEntries(Object.entries(attentionInputs(task)).map(([name, data]) => [name, new Tensor("float32", data, [task.heads, task.length, task.width])]));

/** A session for an action is made when it first runs, which is never timed, and stays. */
const sessionsFor = (task: AttentionTask, { InferenceSession }: Ort, tensors: Feeds) => {
  const open = new Map<Action, OrtSession>();
  const create = async (action: Action): Promise<OrtSession> => {
    const model = (action === "forward" ? forwardModel : gradientModel)(task);
    const session = await InferenceSession.create(model, { executionProviders: ["wasm"], graphOptimizationLevel: "all" });
    open.set(action, session);
    return session;
  };
  return async (action: Action): Promise<Feeds> => {
    const session = open.get(action) ?? (await create(action));
    return session.run(Object.fromEntries(session.inputNames.map((name) => [name, tensors[name] as OrtTensor])));
  };
};
