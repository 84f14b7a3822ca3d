/** @file Programs on the backend `wasm`. */

import type { Executable, ExecutableOptions, Tensors, WasmProgram } from "../abi.ts";
import { entryOf } from "../validate.ts";
import { Keeper } from "./kept.ts";
import { createMachine } from "./machine.ts";
import { secondsOf } from "./plan.ts";

/** The smallest module with a vector in it: engines without SIMD do not take it. */
const PROBE = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11);

export function missingWasm(): string | null {
  if (typeof WebAssembly === "undefined") return "this engine has no WebAssembly";
  return WebAssembly.validate(PROBE) ? null : "this engine has no WebAssembly SIMD";
}

/** @throws RuntimeError SQ0704 when the engine refuses the module, SQ0705 when the program needs more than 4 GiB, SQ0707 when
 *  the machine has not that much, SQ0007 for a number of threads that there cannot be. */
export async function createWasmExecutable(program: WasmProgram, options: ExecutableOptions = {}): Promise<Executable> {
  const machine = await createMachine(program, options);
  const { places } = machine;
  const keeper = places === null ? null : new Keeper(machine, places);
  return {
    get backend(): string {
      return machine.backend;
    },
    run: async (name, inputs) => {
      const entry = entryOf(program, name);
      return machine.call({ entry, inputs: entry.inputs, outputs: entry.outputs, moved: new Map() }, inputs);
    },
    ...(keeper === null ? {} : { keep: (tensors: Tensors) => keeper.keep(tensors) }),
    spent: () => secondsOf(machine.seconds),
    destroy: () => machine.destroy(),
  };
}
