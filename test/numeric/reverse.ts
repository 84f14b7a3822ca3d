/** @file A second, independent reverse sweep, just enough to check derivative rules: no accumulation order to speak of, no
 *  names, no clean-up. Ops that are differentiated by expansion are expanded on the way. */

import { Builder } from "../../ir/builder.ts";
import type { Operation, Value } from "../../ir/core.ts";
import { add } from "../../ir/ops/index.ts";

interface Expanded {
  readonly ops: readonly Operation[];
  /** What became of a value. */
  readonly rename: (value: Value) => Value;
}

/** The same operations with every "by-expansion" op replaced by its expansion. */
const expanded = (ops: readonly Operation[]): Expanded => {
  const b = new Builder();
  const renamed = new Map<Value, Value>();
  const rename = (value: Value): Value => renamed.get(value) ?? value;
  for (const operation of ops) {
    const operands = operation.operands.map(rename);
    const { op, attrs } = operation;
    if (op.vjp === "by-expansion" && op.expand !== null) {
      const results: readonly Value[] = op.expand(b, operands, attrs);
      operation.results.forEach((value, i) => renamed.set(value, results[i] ?? value));
    } else b.keep({ ...operation, operands });
  }
  const again = b.ops.some(({ op }) => op.vjp === "by-expansion");
  if (!again) return { ops: b.ops, rename };
  const inner = expanded(b.ops);
  return { ops: inner.ops, rename: (value) => inner.rename(rename(value)) };
};

/** Appends to `b` the operations `ops` (expanded) and the gradients of sum over (y, ct) of <ct, y> with respect to `wrt`. */
export const reverse = (
  b: Builder,
  ops: readonly Operation[],
  seeds: readonly (readonly [y: Value, ct: Value])[],
  wrt: readonly Value[],
): readonly (Value | null)[] => {
  const forward = expanded(ops);
  forward.ops.forEach((operation) => b.keep(operation));
  const cotangents = new Map<Value, Value>();
  const contribute = (value: Value, ct: Value): void => {
    const known = cotangents.get(value);
    cotangents.set(value, known === undefined ? ct : b.one(add, [known, ct], {}));
  };
  seeds.forEach(([y, ct]) => contribute(forward.rename(y), ct));
  const active = new Set<Value>(wrt);
  for (const { operands, results } of forward.ops)
    if (operands.some((value) => active.has(value))) results.forEach((value) => active.add(value));
  for (const { op, operands, results, attrs } of forward.ops.toReversed()) {
    const given = results.map((value) => cotangents.get(value) ?? null);
    if (typeof op.vjp === "string" || given.every((ct) => ct === null)) continue;
    const wanted = operands.map((value) => active.has(value) && value.type.dtype === "f32");
    if (!wanted.some(Boolean)) continue;
    const flows = op.vjp({ b, operands, results, attrs, cotangents: given, wanted });
    operands.forEach((value, i) => {
      const ct = flows[i];
      if (ct && wanted[i]) contribute(value, ct);
    });
  }
  return wrt.map((value) => cotangents.get(value) ?? null);
};
