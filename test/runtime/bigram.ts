/** @file A whole model by hand, the smallest there is: logits of the next byte are a row of one table. Trained by SGD with
 *  momentum, it must come close to the bigram entropy of its text. */

import type { InputPort, KernelSource, Program } from "../../runtime/abi.ts";
import { entry, input, launch, port, program } from "./programs.ts";

export const [BATCH, LENGTH, VOCABULARY] = [2, 16, 128];
const COUNT = BATCH * LENGTH;
const TABLE = VOCABULARY * VOCABULARY;

const kernels: KernelSource[] = [
  {
    name: "log_sum_exp",
    source: `function log_sum_exp(w, tokens) {
  const row = tokens[this.thread.x] * ${VOCABULARY};
  let most = -1e30;
  for (let j = 0; j < ${VOCABULARY}; j++) { most = Math.max(most, w[row + j]); }
  let sum = 0;
  for (let j = 0; j < ${VOCABULARY}; j++) { sum += Math.exp(w[row + j] - most); }
  return most + Math.log(sum);
}`,
    output: [COUNT],
    inputs: [TABLE, COUNT],
  },
  {
    name: "mean_nll",
    source: `function mean_nll(w, tokens, targets, lse) {
  let sum = 0;
  for (let n = 0; n < ${COUNT}; n++) { sum += lse[n] - w[tokens[n] * ${VOCABULARY} + targets[n]]; }
  return sum / ${COUNT};
}`,
    output: [1],
    inputs: [TABLE, COUNT, COUNT, COUNT],
  },
  {
    name: "gradient",
    source: `function gradient(w, tokens, targets, lse) {
  let sum = 0;
  for (let n = 0; n < ${COUNT}; n++) {
    if (tokens[n] === this.thread.y) {
      sum += Math.exp(w[this.thread.y * ${VOCABULARY} + this.thread.x] - lse[n]);
      if (targets[n] === this.thread.x) { sum -= 1; }
    }
  }
  return sum / ${COUNT};
}`,
    output: [VOCABULARY, VOCABULARY],
    inputs: [TABLE, COUNT, COUNT, COUNT],
  },
  {
    name: "momentum",
    source: "function momentum(m, g) { return 0.9 * m[this.thread.x] + g[this.thread.x]; }",
    output: [TABLE],
    inputs: [TABLE, TABLE],
  },
  {
    name: "update",
    source: "function update(w, m, lr) { return w[this.thread.x] - lr[0] * m[this.thread.x]; }",
    output: [TABLE],
    inputs: [TABLE, TABLE, 1],
  },
  {
    name: "norm",
    source: `function norm(g) { let s = 0; for (let j = 0; j < ${TABLE}; j++) { s += g[j] * g[j]; } return Math.sqrt(s); }`,
    output: [1],
    inputs: [TABLE],
  },
  {
    name: "logits",
    source: `function logits(w, tokens) { return w[tokens[this.thread.y] * ${VOCABULARY} + this.thread.x]; }`,
    output: [VOCABULARY, COUNT],
    inputs: [TABLE, COUNT],
  },
];

const table = [VOCABULARY, VOCABULARY];
const integers = { dtype: "i32", below: VOCABULARY } as const;
const w = input("table", 0, table, { role: "parameter" });
const tokens = input("tokens", 1, [BATCH, LENGTH], integers);
const targets = input("targets", 2, [BATCH, LENGTH], integers);
const sizes = [TABLE, COUNT, COUNT, COUNT, 1, TABLE, TABLE, TABLE, TABLE, 1, 1];
const lossLaunches = [launch(0, [0, 1], 3), launch(1, [0, 1, 2, 3], 4)];
const stepInputs: InputPort[] = [
  w,
  input("m.table", 5, table, { role: "state" }),
  tokens,
  targets,
  input("lr", 9, [], { role: "scalar" }),
  input("step", 10, [], { role: "scalar" }),
  input("key", 12, [4], { role: "key", dtype: "i32", below: 65536 }),
];

export function bigram(): Program {
  const forward = entry("forward", [w, tokens], [port("result", 2, [BATCH, LENGTH, VOCABULARY])], [launch(6, [0, 1], 2)], [TABLE, COUNT, COUNT * VOCABULARY]);
  const loss = entry("loss", [w, tokens, targets], [port("loss", 4, [])], lossLaunches, sizes.slice(0, 5));
  const step = entry(
    "step",
    stepInputs,
    [port("loss", 4, []), port("grad_norm", 11, []), port("table", 8, table), port("m.table", 7, table)],
    [...lossLaunches, launch(2, [0, 1, 2, 3], 6), launch(3, [5, 6], 7), launch(4, [0, 7, 9], 8), launch(5, [6], 11)],
    [...sizes, 1, 4],
  );
  return program(kernels, [forward, loss, step], {
    model: "Bigram",
    dims: { B: BATCH, T: LENGTH, V: VOCABULARY },
    parameters: [{ name: "table", shape: table, dims: ["V", "V"], init: { kind: "normal", mean: 0, std: 0.02 } }],
    optimizer: { name: "sgd", lr: 4, state: [{ name: "m.table", shape: table }] },
  });
}

/** English enough: words of a few, in an order drawn by a fixed rule. */
export function plainText(words: number): Uint8Array {
  const vocabulary = ["the ", "cat ", "sat ", "on ", "a ", "mat ", "and ", "saw ", "another ", "hat.\n"];
  let state = 1;
  const drawn = Array.from({ length: words }, () => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return vocabulary[Math.floor(state / 65536) % vocabulary.length] as string;
  });
  return new TextEncoder().encode(drawn.join(""));
}
