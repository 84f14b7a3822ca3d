/** @file What the masks on attention scores mean: causal, a window, lengths, or a boolean tensor like any other. */

import type { Operation } from "../../ir/core.ts";
import { and, constant, not, or } from "../../ir/ops/index.ts";
import type { Definitions } from "../../ir/pattern.ts";
import { inequality, operandView, solveFor } from "./index-form.ts";
import type { LinearForm } from "./index-form.ts";
import { lookedAt } from "./view.ts";
import type { View } from "./view.ts";

/** A condition on the scores: a query may attend where it holds (or, negated, where it does not). */
export interface Condition {
  readonly view: View;
  readonly negated: boolean;
}

export interface ScoreAxes {
  readonly batch: number | null;
  readonly head: number | null;
  readonly query: number;
  readonly key: number;
  /** Number of sequences, of queries and of keys. */
  readonly B: number;
  readonly N: number;
  readonly M: number;
}

export interface Masks {
  readonly causal: boolean;
  readonly window: number;
  readonly lengths: View | null;
  /** Conditions that are nothing special; all must hold. */
  readonly tensors: readonly Condition[];
}

/** What one condition says, if it is one of the known kinds. With d = M - N:
 *  causal: key <= query + d.  window w: key >= query + d - w + 1.  lengths: key <= lengths[batch] - 1. */
type Fact =
  | { readonly kind: "causal" }
  | { readonly kind: "window"; readonly window: number }
  | { readonly kind: "lengths"; readonly view: View }
  | { readonly kind: "nothing" };

export const readMasks = (conditions: readonly Condition[], axes: ScoreAxes, defs: Definitions): Masks => {
  const parts = conditions.flatMap((condition) => conjuncts(condition, defs));
  let masks: Masks = { causal: false, window: 0, lengths: null, tensors: [] };
  for (const part of parts) masks = withFact(masks, part, factOf(part, axes, defs));
  return masks;
};

const withFact = (masks: Masks, part: Condition, fact: Fact | null): Masks => {
  if (fact?.kind === "nothing") return masks;
  if (fact?.kind === "causal") return { ...masks, causal: true };
  if (fact?.kind === "window") return { ...masks, window: masks.window === 0 ? fact.window : Math.min(masks.window, fact.window) };
  if (fact?.kind === "lengths" && masks.lengths === null) return { ...masks, lengths: fact.view };
  return { ...masks, tensors: [...masks.tensors, part] };
};

/** Conditions that hold together exactly when the given one does: not (a or b) = (not a) and (not b). */
const conjuncts = (condition: Condition, defs: Definitions): readonly Condition[] => {
  const { view, operation } = lookedAt(condition.view, defs);
  const here: Condition = { view, negated: condition.negated };
  if (operation === undefined) return [here];
  const operand = (i: number, negated: boolean): readonly Condition[] =>
    conjuncts({ view: operandView(view, operation, i), negated }, defs);
  if (operation.op === not) return operand(0, !condition.negated);
  if (operation.op === (condition.negated ? or : and)) return [...operand(0, condition.negated), ...operand(1, condition.negated)];
  return [here];
};

const factOf = ({ view, negated }: Condition, axes: ScoreAxes, defs: Definitions): Fact | null => {
  const operation = defs(view.value);
  if (operation === undefined) return null;
  if (operation.op === constant) return isTrue(operation) === negated ? null : { kind: "nothing" };
  const compared = inequality(view, operation, negated, defs);
  const bound = compared === null ? null : solveFor(axes.key, compared);
  if (bound === null) return null;
  const offset = axes.M - axes.N;
  const ofQuery = onlyIndex(bound.rest, axes.query);
  if (ofQuery && bound.side === "upper" && bound.bound === offset) return { kind: "causal" };
  if (ofQuery && bound.side === "lower" && bound.bound <= offset) return { kind: "window", window: offset - bound.bound + 1 };
  const lengths = onlyTensor(bound.rest);
  if (lengths !== null && bound.side === "upper" && bound.bound === -1 && isLengths(lengths, axes)) return { kind: "lengths", view: lengths };
  return null;
};

const isTrue = (operation: Operation): boolean => (operation.attrs as { readonly value: number }).value === 1;

const onlyIndex = (form: LinearForm, axis: number): boolean =>
  form.tensors.length === 0 && form.axes.size === 1 && form.axes.get(axis) === 1;

const onlyTensor = (form: LinearForm): View | null => {
  const [term, ...more] = form.tensors;
  return term !== undefined && more.length === 0 && form.axes.size === 0 && term.factor === 1 ? term.view : null;
};

/** One integer a sequence of the batch. */
const isLengths = ({ value, axes: [axis, ...more] }: View, axes: ScoreAxes): boolean =>
  value.type.dtype === "i32" && more.length === 0 && axes.batch !== null && (axis === axes.batch || (axis === -1 && axes.B === 1));
