/** @file The adapter of jax-js (`@jax-js/jax`): NumPy and JAX in JavaScript, kernels in WebAssembly. It takes its threads from the
 *  `Worker` of a browser, one for every processor it is told of; Node has none, so there it runs on one thread. */

import type { HostTensor } from "../../runtime/abi.ts";
import type { Action, Arrays, AttentionTask, Open, Session, Setting, TrainingTask } from "./contract.ts";
import { attentionInputs, batchOf, startingParameters } from "./inputs.ts";
import type { Jax, JaxArray, JaxTree } from "./jax-api.ts";
import { trainingStep, type JaxState } from "./jax-training.ts";
import { importPeer, versionOf } from "./packages.ts";

const NAME = "@jax-js/jax";

/** Before the package is loaded: the number of processors it sees is the number of its workers. */
const limitThreads = (threads: number): void => {
  if (typeof Worker === "undefined" && threads > 1) throw new Error("jax-js has no threads in Node: run it in a page");
  if (typeof document !== "undefined") Object.defineProperty(navigator, "hardwareConcurrency", { value: threads });
};

const load = async (setting: Setting): Promise<{ readonly jax: Jax; readonly runtime: string }> => {
  limitThreads(setting.threads);
  const jax = await importPeer<Jax>(setting, NAME, "dist/index.js");
  const devices = await jax.init("wasm");
  if (!devices.includes("wasm")) throw new Error(`jax-js has no wasm here, only ${devices.join(", ")}`);
  jax.defaultDevice("wasm");
  return { jax, runtime: `jax-js ${await versionOf(setting, NAME)} (wasm)` };
};

/** [heads, length, width] to [length, heads, width], which its attention takes, and back. */
const exchange = (x: Float32Array, outer: number, inner: number, width: number): Float32Array => {
  const y = new Float32Array(x.length);
  for (let i = 0; i < outer; i += 1)
    for (let j = 0; j < inner; j += 1) y.set(x.subarray((i * inner + j) * width, (i * inner + j + 1) * width), (j * outer + i) * width);
  return y;
};

const openAttention = async (task: AttentionTask, setting: Setting): Promise<Session> => {
  const { jax, runtime } = await load(setting);
  const { numpy: np, nn, tree } = jax;
  const { heads, length, width } = task;
  const inputs = attentionInputs(task);
  const given = ["q", "k", "v", "r"].map((name) => np.array(exchange(inputs[name] as Float32Array, heads, length, width), { shape: [length, heads, width], dtype: np.float32 }));
  const [q, k, v, r] = given as [JaxArray, JaxArray, JaxArray, JaxArray];
  const attend = (a: JaxArray, b: JaxArray, c: JaxArray): JaxArray => nn.dotProductAttention(a, b, c, { isCausal: true });
  const forward = jax.jit(attend);
  const lossOf = (a: JaxArray, b: JaxArray, c: JaxArray, d: JaxArray): JaxArray => np.sum(attend(a, b, c).mul(d));
  const gradient = jax.jit(jax.valueAndGrad<[JaxArray, JaxArray, JaxArray, JaxArray], readonly JaxArray[]>(lossOf, { argnums: [0, 1, 2] }));
  const start = (action: Action) => (action === "forward" ? forward(q.ref, k.ref, v.ref) : gradient(q.ref, k.ref, v.ref, r.ref));
  const fetch = async (x: JaxArray): Promise<Float32Array> => exchange(Float32Array.from(await x.data()), length, heads, width);
  return {
    runtime,
    run: async (action) => {
      tree.dispose(await jax.blockUntilReady(start(action)));
      return 0;
    },
    results: async (action): Promise<Arrays> => {
      if (action === "forward") return { out: await fetch(forward(q.ref, k.ref, v.ref)) };
      const [, [dq, dk, dv]] = gradient(q.ref, k.ref, v.ref, r.ref) as readonly [JaxArray, readonly [JaxArray, JaxArray, JaxArray]];
      return { dq: await fetch(dq), dk: await fetch(dk), dv: await fetch(dv) };
    },
  };
};

const openTraining = async (task: TrainingTask, setting: Setting): Promise<Session> => {
  const { jax, runtime } = await load(setting);
  const { numpy: np } = jax;
  const scalar = (value: number): JaxArray => np.array([value], { dtype: np.float32, shape: [] });
  const treeOf = (data: (tensor: HostTensor) => Float32Array): JaxTree =>
    Object.fromEntries(Object.entries(startingParameters(task)).map(([name, tensor]) => [name, np.array(data(tensor), { shape: tensor.shape, dtype: np.float32 })]));
  const own = treeOf(({ data }) => data as Float32Array);
  const nothing = (): JaxTree => treeOf(({ data }) => new Float32Array(data.length));
  const step = trainingStep(jax, task);
  const [beta1, beta2] = task.optimizer.betas;
  let state: JaxState = { p: own, m: nothing(), v: nothing() };
  let done = 0;
  return {
    runtime,
    run: async () => {
      const { tokens, targets } = batchOf(task, done);
      done += 1;
      const [x, y] = [tokens, targets].map((data) => np.array(data, { dtype: np.int32 })) as [JaxArray, JaxArray];
      const [loss, next] = step(state, x, y, scalar(1 - beta1 ** done), scalar(1 - beta2 ** done));
      state = await jax.blockUntilReady(next);
      return (await loss.data())[0] ?? Number.NaN;
    },
    results: async () => ({}),
  };
};

export const openJax: Open = (task, setting) => (task.kind === "attention" ? openAttention(task, setting) : openTraining(task, setting));
