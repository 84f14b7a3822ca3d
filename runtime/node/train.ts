/** @file Training with files: checkpoints, log, resuming. The terminal and signals belong to the caller. */

import { existsSync } from "node:fs";
import type { Executable, ProgramHead } from "../abi.ts";
import { RuntimeError } from "../errors.ts";
import { prepareTraining, type StepEvent, type TrainOptions, type TrainPlan } from "../train/loop.ts";
import { createProgressMeter, type Progress } from "../train/progress.ts";
import { checkSettings, decodeCheckpoint, encodeCheckpoint, startState, type TrainState } from "../train/state.ts";
import { checkWritable, readBytes, writeAtomically } from "./checkpoint.ts";
import { openLog } from "./log.ts";

export interface TrainFiles {
  /** Checkpoint, replaced atomically. */
  readonly save?: string;
  /** JSON lines, one a step. */
  readonly log?: string;
  /** Go on from the checkpoint at `save`. */
  readonly resume?: boolean;
  /** Steps between checkpoints, beside the one at the end; 100 unless given. */
  readonly saveEvery?: number;
}

export interface TrainWatcher {
  /** Once, before the first step; `step` is where it starts from. */
  readonly onStart?: (plan: TrainPlan, step: number) => void;
  readonly onProgress?: (progress: Progress, event: StepEvent) => void;
  /** When aborted, the step in hand is finished, a checkpoint is saved, and training ends. */
  readonly signal?: AbortSignal;
}

export interface TrainOutcome {
  readonly plan: TrainPlan;
  readonly state: TrainState;
  /** Of the last evaluation; null when the run was stopped before one. */
  readonly heldOutLoss: number | null;
  /** Ended by the signal, before the last step. */
  readonly stopped: boolean;
}

/** Trains until the last step or the signal. The losses of a run that was interrupted and resumed any number of times
 *  are those of one that was not, to the bit.
 *  @throws RuntimeError as `prepareTraining` does; SQ0604, SQ0605 unfit checkpoint; SQ0001, SQ0011 files; SQ0610 a loss that is
 *  not finite (the last checkpoint stays). */
export async function train(
  program: ProgramHead,
  executable: Executable,
  text: Uint8Array,
  options: TrainOptions,
  files: TrainFiles = {},
  watcher: TrainWatcher = {},
): Promise<TrainOutcome> {
  const training = prepareTraining(program, executable, text, options);
  const { plan } = training;
  if (files.save !== undefined) checkWritable(files.save);
  const start = files.resume === true ? resumed(program, plan, files) : startState(program, options.seed);
  const first = start.step;
  const log = files.log === undefined ? null : openLog(files.log, first);
  let [step, stateOf] = [first, (): TrainState => start];
  const save = (): void => {
    if (files.save !== undefined) writeAtomically(files.save, encodeCheckpoint(program, stateOf(), plan.settings));
  };
  let heldOutLoss: number | null = null;
  const now = (): number => performance.now() / 1000;
  const meter = createProgressMeter(options.steps, plan.shape.tokens, now, first);
  let saved = first;
  try {
    watcher.onStart?.(plan, first);
    let before = now();
    for await (const event of training.run(start)) {
      [step, stateOf] = [event.step, event.state];
      heldOutLoss = event.heldOutLoss ?? heldOutLoss;
      log?.write(event, now() - before);
      if (step - saved >= (files.saveEvery ?? 100)) {
        save();
        saved = step;
      }
      watcher.onProgress?.(meter.update(event), event);
      await turn();
      if (watcher.signal?.aborted === true) break;
      before = now();
    }
    if (step > saved) save();
    const stopped = step < options.steps;
    const state = stateOf();
    if (!stopped) heldOutLoss ??= await training.evaluate(state.parameters);
    return { plan, state, heldOutLoss, stopped };
  } finally {
    log?.close();
  }
}

/** Lets the event loop turn: a backend that computes without ever waiting would hold up signals, Ctrl-C among them. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function resumed(program: ProgramHead, plan: TrainPlan, files: TrainFiles): TrainState {
  if (files.save === undefined) throw new RuntimeError("SQ0007", "resuming needs the checkpoint to resume from");
  if (!existsSync(files.save)) throw new RuntimeError("SQ0001", `there is no checkpoint \`${files.save}\` to resume from`);
  const { state, settings } = decodeCheckpoint(program, readBytes(files.save));
  checkSettings(settings, plan.settings);
  return state;
}
