/** @file A program for `wasm` that takes its time, and fails when asked to. */

import { FunctionBuilder } from "../../compiler/codegen/wasm/builder.ts";
import { encodeModule } from "../../compiler/codegen/wasm/encode.ts";
import type { WasmProgram } from "../../runtime/abi.ts";
import { entry, input, launch, port } from "./programs.ts";

export const COUNT = 64;

/** out[i] = in0[i] + 1, after a while; a trap where in0[i] < 0. */
const slowly = (turns: number) => {
  const f = new FunctionBuilder("slowly", ["out", "in0", "begin", "end"].map((name) => ({ name, type: "i32" })));
  const [i, turn] = [f.local("i32", "i"), f.local("i32", "turn")];
  const at = (name: string): FunctionBuilder => f.get(f.parameter(name)).get(i).i32(2).op("i32.shl").op("i32.add");
  f.get(f.parameter("begin")).set(i).while(i, () => f.get(f.parameter("end")), 1, () => {
    f.repeat(turn, turns, 1, () => {});
    at("in0").op("f32.load", 2, 0).f32(0).op("f32.lt").block("if", () => f.op("unreachable"));
    at("out");
    at("in0").op("f32.load", 2, 0).f32(1).op("f32.add").op("f32.store", 2, 0);
  });
  return f.finish(true);
};

/** y = x + 2, in two launches of 64 items; w := w + 2 and its two copies, which share a value; v stays. */
export const slow = (turns: number): WasmProgram => {
  const shape = [COUNT];
  const memory = { from: "env", name: "memory", initial: 1, maximum: 65_536, shared: true };
  const [w, m, v] = [input("w", 3, shape, { role: "parameter" }), input("m.w", 4, shape, { role: "state" }), input("v", 5, shape, { role: "parameter" })];
  const forward = entry("forward", [input("x", 0, shape)], [port("y", 2, shape)], [launch(0, [0], 1), launch(0, [1], 2)], []);
  const step = entry("step", [input("x", 0, shape), w, m, v], [port("y", 2, shape), port("w", 7, shape), port("m.w", 3, shape), port("v", 5, shape)], [launch(0, [0], 1), launch(0, [1], 2), launch(0, [3], 6), launch(0, [6], 7)], []);
  const values = Array.from({ length: 8 }, (_, at) => ({ elements: COUNT, offset: at * COUNT }));
  const entries = Object.fromEntries([forward, step].map((each) => [each.name, { ...each, values, arenaBytes: 8 * COUNT * 4 }]));
  return {
    version: 1, backend: "wasm", model: "Slow", dims: {}, parameters: [], optimizer: null, entries,
    wasm: encodeModule({ memory, functions: [slowly(turns)] }), kernels: [{ name: "slowly", items: COUNT, grain: 1, work: 1e6, scratchBytes: 0 }],
  };
};
