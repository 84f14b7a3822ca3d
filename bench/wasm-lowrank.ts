/** @file `node dist/bench/wasm-lowrank.js`: low-rank attention on one thread in WebAssembly, forward and backward, over lengths: times,
 *  rates, and the slope of time in the length, beside a loop that only multiplies and adds in registers in the same engine.
 *
 *  Rates count the operations of the record's polynomial; they are of processor time, and a ratio is the median over rounds of a
 *  rate to the same round's peak. */

import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { createPeak } from "../compiler/bench/peak.ts";
import { encodeModule } from "../compiler/codegen/wasm/encode.ts";
import { FunctionTable } from "../compiler/codegen/wasm/function-table.ts";
import type { WasmFunction } from "../compiler/codegen/wasm/module.ts";
import { emitLowRank, emitLowRankVjp } from "../compiler/codegen/wasm/native/lowrank.ts";
import { phaseName } from "../compiler/codegen/wasm/native/native.ts";
import type { NativeKernel } from "../compiler/codegen/wasm/native/native.ts";
import { taylor } from "../ir/approximation.ts";
import { isViolation } from "../ir/core.ts";
import type { AnyOp, TensorType } from "../ir/core.ts";
import { attentionLowrank, attentionVjpLowrank } from "../ir/ops/attention-lowrank.ts";
import * as poly from "../ir/poly.ts";
import { elements, tensor } from "../ir/types.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" }, milliseconds: { type: "string", default: "100" },
    lengths: { type: "string", default: "2048,4096,8192,16384,32768" }, heads: { type: "string", default: "4" }, width: { type: "string", default: "16" },
    degree: { type: "string", default: "2" },
  },
});

const [heads, width] = [Number(values.heads), Number(values.width)];
const PAGE = 65_536;

interface Subject {
  readonly name: string;
  readonly length: number;
  readonly work: number;
  /** MiB of temporaries and scratch. */
  readonly memory: number;
  readonly run: () => void;
}

const instantiate = (functions: readonly WasmFunction[], bytes: number): { readonly memory: WebAssembly.Memory; readonly call: (name: string) => (...args: readonly number[]) => void } => {
  const pages = Math.ceil(bytes / PAGE) + 1;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const code = encodeModule({ memory: { from: "env", name: "memory", initial: pages, maximum: pages, shared: false }, functions });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code), { env: { memory } });
  return { memory, call: (name) => exports[name] as (...args: readonly number[]) => void };
};

const subject = (name: string, length: number, op: AnyOp, operands: readonly TensorType[], attrs: object): Subject => {
  const results = op.infer(operands, attrs as never);
  if (isViolation(results)) throw new Error(results.message);
  const emit = op.mnemonic === attentionLowrank.mnemonic ? emitLowRank : emitLowRankVjp;
  const kernel: NativeKernel = emit({ op, attrs, operands, results });
  const table = new FunctionTable();
  for (const phase of kernel.phases) table.add(phase.emit(phaseName("kernel", phase), table));
  const sizes = [...results.map(elements), ...kernel.temporaries, ...operands.map(elements)];
  let next = 64;
  const pointers = sizes.map((size) => {
    const start = next;
    next += Math.ceil((4 * size) / 64) * 64;
    return start;
  });
  const scratch = Math.max(...kernel.phases.map((phase) => phase.scratchBytes));
  const { memory, call } = instantiate(table.functions, next + scratch);
  operands.forEach((type, i) => {
    const at = (pointers[sizes.length - operands.length + i] ?? 0) / 4;
    new Float32Array(memory.buffer, 4 * at, elements(type)).forEach((_, j, all) => (all[j] = Math.sin(j * (i + 1.3) + i)));
  });
  const run = (): void => {
    for (const phase of kernel.phases) call(phaseName("kernel", phase))(...pointers, 0, phase.items, ...(phase.scratchBytes > 0 ? [next] : []));
  };
  const work = poly.evaluate(op.flops({ operandTypes: operands, resultTypes: results, attrs: attrs as never }), new Map());
  const temporaries = kernel.temporaries.reduce((sum, count) => sum + 4 * count, scratch);
  return { name, length, work, memory: temporaries / 2 ** 20, run };
};

const subjectsAt = (length: number): readonly Subject[] => {
  const type = tensor("f32", [1, heads, length, width]);
  const attrs = { causal: true, scale: 1 / Math.sqrt(width), coefficients: taylor(Number(values.degree)), chunk: 64, extras: [], site: "" };
  return [
    subject("forward", length, attentionLowrank, [type, type, type], attrs),
    ...(["surrogate", "plugin"] as const).map((form) => subject(`backward ${form}`, length, attentionVjpLowrank, [type, type, type, type], { ...attrs, form })),
  ];
};

/** Seconds of processor time of one run. */
const seconds = (run: () => void): number => {
  const started = process.cpuUsage();
  let [runs, used] = [0, 0];
  do {
    run();
    runs += 1;
    const { user, system } = process.cpuUsage(started);
    used = user + system;
  } while (used < 1000 * Number(values.milliseconds));
  return used / runs / 1e6;
};

const median = (list: readonly number[]): number => list.toSorted((x, y) => x - y)[list.length >> 1] ?? Number.NaN;

/** Of log y in log x, by least squares. */
const slopeOf = (points: readonly (readonly [x: number, y: number])[]): number => {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)] as const);
  const mean = (i: 0 | 1): number => logs.reduce((sum, point) => sum + point[i], 0) / logs.length;
  const [mx, my] = [mean(0), mean(1)];
  return logs.reduce((sum, [x, y]) => sum + (x - mx) * (y - my), 0) / logs.reduce((sum, [x]) => sum + (x - mx) ** 2, 0);
};

const peak = createPeak();
if (peak === null) throw new Error("no WebAssembly with vectors");
const inRegisters: Subject = { name: "peak", length: 0, work: peak.flops, memory: 0, run: peak.run };
const all = [inRegisters, ...values.lengths.split(",").flatMap((length) => subjectsAt(Number(length)))];
for (const { run } of all) seconds(run);
const rounds = Array.from({ length: Number(values.rounds) }, () => all.map(({ run }) => seconds(run)));
const timeOf = (i: number): number => median(rounds.map((round) => round[i] ?? 0));
all.forEach(({ name, length, work, memory }, i) => {
  const share = median(rounds.map((round) => (work / (round[i] ?? 1)) / (inRegisters.work / (round[0] ?? 1))));
  process.stdout.write(`${name.padEnd(20)}${String(length).padStart(7)}${(1000 * timeOf(i)).toFixed(2).padStart(10)} ms${(work / timeOf(i) / 1e9).toFixed(1).padStart(7)} GFLOP/s${(100 * share).toFixed(0).padStart(5)} %${memory.toFixed(1).padStart(8)} MiB\n`);
});
for (const name of ["backward surrogate", "backward plugin"]) {
  const sum = (length: number): number => all.reduce((total, each, i) => total + (each.length === length && (each.name === "forward" || each.name === name) ? timeOf(i) : 0), 0);
  const lengths = [...new Set(all.map(({ length }) => length))].filter((length) => length > 0);
  process.stdout.write(`slope of forward + ${name}: ${slopeOf(lengths.map((length) => [length, sum(length)])).toFixed(3)}\n`);
}
process.stdout.write(`load ${loadavg().map((load) => load.toFixed(1)).join(" ")}\n`);
