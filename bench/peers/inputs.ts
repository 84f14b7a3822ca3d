/** @file The inputs of every side, from a seed alone. */

import type { Tensors } from "../../runtime/abi.ts";
import { initialParameters } from "../../runtime/parameters.ts";
import { randomStream } from "../../runtime/random.ts";
import type { Arrays, AttentionTask, TrainingTask } from "./contract.ts";

/** Standard normal q, k, v and r, each [heads, length, width]. */
export const attentionInputs = ({ heads, length, width, seed }: AttentionTask): Arrays =>
  Object.fromEntries(["q", "k", "v", "r"].map((name) => {
    const stream = randomStream(seed, name);
    return [name, Float32Array.from({ length: heads * length * width }, () => stream.normal())];
  }));

export const startingParameters = (task: TrainingTask): Tensors => initialParameters(task, task.seed);

export interface Batch {
  readonly tokens: Int32Array;
  readonly targets: Int32Array;
}

/** Of eight tokens one is any, the others follow from the one before: there is something to learn, and losses fall. */
const NOISE = 1 / 8;
const [FACTOR, OFFSET] = [77, 13];

/** The batch of a step, counted from 0: a stretch of text and the same shifted by one token. */
export const batchOf = ({ length, vocabulary, seed }: TrainingTask, step: number): Batch => {
  const stream = randomStream(seed, `batch.${step}`);
  const text = new Int32Array(length + 1);
  let token = stream.below(vocabulary);
  for (let at = 0; at <= length; at += 1) {
    text[at] = token;
    token = stream.uniform() < NOISE ? stream.below(vocabulary) : (FACTOR * token + OFFSET) % vocabulary;
  }
  return { tokens: text.slice(0, length), targets: text.slice(1) };
};
