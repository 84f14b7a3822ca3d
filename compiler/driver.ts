/** @file From source text to a program, in the order things happen. Pure: no files, no console; runs in a browser too. */

import { diagnostic } from "../ir/codes.ts";
import { DiagnosticError } from "../ir/diagnostic.ts";
import type { Diagnostic } from "../ir/diagnostic.ts";
import type { Module } from "../ir/core.ts";
import { statisticsAttribute } from "../ir/head-statistics.ts";
import type { AttentionStatistics } from "../ir/head-statistics.ts";
import type { StageName } from "../ir/stages.ts";
import type { AnyProgram, Program, WasmProgram } from "../runtime/abi.ts";
import type { Remark } from "../passes/pass.ts";
import { runPipeline } from "../passes/run.ts";
import type { Pipeline, RunResult, Snapshot, Timing } from "../passes/run.ts";
import { parsePipeline } from "../passes/parse-pipeline.ts";
import { DEFAULTS, LOWERINGS } from "../passes/pipelines.ts";
import type { Target } from "../passes/pipelines.ts";
import { checkSource } from "./check/index.ts";
import { didYouMean } from "./check/suggest.ts";
import type { CheckOptions as LanguageOptions } from "./check/index.ts";
import { lowerProgram } from "./lower/index.ts";
import { generateProgram } from "./codegen/program.ts";
import { generateWasmProgram } from "./codegen/wasm/program.ts";
import { isWithin } from "../ir/stages.ts";

export interface SourceOptions extends LanguageOptions {
  /** The name of the file, for messages and locations. */
  readonly file: string;
  readonly text: string;
}

/** What kernels are made for: gpu.js, which runs them on any of its backends, or WebAssembly, with or without relaxed SIMD. */
export const TARGETS = Object.keys(LOWERINGS) as readonly Target[];

export interface PipelineOptions {
  /** Default: gpujs. */
  readonly target?: Target;
  /** A textual pipeline instead of the default one: `canonicalize,differentiate{of=loss,to=grad},…`; empty: no passes. */
  readonly passes?: string;
  /** Stop after this pass. The result has no program unless the module has reached the kernel stage by then. */
  readonly stopAfter?: string;
  /** Keep the module after every pass (`snapshots` of the result). */
  readonly snapshots?: boolean;
  /** Sees the module after every pass, and first the one that goes in. */
  readonly observe?: (snapshot: Snapshot) => void;
}

export interface CompileOptions extends SourceOptions, PipelineOptions {
  /** What was measured of the model's attention heads, for the policy `auto`. */
  readonly statistics?: AttentionStatistics;
}

export interface Compiled {
  readonly file: string;
  readonly text: string;
  /** As lowered from the source: what the model says. */
  readonly model: Module;
  /** After the last pass that still speaks of whole operations: differentiated, not yet decomposed. The interpreter runs this. */
  readonly gradient: Module;
  /** After the last pass. */
  readonly module: Module;
  readonly target: Target;
  /** The kernels and entry points; null where the pipeline stopped before the stage that the target's kernels are made at. */
  readonly program: AnyProgram | null;
  readonly warnings: readonly Diagnostic[];
  readonly remarks: readonly Remark[];
  readonly timings: readonly Timing[];
  readonly stats: RunResult["stats"];
  readonly snapshots: readonly Snapshot[];
}

export interface Checked {
  readonly diagnostics: readonly Diagnostic[];
  readonly ok: boolean;
}

/** Everything that is wrong with a source file; never throws for what its author wrote. */
export const check = (options: SourceOptions): Checked => {
  const { diagnostics } = checkSource(options.text, options.file, options);
  return { diagnostics, ok: diagnostics.every((d) => d.severity !== "error") };
};

/** The default pipeline (`exact`, or `forward` for a model without a loss), or the one that `passes` spells.
 *  Throws `DiagnosticError`: SQ0408, SQ0409 for text that is no pipeline, SQ0408 where it has no pass `stopAfter`. */
export const pipelineOf = ({ target = "gpujs", passes, stopAfter }: PipelineOptions, model?: Module): Pipeline => {
  const trained = model === undefined || model.funcs.some(({ name }) => name === "loss");
  const pipeline = passes === undefined ? DEFAULTS[target][trained ? "trained" : "forward"] : passes.trim() === "" ? [] : parsePipeline(passes);
  if (stopAfter !== undefined) requirePass(pipeline, stopAfter);
  return pipeline;
};

/** Throws SQ0408 where a pipeline has no pass of that name. */
export const requirePass = (pipeline: Pipeline, name: string): void => {
  const names = [...new Set(pipeline.map(({ pass }) => pass.name))];
  if (names.includes(name)) return;
  const notes = [names.length === 0 ? "no passes are run" : `the passes that are run: ${names.join(", ")}`];
  throw new DiagnosticError([diagnostic("SQ0408", `no pass \`${name}\` is run`, { notes, ...didYouMean(name, names) })]);
};

/** Compiles a model. Throws `DiagnosticError` with everything that is wrong with it. */
export const compile = (options: CompileOptions): Compiled => {
  const started = performance.now();
  const checked = checkSource(options.text, options.file, options);
  if (checked.program === null) throw new DiagnosticError(checked.diagnostics);
  const model = withStatistics(lowerProgram(checked.program), options.statistics);
  const frontend: Timing = { pass: "check and lower", runMs: performance.now() - started, verifyMs: 0 };

  const pipeline = pipelineOf(options, model);
  const staged = runStaged(model, pipeline, options);

  const generating = performance.now();
  const { target = "gpujs" } = options;
  const program = staged.stage !== null && isWithin(staged.stage, LAST_STAGE[target]) ? GENERATE[target](staged.result.module) : null;
  const backend: Timing = { pass: "generate kernels", runMs: performance.now() - generating, verifyMs: 0 };
  return {
    file: options.file,
    text: options.text,
    model,
    gradient: staged.gradient,
    module: staged.result.module,
    target,
    program,
    warnings: checked.diagnostics,
    remarks: staged.result.remarks,
    timings: [frontend, ...staged.result.timings, backend],
    stats: staged.result.stats,
    snapshots: staged.result.snapshots,
  };
};

/** The stage of the modules that a target's kernels are made of. */
const LAST_STAGE: Readonly<Record<Target, StageName>> = { gpujs: "kernel", wasm: "native", "wasm:relaxed": "native" };

export type ProgramFor<T extends Target> = T extends "gpujs" ? Program : WasmProgram;

const GENERATE: { readonly [T in Target]: (module: Module) => ProgramFor<T> } = {
  gpujs: generateProgram,
  wasm: generateWasmProgram,
  "wasm:relaxed": (module) => generateWasmProgram(module, "wasm:relaxed"),
};

/** The program of a compilation that went all the way, for the target it was compiled for or for another one. */
export const programFor = <T extends Target>({ target, program, gradient }: Compiled, wanted: T): ProgramFor<T> | null =>
  program === null || wanted === target ? (program as ProgramFor<T> | null) : lowerTo(gradient, wanted);

/** A module of the gradient stage as a program. */
export const lowerTo = <T extends Target>(gradient: Module, target: T): ProgramFor<T> =>
  GENERATE[target](runPipeline(gradient, LOWERINGS[target]).module) as ProgramFor<T>;

const withStatistics = (module: Module, measured: AttentionStatistics | undefined): Module =>
  measured === undefined ? module : { ...module, attrs: { ...module.attrs, ...statisticsAttribute(measured) } };

interface Staged {
  readonly result: RunResult;
  readonly gradient: Module;
  readonly stage: StageName | null;
}

/** Runs the pipeline and remembers the last module before the kernel stage. */
const runStaged = (model: Module, pipeline: Pipeline, options: PipelineOptions): Staged => {
  let gradient = model;
  let stage: StageName | null = null;
  const result = runPipeline(model, pipeline, {
    snapshots: options.snapshots === true,
    ...(options.stopAfter === undefined ? {} : { stopAfter: options.stopAfter }),
    observe: (snapshot) => {
      stage = snapshot.stage;
      if (stage !== "kernel" && stage !== "native") gradient = snapshot.module;
      options.observe?.(snapshot);
    },
  });
  return { result, gradient, stage };
};
