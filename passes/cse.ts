/** @file Common subexpressions: of equal operations on the same operands the first is kept. Every op is a pure function
 *  of its operands and attributes (randomness is an operand), so equal means interchangeable.
 *  Before  any stage.  After  the same; no two operations of a function are equal.  Changes numerics: no. */

import type { AttrNode } from "../ir/attrs.ts";
import type { AnyOp, Func, Operation, TensorType, Value } from "../ir/core.ts";
import { Substitution, mapFuncs } from "./edit.ts";
import { definePass } from "./pass.ts";

export const cse = definePass({
  name: "cse",
  summary: "computes equal expressions once",
  before: "gradient",
  after: "same",
  options: {},
  run: (module, _options, ctx) =>
    mapFuncs(module, (func) => {
      const reduced = withoutRepeats(func);
      ctx.count("operations merged", func.ops.length - reduced.ops.length);
      return reduced;
    }),
});

const withoutRepeats = (func: Func): Func => {
  const numbers = new Map<Value, number>();
  const numberOf = (value: Value): number => {
    const known = numbers.get(value);
    if (known !== undefined) return known;
    numbers.set(value, numbers.size);
    return numbers.size - 1;
  };
  const substitution = new Substitution();
  const seen = new Map<number, Operation[]>();
  const ops: Operation[] = [];
  for (const original of func.ops) {
    const operation = substitution.apply(original);
    let hash = kindOf(operation);
    for (const operand of operation.operands) hash = (Math.imul(hash, 0x01000193) ^ numberOf(operand)) | 0;
    const alike = seen.get(hash);
    const first = alike?.find((other) => isSame(other, operation));
    if (first !== undefined) {
      operation.results.forEach((result, i) => substitution.set(result, first.results[i] ?? result));
      continue;
    }
    ops.push(operation);
    if (alike === undefined) seen.set(hash, [operation]);
    else alike.push(operation);
  }
  if (ops.length === func.ops.length) return func;
  return { ...func, ops, results: func.results.map((r) => ({ ...r, value: substitution.of(r.value) })) };
};

const isSame = (a: Operation, b: Operation): boolean =>
  kindOf(a) === kindOf(b) && a.operands.length === b.operands.length && a.operands.every((operand, i) => operand === b.operands[i]);

/** Numbers for an op with its attributes. Attributes are immutable and outlive passes: the number is remembered as long
 *  as they are, for the op that was seen with them first (an attributes object may be shared by operations of two kinds). */
const kinds = new WeakMap<object, { readonly op: AnyOp; readonly number: number }>();
const kindNumbers = new Map<string, number>();

const kindOf = ({ op, attrs }: Operation): number => {
  const known = kinds.get(attrs);
  if (known?.op === op) return known.number;
  const values = attrs as Readonly<Record<string, unknown>>;
  const text = Object.entries(op.attrs).map(([name, codec]) => `${name}=${nodeKey(codec.encode(values[name]))}`);
  const key = `${op.mnemonic} ${text.join(";")}`;
  const number = kindNumbers.get(key) ?? kindNumbers.size;
  kindNumbers.set(key, number);
  if (known === undefined) kinds.set(attrs, { op, number });
  return number;
};

/** Types are compared by dtype and shape: how a dimension is spelled does not change what is computed. */
const nodeKey = (node: AttrNode | null): string => {
  if (node === null) return "";
  if (node.kind === "array") return `[${node.items.map(nodeKey).join(",")}]`;
  if (node.kind === "type") return typeKey(node.value);
  if (node.kind === "unit") return "unit";
  return `${node.kind}:${Object.is(node.value, -0) ? "-0" : node.value}`;
};

const typeKey = (type: TensorType): string => `${type.dtype}[${type.shape.join(",")}]`;
