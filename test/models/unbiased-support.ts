/** @file An estimator made wrong on purpose, by surgery on the IR, and executables of modules that no driver made. */

import { createExecutable } from "../../runtime/index.ts";
import type { Executable } from "../../runtime/abi.ts";
import { lowerTo } from "../../compiler/driver.ts";
import type { Func, Module, Operation, Value } from "../../ir/core.ts";
import { attentionSampled } from "../../ir/ops/index.ts";
import { mapFuncs } from "../../passes/edit.ts";

/** A module of the gradient stage on kernels. */
export const createExecutableOf = (module: Module): Promise<Executable> => createExecutable(lowerTo(module, "wasm"), "wasm");

/** Every site draws with the function's own key. */
export const withOneKey = (module: Module): Module => mapFuncs(module, oneKey);

/** Where attention_sampled has its key. */
const KEY = 3;

const oneKey = (func: Func): Func => {
  const key = func.params.find(({ role }) => role === "key")?.value;
  if (key === undefined) return func;
  const withKey = ({ operands }: Operation): readonly Value[] => operands.map((operand, i) => (i === KEY ? key : operand));
  return { ...func, ops: func.ops.map((operation) => (operation.op === attentionSampled ? { ...operation, operands: withKey(operation) } : operation)) };
};
