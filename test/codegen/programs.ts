/** @file Programs made of the registry's examples: one entry point for every kernel-stage op and example. */

import type { Data, Func, Module } from "../../ir/core.ts";
import { OPS } from "../../ir/ops/index.ts";
import type { Executable, Program, Tensors, WasmProgram } from "../../runtime/abi.ts";
import { createExecutable } from "../../runtime/index.ts";
import { lowerTo } from "../../compiler/driver.ts";
import { bool, f32, i32 } from "../../runtime/tensors.ts";
import { generateProgram } from "../../compiler/codegen/program.ts";
import { generateWasmProgram } from "../../compiler/codegen/wasm/program.ts";
import { casesOf, dataOf, makeFunc, resultTypesOf, toKernels, typesOf } from "../numeric/support.ts";
import type { Case } from "../numeric/support.ts";

export const KERNEL_CASES: readonly Case[] = OPS.filter((op) => op.expand === null).flatMap(casesOf);

/** The op alone on its example's operands, named after the case. */
export const caseFunc = (c: Case): Func => ({
  ...makeFunc(typesOf(c.example), (b, params) => b.all(c.op, params, c.example.attrs)),
  name: c.label,
});

export const moduleOf = (...funcs: readonly Func[]): Module => ({ name: "Test", dims: new Map(), funcs, attrs: {} });

export const casesModule = (): Module => moduleOf(...KERNEL_CASES.map(caseFunc));

/** The program of a module at the kernel stage, for any backend in Node. */
export const programFor = (module: Module, backend: string): Program | WasmProgram =>
  backend === "wasm" ? generateWasmProgram(module) : generateProgram(module);

/** `wasm` with attention whole, and the same without native kernels. */
export const WASM_APART = "wasm, taken apart";

/** A module of the gradient stage, ready to run. */
export const executableOf = (module: Module, backend: string): Promise<Executable> =>
  backend === WASM_APART
    ? createExecutable(generateWasmProgram(toKernels(module)), "wasm")
    : createExecutable(lowerTo(module, backend === "wasm" ? "wasm" : "gpujs"), backend);

/** All cases in one entry point `all`, which takes the operands of case i as `i.p0`, … and gives its result as `i.r0`. */
export const allCases = (): { readonly program: Program; readonly inputs: Tensors } => {
  const funcs = KERNEL_CASES.map(caseFunc);
  const prefixed = <T extends { readonly name: string }>(items: readonly T[], i: number): readonly T[] =>
    items.map((item) => ({ ...item, name: `${i}.${item.name}` }));
  const all: Func = {
    name: "all",
    params: funcs.flatMap((func, i) => prefixed(func.params, i)),
    ops: funcs.flatMap((func) => func.ops),
    results: funcs.flatMap((func, i) => prefixed(func.results, i)),
  };
  return { program: generateProgram(moduleOf(all)), inputs: tensorsFor(all, KERNEL_CASES.flatMap(caseData)) };
};

/** Data as kernels hold it: every element a float32. */
export const rounded = (data: readonly Data[]): readonly Data[] => data.map((x) => x.map(Math.fround));

export const caseData = (c: Case): readonly Data[] => rounded(dataOf(c.example));

/** What the op says about those data. */
export const caseResult = (c: Case, operands: readonly Data[]): Data => {
  const context = { operands, operandTypes: typesOf(c.example), resultTypes: resultTypesOf(c), attrs: c.example.attrs, tally: { flops: 0 } };
  return c.op.evaluate(context)[0] ?? new Float64Array();
};

/** Inputs of an entry by name, as the runtime takes them. */
export const tensorsFor = (func: Func, data: readonly Data[]): Tensors =>
  Object.fromEntries(
    func.params.map(({ name, value: { type } }, i) => {
      const values = Array.from(data[i] ?? []);
      const make = { f32, i32, i1: bool }[type.dtype];
      return [name, make(type.shape, values as never)];
    }),
  );

/** Largest difference, relative to 1 + the size of what was expected. */
export const worst = (actual: ArrayLike<number | bigint>, expected: Data): number => {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  return expected.reduce((most, want, i) => {
    const error = Math.abs(Number(actual[i]) - want) / (1 + Math.abs(want));
    return error <= most ? most : error;
  }, 0);
};
