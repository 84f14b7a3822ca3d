/** @file `manifest.json`: what a compiled program is, for tools that do not read TypeScript. */

import { BYTES_PER_ELEMENT } from "../../ir/core.ts";
import type { Entry, OptimizerSpec, ParameterSpec, Port, PortRole, Program, WasmKernel, WasmProgram } from "../../runtime/abi.ts";

export interface Manifest {
  readonly version: 1;
  readonly model: string;
  readonly dims: Readonly<Record<string, number>>;
  readonly parameterCount: number;
  readonly parameterBytes: number;
  readonly parameters: readonly ParameterSpec[];
  readonly optimizer: OptimizerSpec | null;
  readonly kernels: readonly KernelFacts[] | readonly WasmKernel[];
  readonly entries: Readonly<Record<string, EntryFacts>>;
}

interface KernelFacts {
  readonly name: string;
  /** gpu.js order: x, y, z. */
  readonly output: readonly number[];
  /** Elements of every argument. */
  readonly inputs: readonly number[];
}

interface EntryFacts {
  readonly inputs: readonly (PortFacts & { readonly role: PortRole; readonly below?: number })[];
  readonly outputs: readonly PortFacts[];
  readonly launches: number;
  readonly kernels: number;
  readonly arenaBytes: number;
  /** What all launches together read and write, every argument and result once a launch. */
  readonly trafficBytes: number;
}

type PortFacts = Omit<Port, "value"> & { readonly bytes: number };

export const manifest = (program: Program | WasmProgram): Manifest => {
  const parameterCount = program.parameters.reduce((sum, { shape }) => sum + volume(shape), 0);
  return {
    version: 1,
    model: program.model,
    dims: program.dims,
    parameterCount,
    parameterBytes: parameterCount * BYTES_PER_ELEMENT,
    parameters: program.parameters,
    optimizer: program.optimizer,
    kernels: "wasm" in program ? program.kernels : program.kernels.map(({ name, output, inputs }) => ({ name, output, inputs })),
    entries: Object.fromEntries(Object.values(program.entries).map((entry) => [entry.name, entryFacts(entry)])),
  };
};

const volume = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

const entryFacts = (entry: Entry): EntryFacts => {
  const bytes = (value: number): number => (entry.values[value]?.elements ?? 0) * BYTES_PER_ELEMENT;
  return {
    inputs: entry.inputs.map(({ role, below, ...port }) => ({ ...portFacts(port), role, ...(below === undefined ? {} : { below }) })),
    outputs: entry.outputs.map(portFacts),
    launches: entry.launches.length,
    kernels: new Set(entry.launches.map((launch) => launch.kernel)).size,
    arenaBytes: entry.arenaBytes,
    trafficBytes: entry.launches.reduce((sum, { args, result, also = [] }) => sum + [...args, result, ...also].reduce((all, value) => all + bytes(value), 0), 0),
  };
};

const portFacts = ({ name, dtype, shape, dims }: Port): PortFacts => ({ name, dtype, shape, dims, bytes: volume(shape) * BYTES_PER_ELEMENT });
