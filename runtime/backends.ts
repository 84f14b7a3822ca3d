/** @file The backends there are, as data: where each runs, how to tell whether it does, how to add it. `subquad doctor`
 *  prints this table; `createExecutable` reads it. */

import type { Executable, ExecutableOptions, Program, WasmBackend, WasmProgram } from "./abi.ts";
import { reasonOf, RuntimeError } from "./errors.ts";
import { createGpuJsExecutable } from "./gpujs/executable.ts";
import { loadGpuJs } from "./gpujs/load.ts";
import { MODES, type ModeName } from "./gpujs/modes.ts";
import { makeWide, missingWide } from "./node/wide.ts";
import { missingRelaxed, missingWasm } from "./wasm/engine.ts";
import { createWasmExecutable } from "./wasm/executable.ts";

export interface Backend {
  /** As given to `--backend`: `gpujs:webasm`. */
  readonly name: string;
  /** The mode of gpu.js; null for Subquad's own. */
  readonly mode: ModeName | null;
  readonly summary: string;
  /** null when it runs here, otherwise why it does not. */
  readonly missing: () => Promise<string | null>;
  /** How to get it. */
  readonly install: string;
}

export interface BackendReport {
  readonly name: string;
  readonly available: boolean;
  /** Why it is not available; what it is, when it is. */
  readonly reason: string;
  /** How to get it; empty when it is there. */
  readonly hint: string;
}

const inBrowser = (): boolean => typeof document !== "undefined";

function backend(mode: ModeName, missing: Backend["missing"], install: string): Backend {
  return { name: `gpujs:${mode}`, mode, summary: MODES[mode].note, missing, install };
}

function own(name: OwnName, summary: string, missing: () => string | null, install: string): Backend {
  return { name, mode: null, summary, missing: async () => missing(), install };
}

/** Best first: `gpujs` takes the first of its own that runs here. */
export const BACKENDS: readonly Backend[] = [
  backend("webgpu", missingWebGpu, "a browser with WebGPU; in Node `npm install webgpu` (override gpu.js's pin) and a Vulkan, Metal or D3D12 driver"),
  backend("webgl2", missingWebGl2, "a browser; in Node there is no WebGL 2"),
  backend("headlessgl", missingHeadlessGl, "in Node on Linux: `apt-get install libxi-dev xvfb`, `npm install gl` without the override, run under `xvfb-run`"),
  backend("webasm", missingWebAssembly, "any current Node or browser has WebAssembly SIMD"),
  backend("cpu", async () => null, ""),
  own("wasm", "WebAssembly with SIMD and threads, without gpu.js: one plan over one shared memory", missingWasm, "any current Node or browser has WebAssembly SIMD"),
  own("wasm:wide", "the same numbers as wasm to the bit, in vectors of 256 bits: an experimental option of V8, and of all that the process compiles", missingWide, "Node 24 or later on x64; in Chrome the option --js-flags=--experimental-wasm-revectorize, and the backend wasm"),
  own("wasm:relaxed", "the same with fused multiply-add: a little faster; the last bits of results depend on the engine", missingRelaxed, "Node 22 or Chrome 114, or later, and a processor with fused multiply-add"),
];

/** The backends that run programs for WebAssembly, and which. */
export const RUNS = { wasm: "wasm", "wasm:wide": "wasm", "wasm:relaxed": "wasm:relaxed" } as const satisfies Readonly<Record<string, WasmBackend>>;

/** Subquad's own backends. */
export type OwnName = keyof typeof RUNS;

export const isOwn = (name: string): name is OwnName => name in RUNS;

/** What programs for a backend are compiled for; null for those of gpu.js. */
export const wasmBackendOf = (name: string): WasmBackend | null => (isOwn(name) ? RUNS[name] : null);

/** Every backend: there or not, and why. */
export async function probeBackends(): Promise<BackendReport[]> {
  return Promise.all(
    BACKENDS.map(async ({ name, summary, missing, install }) => {
      const reason = await reasonMissing(missing);
      return { name, available: reason === null, reason: reason ?? summary, hint: reason === null ? "" : install };
    }),
  );
}

/** Prepares a program for a backend by name: `gpujs:cpu`, `gpujs:webasm`, …, or `gpujs` for the best one there is; a program
 *  made for WebAssembly runs on the backend that it was made for, and on no other.
 *  @throws RuntimeError SQ0701 unknown name, SQ0702 not available on this machine (with the reason and how to get it), or
 *  the program was compiled for another backend; SQ0007 an option that the backend does not know. */
export async function createExecutable(program: Program | WasmProgram, name: string, options: ExecutableOptions = {}): Promise<Executable> {
  if (!isOwn(name) && options.threads !== undefined) {
    throw new RuntimeError("SQ0007", `\`${name}\` takes no number of threads`, "only `wasm` does; gpu.js has its own");
  }
  if (name === "gpujs") return createGpuJsExecutable(forGpuJs(program, name), await bestMode());
  const found = BACKENDS.find((candidate) => candidate.name === name);
  if (found === undefined) {
    const known = ["gpujs", ...BACKENDS.map((candidate) => candidate.name)].join(", ");
    throw new RuntimeError("SQ0701", `there is no backend \`${name}\``, `there are: ${known}`);
  }
  const reason = await reasonMissing(found.missing);
  if (reason !== null) throw new RuntimeError("SQ0702", `\`${name}\` is not available here: ${reason}`, found.install);
  if (found.mode !== null) return createGpuJsExecutable(forGpuJs(program, name), found.mode);
  if ("wasm" in program && program.backend === wasmBackendOf(name)) {
    if (name === "wasm:wide") await makeWide();
    return createWasmExecutable(program, name, options);
  }
  const made = "wasm" in program ? `\`${program.backend}\`` : "gpu.js";
  throw new RuntimeError("SQ0702", `\`${program.model}\` was compiled for ${made}, not for \`${name}\``, `compile it with \`--target ${wasmBackendOf(name) ?? name}\``);
}

function forGpuJs(program: Program | WasmProgram, name: string): Program {
  if (!("wasm" in program)) return program;
  throw new RuntimeError("SQ0702", `\`${program.model}\` was compiled for WebAssembly, not for \`${name}\``, `run it on \`${program.backend}\``);
}

/** Software WebGPU loses to WebAssembly by far, so it has to be named to be used. */
async function bestMode(): Promise<ModeName> {
  for (const { mode, missing } of BACKENDS) {
    if (mode === null || (await reasonMissing(missing)) !== null) continue;
    if (mode !== "webgpu" || !(await isSoftwareAdapter())) return mode;
  }
  return "cpu";
}

async function reasonMissing(missing: Backend["missing"]): Promise<string | null> {
  try {
    return await missing();
  } catch (thrown) {
    return reasonOf(thrown);
  }
}

/** The part of WebGPU's `GPU` that is asked here; TypeScript's own DOM library need not know it. */
interface WebGpu {
  requestAdapter(): Promise<{ readonly info?: { readonly isFallbackAdapter?: boolean } } | null>;
}

function webGpu(): WebGpu | undefined {
  return (globalThis.navigator as { readonly gpu?: WebGpu } | undefined)?.gpu;
}

async function isSoftwareAdapter(): Promise<boolean> {
  const adapter = await webGpu()?.requestAdapter();
  return adapter?.info?.isFallbackAdapter ?? false;
}

async function missingWebGpu(): Promise<string | null> {
  const gpu = webGpu();
  if (gpu === undefined) {
    return inBrowser() ? "this browser has no WebGPU" : "navigator.gpu is not set: the optional package `webgpu` is not installed or not loaded";
  }
  return (await gpu.requestAdapter()) === null ? "WebGPU is there, but no adapter answers (no driver)" : null;
}

async function missingWebGl2(): Promise<string | null> {
  if (!inBrowser()) return "WebGL 2 needs a browser";
  const { GPU } = await loadGpuJs();
  return GPU.isWebGL2Supported ? null : "this browser gives no WebGL 2 context";
}

async function missingHeadlessGl(): Promise<string | null> {
  if (inBrowser()) return "headless-gl runs in Node only";
  const { GPU } = await loadGpuJs();
  return GPU.isHeadlessGLSupported ? null : "the optional package `gl` is not installed, or there is no X display";
}

async function missingWebAssembly(): Promise<string | null> {
  const { GPU } = await loadGpuJs();
  return GPU.isWebAssemblySupported ? null : "this engine has no WebAssembly SIMD";
}
