/** @file All there is to know about a run between two steps, and its form as one safetensors file. */

import type { ProgramHead, Tensors } from "../abi.ts";
import { RuntimeError } from "../errors.ts";
import { initialParameters, initialState } from "../parameters.ts";
import { readSafetensors, writeSafetensors } from "../safetensors.ts";

export interface TrainState {
  /** Steps done. */
  readonly step: number;
  readonly parameters: Tensors;
  /** The optimizer's: `m.<path>`, `v.<path>`. */
  readonly optimizer: Tensors;
}

/** What decides a run beside its state; two runs with equal settings and states go on equally. */
export type RunSettings = Readonly<Record<string, string | number>>;

const FORMAT = "subquad-checkpoint-1";

export function startState(program: ProgramHead, seed: number): TrainState {
  return { step: 0, parameters: initialParameters(program, seed), optimizer: initialState(program) };
}

/** Parameters and optimizer state by name; step, model, dims and settings as metadata. */
export function encodeCheckpoint(program: ProgramHead, state: TrainState, settings: RunSettings): Uint8Array {
  return writeSafetensors(
    { ...state.parameters, ...state.optimizer },
    {
      format: FORMAT,
      model: program.model,
      dims: JSON.stringify(program.dims),
      step: String(state.step),
      settings: JSON.stringify(settings),
    },
  );
}

export interface Checkpoint {
  readonly state: TrainState;
  readonly settings: RunSettings;
}

/** @throws RuntimeError SQ0604 malformed file, SQ0605 of another model, SQ0606 not a checkpoint. */
export function decodeCheckpoint(program: ProgramHead, bytes: Uint8Array): Checkpoint {
  const { tensors, metadata } = readSafetensors(bytes);
  if (metadata["format"] !== FORMAT) {
    throw new RuntimeError("SQ0606", "this safetensors file is not a training checkpoint", "it may still hold parameters for `run`");
  }
  const parameters = Object.fromEntries(program.parameters.map((spec) => [spec.name, fitting(tensors, spec.name, spec.shape)]));
  const state = program.optimizer?.state ?? [];
  const optimizer = Object.fromEntries(state.map((spec) => [spec.name, fitting(tensors, spec.name, spec.shape)]));
  const known = Object.keys(parameters).length + Object.keys(optimizer).length;
  if (Object.keys(tensors).length > known) {
    const extra = Object.keys(tensors).find((name) => !Object.hasOwn(parameters, name) && !Object.hasOwn(optimizer, name));
    throw unfit(`it has \`${extra}\`, which \`${program.model}\` has not`);
  }
  const step = Number(metadata["step"]);
  if (!Number.isSafeInteger(step) || step < 0) throw unfit(`its step is ${metadata["step"]}`);
  return { state: { step, parameters, optimizer }, settings: parseSettings(metadata["settings"]) };
}

/** The parameters of a model from any safetensors file that has them; other tensors in it are left alone.
 *  @throws RuntimeError SQ0604, SQ0605. */
export function decodeParameters(program: ProgramHead, bytes: Uint8Array): Tensors {
  const { tensors } = readSafetensors(bytes);
  return Object.fromEntries(program.parameters.map((spec) => [spec.name, fitting(tensors, spec.name, spec.shape)]));
}

/** @throws RuntimeError SQ0606 naming the settings that differ: the run would not go on as it began. */
export function checkSettings(saved: RunSettings, now: RunSettings): void {
  const names = [...new Set([...Object.keys(saved), ...Object.keys(now)])].filter((name) => saved[name] !== now[name]);
  if (names.length === 0) return;
  const changes = names.map((name) => `${name} was ${saved[name] ?? "absent"}, is ${now[name] ?? "absent"}`).join("; ");
  throw new RuntimeError("SQ0606", `the checkpoint is of a run with other settings: ${changes}`, "resume with the settings it began with");
}

function fitting(tensors: Tensors, name: string, shape: readonly number[]): Tensors[string] {
  const tensor = Object.hasOwn(tensors, name) ? tensors[name] : undefined;
  if (tensor === undefined) throw unfit(`it lacks \`${name}\``);
  if (tensor.dtype !== "F32") throw unfit(`\`${name}\` is ${tensor.dtype}, not F32`);
  if (tensor.shape.join() === shape.join()) return tensor;
  throw unfit(`\`${name}\` has shape [${tensor.shape.join(", ")}], the model has [${shape.join(", ")}]`);
}

function parseSettings(text: string | undefined): RunSettings {
  try {
    return JSON.parse(text ?? "") as RunSettings;
  } catch {
    throw unfit("its settings are not JSON");
  }
}

function unfit(reason: string): RuntimeError {
  return new RuntimeError("SQ0605", `the checkpoint does not fit this model: ${reason}`, "were the same file and --dim values compiled?");
}
