/** @file gpu.js, loaded when first needed: 75 ms and half a megabyte that checking or compiling a model does not want. */

import type { GPU, Input } from "gpu.js";

export interface GpuJs {
  readonly GPU: typeof GPU;
  /** Flat data with its gpu.js size; the package's own types wrongly make this a type only. */
  readonly input: (data: Float32Array, size: readonly number[]) => Input;
}

/** Node gives the package's exports; its browser bundle is one UMD value with the exports hanging on `GPU`. */
export async function loadGpuJs(): Promise<GpuJs> {
  const loaded = (await import("gpu.js")) as unknown as Partial<GpuJs> & { readonly default?: Partial<GpuJs> };
  const found = loaded.GPU !== undefined ? loaded : loaded.default;
  if (found?.GPU === undefined || found.input === undefined) throw new Error("the gpu.js package exports no GPU");
  return { GPU: found.GPU, input: found.input };
}
