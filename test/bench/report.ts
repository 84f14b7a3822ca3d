/** @file A benchmark with made-up times: what texts and statistics are tested on. */

import type { BenchReport, BenchResult } from "../../compiler/bench/schema.ts";
import { slopesOf } from "../../compiler/bench/slopes.ts";
import { spreadOf } from "../../compiler/bench/statistics.ts";

const PEAK = 50e9;

/** Times of five rounds around `seconds`, 1 % apart. */
const around = (seconds: number): readonly number[] => [1, 1.02, 0.99, 0.98, 1.01].map((factor) => factor * seconds);

export const madeUpResult = (facts: Pick<BenchResult, "entry" | "form" | "size" | "flops"> & Partial<BenchResult>, seconds: number): BenchResult => ({
  site: facts.entry.startsWith("attention") ? "Net" : null,
  sites: 1,
  seconds: spreadOf(around(seconds)),
  calls: 3,
  share: spreadOf(around(seconds).map((each) => facts.flops / each / PEAK)),
  arenaBytes: 2 ** 20 * (facts.size ?? 1),
  residentBytes: 300 * 2 ** 20,
  tokens: facts.entry === "step" ? 2 * (facts.size ?? 64) : null,
  ...facts,
});

/** exact: forward 1 ms and backward 2.5 ms at 256, quadratic; sus: forward a twentieth more, backward linear from 0.2 ms. */
export const madeUp = (factor = 1): BenchReport => {
  const results = [256, 512, 1024].flatMap((size): BenchResult[] => {
    const [n, flops] = [size / 256, 4e7 * (size / 256) ** 2];
    return [
      madeUpResult({ entry: "step", form: "exact", size, flops: 4 * flops, tokens: 2 * size }, factor * 0.012 * n ** 1.5),
      madeUpResult({ entry: "attention forward", form: "exact", size, flops }, factor * 0.001 * n ** 2),
      madeUpResult({ entry: "attention backward", form: "exact", size, flops: 2.5 * flops }, factor * 0.0025 * n ** 2),
      madeUpResult({ entry: "attention forward", form: "sus(c: 25)", size, flops: 1.06 * flops }, factor * 0.00105 * n ** 2),
      madeUpResult({ entry: "attention backward", form: "sus(c: 25)", size, flops: 4e6 * n }, 0.0002 * n),
    ];
  });
  return {
    version: 1,
    kind: "bench",
    model: "Net",
    file: "net.sq",
    machine: { subquad: "0.1.0", node: "v20.20.2", platform: "linux x64", processor: "Abacus", cores: 2 },
    backend: "wasm (1 thread)",
    threads: 1,
    seed: 0,
    warmup: 2,
    repeat: 5,
    dims: { T: 1024, H: 4, K: 16 },
    sweep: "T",
    peak: spreadOf([50e9, 49e9, 51e9]),
    results,
    slopes: slopesOf(results),
    notes: ["a note"],
  };
};
