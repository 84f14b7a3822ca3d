/** @file The package's API: every command of the command line is a function here, every flag a field of its options. */

export { audit, type AuditOptions } from "./node/audit.ts";
export { auditPage } from "./audit/page.ts";
export { printAudit } from "./audit/print.ts";
export type { AuditReport } from "./audit/schema.ts";
export { bench, type BenchOptions } from "./node/bench.ts";
export { readBench } from "./node/bench-file.ts";
export { compareBench, type Comparison as BenchComparison } from "./bench/compare.ts";
export { benchPage } from "./bench/page.ts";
export { printBench } from "./bench/print.ts";
export type { BenchReport, BenchResult } from "./bench/schema.ts";
export { check, compile, type CompileOptions, type CompileResult, type ModelOptions } from "./node/compile.ts";
export { createProject } from "./node/new.ts";
export { doctor, type DoctorReport } from "./node/doctor.ts";
export { inspect, type InspectOptions, type Report, type View } from "./node/inspect.ts";
export type { CostReport } from "./inspect/cost.ts";
export type { PassDiff } from "./inspect/diff.ts";
export type { KernelReport } from "./inspect/kernels.ts";
export type { MemoryReport } from "./inspect/memory.ts";
export { opt, type OptOptions, type OptResult } from "./node/opt.ts";
export { compare, relativeError } from "./node/compare.ts";
export { run, type Comparison, type RunOptions, type RunResult } from "./node/run.ts";
export { sample, type SampleOptions } from "./node/sample.ts";
export { train, type TrainOptions, type TrainResult, type TrainStart } from "./node/train.ts";
export { createBackend } from "./node/execute.ts";

// Without files: source text in, data out. These run in a browser as well.
export { check as checkSource, compile as compileSource, type Checked, type Compiled, type PipelineOptions, type SourceOptions } from "./driver.ts";
export { interpreterExecutable } from "./interpreter.ts";
export { generateWasmProgram } from "./codegen/wasm/program.ts";
export { format } from "./format.ts";

export { CODES, explain } from "../ir/codes.ts";
export { DiagnosticError, InternalError, type Diagnostic, type Severity } from "../ir/diagnostic.ts";
export { renderDiagnostics } from "../ir/render.ts";
export { RuntimeError } from "../runtime/errors.ts";
export { createExecutable, initialParameters, readSafetensors, writeSafetensors } from "../runtime/index.ts";
export type { AnyProgram, Executable, ExecutableOptions, HostTensor, Program, Tensors, WasmProgram } from "../runtime/abi.ts";
export type { Target } from "../passes/pipelines.ts";
