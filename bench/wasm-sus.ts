/** @file `node dist/bench/wasm-sus.js`: the gradient of sampled attention in WebAssembly on one thread, over lengths: time, time of a
 *  kept entry by phases, its share of the forward that drew the entries, and the slope of the time in the length. Causal.
 *
 *  Times are of processor time, medians over rounds. The forward is timed up to `--forward` queries, as its time is quadratic; beyond
 *  that, and with `--drawn` everywhere, kept keys are one at random of each of c equal parts of those a query sees. */

import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { logLogSlope } from "../compiler/audit/estimate.ts";
import { median } from "../compiler/bench/statistics.ts";
import * as sq from "../ir/ops/index.ts";
import { tensor } from "../ir/types.ts";
import { nativeKernel } from "./native-kernel.ts";
import type { NativeRun } from "./native-kernel.ts";
import { inRegisters, secondsOf } from "./processor-time.ts";

const { values } = parseArgs({
  options: {
    lengths: { type: "string", default: "2048,4096,8192,16384,32768" }, heads: { type: "string", default: "4" }, width: { type: "string", default: "64" },
    c: { type: "string", default: "25" }, rounds: { type: "string", default: "9" }, forward: { type: "string", default: "16384" }, drawn: { type: "boolean", default: false },
  },
});

const [heads, width, c, rounds] = [Number(values.heads), Number(values.width), Number(values.c), Number(values.rounds)];
const attrs = { causal: true, window: 0, scale: 1 / Math.sqrt(width), dropout: 0, extras: [], site: "", backward: "sus", c, sampler: "systematic", control: [] };

const milliseconds = (run: () => void): number => 1000 * secondsOf(run);

/** Times of the phases, medians over rounds. */
const timesOf = ({ phases }: NativeRun, count: number): readonly number[] => {
  const all = Array.from({ length: count }, () => phases.map(([, run]) => milliseconds(run)));
  return phases.map((_, i) => median(all.map((round) => round[i] ?? 0)));
};

const total = (list: readonly number[]): number => list.reduce((sum, x) => sum + x, 0);

const fill = (array: Float32Array): void => array.forEach((_, i) => (array[i] = Math.sin(i * i) / 2));

const drawn = (n: number, kept: Float32Array, weights: Float32Array): void => {
  const slots = kept.length / (heads * n);
  for (let row = 0; row < heads * n; row++) {
    const seen = (row % n) + 1;
    for (let slot = 0; slot < slots; slot++) {
      const key = seen <= slots ? (slot < seen ? slot : -1) : Math.floor(((slot + Math.random()) * seen) / slots);
      kept[row * slots + slot] = key;
      weights[row * slots + slot] = key < 0 ? 0 : 1 / c;
    }
  }
};

const peak = inRegisters();
const points: (readonly [number, number])[] = [];
for (const n of values.lengths.split(",").map(Number)) {
  const x = tensor("f32", [1, heads, n, width]);
  const slots = tensor("f32", [1, heads, n, Math.min(n, Math.ceil(c))]);
  const backward = nativeKernel(sq.attentionVjpSampled, [x, x, x, x, { ...slots, dtype: "i32" }, slots, x], attrs);
  const [q, k, v, o, kept, weights, dO] = backward.operands as readonly [Float32Array, Float32Array, Float32Array, Float32Array, Float32Array, Float32Array, Float32Array];
  for (const operand of [q, k, v, o, dO]) fill(operand);
  drawn(n, kept, weights);
  let forwardTime = Number.NaN;
  if (n <= Number(values.forward) && !values.drawn) {
    const forward = nativeKernel(sq.attentionSampled, [x, x, x, tensor("i32", [4])], attrs);
    [q, k, v, Float32Array.of(1, 2, 3, 4)].forEach((data, i) => forward.operands[i]?.set(data));
    forwardTime = total(timesOf(forward, Math.max(1, Math.min(rounds, Math.round((4096 / n) ** 2 * rounds)))));
    [o, , kept, weights].forEach((operand, i) => operand?.set(forward.results[i] ?? []));
  }
  const entries = kept.reduce((count, key) => count + (key >= 0 ? 1 : 0), 0);
  for (const [, run] of [...backward.phases, ...backward.phases]) run();
  const speed = Array.from({ length: rounds }, () => peak.work / secondsOf(peak.run, 10) / 1e9);
  const times = timesOf(backward, rounds);
  const time = total(times);
  points.push([n, time]);
  const nanoseconds = (ms: number): string => ((1e6 * ms) / entries).toFixed(1);
  const share = Number.isNaN(forwardTime) ? "" : `  ${(time / forwardTime).toFixed(3)} of the forward, ${forwardTime.toFixed(1)} ms`;
  const parts = backward.phases.map(([name], i) => `${name === "" ? "rows" : name} ${nanoseconds(times[i] ?? 0)}`).join(", ");
  process.stdout.write(`n ${String(n).padEnd(6)}${time.toFixed(2).padStart(9)} ms  ${nanoseconds(time)} ns an entry (${parts})${share}  peak ${median(speed).toFixed(1)} GFLOP/s\n`);
}
if (points.length > 1) process.stdout.write(`slope ${logLogSlope(points).toFixed(3)}  `);
process.stdout.write(`load ${loadavg().map((load) => load.toFixed(1)).join(" ")}\n`);
