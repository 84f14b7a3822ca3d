/** @file Uses of an op next to a correct one: an operand too many, another dtype, another shape, another attribute.
 *  What `infer` says of them shows which of its labelled constraints a test can reach. */

import type { AnyOp, DType, Operation, TensorType, Value } from "../../ir/core.ts";
import { isViolation } from "../../ir/core.ts";
import { UNKNOWN } from "../../ir/span.ts";
import { tensor } from "../../ir/types.ts";

interface Use {
  readonly types: readonly TensorType[];
  readonly attrs: Readonly<Record<string, unknown>>;
}

export interface Rejected {
  readonly constraint: string;
  readonly operation: Operation;
}

/** Every neighbour of every example that `infer` rejects. */
export function* rejectedUses(op: AnyOp): Generator<Rejected> {
  for (const example of op.examples) {
    const types = example.operands.map((operand) => operand.type);
    const attrs = example.attrs as Readonly<Record<string, unknown>>;
    const inferred = op.infer(types, attrs);
    if (isViolation(inferred)) continue;
    for (const use of neighbours({ types, attrs })) {
      const answer = op.infer(use.types, use.attrs);
      if (isViolation(answer)) yield { constraint: answer.constraint, operation: operationOf(op, use, inferred) };
    }
  }
}

const operationOf = (op: AnyOp, { types, attrs }: Use, inferred: readonly TensorType[]): Operation => {
  const values = (named: readonly string[], of: readonly TensorType[]): Value[] =>
    of.map((type, i) => ({ type, name: (named[i] ?? named.at(-1) ?? "").replace("...", "") }));
  return { op, operands: values(op.operands, types), attrs, results: values(op.results, inferred), path: "", loc: UNKNOWN, inline: false };
};

const DTYPES: readonly DType[] = ["i32", "f32", "i1"];

function* neighbours({ types, attrs }: Use): Generator<Use> {
  for (const [i, type] of types.entries())
    for (const other of otherTypes(type)) yield { types: types.with(i, other), attrs };
  for (const dtype of DTYPES) {
    yield { types: types.map((type) => ({ ...type, dtype })), attrs };
    yield { types: types.map(({ shape }) => tensor(dtype, shape.slice(1))), attrs };
    yield { types: types.map(() => tensor(dtype, [])), attrs };
  }
  for (const [key, value] of Object.entries(attrs))
    for (const other of otherValues(value)) yield { types, attrs: { ...attrs, [key]: other } };
  yield { types: types.slice(0, -1), attrs };
  yield { types: [...types, tensor("f32", [2])], attrs };
  yield { types: [], attrs };
}

function* otherTypes(type: TensorType): Generator<TensorType> {
  for (const dtype of DTYPES) if (dtype !== type.dtype) yield { ...type, dtype };
  const { dtype, shape } = type;
  for (const [i, size] of shape.entries()) for (const other of [size + 1, 2 * size]) yield tensor(dtype, shape.with(i, other));
  if (shape.length > 0) yield tensor(dtype, shape.slice(0, -1));
  yield tensor(dtype, [...shape, 2]);
  yield tensor(dtype, [2 ** 20, 2 ** 20]);
  yield tensor(dtype, []);
}

/** Strings are einsum specs, dtypes, or choices. */
const STRINGS = ["i1", "a b, c d", "a a, b c -> a b c", "b t d, d h k -> b h t z", "b t d, d h k -> b h t", "b d, d h k -> b h k"];

function* otherValues(value: unknown): Generator<unknown> {
  if (typeof value === "number") yield* [value + 1, -1, value + 0.5, 99, 2 ** 12, 2 ** 40, Infinity];
  else if (typeof value === "string") yield* STRINGS;
  else if (typeof value === "boolean") yield !value;
  else if (Array.isArray(value)) yield* otherArrays(value);
  else if (typeof value === "object" && value !== null && "dtype" in value) yield* otherTypes(value as TensorType);
}

function* otherArrays(items: readonly unknown[]): Generator<unknown> {
  yield items.slice(1);
  if (items.length > 0) yield [...items, items[0]];
  yield items.toReversed();
  for (const [i, item] of items.entries()) for (const other of otherValues(item)) yield items.with(i, other);
}
