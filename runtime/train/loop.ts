/** @file The training loop: a generator of events over any executable. It owns no clock, file or terminal: whoever
 *  iterates it saves, logs and shows. Step n depends only on the state after step n - 1, the text and the settings. */

import type { Entry, Executable, Kept, PartSeconds, ProgramHead, Tensors } from "../abi.ts";
import { RuntimeError } from "../errors.ts";
import { keyFor } from "../random.ts";
import { scalar, scalarValue } from "../tensors.ts";
import { entryOf } from "../validate.ts";
import { batchShape, createBatcher, type Batcher, type BatchShape, type Objective } from "./batch.ts";
import { keepTensors } from "./keep.ts";
import { learningRate, type Schedule } from "./schedule.ts";
import type { RunSettings, TrainState } from "./state.ts";
import { feed, stateAfter, trainStep } from "./step.ts";
import { splitText, textHash, unigramEntropy, type TextSplit } from "./text.ts";

export interface TrainOptions {
  readonly steps: number;
  readonly seed: number;
  /** Peak learning rate; the optimizer's of the model unless given. */
  readonly learningRate?: number;
  /** Steps of warm-up; a twentieth of all, at most 100, unless given. */
  readonly warmup?: number;
  /** The last learning rate as a share of the peak; 0.1 unless given. */
  readonly floor?: number;
  /** Held-out loss every so many steps, and after the last; a tenth of all steps unless given. */
  readonly evaluateEvery?: number;
  /** Batches of one evaluation, always the same ones; 4 unless given. */
  readonly evaluationBatches?: number;
  readonly objective?: Objective;
}

/** What a run will do, before its first step. */
export interface TrainPlan {
  readonly shape: BatchShape;
  readonly schedule: Schedule;
  /** Of the whole text, in nats a byte: the loss to beat. */
  readonly unigramEntropy: number;
  readonly trainingBytes: number;
  readonly heldOutBytes: number;
  readonly settings: RunSettings;
}

export interface StepEvent {
  readonly step: number;
  readonly loss: number;
  readonly learningRate: number;
  /** Global norm of the gradient before clipping; absent where the program does not report it. */
  readonly gradientNorm?: number;
  /** By site, the share of attention heads whose scores exceeded the guard of a low-rank gradient, and so ran exactly. */
  readonly guarded?: Readonly<Record<string, number>>;
  /** Mean loss on held-out text after this step, when it was evaluated. */
  readonly heldOutLoss?: number;
  /** What the step's computing took, by part of the model; absent where the backend cannot tell. */
  readonly seconds?: PartSeconds;
  /** All there is after this step. Reading it may copy it from the backend, so ask where it is needed, and before the next step. */
  state(): TrainState;
}

export interface Training {
  readonly plan: TrainPlan;
  /** Steps from `state.step + 1` to the last. Stop iterating to stop training. */
  run(state: TrainState): AsyncGenerator<StepEvent, void, undefined>;
  /** Mean loss on the fixed held-out batches. */
  evaluate(parameters: Tensors): Promise<number>;
}

/** @throws RuntimeError SQ0706 the program has no `step` or `loss`, SQ0612 inputs the trainer cannot feed, SQ0607 and
 *  SQ0611 unfit text, SQ0010 no optimizer, SQ0007 options out of range. */
export function prepareTraining(program: ProgramHead, executable: Executable, text: Uint8Array, options: TrainOptions): Training {
  const [step, loss] = [entryOf(program, "step"), entryOf(program, "loss")];
  const shape = batchShape(loss, options.objective);
  const split = splitText(text, shape.window);
  const batcher = createBatcher(loss, shape, text);
  const schedule = scheduleOf(program, options);
  if (!Number.isSafeInteger(options.seed) || options.seed < 0) throw new RuntimeError("SQ0007", `the seed is ${options.seed}, but must be a whole number from 0`);
  const every = options.evaluateEvery ?? Math.max(1, Math.ceil(options.steps / 10));
  const batches = options.evaluationBatches ?? 4;
  checkCounts({ steps: options.steps, evaluateEvery: every, evaluationBatches: batches });
  const settings: RunSettings = { ...schedule, seed: options.seed, objective: shape.objective, text: textHash(text) };
  const plan: TrainPlan = {
    shape,
    schedule,
    settings,
    unigramEntropy: unigramEntropy(text),
    trainingBytes: split.training.length,
    heldOutBytes: split.heldOut.length,
  };
  const heldOut = (run: Kept["run"], given: Tensors): Promise<number> => heldOutLoss(run, loss, given, batcher, split, batches);
  const run: Training["run"] = async function* (start) {
    const kept = await keepTensors(program, executable, { ...start.parameters, ...start.optimizer });
    const names = { parameters: Object.keys(start.parameters), optimizer: Object.keys(start.optimizer) };
    for (let number = start.step + 1; number <= options.steps; number += 1) {
      const batch = batcher(split.training, options.seed, `batch.${number}`);
      const inputs = feed(step, { ...batch, lr: scalar(learningRate(schedule, number)), step: scalar(number) }, () => keyFor(options.seed, number));
      const facts = await trainStep(executable, kept, step, inputs);
      if (!Number.isFinite(facts.loss)) {
        throw new RuntimeError("SQ0610", `the loss is ${facts.loss} at step ${number}`, "a smaller learning rate or a longer warm-up may help");
      }
      const state = stateAfter(number, kept, names);
      const due = number % every === 0 || number === options.steps;
      const evaluated = due ? { heldOutLoss: await heldOut((entry, inputs) => kept.run(entry, inputs), {}) } : {};
      yield { step: number, learningRate: learningRate(schedule, number), ...facts, ...evaluated, state: state.read };
      if (number < options.steps) state.leave();
    }
  };
  return { plan, run, evaluate: (parameters) => heldOut((entry, inputs) => executable.run(entry, inputs), parameters) };
}

async function heldOutLoss(run: Kept["run"], entry: Entry, given: Tensors, batcher: Batcher, split: TextSplit, batches: number): Promise<number> {
  let sum = 0;
  for (let at = 0; at < batches; at += 1) {
    const batch = batcher(split.heldOut, 0, `held-out.${at}`);
    const outputs = await run(entry.name, feed(entry, { ...given, ...batch }, () => keyFor(0, at)));
    sum += scalarValue(outputs["loss"] as Tensors[string]);
  }
  return sum / batches;
}

function scheduleOf(program: ProgramHead, options: TrainOptions): Schedule {
  const peak = options.learningRate ?? program.optimizer?.lr;
  if (peak === undefined) throw new RuntimeError("SQ0010", `\`${program.model}\` declares no optimizer, so there is no learning rate`);
  const warmup = options.warmup ?? Math.min(100, Math.ceil(options.steps / 20));
  const floor = options.floor ?? 0.1;
  if (!(peak > 0) || !Number.isFinite(peak)) throw new RuntimeError("SQ0007", `the learning rate is ${peak}, but must be positive`);
  if (!(floor >= 0 && floor <= 1)) throw new RuntimeError("SQ0007", `the floor is ${floor}, but must be a share from 0 to 1`);
  if (!Number.isSafeInteger(warmup) || warmup < 0) throw new RuntimeError("SQ0007", `warmup is ${warmup}, but must be a number of steps`);
  return { peak, warmup, steps: options.steps, floor };
}

function checkCounts(counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts)) {
    if (!Number.isSafeInteger(count) || count < 1) throw new RuntimeError("SQ0007", `${name} is ${count}, but must be a whole number above 0`);
  }
}
