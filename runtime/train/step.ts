/** @file One step of training: what it is given, what it says, and the state that it leaves. */

import type { Entry, Executable, Kept, PartSeconds, Tensors } from "../abi.ts";
import { i32, scalarValue } from "../tensors.ts";
import type { StepEvent } from "./loop.ts";
import type { TrainState } from "./state.ts";

/** Of all that is there, what the entry takes; a missing one is for the executable to report. */
export function feed(entry: Entry, all: Tensors, key: () => Int32Array): Tensors {
  const given: Record<string, Tensors[string]> = {};
  for (const port of entry.inputs) {
    const tensor = port.role === "key" ? i32([4], key()) : all[port.name];
    if (tensor !== undefined) given[port.name] = tensor;
  }
  return given;
}

/** Reads what is kept, at most once, until the next step has its way with it. */
export function stateAfter(step: number, kept: Kept, names: { readonly parameters: readonly string[]; readonly optimizer: readonly string[] }): { readonly read: () => TrainState; readonly leave: () => void } {
  let state: TrainState | null = null;
  let left = false;
  const read = (): TrainState => {
    if (state !== null) return state;
    if (left) throw new Error(`the state after step ${step} is asked for when the next step has begun`);
    const all = kept.read();
    const pick = (wanted: readonly string[]): Tensors => Object.fromEntries(wanted.map((name) => [name, all[name] as Tensors[string]]));
    state = { step, parameters: pick(names.parameters), optimizer: pick(names.optimizer) };
    return state;
  };
  return { read, leave: () => void (left = true) };
}

type StepFacts = Pick<StepEvent, "loss" | "gradientNorm" | "guarded" | "seconds">;

export async function trainStep(executable: Executable, kept: Kept, entry: Entry, inputs: Tensors): Promise<StepFacts> {
  const before = executable.spent?.();
  const outputs = await kept.run(entry.name, inputs);
  const after = executable.spent?.();
  const norm = outputs["grad_norm"];
  const guarded = guardedShares(outputs);
  return {
    loss: scalarValue(outputs["loss"] as Tensors[string]),
    ...(norm === undefined ? {} : { gradientNorm: scalarValue(norm) }),
    ...(Object.keys(guarded).length === 0 ? {} : { guarded }),
    ...(before === undefined || after === undefined ? {} : { seconds: differenceOf(after, before) }),
  };
}

function differenceOf(after: PartSeconds, before: PartSeconds): PartSeconds {
  const parts = Object.keys(after) as (keyof PartSeconds)[];
  return Object.fromEntries(parts.map((part) => [part, after[part] - before[part]])) as PartSeconds;
}

const GUARDED = "guarded.";

const guardedShares = (outputs: Tensors): Readonly<Record<string, number>> =>
  Object.fromEntries(
    Object.entries(outputs).flatMap(([name, tensor]) => (name.startsWith(GUARDED) ? [[name.slice(GUARDED.length), scalarValue(tensor)]] : [])),
  );
