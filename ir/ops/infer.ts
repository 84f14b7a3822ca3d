/** @file What the `infer` functions of the op families share: operand counts (constraint C0 of every op) and agreement of
 *  types. Inference runs on every operation after every pass, so the common case must not touch a polynomial. */

import type { TensorType, Violation } from "../core.ts";
import { violates } from "../core.ts";
import { isConstant, ZERO } from "../poly.ts";
import { describe, sameShape } from "../types.ts";

export type Inferred = readonly TensorType[] | Violation;

/** The attributes of an op that has none. */
export type NoAttrs = Readonly<Record<never, never>>;

const wrongCount = (wanted: string, given: number): Violation => violates("C0", `takes ${wanted}, given ${given}`);

export const inferNone =
  <A>(rule: (attrs: A) => Inferred) =>
  (operands: readonly TensorType[], attrs: A): Inferred =>
    operands.length === 0 ? rule(attrs) : wrongCount("no operands", operands.length);

export const inferOne =
  <A>(rule: (x: TensorType, attrs: A) => Inferred) =>
  (operands: readonly TensorType[], attrs: A): Inferred => {
    const [x] = operands;
    return x !== undefined && operands.length === 1 ? rule(x, attrs) : wrongCount("one operand", operands.length);
  };

export const inferTwo =
  <A>(rule: (a: TensorType, b: TensorType, attrs: A) => Inferred) =>
  (operands: readonly TensorType[], attrs: A): Inferred => {
    const [a, b] = operands;
    return a !== undefined && b !== undefined && operands.length === 2
      ? rule(a, b, attrs)
      : wrongCount("two operands", operands.length);
  };

export const inferThree =
  <A>(rule: (a: TensorType, b: TensorType, c: TensorType, attrs: A) => Inferred) =>
  (operands: readonly TensorType[], attrs: A): Inferred => {
    const [a, b, c] = operands;
    return a !== undefined && b !== undefined && c !== undefined && operands.length === 3
      ? rule(a, b, c, attrs)
      : wrongCount("three operands", operands.length);
  };

export const mustAgree = (constraint: string, a: TensorType, b: TensorType): Violation | null =>
  a === b || (a.dtype === b.dtype && sameShape(a, b))
    ? null
    : violates(constraint, `operands must have one type, given ${describe(a)} and ${describe(b)}`);

export const mustHaveShape = (constraint: string, a: TensorType, b: TensorType): Violation | null =>
  a === b || sameShape(a, b)
    ? null
    : violates(constraint, `operands must have one shape, given ${describe(a)} and ${describe(b)}`);

/** Type `a`, with the spelling of `b` where `a` has only a number and `b` (of the same shape) has a name. */
export const spelled = (a: TensorType, b: TensorType): TensorType => {
  if (a.dims === b.dims || !a.dims.some((dim, i) => isConstant(dim) && !isConstant(b.dims[i] ?? ZERO))) return a;
  return { ...a, dims: a.dims.map((dim, i) => (isConstant(dim) ? (b.dims[i] ?? dim) : dim)) };
};

/** Is `axes` a strictly increasing list of axes of a tensor of this rank? */
export const areAxes = (axes: readonly number[], rank: number): boolean =>
  axes.every((axis, i) => Number.isInteger(axis) && axis >= 0 && axis < rank && axis > (axes[i - 1] ?? -1));
