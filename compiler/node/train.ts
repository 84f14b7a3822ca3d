/** @file Training a model file on text, and writing text with what came out. */

import type { Executable, ProgramHead } from "../../runtime/abi.ts";
import type { StepEvent, TrainOptions as LoopOptions, TrainPlan } from "../../runtime/train/loop.ts";
import type { Progress } from "../../runtime/train/progress.ts";
import { readText, train as trainProgram } from "../../runtime/node/index.ts";
import type { TrainFiles, TrainOutcome } from "../../runtime/node/index.ts";
import { COUNTS } from "../../passes/attention/report.ts";
import { rewriteAttentionBackward } from "../../passes/attention/rewrite-backward.ts";
import type { Compiled } from "../driver.ts";
import { compile } from "./compile.ts";
import type { ModelOptions } from "./compile.ts";
import { createBackend, programOf, targetOf } from "./execute.ts";
import type { BackendOptions } from "./execute.ts";

export interface TrainOptions extends ModelOptions, BackendOptions, Partial<LoopOptions>, TrainFiles {
  /** Text files, folders or patterns (`src/**` + `/*.ts`); their bytes are the tokens. */
  readonly data: readonly string[];
  readonly steps: number;
  readonly onStart?: (start: TrainStart) => void;
  readonly onProgress?: (progress: Progress, event: StepEvent) => void;
  /** When aborted: finish the step in hand, save, end. */
  readonly signal?: AbortSignal;
}

export interface TrainStart {
  readonly program: ProgramHead;
  readonly backend: string;
  readonly plan: TrainPlan;
  /** Sites of attention whose policy is not `exact`: where it was applied, and where the gradient stays exact all the same. */
  readonly sites: { readonly rewritten: number; readonly exact: number };
  /** The step from which it goes on: 0, or the checkpoint's. */
  readonly step: number;
}

export interface TrainResult extends TrainOutcome {
  readonly program: ProgramHead;
  readonly backend: string;
}

/** Throws `DiagnosticError` for the model's mistakes, `RuntimeError` for data, checkpoints (SQ06xx) and backends (SQ07xx). */
export const train = async (options: TrainOptions): Promise<TrainResult> => {
  const compiled = await compile({ ...options, target: targetOf(options.backend) });
  const program = programOf(compiled);
  const text = readText(options.data);
  const executable = await createBackend(compiled, options.backend, options.threads);
  try {
    const outcome = await trainOn(compiled, program, executable, text, options);
    return { ...outcome, program, backend: executable.backend };
  } finally {
    executable.destroy();
  }
};

const trainOn = ({ stats }: Compiled, program: ProgramHead, executable: Executable, text: Uint8Array, options: TrainOptions): Promise<TrainOutcome> =>
  trainProgram(program, executable, text, { ...options, seed: options.seed ?? 0 }, options, {
    onStart: (plan, step) => options.onStart?.({ program, backend: executable.backend, plan, step, sites: sitesOf(stats) }),
    ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });

const sitesOf = (stats: Compiled["stats"]): TrainStart["sites"] => {
  const counts = stats[rewriteAttentionBackward.name] ?? {};
  return { rewritten: counts[COUNTS.applied] ?? 0, exact: counts[COUNTS.missed] ?? 0 };
};
