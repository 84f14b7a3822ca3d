/** @file What Subquad must know about each way gpu.js can run kernels, as data. */

export type ModeName = "cpu" | "webasm" | "headlessgl" | "webgl2" | "webgpu";

export interface Mode {
  readonly name: ModeName;
  /** gpu.js's executors that count as having run here; anything else is a fallback. */
  readonly executors: readonly string[];
  /** Largest extent of an output of several dimensions; beyond it, kernels are given a flat output. `texture`: the side of
   *  the largest texture, as the device says. On the cpu it is 0: rows of rows are no flat input for the next kernel. */
  readonly maxExtent: number | "texture";
  /** Pass inputs as gpu.js `Input`, the type its fused executors give to intermediate results: one build a kernel. */
  readonly wrapInputs: boolean;
  /** Largest tensor: where kernels compute indices in float32 the last exact one is 2^24. */
  readonly maxElements: number;
  /** For `subquad doctor`. */
  readonly note: string;
}

const FLOAT_INDEX = 2 ** 24;

export const MODES: Readonly<Record<ModeName, Mode>> = {
  cpu: {
    name: "cpu",
    executors: ["generic"],
    maxExtent: 0,
    wrapInputs: false,
    maxElements: Number.MAX_SAFE_INTEGER,
    note: "plain JavaScript; arithmetic in float64, results rounded to float32",
  },
  webasm: {
    name: "webasm",
    executors: ["fused-sync", "fused-threaded"],
    maxExtent: Infinity,
    wrapInputs: true,
    maxElements: FLOAT_INDEX,
    note: "WebAssembly with SIMD; worker threads where SharedArrayBuffer is there",
  },
  headlessgl: {
    name: "headlessgl",
    executors: ["generic"],
    maxExtent: "texture",
    wrapInputs: false,
    maxElements: FLOAT_INDEX,
    note: "WebGL 1 in Node through the `gl` package",
  },
  webgl2: {
    name: "webgl2",
    executors: ["generic"],
    maxExtent: "texture",
    wrapInputs: false,
    maxElements: FLOAT_INDEX,
    note: "WebGL 2 in a browser",
  },
  webgpu: {
    name: "webgpu",
    executors: ["fused-encoder"],
    maxExtent: 65_535,
    wrapInputs: true,
    maxElements: FLOAT_INDEX,
    note: "WebGPU compute shaders, in a browser or in Node with the `webgpu` package",
  },
};
