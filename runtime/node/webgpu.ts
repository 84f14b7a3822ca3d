/** @file WebGPU in Node: browsers have `navigator.gpu`, Node has the optional package `webgpu` (Dawn). */

import { reasonOf, RuntimeError } from "../errors.ts";

interface WebGpuPackage {
  readonly create: (options: readonly string[]) => unknown;
  readonly globals: Readonly<Record<string, unknown>>;
}

const HINT = "`npm install webgpu` (0.4 or later; an `overrides` entry for gpu.js's own pin if it has one), and a Vulkan, Metal or D3D12 driver";

/** Sets `navigator.gpu` from the package `webgpu`; does nothing where there is one already. The process then lives until
 *  `process.exit()`: Dawn keeps it.
 *  @param options Dawn's, such as `backend=opengles`.
 *  @throws RuntimeError SQ0702 when the package is not installed (npm's empty stand-in counts as that) or does not load. */
export async function installWebGpu(options: readonly string[] = []): Promise<void> {
  const { navigator } = globalThis as { readonly navigator?: { readonly gpu?: unknown } };
  if (navigator?.gpu !== undefined) return;
  const { create, globals } = await loadPackage();
  Object.assign(globalThis, globals);
  const gpu = create(options);
  if (navigator === undefined) Object.defineProperty(globalThis, "navigator", { value: { gpu }, configurable: true });
  else Object.defineProperty(navigator, "gpu", { value: gpu, configurable: true });
}

/** The name is a value, so that neither tsc nor a bundler looks for a package that need not be there. */
async function loadPackage(name = "webgpu"): Promise<WebGpuPackage> {
  let loaded: Partial<WebGpuPackage>;
  try {
    loaded = (await import(name)) as Partial<WebGpuPackage>;
  } catch (thrown) {
    throw new RuntimeError("SQ0702", `WebGPU in Node: the package \`webgpu\` does not load: ${reasonOf(thrown)}`, HINT, thrown);
  }
  if (loaded.create === undefined || loaded.globals === undefined) {
    throw new RuntimeError("SQ0702", "WebGPU in Node: the optional package `webgpu` is not installed", HINT);
  }
  return loaded as WebGpuPackage;
}
