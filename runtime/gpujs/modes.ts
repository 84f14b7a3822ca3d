/** @file What Subquad must know about each way gpu.js can run kernels, as data. */

export type ModeName = "cpu" | "webasm" | "headlessgl" | "webgl2" | "webgpu";

export interface Mode {
  readonly name: ModeName;
  /** gpu.js's executors that count as having run here; anything else is a fallback. */
  readonly executors: readonly string[];
  /** Results of several dimensions would reach the next kernel as rows of rows: give kernels flat outputs instead. */
  readonly flatOutput: boolean;
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
    flatOutput: true,
    wrapInputs: false,
    maxElements: Number.MAX_SAFE_INTEGER,
    note: "plain JavaScript; arithmetic in float64, results rounded to float32",
  },
  webasm: {
    name: "webasm",
    executors: ["fused-sync", "fused-threaded"],
    flatOutput: false,
    wrapInputs: true,
    maxElements: FLOAT_INDEX,
    note: "WebAssembly with SIMD; worker threads where SharedArrayBuffer is there",
  },
  headlessgl: {
    name: "headlessgl",
    executors: ["generic"],
    flatOutput: false,
    wrapInputs: false,
    maxElements: FLOAT_INDEX,
    note: "WebGL 1 in Node through the `gl` package",
  },
  webgl2: {
    name: "webgl2",
    executors: ["generic"],
    flatOutput: false,
    wrapInputs: false,
    maxElements: FLOAT_INDEX,
    note: "WebGL 2 in a browser",
  },
  webgpu: {
    name: "webgpu",
    executors: ["fused-encoder"],
    flatOutput: false,
    wrapInputs: true,
    maxElements: FLOAT_INDEX,
    note: "WebGPU compute shaders, in a browser or in Node with the `webgpu` package",
  },
};
