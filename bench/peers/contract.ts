/** @file What a peer does to be compared: it opens a task, runs its actions when asked, and shows its numbers. An adapter is
 *  one function; it runs in Node and in a page, so it touches neither files nor the process.
 *
 *  Tasks say everything that a side has to agree on with the others: the same seed gives the same inputs (`inputs.ts`). */

import type { ParameterSpec } from "../../runtime/abi.ts";
import type { Adamw } from "../../ir/optimizer-spec.ts";

/** Causal softmax attention of q, k, v and the gradient of sum(out · r), every tensor [heads, length, width]. */
export interface AttentionTask {
  readonly kind: "attention";
  readonly heads: number;
  readonly length: number;
  readonly width: number;
  readonly seed: number;
}

/** Training steps of `bench/gpt-small.sq`, one sequence a step; parameters and optimizer are those of the compiled model. */
export interface TrainingTask {
  readonly kind: "training";
  readonly length: number;
  readonly layers: number;
  readonly vocabulary: number;
  readonly parameters: readonly ParameterSpec[];
  readonly optimizer: Adamw;
  readonly seed: number;
}

export type Task = AttentionTask | TrainingTask;

/** `forward`: out. `gradient`: out or the loss of it, and dq, dk, dv. `step`: a training step on the next batch. */
export type Action = "forward" | "gradient" | "step";

export interface Setting {
  readonly threads: number;
  /** Where the packages of `bench/peers/package.json` are: a URL that ends in `node_modules/`. */
  readonly packages: string;
  /** For Subquad: a compiled program in the text form of `program.ts`, and the backend that runs it. */
  readonly program: string | null;
  readonly backend: string | null;
}

/** Arrays by name, laid out as the task says. */
export type Arrays = Readonly<Record<string, Float32Array>>;

export interface Session {
  /** What really runs, with its version: `jax-js 0.1.25 (wasm)`. */
  readonly runtime: string;
  /** Runs to the end, nothing left in flight. The loss of a step; anything else returns 0. */
  run(action: Action): Promise<number>;
  /** Attention only: out of `forward`; dq, dk, dv of `gradient`. */
  results(action: Action): Promise<Arrays>;
}

export type Open = (task: Task, setting: Setting) => Promise<Session>;

/** Of every action that a task has, in the order in which they are timed. */
export const ACTIONS: Readonly<Record<Task["kind"], readonly Action[]>> = { attention: ["forward", "gradient"], training: ["step"] };
