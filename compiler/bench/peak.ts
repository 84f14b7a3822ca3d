/** @file What the machine can do at most with 128-bit vectors: a loop that only multiplies and adds in registers, in the same
 *  WebAssembly engine that kernels run in, and with the instructions they have. Rates of kernels are given as shares of it. */

import { FunctionBuilder } from "../codegen/wasm/builder.ts";
import type { LocalIndex } from "../codegen/wasm/builder.ts";
import { encodeModule } from "../codegen/wasm/encode.ts";
import type { WasmFunction } from "../codegen/wasm/module.ts";
import type { OwnName } from "../../runtime/backends.ts";

const TURNS = 100_000;
/** Powers and sums that depend on nothing but themselves: enough to start two multiplications and two additions a cycle, each of which
 *  takes two or three, and with the factor fewer than 16 registers. Seven of both reach a tenth less, being an odd number. */
const POWERS = 8;
const SUMS = 6;
const LANES = 4;
const VECTOR = 16;

const each = (locals: readonly LocalIndex[], body: (local: LocalIndex, byte: number) => void): void => locals.forEach((local, i) => body(local, VECTOR * i));

/** peak(at, turns): sum_(i mod sums) += power_i, power_i *= factor: as many multiplications as additions. All are loaded
 *  and stored as neighbours, so that an engine that makes wide vectors of pairs does. */
const alternating = (powerCount: number, sumCount: number): WasmFunction => {
  const f = new FunctionBuilder("peak", ["at", "turns"].map((name) => ({ name, type: "i32" })));
  const sums = f.locals("v128", "sum", sumCount);
  const powers = f.locals("v128", "power", powerCount);
  const factor = f.local("v128", "factor");
  const turn = f.local("i32", "turn");
  f.get(f.parameter("at")).op("v128.load32_splat", 2, 0).set(factor);
  each([...sums, ...powers], (local, byte) => f.get(f.parameter("at")).op("v128.load", 2, byte).set(local));
  f.block("loop", () => {
    powers.forEach((power, i) => {
      const sum = sums[i % sumCount] ?? power;
      f.get(sum).get(power).op("f32x4.add").set(sum).get(power).get(factor).op("f32x4.mul").set(power);
    });
    f.get(turn).i32(1).op("i32.add").tee(turn).get(f.parameter("turns")).op("i32.lt_s").op("br_if", 0);
  });
  each([...sums, ...powers], (local, byte) => f.get(f.parameter("at")).get(local).op("v128.store", 2, byte));
  return f.finish(true);
};

/** As many as are started before the first is done; with both factors one less than there are registers. */
const FUSED_SUMS = 12;

/** peak(at, turns): sum_i += a · b, rounded once. */
const fused = (): WasmFunction => {
  const f = new FunctionBuilder("peak", ["at", "turns"].map((name) => ({ name, type: "i32" })));
  const sums = f.locals("v128", "sum", FUSED_SUMS);
  const [a, b] = f.locals("v128", "factor", 2) as [number, number];
  const turn = f.local("i32", "turn");
  for (const factor of [a, b]) f.get(f.parameter("at")).op("v128.load32_splat", 2, 0).set(factor);
  each(sums, (sum, byte) => f.get(f.parameter("at")).op("v128.load", 2, byte).set(sum));
  f.block("loop", () => {
    for (const sum of sums) f.get(a).get(b).get(sum).op("f32x4.relaxed_madd").set(sum);
    f.get(turn).i32(1).op("i32.add").tee(turn).get(f.parameter("turns")).op("i32.lt_s").op("br_if", 0);
  });
  each(sums, (sum, byte) => f.get(f.parameter("at")).get(sum).op("v128.store", 2, byte));
  return f.finish(true);
};

/** The loop, and the multiplications of one turn. */
const LOOPS: Readonly<Record<OwnName, { readonly make: () => WasmFunction; readonly products: number }>> = {
  wasm: { make: () => alternating(POWERS, SUMS), products: POWERS },
  // Pairs are one vector each.
  "wasm:wide": { make: () => alternating(2 * POWERS, 2 * SUMS), products: 2 * POWERS },
  "wasm:relaxed": { make: fused, products: FUSED_SUMS },
};

export interface Peak {
  /** Floating-point operations of one run. */
  readonly flops: number;
  readonly run: () => void;
}

/** null where the engine has not the backend's instructions. */
export const createPeak = (backend: OwnName = "wasm"): Peak | null => {
  const { make, products } = LOOPS[backend];
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  const bytes = encodeModule({ memory: { from: "env", name: "memory", initial: 1, maximum: 1, shared: false }, functions: [make()] });
  if (!WebAssembly.validate(bytes)) return null;
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  new Float32Array(memory.buffer).fill(1);
  const peak = exports["peak"] as (at: number, turns: number) => void;
  return { flops: TURNS * products * 2 * LANES, run: () => peak(0, TURNS) };
};
