/** @file `node dist/bench/wasm-fma.js`: does a fused multiply-add (relaxed SIMD) make register tiles faster in this engine, on this
 *  processor? Each tile multiplies panels that stay in the first-level cache, with one instruction or with two, in turns.
 *
 *  Engines without relaxed SIMD say so; Node 20 has it behind `--experimental-wasm-relaxed-simd`, Node 22 has it. */

import { median } from "../compiler/bench/statistics.ts";
import { createPeak } from "../compiler/bench/peak.ts";
import { FunctionBuilder } from "../compiler/codegen/wasm/builder.ts";
import { encodeModule } from "../compiler/codegen/wasm/encode.ts";
import type { WasmFunction } from "../compiler/codegen/wasm/module.ts";

const FLOAT = 4;
const VECTOR = 16;
const DEPTH = 256;
const TIMES = 2000;
const ROUNDS = 15;
/** Rows, and vectors of columns: what fits sixteen registers or nearly does. */
const TILES = [[4, 2], [5, 2], [6, 2], [3, 3], [2, 4]] as const;

/** tile(a, b, c, times): so many times `rows` × `vectors` · 4 sums over DEPTH steps of packed panels. */
const tile = (rows: number, vectors: number, fused: boolean): WasmFunction => {
  const f = new FunctionBuilder("tile", ["a", "b", "c", "times"].map((name) => ({ name, type: "i32" })));
  const [a, b, c, times] = ["a", "b", "c", "times"].map((name) => f.parameter(name)) as [number, number, number, number];
  const sums = f.locals("v128", "sum", rows * vectors);
  const columns = f.locals("v128", "b_", vectors);
  const element = f.local("v128", "a_");
  const [source, at] = f.locals("i32", "at", 2) as [number, number];
  f.block("loop", () => {
    for (const sum of sums) f.splat(0).set(sum);
    f.get(a).set(source).get(b).set(at);
    f.block("loop", () => {
      columns.forEach((column, v) => f.get(at).op("v128.load", 2, v * VECTOR).set(column));
      for (let r = 0; r < rows; r++) {
        f.get(source).op("v128.load32_splat", 2, r * FLOAT).set(element);
        columns.forEach((column, v) => {
          const sum = sums[r * vectors + v] ?? 0;
          if (fused) f.get(element).get(column).get(sum).op("f32x4.relaxed_madd").set(sum);
          else f.get(sum).get(element).get(column).op("f32x4.mul").op("f32x4.add").set(sum);
        });
      }
      f.advance(source, rows * FLOAT).advance(at, vectors * VECTOR).get(at).get(b).op("i32.sub").i32(DEPTH * vectors * VECTOR).op("i32.lt_u").op("br_if", 0);
    });
    sums.forEach((sum, i) => f.get(c).get(sum).op("v128.store", 2, i * VECTOR));
    f.advance(times, -1).get(times).op("br_if", 0);
  });
  return f.finish(true);
};

interface Side {
  readonly name: string;
  readonly flops: number;
  readonly run: () => void;
}

const sideOf = (rows: number, vectors: number, fused: boolean): Side[] => {
  const name = `${rows} x ${4 * vectors}, ${fused ? "one instruction" : "two"}`;
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 2 });
  const bytes = encodeModule({ memory: { from: "env", name: "memory", initial: 2, maximum: 2, shared: false }, functions: [tile(rows, vectors, fused)] });
  if (!WebAssembly.validate(bytes)) return [];
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  const run = exports["tile"] as (a: number, b: number, c: number, times: number) => void;
  return [{ name, flops: 2 * rows * vectors * 4 * DEPTH * TIMES, run: () => run(0, 16_384, 65_536, TIMES) }];
};

const peaks = [{ name: "registers alone, two", peak: createPeak() }, { name: "registers alone, one", peak: createPeak("wasm:relaxed") }];
const sides: readonly Side[] = [
  ...peaks.flatMap(({ name, peak }) => (peak === null ? [] : [{ name, ...peak }])),
  ...TILES.flatMap(([rows, vectors]) => [...sideOf(rows, vectors, false), ...sideOf(rows, vectors, true)]),
];
if (!sides.some(({ name }) => name.endsWith("one instruction"))) process.stderr.write("this engine has no relaxed SIMD\n");
const rates = sides.map((): number[] => []);
for (let round = 0; round <= ROUNDS; round++) {
  sides.forEach(({ run, flops }, i) => {
    const start = performance.now();
    run();
    if (round > 0) rates[i]?.push(flops / (performance.now() - start) / 1e6);
  });
}
sides.forEach(({ name }, i) => process.stdout.write(`${name.padEnd(26)} ${median(rates[i] ?? []).toFixed(1)} GFLOP/s\n`));
