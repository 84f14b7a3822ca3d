/** @file `node dist/bench/wasm-profile.js`: one entry point of a model on the backend `wasm`, kernel by kernel on one thread.
 *
 *  Every launch runs in the pieces that threads would take; the time of a piece is the least over rounds and over launches of
 *  the same kernel, so that other work on the machine disturbs little. Beside it: operations a second of products and of attention,
 *  bytes a second of all else, and what two threads would need that take pieces in turn. */

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { compileSource } from "../compiler/index.ts";
import type { WasmProgram } from "../compiler/index.ts";
import { AUTO, targetOf } from "../compiler/node/execute.ts";
import { parseDims } from "../compiler/cli/options.ts";
import type { Entry, Launch, WasmKernel } from "../runtime/abi.ts";
import { randomStream } from "../runtime/random.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: "bench/gpt-small.sq" },
    dim: { type: "string", multiple: true, default: ["T=512"] },
    form: { type: "string", default: "exact" },
    entry: { type: "string", default: "step" },
    backend: { type: "string", default: AUTO },
    rounds: { type: "string", default: "10" },
    top: { type: "string", default: "30" },
  },
});

const FLOAT = 4;
const PAGE = 65_536;

const compiled = (): WasmProgram => {
  const { program } = compileSource({ file: values.model, text: readFileSync(values.model, "utf8"), dims: parseDims(values.dim), attentionBackward: values.form, target: targetOf(values.backend) });
  if (program === null || !("wasm" in program)) throw new Error(`${values.model} did not become a WebAssembly program`);
  return program;
};

const program = compiled();
const found = program.entries[values.entry];
if (found === undefined) throw new Error(`${values.model} has no entry ${values.entry}`);
const entry: Entry = found;
const scratch = Math.ceil(entry.arenaBytes / 64) * 64;
const pages = Math.ceil((scratch + Math.max(...program.kernels.map((kernel) => kernel.scratchBytes))) / PAGE) + 1;
const memory = new WebAssembly.Memory({ initial: pages, maximum: PAGE, shared: true });
const { instance } = await WebAssembly.instantiate(program.wasm as Uint8Array<ArrayBuffer>, { env: { memory } });
const floats = new Float32Array(memory.buffer);

/** Small numbers; whole ones where the entry wants them. */
const fill = (): void => {
  const random = randomStream(1, "profile");
  for (const { value, dtype, role, below = 256 } of entry.inputs) {
    const { offset = 0, elements = 0 } = entry.values[value] ?? {};
    for (let i = 0; i < elements; i++) floats[offset + i] = role === "scalar" ? 1e-3 : dtype === "f32" ? 0.05 * random.uniform() * (role === "state" ? 1e-3 : 1) : random.below(below);
  }
};

const addressOf = (value: number): number => FLOAT * (entry.values[value]?.offset ?? 0);
const kernelOf = (launch: Launch): WasmKernel => program.kernels[launch.kernel] as WasmKernel;

/** least[kernel][piece], in milliseconds. */
const least: number[][] = program.kernels.map(() => []);

const runOnce = (): void => {
  for (const launch of entry.launches) {
    const { name, items, grain, scratchBytes } = kernelOf(launch);
    const run = instance.exports[name] as (...pointers: readonly number[]) => void;
    const pointers = [launch.result, ...(launch.also ?? []), ...launch.args].map(addressOf);
    const times = least[launch.kernel] ?? [];
    for (let begin = 0, piece = 0; begin < items; begin += grain, piece++) {
      const started = performance.now();
      run(...pointers, begin, Math.min(items, begin + grain), ...(scratchBytes > 0 ? [scratch] : []));
      times[piece] = Math.min(times[piece] ?? Number.POSITIVE_INFINITY, performance.now() - started);
    }
  }
};

for (let round = 0; round < Number(values.rounds); round++) {
  fill();
  runOnce();
}

const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);

/** When two threads are done that take the next piece as they become free. */
const byTwo = (pieces: readonly number[]): number =>
  Math.max(...pieces.reduce<readonly [number, number]>(([a, b], time) => (a <= b ? [a + time, b] : [a, b + time]), [0, 0]));

interface Row {
  launches: number;
  milliseconds: number;
  byTwo: number;
  work: number;
  bytes: number;
}

const rows = new Map<number, Row>();
for (const launch of entry.launches) {
  const { work, scratchBytes } = kernelOf(launch);
  const row = rows.get(launch.kernel) ?? { launches: 0, milliseconds: 0, byTwo: 0, work: 0, bytes: 0 };
  const pieces = least[launch.kernel] ?? [];
  row.launches += 1;
  row.milliseconds += sum(pieces);
  row.byTwo += byTwo(pieces);
  if (scratchBytes > 0 || launch.part !== undefined) row.work += work;
  row.bytes += FLOAT * sum([launch.result, ...(launch.also ?? []), ...launch.args].map((value) => entry.values[value]?.elements ?? 0));
  rows.set(launch.kernel, row);
}

const total = sum([...rows.values()].map((row) => row.milliseconds));
const two = sum([...rows.values()].map((row) => row.byTwo));
process.stdout.write(`${values.entry}: ${entry.launches.length} launches, ${total.toFixed(1)} ms on one thread, ${two.toFixed(1)} ms on two that never wait for each other's start\n`);
for (const [kernel, { launches, milliseconds, work, bytes }] of [...rows].sort(([, a], [, b]) => b.milliseconds - a.milliseconds).slice(0, Number(values.top))) {
  const { name = "", items = 0, grain = 1 } = program.kernels[kernel] ?? {};
  const rate = work > 0 ? `${(work / milliseconds / 1e6).toFixed(1).padStart(7)} GFLOP/s` : `${(bytes / milliseconds / 1e6).toFixed(1).padStart(7)} GB/s   `;
  process.stdout.write(`${name.padEnd(48)} x${String(launches).padEnd(4)}${milliseconds.toFixed(2).padStart(9)} ms${((100 * milliseconds) / total).toFixed(1).padStart(6)} %${rate}  ${Math.ceil(items / grain)} pieces of ${grain} items\n`);
}
