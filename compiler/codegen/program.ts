/** @file A module at the kernel stage → a program: its kernels, each once, and how every entry point launches them. */

import type { Func, Module, Operation, Param } from "../../ir/core.ts";
import { InternalError } from "../../ir/diagnostic.ts";
import { optimizerOf } from "../../ir/optimizer-spec.ts";
import * as poly from "../../ir/poly.ts";
import type { OptimizerSpec, ParameterSpec, Program, ProgramHead } from "../../runtime/abi.ts";
import { generateEntry } from "./entry.ts";
import { parseInitializer } from "./initializer.ts";
import { KernelTable } from "./kernel-table.ts";
import type { WholeKernel } from "./kernel-table.ts";

/** `module` satisfies the stage `kernel` and has been through `fuse` (without it, every operation is a kernel). */
export const generateProgram = (module: Module): Program => {
  const { table, ...program } = tabulate(module);
  return { ...program, kernels: table.sources() };
};

/** All of a program but the code of its kernels. `lowerWhole`: how the backend computes operations that are not of the stage kernel. */
export const tabulate = <P = never>(module: Module, lowerWhole?: (operation: Operation) => WholeKernel<P>): ProgramHead & { readonly table: KernelTable<P> } => {
  const table = new KernelTable<P>(lowerWhole);
  const entries = module.funcs.map((func) => generateEntry(func, table));
  return {
    version: 1,
    model: module.name,
    dims: Object.fromEntries(module.dims),
    parameters: parametersOf(module),
    optimizer: optimizerSpec(module),
    entries: Object.fromEntries(entries.map((entry) => [entry.name, entry])),
    table,
  };
};

/** The parameters of all entries, each once. */
const parametersOf = (module: Module): readonly ParameterSpec[] => {
  const found = new Map<string, ParameterSpec>();
  for (const { name, role, init, value } of module.funcs.flatMap((func) => func.params)) {
    if (role !== "parameter" || found.has(name)) continue;
    const dims = value.type.dims.map((dim) => poly.print(dim));
    found.set(name, { name, shape: value.type.shape, dims, init: parseInitializer(init) });
  }
  return [...found.values()];
};

const optimizerSpec = (module: Module): OptimizerSpec | null => {
  const config = optimizerOf(module);
  if (typeof config === "string") throw new InternalError(`the module's optimizer: ${config}`);
  if (config === null) return null;
  const state = new Map<string, Param>();
  for (const param of module.funcs.flatMap((func: Func) => func.params)) if (param.role === "state") state.set(param.name, param);
  return {
    name: config.name,
    lr: config.lr,
    state: [...state.values()].map(({ name, value }) => ({ name, shape: value.type.shape })),
  };
};
