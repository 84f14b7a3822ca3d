/** @file What a compiled program is, and what a host hands to it. Pure data: a program is JSON, written by `compile`
 *  into a module and a manifest, and executed by every backend. `runtime/` knows nothing of the IR. */

/** A tensor on the host, row-major. `dtype` is spelled as safetensors does. */
export interface HostTensor {
  readonly dtype: "F64" | "F32" | "I64" | "I32" | "U8" | "BOOL";
  readonly shape: readonly number[];
  readonly data: Float64Array | Float32Array | BigInt64Array | Int32Array | Uint8Array;
}

export type Tensors = Readonly<Record<string, HostTensor>>;

/** A gpu.js kernel: a source string and what gpu.js must be told. All arrays are flat Float32Arrays. */
export interface KernelSource {
  readonly name: string;
  /** `function name(a, b) { … }` in the language of gpu.js; loop bounds are literals. */
  readonly source: string;
  /** gpu.js order: [x], [x, y] or [x, y, z]; their product is the number of elements. */
  readonly output: readonly number[];
  /** Number of elements of every argument. */
  readonly inputs: readonly number[];
  /** Where the source has a loop without a literal bound (a list walk): the largest count it can reach. */
  readonly loopLimit?: number;
}

/** One kernel call: `result = kernels[kernel](...args)`; numbers index `Entry.values`. */
export interface Launch {
  readonly kernel: number;
  readonly args: readonly number[];
  readonly result: number;
  /** What else the kernel writes: further results, and buffers of its own. Kernels of gpu.js have none. */
  readonly also?: readonly number[];
  /** What training counts the time of apart: the attention of the forward pass, and its gradient. */
  readonly part?: LaunchPart;
  /** Where in the model: `Block.2.Mlp`. */
  readonly path: string;
}

export type LaunchPart = "attention" | "attention_vjp";

/** parameter, state: kept by the host between calls; input: an argument of the entry; scalar: `lr`, `step`; key: 4 words. */
export type PortRole = "parameter" | "state" | "input" | "scalar" | "key";

/** A tensor that enters or leaves an entry point. */
export interface Port {
  readonly name: string;
  readonly value: number;
  readonly dtype: "f32" | "i32" | "i1";
  readonly shape: readonly number[];
  /** The dimension names of the axes: `["B", "T", "4*D"]`. */
  readonly dims: readonly string[];
}

export interface InputPort extends Port {
  readonly role: PortRole;
  /** For integers that index a table: its number of rows (values must be below). Absent where unknown. */
  readonly below?: number;
}

export interface Entry {
  /** `forward`, `loss`, `grad`, `step`. */
  readonly name: string;
  readonly inputs: readonly InputPort[];
  readonly outputs: readonly Port[];
  readonly launches: readonly Launch[];
  /** Every buffer-backed value: its number of elements, and its place in one arena, in elements too. */
  readonly values: readonly { readonly elements: number; readonly offset: number }[];
  /** Size of that arena in bytes, inputs and outputs included. */
  readonly arenaBytes: number;
}

/** How a parameter starts. */
export type Initializer =
  | { readonly kind: "normal"; readonly mean: number; readonly std: number }
  | { readonly kind: "uniform"; readonly low: number; readonly high: number }
  | { readonly kind: "constant"; readonly value: number };

export interface ParameterSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dims: readonly string[];
  readonly init: Initializer;
}

/** The optimizer of the model as the training loop needs to know it. State starts at zero. */
export interface OptimizerSpec {
  readonly name: "sgd" | "adamw";
  readonly lr: number;
  readonly state: readonly { readonly name: string; readonly shape: readonly number[] }[];
}

/** A program but for its kernels: what every backend's programs have. */
export interface ProgramHead {
  readonly version: 1;
  readonly model: string;
  readonly dims: Readonly<Record<string, number>>;
  readonly parameters: readonly ParameterSpec[];
  readonly optimizer: OptimizerSpec | null;
  readonly entries: Readonly<Record<string, Entry>>;
}

/** For gpu.js. */
export interface Program extends ProgramHead {
  readonly kernels: readonly KernelSource[];
}

/** One kernel of a WebAssembly module: an exported function `name(result, also…, args…, begin, end, scratch)` of pointers in
 *  bytes, which computes the items from begin to end; any split of the items over threads gives the same numbers. */
export interface WasmKernel {
  readonly name: string;
  /** What begin and end count. */
  readonly items: number;
  /** How many of them a thread takes at a time. */
  readonly grain: number;
  /** Floating-point operations of a call, about: whether it is worth sharing. */
  readonly work: number;
  /** Bytes of memory of its own that a call needs, aligned to 16; 0: the function has no parameter `scratch`. */
  readonly scratchBytes: number;
}

/** What a program for WebAssembly is made of: instructions whose results are the same in every engine, or relaxed SIMD too, whose
 *  multiply-add rounds once. */
export type WasmBackend = "wasm" | "wasm:relaxed";

/** For the backend that it names; one for `wasm` runs on `wasm:wide` too. */
export interface WasmProgram extends ProgramHead {
  readonly backend: WasmBackend;
  /** The module; it imports `env.memory`. */
  readonly wasm: Uint8Array;
  readonly kernels: readonly WasmKernel[];
}

export type AnyProgram = Program | WasmProgram;

/** A program ready to run on one backend. Inputs and outputs by name; a missing, extra or misshapen input is an error. */
export interface Executable {
  /** What really runs: `gpujs:webasm (fused-threaded)`, `wasm:relaxed (2 threads)`. */
  readonly backend: string;
  run(entry: string, inputs: Tensors): Promise<Tensors>;
  /** Leaves parameters and optimizer state where the backend computes; until it is called again. Absent where a backend cannot. */
  readonly keep?: (tensors: Tensors) => Promise<Kept>;
  /** Time spent computing so far. Absent where a backend cannot tell. */
  readonly spent?: () => PartSeconds;
  destroy(): void;
}

/** Tensors that stay with the backend from run to run. */
export interface Kept {
  /** As `Executable.run`, but what is kept is no input any more, and an output that is called like it takes its place. */
  run(entry: string, inputs: Tensors): Promise<Tensors>;
  /** Copies of all that is kept, as it is now. */
  read(): Tensors;
}

/** Seconds by part of a model; all else is the rest. */
export type PartSeconds = Readonly<Record<LaunchPart | "rest", number>>;

/** What `createExecutable` may be told. */
export interface ExecutableOptions {
  /** Threads that compute, on `wasm`; as many as the machine runs at once unless given. */
  readonly threads?: number;
  /** Estimated operations from which a launch is shared between threads, on `wasm`. */
  readonly shareFrom?: number;
}
