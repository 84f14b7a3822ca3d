/** @file A compiled model on a backend by name, the interpreter included. */

import { createExecutable } from "../../runtime/index.ts";
import type { Executable, Program } from "../../runtime/abi.ts";
import { RuntimeError } from "../../runtime/errors.ts";
import { installWebGpu } from "../../runtime/node/webgpu.ts";
import { generateWasmProgram } from "../codegen/wasm/program.ts";
import type { Compiled } from "../driver.ts";
import { INTERPRETER, interpreterExecutable } from "../interpreter.ts";

/** The program of a compilation that went all the way. Throws SQ0706 where the pipeline stopped earlier. */
export const programOf = (compiled: Compiled): Program => {
  if (compiled.program !== null) return compiled.program;
  throw new RuntimeError("SQ0706", "the pipeline stopped before the kernel stage, so there is nothing to run");
};

/** `interpreter`, `wasm`, `gpujs:cpu`, …, or `gpujs` for the best gpu.js mode of this machine. Never another one than was named. */
export const createBackend = async (compiled: Compiled, backend: string): Promise<Executable> => {
  if (backend === INTERPRETER) return interpreterExecutable(compiled.gradient);
  if (backend === "wasm") {
    programOf(compiled);
    return createExecutable(generateWasmProgram(compiled.module), backend);
  }
  if (backend === "gpujs:webgpu") await installWebGpu();
  return createExecutable(programOf(compiled), backend);
};
