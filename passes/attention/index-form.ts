/** @file Integer expressions over the axes of the scores as linear forms, and comparisons of them as facts about masks.
 *
 *      sum over axes a of coefficient[a] · index[a]  +  constant  +  sum of coefficient · tensor
 *
 *  However causality is spelled (i >= j, j - i <= 0, j < i + 1, not (j > i)), it becomes one inequality. */

import type { Operation, Value } from "../../ir/core.ts";
import { add, compare, constant, convert, iota, mul, neg, sub } from "../../ir/ops/index.ts";
import type { Definitions } from "../../ir/pattern.ts";
import { lookedAt } from "./view.ts";
import type { View } from "./view.ts";

export interface LinearForm {
  readonly axes: ReadonlyMap<number, number>;
  readonly constant: number;
  readonly tensors: readonly { readonly view: View; readonly factor: number }[];
}

type Direction = "eq" | "ne" | "lt" | "le" | "gt" | "ge";

/** left `direction` right, as difference `direction` 0. */
export interface Inequality {
  readonly difference: LinearForm;
  readonly direction: Direction;
}

const NUMBER = (value: number): LinearForm => ({ axes: new Map(), constant: value, tensors: [] });

const combine = (a: LinearForm, b: LinearForm, factor: number): LinearForm => {
  const axes = new Map(a.axes);
  for (const [axis, coefficient] of b.axes) axes.set(axis, (axes.get(axis) ?? 0) + factor * coefficient);
  for (const [axis, coefficient] of axes) if (coefficient === 0) axes.delete(axis);
  const scaled = b.tensors.map((term) => ({ ...term, factor: term.factor * factor }));
  return { axes, constant: a.constant + factor * b.constant, tensors: [...a.tensors, ...scaled] };
};

const isNumber = (form: LinearForm): boolean => form.axes.size === 0 && form.tensors.length === 0;

export const linearForm = (outer: View, defs: Definitions): LinearForm => {
  const { view, operation } = lookedAt(outer, defs);
  const leaf: LinearForm = { axes: new Map(), constant: 0, tensors: [{ view, factor: 1 }] };
  if (operation === undefined) return leaf;
  const { op, attrs } = operation;
  const operand = (i: number): LinearForm => linearForm(operandView(view, operation, i), defs);
  if (op === constant) return NUMBER((attrs as { readonly value: number }).value);
  if (op === iota) {
    const axis = view.axes[(attrs as { readonly axis: number }).axis] ?? -1;
    return axis < 0 ? NUMBER(0) : { axes: new Map([[axis, 1]]), constant: 0, tensors: [] };
  }
  if (op === add) return combine(operand(0), operand(1), 1);
  if (op === sub) return combine(operand(0), operand(1), -1);
  if (op === neg) return combine(NUMBER(0), operand(0), -1);
  if (op === convert && operation.operands[0]?.type.dtype === "i32") return operand(0);
  if (op === mul) {
    const [a, b] = [operand(0), operand(1)];
    if (isNumber(a)) return combine(NUMBER(0), b, a.constant);
    if (isNumber(b)) return combine(NUMBER(0), a, b.constant);
  }
  return leaf;
};

/** An operand of an elementwise operation that is seen by `view`. */
export const operandView = (view: View, operation: Operation, i: number): View => ({
  value: operation.operands[i] as Value,
  axes: view.axes,
});

const OPPOSITE: Readonly<Record<Direction, Direction>> = { eq: "ne", ne: "eq", lt: "ge", ge: "lt", gt: "le", le: "gt" };

/** The comparison that an operation makes; null if it is none. */
export const inequality = (view: View, operation: Operation, negated: boolean, defs: Definitions): Inequality | null => {
  if (operation.op !== compare) return null;
  const { direction } = operation.attrs as { readonly direction: Direction };
  const [left, right] = [0, 1].map((i) => linearForm(operandView(view, operation, i), defs));
  if (left === undefined || right === undefined) return null;
  return { difference: combine(left, right, -1), direction: negated ? OPPOSITE[direction] : direction };
};

/** A bound of one index by the other terms: index <= rest + bound ("upper") or index >= rest + bound ("lower"). */
export interface Bound {
  readonly side: "upper" | "lower";
  readonly bound: number;
  /** What is left, with the sign it has on the right side. */
  readonly rest: LinearForm;
}

/** Solves an inequality of integers for the index of `axis`; null where it is not ±1 times that index, or no inequality. */
export const solveFor = (axis: number, { difference, direction }: Inequality): Bound | null => {
  const sign = difference.axes.get(axis);
  if ((sign !== 1 && sign !== -1) || direction === "eq" || direction === "ne") return null;
  const others = combine(difference, { axes: new Map([[axis, 1]]), constant: difference.constant, tensors: [] }, 0);
  const axes = new Map([...others.axes].filter(([other]) => other !== axis));
  // sign · j + others + c ~ 0  is  j ~ -sign · (others + c), turned round where the sign is negative.
  const rest = combine(NUMBER(0), { axes, constant: 0, tensors: difference.tensors }, -sign);
  const upper = (direction === "lt" || direction === "le") === (sign === 1);
  const strict = direction === "lt" || direction === "gt";
  const bound = -sign * difference.constant + (strict ? (upper ? -1 : 1) : 0);
  // Adding 0 turns -0 into 0.
  return { side: upper ? "upper" : "lower", bound: bound + 0, rest };
};
