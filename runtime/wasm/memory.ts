/** @file One memory for all entry points: the arena of the largest, the scratch of every thread, and places for what is kept from
 *  run to run. Pages that nothing touches cost address space only. */

import type { Entry, InputPort, WasmProgram } from "../abi.ts";
import { reasonOf, RuntimeError } from "../errors.ts";

const PAGE = 65_536;
const MOST_PAGES = 65_536;
export const FLOAT = 4;
/** Threads write nothing into each other's cache lines. */
const ALIGNMENT = 128;

export interface Layout {
  /** Address of a thread's scratch. */
  readonly scratchOf: (thread: number) => number;
  /** By name of a parameter or a state, its places, two where an entry replaces it; null where there is no room for them. */
  readonly kept: ReadonlyMap<string, KeptPlace> | null;
  /** All of it. */
  readonly bytes: number;
}

/** Addresses and sizes in elements. */
export interface KeptPlace {
  readonly port: InputPort;
  readonly elements: number;
  readonly offsets: readonly number[];
}

export function layOut(program: WasmProgram, threads: number): Layout {
  const entries = Object.values(program.entries);
  const scratch = aligned(Math.max(0, ...entries.map((entry) => entry.arenaBytes)));
  const stride = aligned(Math.max(0, ...program.kernels.map((kernel) => kernel.scratchBytes)));
  const first = scratch + threads * stride;
  const { kept, end } = placesFrom(first, entries);
  const fits = end <= MOST_PAGES * PAGE;
  return { scratchOf: (thread) => scratch + thread * stride, kept: fits ? kept : null, bytes: fits ? end : first };
}

function placesFrom(start: number, entries: readonly Entry[]): { readonly kept: ReadonlyMap<string, KeptPlace>; readonly end: number } {
  const replaced = new Set(entries.flatMap((entry) => entry.inputs.filter(isKeepable).filter(({ name }) => entry.outputs.some((port) => port.name === name))).map(({ name }) => name));
  const kept = new Map<string, KeptPlace>();
  let end = start;
  for (const entry of entries) {
    for (const port of entry.inputs) {
      if (!isKeepable(port) || kept.has(port.name)) continue;
      const { elements = 0 } = entry.values[port.value] ?? {};
      const offsets = Array.from({ length: replaced.has(port.name) ? 2 : 1 }, (_, at) => end / FLOAT + at * (aligned(elements * FLOAT) / FLOAT));
      kept.set(port.name, { port, elements, offsets });
      end += offsets.length * aligned(elements * FLOAT);
    }
  }
  return { kept, end };
}

export function isKeepable({ role }: InputPort): boolean {
  return role === "parameter" || role === "state";
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

/** @throws RuntimeError SQ0705 when it is more than 4 GiB, SQ0707 when the machine has not that much. */
export function allocate(model: string, bytes: number): WebAssembly.Memory {
  const pages = Math.max(1, Math.ceil(bytes / PAGE));
  if (pages > MOST_PAGES) {
    const message = `\`${model}\` needs ${bytes} bytes of memory; WebAssembly addresses ${MOST_PAGES * PAGE}`;
    throw new RuntimeError("SQ0705", message, "use smaller dims: what is kept for the gradient grows with B and T");
  }
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: MOST_PAGES, shared: true });
  } catch (thrown) {
    throw new RuntimeError("SQ0707", `\`${model}\` needs ${bytes} bytes of memory: ${reasonOf(thrown)}`, "use smaller dims", thrown);
  }
}
