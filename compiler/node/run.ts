/** @file One call of one entry point, with tensors from and to safetensors files; optionally held against another backend. */

import type { Entry, HostTensor, InputPort, ProgramHead, Tensors } from "../../runtime/abi.ts";
import { initialParameters, keyFor, randomStream, scalar, zeros } from "../../runtime/index.ts";
import { entryOf } from "../../runtime/validate.ts";
import { createBackend, programOf, targetOf } from "./execute.ts";
import type { BackendOptions } from "./execute.ts";
import { compile } from "./compile.ts";
import type { ModelOptions } from "./compile.ts";
import { compare } from "./compare.ts";
import type { Comparison } from "./compare.ts";
import { readTensors, writeTensors } from "./tensor-files.ts";

export type { Comparison } from "./compare.ts";

export interface RunOptions extends ModelOptions, BackendOptions {
  /** `forward`, `loss`, `grad` or `step`. */
  readonly entry: string;
  /** Tensors by name, or a safetensors file of them. Parameters that are not among them start as declared, from `seed`;
   *  without any inputs, arguments are drawn from `seed` too. */
  readonly inputs?: string | Tensors;
  /** A safetensors file to write. */
  readonly outputs?: string;
  readonly seed?: number;
  /** Another backend that must agree (`interpreter`). */
  readonly against?: string;
}

export interface RunResult {
  /** What really ran. */
  readonly backend: string;
  readonly outputs: Tensors;
  /** Names of the inputs that were drawn from the seed because they were not given. */
  readonly drawn: readonly string[];
  /** Float outputs against `against`, worst first; empty without it. */
  readonly comparisons: readonly Comparison[];
}

/** Throws `DiagnosticError` for the model's mistakes, `RuntimeError` for those of inputs (SQ06xx) and backends (SQ07xx). */
export const run = async (options: RunOptions): Promise<RunResult> => {
  const compiled = await compile({ ...options, target: targetOf(options.backend) });
  const program = programOf(compiled);
  const entry = entryOf(program, options.entry);
  const given = typeof options.inputs === "string" ? readTensors(options.inputs) : options.inputs;
  const inputs = completeInputs(program, entry, given, options.seed ?? 0);
  const call = async (where: BackendOptions): Promise<{ name: string; outputs: Tensors }> => {
    const executable = await createBackend(compiled, where.backend, where.threads);
    try {
      return { outputs: await executable.run(options.entry, inputs.all), name: executable.backend };
    } finally {
      executable.destroy();
    }
  };
  const { outputs, name } = await call(options);
  if (options.outputs !== undefined) writeTensors(options.outputs, outputs);
  const comparisons = options.against === undefined ? [] : compare(outputs, (await call({ backend: options.against })).outputs);
  return { backend: name, outputs, drawn: inputs.drawn, comparisons };
};

/** Adds what was not given: parameters as declared, zero state, the optimizer's rate, and (without any inputs) arguments. */
export const completeInputs = (
  program: ProgramHead,
  entry: Entry,
  given: Tensors | undefined,
  seed: number,
): { readonly all: Tensors; readonly drawn: readonly string[] } => {
  const parameters = initialParameters(program, seed);
  const tokens = entry.inputs.find(({ role, dtype, shape }) => role === "input" && dtype === "i32" && shape.length === 2)?.shape[1] ?? 1;
  const missing = entry.inputs.filter((port) => given?.[port.name] === undefined);
  const added = missing.flatMap((port): [InputPort, HostTensor][] => {
    const tensor = port.role !== "input" ? defaultFor(port, program, parameters, seed) : given === undefined ? randomArgument(port, seed, tokens) : undefined;
    return tensor === undefined ? [] : [[port, tensor]];
  });
  return {
    all: { ...Object.fromEntries(added.map(([port, tensor]) => [port.name, tensor])), ...given },
    drawn: added.filter(([port]) => port.role === "input" || port.role === "parameter").map(([port]) => port.name),
  };
};

const defaultFor = (port: InputPort, program: ProgramHead, parameters: Tensors, seed: number): HostTensor | undefined => {
  switch (port.role) {
    case "parameter":
      return parameters[port.name];
    case "state":
      return zeros(port.shape);
    case "scalar":
      return scalar(port.name === "lr" ? (program.optimizer?.lr ?? 0) : 1);
    case "key":
      return { dtype: "I32", shape: port.shape, data: keyFor(seed, 1) };
    case "input":
      return undefined;
  }
};

/** Normal floats; integers below the table they index (or 0 and 1), `lengths` from 1 to the number of tokens; fair booleans. */
const randomArgument = ({ name, shape, dtype, below }: InputPort, seed: number, tokens: number): HostTensor => {
  const stream = randomStream(seed, `argument ${name}`);
  const count = shape.reduce((product, size) => product * size, 1);
  const fill = (next: () => number): number[] => Array.from({ length: count }, next);
  if (dtype === "f32") return { dtype: "F32", shape, data: Float32Array.from(fill(() => stream.normal())) };
  if (dtype === "i1") return { dtype: "BOOL", shape, data: Uint8Array.from(fill(() => stream.below(2))) };
  if (name === "lengths") return { dtype: "I32", shape, data: Int32Array.from(fill(() => 1 + stream.below(tokens))) };
  return { dtype: "I32", shape, data: Int32Array.from(fill(() => stream.below(below ?? 2))) };
};
