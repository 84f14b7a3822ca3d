/** @file Common subexpressions: of equal operations on the same operands the first is kept. Every op is a pure function
 *  of its operands and attributes (randomness is an operand), so equal means interchangeable.
 *  Before  any stage.  After  the same; no two operations of a function are equal.  Changes numerics: no. */

import type { AttrNode } from "../ir/attrs.ts";
import type { Func, Operation, TensorType, Value } from "../ir/core.ts";
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
  const seen = new Map<string, Operation>();
  const ops: Operation[] = [];
  for (const original of func.ops) {
    const operation = substitution.apply(original);
    let key = `${operation.op.mnemonic}:${attrsKey(operation)}`;
    for (const operand of operation.operands) key += `,${numberOf(operand)}`;
    const first = seen.get(key);
    if (first === undefined) {
      seen.set(key, operation);
      ops.push(operation);
      continue;
    }
    operation.results.forEach((result, i) => substitution.set(result, first.results[i] ?? result));
  }
  if (ops.length === func.ops.length) return func;
  return { ...func, ops, results: func.results.map((r) => ({ ...r, value: substitution.of(r.value) })) };
};

/** Attributes are immutable and outlive passes: their text is remembered as long as they are. */
const keys = new WeakMap<object, string>();

const attrsKey = ({ op, attrs }: Operation): string => {
  const known = keys.get(attrs);
  if (known !== undefined) return known;
  const values = attrs as Readonly<Record<string, unknown>>;
  const key = Object.entries(op.attrs)
    .map(([name, codec]) => `${name}=${nodeKey(codec.encode(values[name]))}`)
    .join(";");
  keys.set(attrs, key);
  return key;
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
