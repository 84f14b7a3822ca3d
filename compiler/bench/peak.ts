/** @file What the machine can do at most with 128-bit vectors: a loop that only multiplies and adds in registers, in the same
 *  WebAssembly engine that kernels run in, and with the instructions they have. Rates of kernels are given as shares of it. */

import { FunctionBuilder } from "../codegen/wasm/builder.ts";
import { encodeModule } from "../codegen/wasm/encode.ts";
import type { WasmFunction } from "../codegen/wasm/module.ts";
import type { WasmBackend } from "../../runtime/abi.ts";

const TURNS = 100_000;
/** Powers and sums that depend on nothing but themselves: enough to start two multiplications and two additions a cycle, each of which
 *  takes two or three, and with the factor fewer than 16 registers. Seven of both reach a tenth less, being an odd number. */
const POWERS = 8;
const SUMS = 6;
const LANES = 4;

/** peak(out, turns): sum_(i mod SUMS) += power_i, power_i *= factor: as many multiplications as additions. The sums are stored at
 *  the end, so that they are needed. */
const separate = (): WasmFunction => {
  const f = new FunctionBuilder("peak", ["out", "turns"].map((name) => ({ name, type: "i32" })));
  const sums = f.locals("v128", "sum", SUMS);
  const powers = f.locals("v128", "power", POWERS);
  const factor = f.local("v128", "factor");
  const turn = f.local("i32", "turn");
  f.splat(1).set(factor);
  powers.forEach((power, i) => f.splat(i).set(power));
  f.block("loop", () => {
    powers.forEach((power, i) => {
      const sum = sums[i % SUMS] ?? power;
      f.get(sum).get(power).op("f32x4.add").set(sum).get(power).get(factor).op("f32x4.mul").set(power);
    });
    f.get(turn).i32(1).op("i32.add").tee(turn).get(f.parameter("turns")).op("i32.lt_s").op("br_if", 0);
  });
  for (const local of [...sums, ...powers]) f.get(f.parameter("out")).get(local).op("v128.store", 2, 0);
  return f.finish(true);
};

/** As many as are started before the first is done; with both factors one less than there are registers. */
const FUSED_SUMS = 12;

/** peak(out, turns): sum_i += a · b, rounded once. */
const fused = (): WasmFunction => {
  const f = new FunctionBuilder("peak", ["out", "turns"].map((name) => ({ name, type: "i32" })));
  const sums = f.locals("v128", "sum", FUSED_SUMS);
  const [a, b] = f.locals("v128", "factor", 2) as [number, number];
  const turn = f.local("i32", "turn");
  f.splat(1).set(a).splat(0.5).set(b);
  sums.forEach((sum, i) => f.splat(i).set(sum));
  f.block("loop", () => {
    for (const sum of sums) f.get(a).get(b).get(sum).op("f32x4.relaxed_madd").set(sum);
    f.get(turn).i32(1).op("i32.add").tee(turn).get(f.parameter("turns")).op("i32.lt_s").op("br_if", 0);
  });
  for (const sum of sums) f.get(f.parameter("out")).get(sum).op("v128.store", 2, 0);
  return f.finish(true);
};

/** The loop, and the multiplications of one turn. */
const LOOPS: Readonly<Record<WasmBackend, { readonly make: () => WasmFunction; readonly products: number }>> = {
  wasm: { make: separate, products: POWERS },
  "wasm:relaxed": { make: fused, products: FUSED_SUMS },
};

export interface Peak {
  /** Floating-point operations of one run. */
  readonly flops: number;
  readonly run: () => void;
}

/** null where the engine has not the backend's instructions. */
export const createPeak = (backend: WasmBackend = "wasm"): Peak | null => {
  const { make, products } = LOOPS[backend];
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  const bytes = encodeModule({ memory: { from: "env", name: "memory", initial: 1, maximum: 1, shared: false }, functions: [make()] });
  if (!WebAssembly.validate(bytes)) return null;
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  const peak = exports["peak"] as (out: number, turns: number) => void;
  return { flops: TURNS * products * 2 * LANES, run: () => peak(0, TURNS) };
};
