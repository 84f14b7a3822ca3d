/** @file Programs on the backend `wasm`. */

import type { Executable, ExecutableOptions, Tensors, WasmProgram } from "../abi.ts";
import { entryOf } from "../validate.ts";
import { Keeper } from "./kept.ts";
import { createMachine } from "./machine.ts";
import { secondsOf } from "./plan.ts";

/** `name`: of the backend. @throws RuntimeError SQ0704 when the engine refuses the module, SQ0705 when the program needs more than 4 GiB, SQ0707 when
 *  the machine has not that much, SQ0007 for a number of threads that there cannot be. */
export async function createWasmExecutable(program: WasmProgram, name: string, options: ExecutableOptions = {}): Promise<Executable> {
  const machine = await createMachine(program, options);
  const { places } = machine;
  const keeper = places === null ? null : new Keeper(machine, places);
  return {
    get backend(): string {
      return `${name} (${machine.threads})`;
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
