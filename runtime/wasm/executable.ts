/** @file Programs on the backend `wasm`: one memory that holds the arena of the largest entry point, one instance. */

import type { Entry, Executable, Tensors, WasmKernel, WasmProgram } from "../abi.ts";
import { reasonOf, RuntimeError } from "../errors.ts";
import { checkInputs, entryOf, outputTensor } from "../validate.ts";

const PAGE = 65_536;
const MOST_PAGES = 65_536;
const FLOAT = 4;

/** The smallest module with a vector in it: engines without SIMD do not take it. */
const PROBE = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11);

export function missingWasm(): string | null {
  if (typeof WebAssembly === "undefined") return "this engine has no WebAssembly";
  return WebAssembly.validate(PROBE) ? null : "this engine has no WebAssembly SIMD";
}

type Run = (...pointers: readonly number[]) => void;

/** @throws RuntimeError SQ0704 when the engine refuses the module, SQ0705 when the program needs more than 4 GiB, SQ0707 when
 *  the machine has not that much. */
export async function createWasmExecutable(program: WasmProgram): Promise<Executable> {
  const arena = Math.max(0, ...Object.values(program.entries).map((entry) => entry.arenaBytes));
  const scratch = Math.ceil(arena / 16) * 16;
  const bytes = scratch + Math.max(0, ...program.kernels.map((kernel) => kernel.scratchBytes));
  const memory = allocate(program, bytes);
  const kernels = await instantiate(program, memory);
  let destroyed = false;

  const run = (entry: Entry, inputs: Tensors): Tensors => {
    const given = checkInputs(entry, inputs);
    const floats = new Float32Array(memory.buffer);
    const addressOf = (value: number): number => FLOAT * (entry.values[value]?.offset ?? 0);
    const view = (value: number): Float32Array => {
      const { offset = 0, elements = 0 } = entry.values[value] ?? {};
      return floats.subarray(offset, offset + elements);
    };
    entry.inputs.forEach((port, at) => view(port.value).set(given[at] ?? []));
    for (const { kernel: number, args, result, also = [] } of entry.launches) {
      const { items, scratchBytes } = program.kernels[number] as WasmKernel;
      (kernels[number] as Run)(...[result, ...also, ...args].map(addressOf), 0, items, ...(scratchBytes === 0 ? [] : [scratch]));
    }
    return Object.fromEntries(entry.outputs.map((port) => [port.name, outputTensor(port, view(port.value).slice())]));
  };

  return {
    backend: "wasm",
    run: async (entryName, inputs) => {
      if (destroyed) throw new RuntimeError("SQ0708", "this executable was destroyed; create another one");
      return run(entryOf(program, entryName), inputs);
    },
    destroy: () => {
      destroyed = true;
    },
  };
}

function allocate(program: WasmProgram, bytes: number): WebAssembly.Memory {
  const pages = Math.max(1, Math.ceil(bytes / PAGE));
  if (pages > MOST_PAGES) {
    const message = `\`${program.model}\` needs ${bytes} bytes of memory; WebAssembly addresses ${MOST_PAGES * PAGE}`;
    throw new RuntimeError("SQ0705", message, "use smaller dims: what is kept for the gradient grows with B and T");
  }
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: MOST_PAGES, shared: true });
  } catch (thrown) {
    throw new RuntimeError("SQ0707", `\`${program.model}\` needs ${bytes} bytes of memory: ${reasonOf(thrown)}`, "use smaller dims", thrown);
  }
}

/** The kernels by number. */
async function instantiate(program: WasmProgram, memory: WebAssembly.Memory): Promise<readonly Run[]> {
  try {
    const { instance } = await WebAssembly.instantiate(program.wasm as Uint8Array<ArrayBuffer>, { env: { memory } });
    return program.kernels.map(({ name }) => instance.exports[name] as Run);
  } catch (thrown) {
    throw new RuntimeError("SQ0704", `the kernels of \`${program.model}\` did not compile: ${reasonOf(thrown)}`, undefined, thrown);
  }
}
