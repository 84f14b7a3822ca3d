/** @file Programs on gpu.js: one GPU object, its kernels shared by all entry points, each entry built when first run. */

import type { GPU } from "gpu.js";
import type { Executable, Program } from "../abi.ts";
import { reasonOf, RuntimeError } from "../errors.ts";
import { entryOf } from "../validate.ts";
import { createEntryRunner, kernelTable, type EntryRunner } from "./entry.ts";
import { loadGpuJs, type GpuJs } from "./load.ts";
import { MODES, type Mode, type ModeName } from "./modes.ts";

/** @throws RuntimeError SQ0702 when this machine does not have the mode. */
export async function createGpuJsExecutable(program: Program, name: ModeName): Promise<Executable> {
  const mode = MODES[name];
  const gpujs = await loadGpuJs();
  const gpu = await openGpu(gpujs, mode);
  const kernels = kernelTable(gpu, program, mode);
  const runners = new Map<string, EntryRunner>();
  let last: EntryRunner | null = null;
  let destroyed = false;

  const runnerOf = (entryName: string): EntryRunner => {
    const known = runners.get(entryName);
    if (known !== undefined) return known;
    const runner = createEntryRunner(gpu, gpujs, kernels, entryOf(program, entryName), mode);
    runners.set(entryName, runner);
    return runner;
  };

  return {
    get backend(): string {
      const executor = last?.executor() ?? null;
      return executor === null || executor === "generic" ? `gpujs:${name}` : `gpujs:${name} (${executor})`;
    },
    run: async (entryName, inputs) => {
      if (destroyed) throw new RuntimeError("SQ0708", "this executable was destroyed; create another one");
      last = runnerOf(entryName);
      return last.run(inputs);
    },
    destroy: () => {
      if (destroyed) return;
      destroyed = true;
      runners.clear();
      // What fails while letting go (a context that is lost already) is of no concern to anybody any more.
      gpu.destroy().catch(() => undefined);
    },
  };
}

async function openGpu(gpujs: GpuJs, mode: Mode): Promise<GPU> {
  if (mode.name === "webgpu" && !(await gpujs.GPU.isWebGPUAvailable())) {
    throw unavailable(mode, "no WebGPU adapter was found");
  }
  try {
    return new gpujs.GPU({ mode: mode.name as never });
  } catch (thrown) {
    throw unavailable(mode, reasonOf(thrown));
  }
}

function unavailable(mode: Mode, reason: string): RuntimeError {
  const hint = "`subquad doctor` lists the backends of this machine and how to add more";
  return new RuntimeError("SQ0702", `gpujs:${mode.name} is not available here: ${reason}`, hint);
}
