/** @file The views of a compiled model, each as data and as text. */

import { costReport, printCost } from "../inspect/cost.ts";
import { passDiffs } from "../inspect/diff.ts";
import { kernelReport, printKernels } from "../inspect/kernels.ts";
import { memoryReport, printMemory } from "../inspect/memory.ts";
import { compile } from "./compile.ts";
import type { CompileResult, ModelOptions } from "./compile.ts";
import { programOf } from "./execute.ts";

export interface InspectOptions extends ModelOptions {
  readonly view: View;
  /** diff: only the pass of this name, only the functions of these. */
  readonly pass?: string;
  readonly entries?: readonly string[];
  /** kernels: the sources of the kernels whose names contain this. */
  readonly source?: string;
}

export interface Report {
  readonly data: object;
  readonly text: string;
}

/** What a view makes of a compilation. */
type ViewFunction = (compiled: CompileResult, options: InspectOptions) => Report;

export const VIEWS = {
  cost: (compiled) => {
    const data = costReport(compiled.gradient);
    return { data, text: printCost(data) };
  },
  memory: (compiled) => {
    const data = memoryReport(programOf(compiled));
    return { data, text: printMemory(data) };
  },
  kernels: (compiled, { source }) => {
    const data = kernelReport(programOf(compiled));
    return { data, text: printKernels(data, source) };
  },
  diff: (compiled, { pass, entries }) => {
    const passes = passDiffs(compiled.snapshots, pass, entries);
    return { data: { passes }, text: passes.map(({ diff }) => diff).join("") };
  },
} as const satisfies Record<string, ViewFunction>;

export type View = keyof typeof VIEWS;

/** Throws `DiagnosticError` for the model's mistakes. */
export const inspect = async (options: InspectOptions): Promise<Report> => {
  const compiled = await compile({ ...options, snapshots: options.view === "diff" });
  return VIEWS[options.view](compiled, options);
};
