/** @file What passes share when they make a new function out of an old one. Everything is linear in the operations. */

import { Builder } from "../ir/builder.ts";
import type { Origin } from "../ir/builder.ts";
import type { Func, Module, Operation, Value } from "../ir/core.ts";

/** Values that stand for other values from now on. */
export class Substitution {
  readonly #to = new Map<Value, Value>();

  set(from: Value, to: Value): void {
    if (from !== to) this.#to.set(from, to);
  }

  /** The same for lists; a value without a partner stays. */
  setAll(from: readonly Value[], to: readonly (Value | undefined)[]): void {
    for (const [i, value] of from.entries()) this.set(value, to[i] ?? value);
  }

  /** What stands for `value`; follows replacements of replacements. */
  of(value: Value): Value {
    let current = value;
    for (let next = this.#to.get(current); next !== undefined; next = this.#to.get(current)) current = next;
    if (current !== value) this.#to.set(value, current);
    return current;
  }

  /** The operation with its operands replaced; the same object where none is. */
  apply(operation: Operation): Operation {
    if (this.#to.size === 0) return operation;
    for (const operand of operation.operands)
      if (this.#to.has(operand)) return { ...operation, operands: operation.operands.map((each) => this.of(each)) };
    return operation;
  }
}

export interface Built<V> {
  readonly ops: readonly Operation[];
  readonly values: readonly V[];
}

/** Runs `body` on a fresh builder at `origin`. A returned value that it built and left without a name gets `names[i]`. */
export const buildAt = <V extends Value | null>(
  origin: Origin,
  names: readonly string[],
  body: (b: Builder) => readonly V[],
): Built<V> => {
  const b = new Builder();
  const values = b.at(origin, () => body(b));
  if (!values.some((value, i) => isNameless(value, names[i]))) return { ops: b.ops, values };
  // A value from elsewhere keeps its name: whoever built it has the right to it.
  const own = new Set<Value>();
  for (const operation of b.ops) for (const result of operation.results) own.add(result);
  const renamed = new Map<Value, Value>();
  for (const [i, value] of values.entries())
    if (value !== null && isNameless(value, names[i]) && own.has(value) && !renamed.has(value)) renamed.set(value, { ...value, name: names[i] ?? "" });
  const rename = (value: Value): Value => renamed.get(value) ?? value;
  const touches = (list: readonly Value[]): boolean => list.some((value) => renamed.has(value));
  return {
    ops: b.ops.map((op) =>
      touches(op.operands) || touches(op.results) ? { ...op, operands: op.operands.map(rename), results: op.results.map(rename) } : op,
    ),
    values: values.map((value) => (value === null ? value : (rename(value) as V))),
  };
};

const isNameless = (value: Value | null, name: string | undefined): boolean =>
  value?.name === "" && name !== undefined && name !== "";

/** Operations whose results something needs, in order. */
export const liveOps = (ops: readonly Operation[], results: readonly Value[]): readonly Operation[] => {
  const needed = new Set(results);
  const kept: Operation[] = [];
  for (let i = ops.length - 1; i >= 0; i--) {
    const operation = ops[i];
    if (operation === undefined || !isAnyIn(operation.results, needed)) continue;
    for (const operand of operation.operands) needed.add(operand);
    kept.push(operation);
  }
  return kept.reverse();
};

const isAnyIn = (values: readonly Value[], set: ReadonlySet<Value>): boolean => {
  for (const value of values) if (set.has(value)) return true;
  return false;
};

/** The operation that computes each value. */
export const definitions = (ops: readonly Operation[]): Map<Value, Operation> => {
  const defs = new Map<Value, Operation>();
  for (const operation of ops) for (const result of operation.results) defs.set(result, operation);
  return defs;
};

/** The module with every function mapped; the same object where no function changes. */
export const mapFuncs = (module: Module, body: (func: Func) => Func): Module => {
  const funcs = module.funcs.map(body);
  return funcs.every((func, i) => func === module.funcs[i]) ? module : { ...module, funcs };
};

/** The module with `func` added after the others, or in place of the one that has its name. */
export const withFunc = (module: Module, func: Func): Module => {
  const others = module.funcs.filter((other) => other.name !== func.name);
  return { ...module, funcs: [...others, func] };
};
