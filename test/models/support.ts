/** @file The models that whole-model tests run on: every example and every file of zoo/, small; inputs that every backend
 *  holds exactly; and how far two gradients may be apart. */

import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Data, Func, Module } from "../../ir/core.ts";
import type { Compiled } from "../../compiler/driver.ts";
import { interpret } from "../../ir/interpret.ts";
import { compile } from "../../compiler/node/compile.ts";
import { programOf } from "../../compiler/node/execute.ts";
import type { HostTensor, InputPort, Tensors } from "../../runtime/abi.ts";
import { initialParameters } from "../../runtime/parameters.ts";
import { randomStream } from "../../runtime/random.ts";
import { elementCount, f32, i32, scalar, zeros } from "../../runtime/tensors.ts";
import { entryOf } from "../../runtime/validate.ts";
import { ROOT } from "../tools.ts";

export interface ModelCase {
  readonly name: string;
  readonly file: string;
  readonly dims: Readonly<Record<string, number>>;
  /** Inputs that cannot be drawn: lengths of sequences. */
  readonly given?: Readonly<Record<string, readonly number[]>>;
  /** The loss leaves out targets of -1. */
  readonly ignores?: boolean;
}

const TINY = { B: 2, T: 7, V: 13, D: 12, H: 3, L: 2 };

/** Where an example needs other sizes, or a model data of a certain kind. */
const PARTICULARS: Readonly<Record<string, Partial<ModelCase>>> = {
  bert: { given: { lengths: [7, 4] }, ignores: true },
  llama: { dims: { ...TINY, H: 6, G: 2, K: 4, F: 10 } },
  window: { dims: { ...TINY, W: 3 } },
  masks: { given: { lengths: [7, 4] }, ignores: true },
  dropped: { given: { lengths: [6, 4] } },
  translate: { given: { lengths: [9, 5] } },
};

const casesIn = (folder: string, dims: ModelCase["dims"]): readonly ModelCase[] =>
  readdirSync(join(ROOT, folder))
    .filter((file) => file.endsWith(".sq"))
    .sort()
    .map((file) => {
      const name = file.replace(/\.sq$/, "");
      return { name, file: join(ROOT, folder, file), dims, ...PARTICULARS[name] };
    });

export const EXAMPLES = casesIn("examples", TINY);
export const ZOO = casesIn("test/models/zoo", {});
export const MODELS = [...EXAMPLES, ...ZOO];

const compiledModels = new Map<ModelCase, Promise<Compiled>>();

export const compiledCase = (model: ModelCase): Promise<Compiled> => {
  const compiled = compiledModels.get(model) ?? compile({ file: model.file, dims: model.dims });
  compiledModels.set(model, compiled);
  return compiled;
};

/** Everything an entry takes. Parameters start a little off their declared values, so that no gain is exactly 1. */
export const inputsFor = (model: ModelCase, compiled: Compiled, entryName: string, seed = 1): Tensors => {
  const program = programOf(compiled);
  const parameters = initialParameters(program, seed);
  const inputs = entryOf(program, entryName).inputs.map((port): [string, HostTensor] => {
    const start = parameters[port.name];
    if (start === undefined) return [port.name, inputFor(model, port, seed)];
    const stream = randomStream(seed, `off ${port.name}`);
    return [port.name, f32(start.shape, Array.from(start.data, Number).map((value) => value + 0.25 * stream.normal()))];
  });
  return Object.fromEntries(inputs);
};

const inputFor = (model: ModelCase, port: InputPort, seed: number): HostTensor => {
  const { name, role, dtype, shape } = port;
  const given = model.given?.[name];
  if (given !== undefined) return i32(shape, given);
  if (role === "state") return zeros(shape);
  if (role === "key") return i32(shape, [seed, 52_411, 7, 65_535]);
  if (role === "scalar") return scalar(name === "lr" ? 1e-3 : 1);
  const stream = randomStream(seed, `input ${name}`);
  const draw = (next: () => number): number[] => Array.from({ length: elementCount(shape) }, next);
  if (dtype === "f32") return f32(shape, draw(() => stream.normal()));
  const ids = draw(() => stream.below(port.below ?? model.dims["V"] ?? 4));
  return i32(shape, model.ignores === true && name === "targets" ? ids.map((id, at) => (at % 3 === 1 ? -1 : id)) : ids);
};

export const dataOf = (tensors: Tensors): ReadonlyMap<string, Data> =>
  new Map(Object.entries(tensors).map(([name, { data }]) => [name, Float64Array.from(data, Number)]));

export const funcOf = (module: Module, name: string): Func => {
  const found = module.funcs.find((func) => func.name === name);
  if (found === undefined) throw new Error(`${module.name} has no function ${name}`);
  return found;
};

/** A function's results in float64, by name. */
export const evaluate = (module: Module, name: string, inputs: Tensors): ReadonlyMap<string, Data> =>
  interpret(funcOf(module, name), dataOf(inputs)).results;

/** The function whose gradient `grad` is. */
export const lossName = (module: Module): string => (module.funcs.some((func) => func.name === "train_loss") ? "train_loss" : "loss");

export const normOf = (data: ArrayLike<number>): number => Math.sqrt(Array.from(data).reduce((sum, value) => sum + value * value, 0));

const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number => normOf(Array.from(a, (value, at) => value - (b[at] ?? Number.NaN)));

/** A gradient this far below the whole one is zero but for rounding: that of the bias of keys, to which softmax is blind. */
const VANISHING = 1e-9;

export const vanishes = (reference: ReadonlyMap<string, Data>, name: string): boolean => {
  const gradients = [...reference].filter(([key]) => key.startsWith("grad."));
  return normOf(reference.get(name) ?? []) < VANISHING * normOf(gradients.map(([, data]) => normOf(data)));
};

export interface Deviation {
  readonly name: string;
  readonly error: number;
}

/** The output furthest from the reference: ‖a - b‖ / ‖b‖ (Frobenius), and ‖a‖ / ‖all gradients‖, a hundred times over,
 *  where b vanishes. */
export const worstDeviation = (outputs: Tensors, reference: ReadonlyMap<string, Data>): Deviation => {
  const whole = normOf([...reference].filter(([key]) => key.startsWith("grad.")).map(([, data]) => normOf(data)));
  const deviations = [...reference].map(([name, expected]): Deviation => {
    const actual = Float64Array.from(outputs[name]?.data ?? [], Number);
    if (actual.length !== expected.length) return { name, error: Infinity };
    const size = normOf(expected);
    const error = name.startsWith("grad.") && size < VANISHING * whole ? (100 * normOf(actual)) / whole : distance(actual, expected) / (size || 1);
    return { name, error: Number.isNaN(error) ? Infinity : error };
  });
  return deviations.reduce((worst, each) => (each.error > worst.error ? each : worst), { name: "", error: 0 });
};

/** A summary line; what was observed is worth as much as the verdict. */
export const report = (lines: readonly string[]): void => void process.stdout.write(`${lines.map((line) => `  ${line}\n`).join("")}`);
