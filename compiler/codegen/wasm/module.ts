/** @file A WebAssembly module as data: what the encoder turns into bytes and the printer into text. */

import type { Instruction, ValueType } from "./instructions.ts";

export interface WasmFunction {
  readonly name: string;
  readonly parameters: readonly Local[];
  readonly results: readonly ValueType[];
  /** After the parameters, in the order of their indices. */
  readonly locals: readonly Local[];
  /** Without the closing `end`. */
  readonly body: readonly Instruction[];
  readonly exported: boolean;
}

export interface Local {
  readonly name: string;
  readonly type: ValueType;
}

export interface MemoryImport {
  readonly from: string;
  readonly name: string;
  /** Pages of 64 KiB. */
  readonly initial: number;
  readonly maximum: number;
  readonly shared: boolean;
}

export interface WasmModule {
  readonly memory: MemoryImport;
  /** Called by their index in this list. */
  readonly functions: readonly WasmFunction[];
}
