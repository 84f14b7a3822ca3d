/** @file IR in, IR out: any passes on any module, for tests, for bisecting, for looking. */

import { DiagnosticError } from "../../ir/diagnostic.ts";
import { parseModule } from "../../ir/parse.ts";
import { printModule } from "../../ir/print.ts";
import { verify, verifyDiagnostics } from "../../ir/verify.ts";
import { runPipeline } from "../../passes/run.ts";
import type { Pipeline, RunOptions, RunResult } from "../../passes/run.ts";
import { pipelineOf } from "../driver.ts";

export interface OptOptions extends RunOptions {
  /** The module as text, and its name for messages. */
  readonly text: string;
  readonly file: string;
  /** `canonicalize,differentiate{of=loss,to=grad}`; absent or empty: parse, verify, print. */
  readonly passes?: string;
  /** Print places in the source (`loc(…)`). */
  readonly locs?: boolean;
}

export interface OptResult extends RunResult {
  /** The module after the passes. */
  readonly text: string;
}

/** Throws `DiagnosticError` for text that does not parse, a module that does not verify, and a pipeline that does not exist. */
export const opt = (options: OptOptions): OptResult => {
  const pipeline = pipelineOf({ ...options, passes: options.passes ?? "" });
  const parsed = parseModule(options.text, options.file);
  if (parsed.diagnostics.some((d) => d.severity === "error")) throw new DiagnosticError(parsed.diagnostics);
  const mistakes = verifyDiagnostics(verify(parsed.module, stageBefore(pipeline)), parsed.spans);
  if (mistakes.length > 0) throw new DiagnosticError(mistakes);
  const result = runPipeline(parsed.module, pipeline, options);
  return { ...result, text: printModule(result.module, { locs: options.locs === true }) };
};

/** Without passes anything that has a meaning is welcome: the gradient stage holds every op. */
const stageBefore = (pipeline: Pipeline) => pipeline[0]?.pass.before ?? "gradient";
