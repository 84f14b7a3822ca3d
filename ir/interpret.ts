/** @file The reference interpreter: what a function means, in float64. Every backend is tested against it. */

import type { AnyOp, Data, Func, Operation, TensorType, Value } from "./core.ts";
import { InternalError } from "./diagnostic.ts";
import { bytesOfOperation } from "./cost.ts";
import { describe, elements } from "./types.ts";

export interface Interpretation {
  /** By result name. */
  readonly results: Map<string, Data>;
  /** Floating-point operations, counted while they were done. */
  readonly flops: number;
  /** Bytes that kernels, one an operation, would read and write. */
  readonly bytes: number;
}

export interface InterpretOptions {
  /** Sees every operation with its results, in order. */
  readonly onOp?: (operation: Operation, results: readonly Data[]) => void;
}

export interface Evaluation {
  readonly results: readonly Data[];
  readonly flops: number;
}

/** Applies one op to data. Operands are in row-major order, i1 as 0 and 1; they are not changed. */
export const evaluateOp = (
  op: AnyOp,
  operands: readonly Data[],
  operandTypes: readonly TensorType[],
  resultTypes: readonly TensorType[],
  attrs: object,
): Evaluation => {
  const tally = { flops: 0 };
  const results = op.evaluate({ operands, operandTypes, resultTypes, attrs, tally });
  return { results, flops: tally.flops };
};

const typesOf = (values: readonly Value[]): readonly TensorType[] => values.map((value) => value.type);

/** Each operation's values that nothing after it reads. */
const lastUses = (func: Func): ReadonlyMap<Operation, readonly Value[]> => {
  const alive = new Set(func.results.map((result) => result.value));
  const dying = new Map<Operation, readonly Value[]>();
  for (const operation of func.ops.toReversed()) {
    const dead = [...new Set([...operation.operands, ...operation.results])].filter((value) => !alive.has(value));
    dead.forEach((value) => alive.add(value));
    dying.set(operation, dead);
  }
  return dying;
};

const readInputs = (func: Func, inputs: ReadonlyMap<string, Data>): Map<Value, Data> => {
  const values = new Map<Value, Data>();
  for (const { name, value } of func.params) {
    const data = inputs.get(name);
    if (data === undefined) throw new Error(`${func.name}: input "${name}" is missing (${describe(value.type)})`);
    const count = elements(value.type);
    if (data.length !== count)
      throw new Error(`${func.name}: input "${name}" has ${data.length} elements; ${describe(value.type)} has ${count}`);
    values.set(value, data);
  }
  return values;
};

/** Evaluates `func` on inputs by parameter name; data of other names is ignored. Values are dropped after their last use.
 *  @throws Error where an input is missing or has the wrong number of elements */
export const interpret = (
  func: Func,
  inputs: ReadonlyMap<string, Data>,
  options: InterpretOptions = {},
): Interpretation => {
  const values = readInputs(func, inputs);
  const valueOf = (value: Value): Data => {
    const data = values.get(value);
    if (data === undefined) throw new InternalError(`${func.name}: value "${value.name}" is used before it is defined`);
    return data;
  };
  const dying = lastUses(func);
  let flops = 0;
  let bytes = 0;
  for (const operation of func.ops) {
    const operands = operation.operands.map(valueOf);
    const { op, attrs } = operation;
    const done = evaluateOp(op, operands, typesOf(operation.operands), typesOf(operation.results), attrs);
    flops += done.flops;
    bytes += bytesOfOperation(operation);
    operation.results.forEach((value, i) => values.set(value, done.results[i] ?? new Float64Array()));
    options.onOp?.(operation, done.results);
    for (const value of dying.get(operation) ?? []) values.delete(value);
  }
  return { results: new Map(func.results.map(({ name, value }) => [name, valueOf(value)])), flops, bytes };
};
