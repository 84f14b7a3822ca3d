/** @file A compiled model on a backend by name, the interpreter included. */

import { createExecutable } from "../../runtime/index.ts";
import type { Module } from "../../ir/core.ts";
import type { AnyProgram, Executable } from "../../runtime/abi.ts";
import { RuntimeError } from "../../runtime/errors.ts";
import { wasmBackendOf } from "../../runtime/backends.ts";
import { missingRelaxed, missingWasm } from "../../runtime/wasm/engine.ts";
import { installWebGpu } from "../../runtime/node/webgpu.ts";
import { programFor } from "../driver.ts";
import type { Compiled, ProgramFor } from "../driver.ts";
import type { Target } from "../../passes/pipelines.ts";
import { INTERPRETER, interpreterExecutable } from "../interpreter.ts";

/** The fastest backend of this machine that needs nothing experimental: Subquad's own WebAssembly, with what SIMD the engine has. */
export const AUTO = "auto";

export const resolveBackend = (backend: string = AUTO): string => (backend !== AUTO ? backend : missingRelaxed() === null ? "wasm:relaxed" : missingWasm() === null ? "wasm" : "gpujs");

/** What a backend's programs are compiled for. */
export const targetOf = (backend?: string): Target => wasmBackendOf(resolveBackend(backend)) ?? "gpujs";

/** The program of a compilation that went all the way, for its own target unless another one is given. Throws SQ0706 where the pipeline stopped earlier. */
export const programOf = <T extends Target = Target>(compiled: Compiled, target?: T): ProgramFor<T> => {
  const program = programFor(compiled, target ?? (compiled.target as T));
  if (program !== null) return program;
  throw new RuntimeError("SQ0706", "the pipeline stopped before the kernel stage, so there is nothing to run");
};

/** Where a model runs: fields of several options. */
export interface BackendOptions {
  /** Default: `auto`. */
  readonly backend?: string;
  /** Of the backend `wasm`. Default: as many as this machine runs at once. */
  readonly threads?: number;
}

/** `auto`, `interpreter`, `wasm`, `wasm:relaxed`, `wasm:wide`, `gpujs:cpu`, …, or `gpujs` for the best gpu.js mode of this machine. Never another one than was
 *  named. Throws SQ0007 for a number of threads where the backend takes none. */
export const createBackend = async (compiled: Compiled, backend?: string, threads?: number): Promise<Executable> => {
  const name = resolveBackend(backend);
  return openBackend(name, threads, () => programOf(compiled, targetOf(name)), () => compiled.gradient);
};

/** The same of any module, whose program is made where it is wanted. */
export const openBackend = async (name: string, threads: number | undefined, program: () => AnyProgram, whole: () => Module): Promise<Executable> => {
  if (name === INTERPRETER && threads !== undefined) throw new RuntimeError("SQ0007", `\`${name}\` takes no number of threads`, "only `wasm` does");
  if (name === INTERPRETER) return interpreterExecutable(whole());
  if (name === "gpujs:webgpu") await installWebGpu();
  return createExecutable(program(), name, threads === undefined ? {} : { threads });
};
