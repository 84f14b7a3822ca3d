/** @file The views of a compiled model, each as data and as text. */

import { costReport, printCost } from "../inspect/cost.ts";
import type { CostReport } from "../inspect/cost.ts";
import { passDiffs } from "../inspect/diff.ts";
import type { PassDiff } from "../inspect/diff.ts";
import { generateWasm } from "../codegen/wasm/program.ts";
import { printFunction } from "../codegen/wasm/print-wat.ts";
import { kernelReport, printKernels, printSources, printWasmKernels, wasmKernelReport } from "../inspect/kernels.ts";
import type { KernelReport, WasmKernelReport } from "../inspect/kernels.ts";
import type { Target } from "../../passes/pipelines.ts";
import type { WasmProgram } from "../../runtime/abi.ts";
import { memoryReport, printMemory } from "../inspect/memory.ts";
import type { MemoryReport } from "../inspect/memory.ts";
import { compile } from "./compile.ts";
import type { CompileResult, ModelOptions } from "./compile.ts";
import { programOf } from "./execute.ts";
import { RuntimeError } from "../../runtime/errors.ts";
import { pipelineOf, requirePass } from "../driver.ts";

export interface InspectOptions extends ModelOptions {
  readonly view: View;
  /** diff: only the passes of this name. */
  readonly pass?: string;
  /** cost, diff: only the functions of these names (`forward`, `loss`, `grad`, `step`). */
  readonly entries?: readonly string[];
  /** cost: list every operation. */
  readonly each?: boolean;
  /** memory, kernels: of the program for this target; gpujs unless given. */
  readonly target?: Target;
  /** kernels: the sources of the kernels whose names contain this. */
  readonly source?: string;
}

export interface Report {
  /** What `--json` prints, beside `version` and `view`. */
  readonly data: CostReport | MemoryReport | KernelReport | WasmKernelReport | { readonly passes: readonly PassDiff[] };
  /** The same for people. */
  readonly text: string;
}

/** What a view makes of a compilation. */
type ViewFunction = (compiled: CompileResult, options: InspectOptions) => Report;

export const VIEWS = {
  cost: (compiled, { each, entries }) => {
    const data = costReport(compiled.gradient, { each: each === true, ...(entries === undefined ? {} : { entries }) });
    return { data, text: printCost(data) };
  },
  memory: (compiled) => {
    const data = memoryReport(programOf(compiled));
    return { data, text: printMemory(data) };
  },
  kernels: (compiled, { source }) => {
    const program = programOf(compiled);
    if ("wasm" in program) return wasmKernels(compiled, program, source);
    const report = kernelReport(program);
    const kernels = report.kernels.filter(({ name }) => source === undefined || name.includes(source));
    if (source !== undefined && kernels.length === 0) throw noSuchKernel(source);
    const data = { ...report, kernels };
    return { data, text: source === undefined ? printKernels(data) : printSources(data) };
  },
  diff: (compiled, { pass, entries }) => {
    const passes = passDiffs(compiled.snapshots, pass, entries);
    return { data: { passes }, text: passes.map(({ diff }) => diff).join("") };
  },
} as const satisfies Record<string, ViewFunction>;

export type View = keyof typeof VIEWS;

const noSuchKernel = (source: string): RuntimeError =>
  new RuntimeError("SQ0007", `no kernel's name contains \`${source}\``, "`inspect FILE kernels` lists all names");

/** The functions of the module for WebAssembly; their sources are its text. */
const wasmKernels = (compiled: CompileResult, program: WasmProgram, source?: string): Report => {
  const report = wasmKernelReport(program);
  const kernels = report.kernels.filter(({ name }) => source === undefined || name.includes(source));
  if (source !== undefined && kernels.length === 0) throw noSuchKernel(source);
  const data = { ...report, kernels };
  if (source === undefined) return { data, text: printWasmKernels(data) };
  const { code } = generateWasm(compiled.module, program.backend);
  return { data, text: `${code.functions.filter(({ name }) => name.includes(source)).map((func) => printFunction(func, code)).join("\n\n")}\n` };
};

/** Throws `DiagnosticError` for the model's mistakes and SQ0408 for a pass that is not run; `RuntimeError` SQ0706 for an
 *  entry, SQ0007 for a kernel that the program does not have. */
export const inspect = async (options: InspectOptions): Promise<Report> => {
  if (options.pass !== undefined) requirePass(pipelineOf({}), options.pass);
  const compiled = await compile({ ...options, snapshots: options.view === "diff" });
  const known = compiled.module.funcs.map(({ name }) => name);
  const unknown = options.entries?.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new RuntimeError("SQ0706", `\`${compiled.module.name}\` has no entry point \`${unknown}\``, `it has: ${known.join(", ")}`);
  return VIEWS[options.view](compiled, options);
};
