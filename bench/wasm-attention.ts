/** @file `node dist/bench/wasm-attention.js`: how fast the native kernels of attention are, on one thread, beside a loop that only
 *  multiplies and adds in registers in the same engine. Causal, four heads of width 64.
 *
 *  Rates count the unmasked pairs only and are of processor time, so that other work on the machine disturbs less; each round
 *  measures the peak and every kernel once, and a share is the median over rounds of its rate to that round's peak. */

import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { createPeak } from "../compiler/bench/peak.ts";
import { encodeModule } from "../compiler/codegen/wasm/encode.ts";
import { FunctionTable } from "../compiler/codegen/wasm/function-table.ts";
import { nativeAttention, nativeSampled } from "../compiler/codegen/wasm/native/attention.ts";
import { emitAttentionVjp } from "../compiler/codegen/wasm/native/backward.ts";
import { phaseName } from "../compiler/codegen/wasm/native/native.ts";
import type { NativeEmitter } from "../compiler/codegen/wasm/native/native.ts";
import { isViolation } from "../ir/core.ts";
import type { AnyOp, TensorType } from "../ir/core.ts";
import * as sq from "../ir/ops/index.ts";
import { elements, tensor } from "../ir/types.ts";

const { values } = parseArgs({
  options: {
    sizes: { type: "string", default: "1024,2048,4096" }, width: { type: "string", default: "64" }, heads: { type: "string", default: "4" },
    c: { type: "string", default: "25" }, rounds: { type: "string", default: "9" }, only: { type: "string", default: "" }, milliseconds: { type: "string", default: "60" },
  },
});

interface Subject {
  readonly name: string;
  /** Floating-point operations of one run. */
  readonly work: number;
  readonly run: () => void;
}

const [heads, width] = [Number(values.heads), Number(values.width)];

interface Problem {
  readonly op: AnyOp;
  readonly emitter: NativeEmitter;
  readonly operands: readonly TensorType[];
  readonly attrs: object;
  /** Operations of one unmasked pair. */
  readonly perPair: number;
}

const ALIGNMENT = 16;
const PAGE = 65_536;

/** The kernel's phases one after the other, on numbers between -1/2 and 1/2. */
const subject = (name: string, n: number, { op, emitter, operands, attrs, perPair }: Problem): Subject => {
  const results = op.infer(operands, attrs as never);
  if (isViolation(results)) throw new Error(`${name}: ${results.message}`);
  const { temporaries, phases } = emitter({ op, attrs, operands, results });
  const table = new FunctionTable();
  for (const phase of phases) table.add(phase.emit(phaseName("kernel", phase), table));
  const pointers: number[] = [];
  let end = 0;
  for (const size of [...results.map(elements), ...temporaries, ...operands.map(elements)]) {
    pointers.push(4 * end);
    end += Math.ceil(size / ALIGNMENT) * ALIGNMENT;
  }
  const scratch = Math.max(0, ...phases.map(({ scratchBytes }) => scratchBytes));
  const pages = Math.ceil((4 * end + scratch) / PAGE);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const bytes = encodeModule({ memory: { from: "env", name: "memory", initial: pages, maximum: pages, shared: false }, functions: table.functions });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  const data = new Float32Array(memory.buffer);
  operands.forEach((type, i) => {
    const start = (pointers[pointers.length - operands.length + i] ?? 0) / 4;
    for (let at = 0; at < elements(type); at++) data[start + at] = type.dtype === "i32" ? at + 1 : Math.sin(at * at) / 2;
  });
  const runs = phases.map((phase) => {
    const kernel = exports[phaseName("kernel", phase)] as (...args: readonly number[]) => void;
    const args = [...pointers, 0, phase.items, ...(phase.scratchBytes === 0 ? [] : [4 * end])];
    return () => kernel(...args);
  });
  return { name: `${name}, n ${n}`, work: (heads * perPair * n * (n + 1)) / 2, run: () => runs.forEach((run) => run()) };
};

const exact = { causal: true, window: 0, scale: 1 / Math.sqrt(width), dropout: 0, extras: [], site: "", backward: "exact" };
const sampled = { ...exact, c: Number(values.c), sampler: "systematic", control: [] };

const problems = (n: number): readonly (readonly [string, Problem])[] => {
  const x = tensor("f32", [1, heads, n, width]);
  const rows = tensor("f32", [1, heads, n]);
  return [
    ["forward", { op: sq.attention, emitter: nativeAttention, operands: [x, x, x], attrs: exact, perPair: 4 * width }],
    ["sampled forward", { op: sq.attentionSampled, emitter: nativeSampled, operands: [x, x, x, tensor("i32", [4])], attrs: sampled, perPair: 4 * width }],
    ["forward with control", { op: sq.attentionSampled, emitter: nativeSampled, operands: [x, x, x, tensor("i32", [4]), tensor("f32", [1, heads, width])], attrs: { ...sampled, control: [1, 1, 0.5] }, perPair: 4 * width }],
    ["forward, bernoulli", { op: sq.attentionSampled, emitter: nativeSampled, operands: [x, x, x, tensor("i32", [4])], attrs: { ...sampled, sampler: "bernoulli" }, perPair: 4 * width }],
    ["backward", { op: sq.attentionVjp, emitter: emitAttentionVjp, operands: [x, x, x, x, rows, x], attrs: exact, perPair: 10 * width }],
  ];
};

/** Billions of operations a second of processor time. */
const rate = ({ work, run }: Subject): number => {
  const limit = 1000 * Number(values.milliseconds);
  const started = process.cpuUsage();
  let runs = 0;
  let used = 0;
  do {
    run();
    runs += 1;
    const { user, system } = process.cpuUsage(started);
    used = user + system;
  } while (used < limit);
  return (runs * work) / used / 1000;
};

const median = (list: readonly number[]): number => list.toSorted((x, y) => x - y)[list.length >> 1] ?? Number.NaN;

const peak = createPeak();
if (peak === null) throw new Error("no WebAssembly with vectors");
const kernels = values.sizes.split(",").map(Number).flatMap((n) => problems(n).filter(([name]) => name.includes(values.only)).map(([name, problem]) => subject(name, n, problem)));
const all: readonly Subject[] = [{ name: "multiply-add in registers", work: peak.flops, run: peak.run }, ...kernels];
for (const each of all) for (let i = 0; i < 3; i++) rate(each);
const rounds = Array.from({ length: Number(values.rounds) }, () => all.map(rate));
all.forEach(({ name, work }, i) => {
  const rates = rounds.map((round) => round[i] ?? 0);
  const share = median(rounds.map((round) => (round[i] ?? 0) / (round[0] ?? 1)));
  const milliseconds = work / median(rates) / 1e6;
  process.stdout.write(`${name.padEnd(28)}${median(rates).toFixed(1).padStart(8)} GFLOP/s${(100 * share).toFixed(0).padStart(6)} %${milliseconds.toFixed(2).padStart(12)} ms\n`);
});
process.stdout.write(`load ${loadavg().map((load) => load.toFixed(1)).join(" ")}\n`);
