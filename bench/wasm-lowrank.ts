/** @file `node dist/bench/wasm-lowrank.js`: low-rank attention on one thread in WebAssembly, forward and backward, over lengths: times,
 *  rates, and the slope of time in the length, beside a loop that only multiplies and adds in registers in the same engine.
 *
 *  Rates count the operations of the record's polynomial; they are of processor time, and a ratio is the median over rounds of a
 *  rate to the same round's peak. */

import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { logLogSlope } from "../compiler/audit/estimate.ts";
import { median } from "../compiler/bench/statistics.ts";
import { taylor } from "../ir/approximation.ts";
import type { AnyOp, TensorType } from "../ir/core.ts";
import { attentionLowrank, attentionVjpLowrank } from "../ir/ops/attention-lowrank.ts";
import * as poly from "../ir/poly.ts";
import { tensor } from "../ir/types.ts";
import { nativeKernel } from "./native-kernel.ts";
import { inRegisters, secondsOf } from "./processor-time.ts";
import type { Timed } from "./processor-time.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" }, milliseconds: { type: "string", default: "100" },
    lengths: { type: "string", default: "2048,4096,8192,16384,32768" }, heads: { type: "string", default: "4" }, width: { type: "string", default: "16" },
    degree: { type: "string", default: "2" },
  },
});

const [heads, width] = [Number(values.heads), Number(values.width)];

interface Subject extends Timed {
  readonly length: number;
  /** MiB of temporaries and scratch. */
  readonly memory: number;
}

const subject = (name: string, length: number, op: AnyOp, types: readonly TensorType[], attrs: object): Subject => {
  const { operands, resultTypes, run, ownBytes } = nativeKernel(op, types, attrs);
  operands.forEach((data, i) => data.forEach((_, at) => (data[at] = Math.sin(at * (i + 1.3) + i))));
  const work = poly.evaluate(op.flops({ operandTypes: types, resultTypes, attrs: attrs as never }), new Map());
  return { name, length, work, memory: ownBytes / 2 ** 20, run };
};

const subjectsAt = (length: number): readonly Subject[] => {
  const type = tensor("f32", [1, heads, length, width]);
  const attrs = { causal: true, scale: 1 / Math.sqrt(width), coefficients: taylor(Number(values.degree)), chunk: 64, extras: [], site: "" };
  return [
    subject("forward", length, attentionLowrank, [type, type, type], attrs),
    ...(["surrogate", "plugin"] as const).map((form) => subject(`backward ${form}`, length, attentionVjpLowrank, [type, type, type, type], { ...attrs, form })),
  ];
};

const seconds = (run: () => void): number => secondsOf(run, Number(values.milliseconds));

const peak: Subject = { ...inRegisters(), length: 0, memory: 0 };
const all = [peak, ...values.lengths.split(",").flatMap((length) => subjectsAt(Number(length)))];
for (const { run } of all) seconds(run);
const rounds = Array.from({ length: Number(values.rounds) }, () => all.map(({ run }) => seconds(run)));
const timeOf = (i: number): number => median(rounds.map((round) => round[i] ?? 0));
all.forEach(({ name, length, work, memory }, i) => {
  const share = median(rounds.map((round) => (work / (round[i] ?? 1)) / (peak.work / (round[0] ?? 1))));
  process.stdout.write(`${name.padEnd(20)}${String(length).padStart(7)}${(1000 * timeOf(i)).toFixed(2).padStart(10)} ms${(work / timeOf(i) / 1e9).toFixed(1).padStart(7)} GFLOP/s${(100 * share).toFixed(0).padStart(5)} %${memory.toFixed(1).padStart(8)} MiB\n`);
});
for (const name of ["backward surrogate", "backward plugin"]) {
  const sum = (length: number): number => all.reduce((total, each, i) => total + (each.length === length && (each.name === "forward" || each.name === name) ? timeOf(i) : 0), 0);
  const lengths = [...new Set(all.map(({ length }) => length))].filter((length) => length > 0);
  process.stdout.write(`slope of forward + ${name}: ${logLogSlope(lengths.map((length) => [length, sum(length)])).toFixed(3)}\n`);
}
process.stdout.write(`load ${loadavg().map((load) => load.toFixed(1)).join(" ")}\n`);
