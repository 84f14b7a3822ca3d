/** @file A module at the kernel stage → a program for the backend `wasm`: one WebAssembly module, a function a kernel. */

import type { Module, Operation } from "../../../ir/core.ts";
import { InternalError } from "../../../ir/diagnostic.ts";
import type { WasmBackend, WasmKernel, WasmProgram } from "../../../runtime/abi.ts";
import type { TableEntry } from "../kernel-table.ts";
import type { Kernel } from "../kernel.ts";
import { tabulate } from "../program.ts";
import { addNest } from "./add-nest.ts";
import { encodeModule } from "./encode.ts";
import { FunctionTable } from "./function-table.ts";
import type { MemoryImport, WasmModule } from "./module.ts";
import { phaseName } from "./native/native.ts";
import type { NativeKernel, NativePhase } from "./native/native.ts";
import { NATIVE } from "./native/table.ts";

const MEMORY: MemoryImport = { from: "env", name: "memory", initial: 1, maximum: 65_536, shared: true };

/** `module` satisfies the stage `native` and has been through `fuse`. */
export const generateWasmProgram = (module: Module, backend?: WasmBackend): WasmProgram => generateWasm(module, backend).program;

/** The same, and its module as data, which `print-wat.ts` prints. */
export const generateWasm = (module: Module, backend: WasmBackend = "wasm"): { readonly program: WasmProgram; readonly code: WasmModule } => {
  const { table, ...program } = tabulate(module, nativeKernel);
  const { code, kernels } = emitEntries(table.entries, backend === "wasm:relaxed");
  return { program: { ...program, backend, wasm: encodeModule(code), kernels }, code };
};

const nativeKernel = ({ op, operands, attrs, results }: Operation): NativeKernel => {
  const emitter = NATIVE[op.mnemonic];
  if (emitter === undefined) throw new InternalError(`sq.${op.mnemonic} has no native kernel`);
  return emitter({ op, attrs, operands: operands.map(({ type }) => type), results: results.map(({ type }) => type) });
};

interface Emitted {
  readonly code: WasmModule;
  readonly kernels: readonly WasmKernel[];
}

export const emitKernels = (kernels: readonly Kernel[], fused = false): Emitted => emitEntries(kernels.map((nest) => ({ nest })), fused);

/** The functions of kernels, after those that they call. */
const emitEntries = (entries: readonly TableEntry<NativePhase>[], fused: boolean): Emitted => {
  const table = new FunctionTable(fused);
  const kernels = entries.map((entry) => ("nest" in entry ? addNest(entry.nest, table) : addPhase(entry.name, entry.phase, table)));
  return { code: { memory: MEMORY, functions: table.functions }, kernels };
};

const addPhase = (kernel: string, phase: NativePhase, table: FunctionTable): WasmKernel => {
  const { items, grain, work, scratchBytes: bytes } = phase;
  const name = phaseName(kernel, phase);
  table.add(phase.emit(name, table));
  return { name, items, grain, work, scratchBytes: bytes };
};
