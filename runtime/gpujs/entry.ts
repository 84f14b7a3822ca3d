/** @file One entry point of a program as one gpu.js pipeline. The launches are replayed once, with opaque handles, while
 *  gpu.js traces them; from then on a call uploads the inputs, runs the plan and reads back the outputs. */

import type { GPU, IGPUKernelSettings, IKernelRunShortcut, IPipelineRunShortcut } from "gpu.js";
import type { Entry, KernelSource, Program, Tensors } from "../abi.ts";
import { reasonOf, RuntimeError } from "../errors.ts";
import { checkInputs, outputTensor } from "../validate.ts";
import { flatten, withFlatOutput } from "./flatten.ts";
import type { GpuJs } from "./load.ts";
import type { Mode } from "./modes.ts";

/** A kernel as gpu.js sees it, and the shape of what it writes: `24x7`. */
interface BuiltKernel {
  readonly launch: IKernelRunShortcut;
  readonly shape: string;
}

/** Kernels by index and by the shapes of their arguments, made when first launched and shared by all entries. */
export type KernelTable = (index: number, argumentShapes: readonly string[]) => BuiltKernel;

export interface EntryRunner {
  run(inputs: Tensors): Promise<Tensors>;
  /** The executor that ran (`fused-threaded`), null before the first run. */
  executor(): string | null;
}

/** Where tensors live in textures, gpu.js compiles the shapes of its first arguments into a kernel and does not look again:
 *  there, a kernel that reads [6, 4] in one place and [24] in another is two. Elsewhere memory is flat and shapes are nothing. */
export function kernelTable(gpu: GPU, program: Program, mode: Mode): KernelTable {
  const made = new Map<string, BuiltKernel>();
  return (index, argumentShapes) => {
    const key = mode.maxExtent === "texture" ? [index, ...argumentShapes].join() : `${index}`;
    const known = made.get(key);
    if (known !== undefined) return known;
    const kernel = createKernel(gpu, program.kernels[index] as KernelSource, mode);
    made.set(key, kernel);
    return kernel;
  };
}

function createKernel(gpu: GPU, source: KernelSource, mode: Mode): BuiltKernel {
  const limit = mode.maxExtent === "texture" ? textureSide(gpu) : mode.maxExtent;
  const flat = source.output.length > 1 && source.output.some((extent) => extent > limit);
  const kernel = flat ? withFlatOutput(source, mode.name === "cpu" ? "exact" : "rounded") : source;
  const settings: IGPUKernelSettings = { output: [...kernel.output], precision: "single" };
  const made = gpu.createKernel(kernel.source as never, settings);
  const launch = kernel.loopLimit === undefined ? made : made.setLoopMaxIterations(kernel.loopLimit);
  return { launch, shape: kernel.output.join("x") };
}

/** The types lack the features of the kernel class that gpu.js chose. */
function textureSide(gpu: GPU): number {
  return (gpu.Kernel as unknown as { readonly features: { readonly maxTextureSize: number } }).features.maxTextureSize;
}

/** @throws RuntimeError SQ0705 when a tensor of the entry is larger than the backend can index exactly. */
export function createEntryRunner(gpu: GPU, gpujs: GpuJs, kernels: KernelTable, entry: Entry, mode: Mode): EntryRunner {
  checkSizes(entry, mode);
  const read = new Set(entry.launches.flatMap((launch) => launch.args));
  const written = new Set(entry.launches.map((launch) => launch.result));
  const fed = entry.inputs.flatMap((port, at) => (read.has(port.value) ? [at] : []));
  const results = [...new Set(entry.outputs.map((port) => port.value))].filter((value) => written.has(value));
  const pipeline = results.length === 0 ? null : tracePipeline(gpu, kernels, entry, fed, results);
  let executor: string | null = null;

  const compute = async (data: readonly Float32Array[]): Promise<Map<number, Float32Array>> => {
    const values = new Map(entry.inputs.map((port, at) => [port.value, data[at] as Float32Array]));
    if (pipeline === null) return values;
    const args = fed.map((at) => data[at] as Float32Array);
    const wrapped = mode.wrapInputs ? args.map((value) => gpujs.input(value, [value.length])) : args;
    const computed = (await call(pipeline, wrapped, entry, mode)) as readonly unknown[];
    if (executor === null) executor = checkBackend(gpu, pipeline, mode);
    results.forEach((value, at) => values.set(value, flatten(computed[at], elementsOf(entry, value))));
    return values;
  };

  return {
    executor: () => executor,
    run: async (inputs) => {
      const values = await compute(checkInputs(entry, inputs));
      return collect(entry, values, written);
    },
  };
}

/** gpu.js learns the number of arguments from the function's `length`. */
function tracePipeline(
  gpu: GPU,
  kernels: KernelTable,
  entry: Entry,
  fed: readonly number[],
  results: readonly number[],
): IPipelineRunShortcut {
  const orchestrate = (...handles: unknown[]): unknown[] => {
    const values = new Map<number, unknown>(fed.map((at, index) => [entry.inputs[at]?.value as number, handles[index]]));
    const shapes = new Map<number, string>(entry.inputs.map(({ value }) => [value, `${elementsOf(entry, value)}`]));
    for (const { kernel, args, result } of entry.launches) {
      const { launch, shape } = kernels(kernel, args.map((value) => shapes.get(value) ?? ""));
      values.set(result, launch(...(args.map((value) => values.get(value)) as never[])));
      shapes.set(result, shape);
    }
    return results.map((value) => values.get(value));
  };
  Object.defineProperty(orchestrate, "length", { value: fed.length });
  return gpu.createPipeline(orchestrate);
}

/** @throws RuntimeError SQ0704 a kernel that does not build, SQ0707 memory or device gone. */
async function call(pipeline: IPipelineRunShortcut, args: readonly unknown[], entry: Entry, mode: Mode): Promise<unknown> {
  try {
    return await pipeline(...(args as never[]));
  } catch (thrown) {
    const reason = reasonOf(thrown);
    const code = /\blost\b|memory/i.test(reason) ? "SQ0707" : "SQ0704";
    throw new RuntimeError(code, `\`${entry.name}\` failed on gpujs:${mode.name}: ${reason}`, undefined, thrown);
  }
}

/** What a pipeline without fusion keeps: its kernels, each replaced by a CPU kernel where gpu.js gave up on it. */
interface GenericPlan {
  readonly genericClones: ReadonlyMap<string, { readonly kernel: { readonly constructor: unknown; readonly fallbackReason: string | null } }>;
}

/** gpu.js falls back silently; a backend that was named and did not run is an error.
 *  @throws RuntimeError SQ0703 with gpu.js's reason. */
function checkBackend(gpu: GPU, pipeline: IPipelineRunShortcut, mode: Mode): string {
  const { executorKind } = pipeline;
  if (!mode.executors.includes(executorKind)) {
    throw fellBack(mode, pipeline.backend ?? "another backend", pipeline.fallbackReason ?? "no reason given");
  }
  if (executorKind !== "generic") return executorKind;
  for (const { kernel } of (pipeline.plan as GenericPlan).genericClones.values()) {
    if (kernel.constructor !== gpu.Kernel) throw fellBack(mode, "cpu", kernel.fallbackReason ?? "no reason given");
  }
  return executorKind;
}

function fellBack(mode: Mode, actual: string, reason: string): RuntimeError {
  const message = `gpujs:${mode.name} was asked for, but gpu.js ran ${actual}: ${reason}`;
  return new RuntimeError("SQ0703", message, "name another backend, or `gpujs` for the best one there is");
}

function checkSizes(entry: Entry, mode: Mode): void {
  const largest = entry.values.reduce((most, value) => Math.max(most, value.elements), 0);
  if (largest <= mode.maxElements) return;
  const message = `\`${entry.name}\` has a tensor of ${largest} elements; gpujs:${mode.name} indexes exactly up to ${mode.maxElements}`;
  throw new RuntimeError("SQ0705", message, "use gpujs:cpu, or smaller dims");
}

function elementsOf(entry: Entry, value: number): number {
  const found = entry.values[value];
  if (found === undefined) throw new Error(`entry ${entry.name} has no value ${value}`);
  return found.elements;
}

/** An output that no launch computes is an input passed through; the caller gets a copy, never the same memory. */
function collect(entry: Entry, values: ReadonlyMap<number, Float32Array>, written: ReadonlySet<number>): Tensors {
  const handedOut = new Set<number>();
  return Object.fromEntries(
    entry.outputs.map((port) => {
      const data = values.get(port.value);
      if (data === undefined) throw new Error(`output ${port.name} of ${entry.name} is never computed`);
      const fresh = written.has(port.value) && !handedOut.has(port.value);
      handedOut.add(port.value);
      return [port.name, outputTensor(port, fresh ? data : data.slice())];
    }),
  );
}
