/** @file What the page runs: programs on a backend of the browser. Tensors travel as safetensors in base64, because what
 *  crosses between Node and a page is JSON. */

import type { Executable, ExecutableOptions, Program, WasmProgram } from "../../runtime/abi.ts";
import { createExecutable, probeBackends, readSafetensors, writeSafetensors, type BackendReport } from "../../runtime/index.ts";

export interface PageRequest {
  /** A module of WebAssembly travels in base64, too. */
  readonly program: Program | (Omit<WasmProgram, "wasm"> & { readonly wasm: string });
  readonly backend: string;
  readonly options: ExecutableOptions;
  readonly entry: string;
  readonly inputs: string;
  /** Runs of the entry, all but the last thrown away: buffers of earlier calls must not show through. */
  readonly runs: number;
}

/** Errors as values: what a page throws loses its fields on the way to Node. */
export type PageAnswer =
  | { readonly outputs: string; readonly backend: string; readonly milliseconds: number }
  | { readonly code: string; readonly message: string };

export interface PageApi {
  run(request: PageRequest): Promise<PageAnswer>;
  probe(): Promise<BackendReport[]>;
}

async function run({ program, backend, options, entry, inputs, runs }: PageRequest): Promise<PageAnswer> {
  let executable: Executable | null = null;
  try {
    executable = await createExecutable("wasm" in program ? { ...program, wasm: decodeBase64(program.wasm) } : program, backend, options);
    const { tensors } = readSafetensors(decodeBase64(inputs));
    const start = performance.now();
    let outputs = await executable.run(entry, tensors);
    for (let more = 1; more < runs; more += 1) outputs = await executable.run(entry, tensors);
    const milliseconds = performance.now() - start;
    return { outputs: encodeBase64(writeSafetensors(outputs)), backend: executable.backend, milliseconds };
  } catch (thrown) {
    const { code, message, stack } = thrown as { code?: string; message: string; stack?: string };
    return { code: code ?? "", message: code === undefined ? `${message}\n${stack ?? ""}` : message };
  } finally {
    executable?.destroy();
  }
}

function decodeBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

function encodeBase64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}

(globalThis as unknown as { subquad: PageApi }).subquad = { run, probe: probeBackends };
