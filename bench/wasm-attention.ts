/** @file `node dist/bench/wasm-attention.js`: how fast the native kernels of attention are, on one thread, beside a loop that only
 *  multiplies and adds in registers in the same engine. Causal, four heads of width 64.
 *
 *  Rates count the unmasked pairs only and are of processor time, so that other work on the machine disturbs less; each round
 *  measures the peak and every kernel once, and a share is the median over rounds of its rate to that round's peak. */

import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { median } from "../compiler/bench/statistics.ts";
import type { AnyOp, TensorType } from "../ir/core.ts";
import * as sq from "../ir/ops/index.ts";
import { tensor } from "../ir/types.ts";
import { nativeKernel } from "./native-kernel.ts";
import { inRegisters, secondsOf } from "./processor-time.ts";
import type { Timed } from "./processor-time.ts";

const { values } = parseArgs({
  options: {
    sizes: { type: "string", default: "1024,2048,4096" }, width: { type: "string", default: "64" }, heads: { type: "string", default: "4" },
    c: { type: "string", default: "25" }, rounds: { type: "string", default: "9" }, only: { type: "string", default: "" }, milliseconds: { type: "string", default: "60" },
  },
});

const [heads, width] = [Number(values.heads), Number(values.width)];

interface Problem {
  readonly op: AnyOp;
  readonly operands: readonly TensorType[];
  readonly attrs: object;
  /** Operations of one unmasked pair. */
  readonly perPair: number;
}

/** The kernel's phases one after the other, on numbers between -1/2 and 1/2. */
const subject = (name: string, n: number, { op, operands: types, attrs, perPair }: Problem): Timed => {
  const { operands, run } = nativeKernel(op, types, attrs);
  operands.forEach((data, i) => data.forEach((_, at) => (data[at] = types[i]?.dtype === "i32" ? at + 1 : Math.sin(at * at) / 2)));
  return { name: `${name}, n ${n}`, work: (heads * perPair * n * (n + 1)) / 2, run };
};

const exact = { causal: true, window: 0, scale: 1 / Math.sqrt(width), dropout: 0, extras: [], site: "", backward: "exact" };
const sampled = { ...exact, c: Number(values.c), sampler: "systematic", control: [] };

const problems = (n: number): readonly (readonly [string, Problem])[] => {
  const x = tensor("f32", [1, heads, n, width]);
  const rows = tensor("f32", [1, heads, n]);
  return [
    ["forward", { op: sq.attention, operands: [x, x, x], attrs: exact, perPair: 4 * width }],
    ["sampled forward", { op: sq.attentionSampled, operands: [x, x, x, tensor("i32", [4])], attrs: sampled, perPair: 4 * width }],
    ["forward with control", { op: sq.attentionSampled, operands: [x, x, x, tensor("i32", [4]), tensor("f32", [1, heads, width])], attrs: { ...sampled, control: [1, 1, 0.5] }, perPair: 4 * width }],
    ["forward, bernoulli", { op: sq.attentionSampled, operands: [x, x, x, tensor("i32", [4])], attrs: { ...sampled, sampler: "bernoulli" }, perPair: 4 * width }],
    ["backward", { op: sq.attentionVjp, operands: [x, x, x, x, rows, x], attrs: exact, perPair: 10 * width }],
  ];
};

/** Billions of operations a second of processor time. */
const rate = ({ work, run }: Timed): number => work / secondsOf(run, Number(values.milliseconds)) / 1e9;

const kernels = values.sizes.split(",").map(Number).flatMap((n) => problems(n).filter(([name]) => name.includes(values.only)).map(([name, problem]) => subject(name, n, problem)));
const all: readonly Timed[] = [inRegisters(), ...kernels];
for (const each of all) for (let i = 0; i < 3; i++) rate(each);
const rounds = Array.from({ length: Number(values.rounds) }, () => all.map(rate));
all.forEach(({ name, work }, i) => {
  const rates = rounds.map((round) => round[i] ?? 0);
  const share = median(rounds.map((round) => (round[i] ?? 0) / (round[0] ?? 1)));
  const milliseconds = work / median(rates) / 1e6;
  process.stdout.write(`${name.padEnd(28)}${median(rates).toFixed(1).padStart(8)} GFLOP/s${(100 * share).toFixed(0).padStart(6)} %${milliseconds.toFixed(2).padStart(12)} ms\n`);
});
process.stdout.write(`load ${loadavg().map((load) => load.toFixed(1)).join(" ")}\n`);
