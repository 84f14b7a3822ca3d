/** @file Operations that the backend `wasm` computes whole, where a kernel that defines one element of one result at a time
 *  would be slow: attention, whose scores fit no buffer but do fit a cache.
 *
 *  A native kernel is a list of phases with a barrier between them. A phase is an exported function over items, like any other
 *  kernel of a program: `name(results…, temporaries…, operands…, begin, end[, scratch])`, all i32, pointers in bytes. An
 *  item's numbers depend on the inputs alone, never on which thread computes it or on what came before it in a call. */

import type { AnyOp, TensorType } from "../../../../ir/core.ts";
import type { FunctionTable } from "../function-table.ts";
import type { WasmFunction } from "../module.ts";

/** One operation kept whole. */
export interface NativeCall {
  readonly op: AnyOp;
  readonly attrs: object;
  readonly operands: readonly TensorType[];
  readonly results: readonly TensorType[];
}

export interface NativePhase {
  /** Of the function's name, after the kernel's; "" for the main phase. */
  readonly suffix: string;
  /** What begin and end count. Items are taken in ascending order: large ones should come first. */
  readonly items: number;
  /** How many a thread takes at a time. */
  readonly grain: number;
  /** Floating-point operations of all items, about. */
  readonly work: number;
  /** A thread's own memory, aligned to 16; 0: the function has no parameter `scratch`. */
  readonly scratchBytes: number;
  /** The exported function; those that it calls are added to the table. */
  readonly emit: (name: string, table: FunctionTable) => WasmFunction;
}

export interface NativeKernel {
  /** Elements of buffers that are alive from the first phase to the last. */
  readonly temporaries: readonly number[];
  readonly phases: readonly NativePhase[];
}

export type NativeEmitter = (call: NativeCall) => NativeKernel;

export const phaseName = (kernel: string, { suffix }: NativePhase): string => (suffix === "" ? kernel : `${kernel}_${suffix}`);
