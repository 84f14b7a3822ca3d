/** @file `node dist/bench/gpt-small.js`: training steps of bench/gpt-small.sq on the backend `wasm`, in tokens a second.
 *
 *  Every side (a length, a form of attention's gradient, a number of threads) takes one step in turn, round after round, so that
 *  what else the machine does falls on all alike; the time of a side is the median of its steps after two that warm up. The
 *  batch, the parameters' start and the noise are the same in all of them. */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { median } from "../compiler/bench/statistics.ts";
import { compileSource, createExecutable, initialParameters } from "../compiler/index.ts";
import type { Executable, Tensors, WasmProgram } from "../compiler/index.ts";
import { AUTO, resolveBackend, targetOf } from "../compiler/node/execute.ts";
import { initialState } from "../runtime/parameters.ts";
import { keyFor, randomStream } from "../runtime/random.ts";
import { i32, scalar, scalarValue } from "../runtime/tensors.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: "bench/gpt-small.sq" },
    lengths: { type: "string", default: "512 1024 2048" },
    forms: { type: "string", default: "exact sus:c=25" },
    threads: { type: "string", default: "1 2" },
    backend: { type: "string", default: AUTO },
    rounds: { type: "string", default: "9" },
    json: { type: "string", default: "build/gpt-small.json" },
  },
});

interface Side {
  readonly length: number;
  readonly form: string;
  readonly threads: number;
  readonly executable: Executable;
  readonly program: WasmProgram;
  readonly step: (number: number) => Promise<number>;
  readonly seconds: number[];
  /** Of the processors, all threads together: less disturbed by other work on the machine. */
  readonly processorSeconds: number[];
}

const WARM_UP = 2;
const SEED = 1;

const isWasm = (program: object | null): program is WasmProgram => program !== null && "wasm" in program;

const open = async (length: number, form: string, threads: number): Promise<Side> => {
  const text = readFileSync(values.model, "utf8");
  const { program } = compileSource({ file: values.model, text, dims: { T: length, B: 1 }, attentionBackward: form, target: targetOf(values.backend) });
  if (!isWasm(program)) throw new Error(`${values.model} did not become a WebAssembly program`);
  const executable = await createExecutable(program, resolveBackend(values.backend), { threads });
  const kept = await executable.keep?.({ ...initialParameters(program, SEED), ...initialState(program) });
  if (kept === undefined) throw new Error("the backend keeps nothing");
  const random = randomStream(SEED, "batch");
  const tokens = Int32Array.from({ length: length + 1 }, () => random.below(256));
  const batch: Tensors = { tokens: i32([1, length], tokens.slice(0, length)), targets: i32([1, length], tokens.slice(1)) };
  const draws = program.entries["step"]?.inputs.some(({ role }) => role === "key") === true;
  const step = async (number: number): Promise<number> => {
    const { loss } = await kept.run("step", { ...batch, lr: scalar(1e-3), step: scalar(number), ...(draws ? { key: i32([4], keyFor(SEED, number)) } : {}) });
    return loss === undefined ? Number.NaN : scalarValue(loss);
  };
  return { length, form, threads, executable, program, step, seconds: [], processorSeconds: [] };
};

const list = (text: string): readonly string[] => text.trim().split(/\s+/);

/** What the step computes beside attention: each parameter that multiplies is used three times a token, by a multiplication and
 *  an addition. Embeddings that are only looked up are not counted. */
const productWork = ({ program, length }: Side): number => {
  const size = ({ shape }: { readonly shape: readonly number[] }): number => shape.reduce((product, extent) => product * extent, 1);
  const multiplied = program.parameters.filter(({ name, shape }) => shape.length > 1 && !name.includes("position"));
  return 6 * length * multiplied.reduce((sum, parameter) => sum + size(parameter), 0);
};

const outcomeOf = (side: Side, loss: number): Readonly<Record<string, unknown>> => {
  const { length, form, threads, executable, seconds } = side;
  const middle = median(seconds);
  return { length, form, threads, backend: executable.backend, milliseconds: 1000 * middle, best: 1000 * Math.min(...seconds), processor: 1000 * Math.min(...side.processorSeconds), tokensPerSecond: length / middle, productGflops: productWork(side) / middle / 1e9, loss, spent: executable.spent?.() };
};

const outcomes: Readonly<Record<string, unknown>>[] = [];
for (const length of list(values.lengths).map(Number)) {
  const sides: Side[] = [];
  for (const form of list(values.forms)) for (const threads of list(values.threads).map(Number)) sides.push(await open(length, form, threads));
  let losses: readonly number[] = [];
  for (let round = 1; round <= WARM_UP + Number(values.rounds); round++) {
    const now: number[] = [];
    for (const side of sides) {
      const [started, before] = [performance.now(), process.cpuUsage()];
      now.push(await side.step(round));
      if (round <= WARM_UP) continue;
      side.seconds.push((performance.now() - started) / 1000);
      const { user, system } = process.cpuUsage(before);
      side.processorSeconds.push((user + system) / 1e6);
    }
    losses = now;
  }
  for (const [i, side] of sides.entries()) {
    const outcome = outcomeOf(side, losses[i] ?? Number.NaN);
    outcomes.push(outcome);
    const { milliseconds, best, processor, tokensPerSecond, productGflops } = outcome as Record<string, number>;
    process.stdout.write(`T ${String(side.length).padEnd(6)}${side.form.padEnd(10)}${side.threads} thread${side.threads === 1 ? " " : "s"}${milliseconds?.toFixed(0).padStart(7)} ms (best ${best?.toFixed(0)}, of processors ${processor?.toFixed(0)})${tokensPerSecond?.toFixed(0).padStart(7)} tokens/s, products alone would be ${productGflops?.toFixed(1)} GFLOP/s\n`);
    side.executable.destroy();
  }
}
const machine = { node: process.version, processors: availableParallelism(), load: loadavg() };
process.stdout.write(`load ${machine.load.map((load) => load.toFixed(1)).join(" ")}\n`);
mkdirSync("build", { recursive: true });
writeFileSync(values.json, `${JSON.stringify({ model: values.model, ...machine, outcomes }, null, 1)}\n`);
