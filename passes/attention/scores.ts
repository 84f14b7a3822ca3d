/** @file Takes attention scores apart: softmax( mask( scale · q k^T + bias ) ), in whatever order they were put together. */

import type { Operation, Value } from "../../ir/core.ts";
import { add, constant, convert, div, einsum, exp, mul, neg, reduceMax, reduceSum, select, softmax, sub } from "../../ir/ops/index.ts";
import type { Definitions } from "../../ir/pattern.ts";
import type { Condition } from "./mask.ts";
import { operandView } from "./index-form.ts";
import { look, lookedAt, wholeView } from "./view.ts";
import type { View } from "./view.ts";

/** A number this low, added to a score or put in its place, leaves no weight: it means "masked". */
const MASKED = -1e9;

export interface Weights {
  readonly scores: Value;
  readonly axis: number;
}

export interface Scores {
  readonly product: Operation;
  readonly scale: number;
  readonly conditions: readonly Condition[];
  readonly biases: readonly { readonly view: View; readonly factor: number }[];
}

const operand = (operation: Operation, i: number): Value => operation.operands[i] as Value;

const attr = <T>(operation: Operation): T => operation.attrs as T;

/** The scores that `value` is the softmax of: the op, or exp(s - max s) / sum exp(s - max s), or the same without max. */
export const weightsOf = (value: Value, defs: Definitions): Weights | null => {
  const operation = defs(value);
  if (operation?.op === softmax) return { scores: operand(operation, 0), axis: attr<{ axis: number }>(operation).axis };
  if (operation?.op !== div) return null;
  const [top, total] = [operand(operation, 0), lookedAt(wholeView(operand(operation, 1)), defs)];
  const axis = reducedAxis(total.operation, total.view);
  const raised = defs(top);
  if (total.operation?.op !== reduceSum || total.operation.operands[0] !== top || axis === null || raised?.op !== exp) return null;
  return { scores: withoutMax(operand(raised, 0), axis, defs), axis };
};

/** The one axis over which `operation` reduces, if its result was spread over just that axis again. */
const reducedAxis = (operation: Operation | undefined, view: View): number | null => {
  if (operation === undefined || (operation.op !== reduceSum && operation.op !== reduceMax)) return null;
  const [axis, ...more] = attr<{ axes: readonly number[] }>(operation).axes;
  if (axis === undefined || more.length > 0) return null;
  const kept = view.axes.every((target, i) => target === (i < axis ? i : i + 1) || view.value.type.shape[i] === 1);
  return kept ? axis : null;
};

const withoutMax = (shifted: Value, axis: number, defs: Definitions): Value => {
  const operation = defs(shifted);
  if (operation?.op !== sub) return shifted;
  const scores = operand(operation, 0);
  const most = lookedAt(wholeView(operand(operation, 1)), defs);
  const same = most.operation?.op === reduceMax && most.operation.operands[0] === scores && reducedAxis(most.operation, most.view) === axis;
  return same ? scores : shifted;
};

/** The number a view shows everywhere, null if it is not one known number. */
const numberIn = (view: View, defs: Definitions): number | null => {
  const operation = defs(look(view, defs).value);
  return operation?.op === constant ? attr<{ value: number }>(operation).value : null;
};

const numberOf = (value: Value, defs: Definitions): number | null => numberIn(wholeView(value), defs);

/** The parts; or, in words, why the scores are not what attention computes. */
export const readScores = (value: Value, defs: Definitions): Scores | string => {
  let parts: Omit<Scores, "product"> = { scale: 1, conditions: [], biases: [] };
  let current = value;
  for (;;) {
    const operation = defs(current);
    if (operation === undefined) return "the scores are an input, not a product of queries and keys";
    if (operation.op === einsum) return { ...parts, product: operation };
    const peeled = peel(operation, parts, defs);
    if (typeof peeled === "string") return peeled;
    [current, parts] = peeled;
  }
};

type Parts = Omit<Scores, "product">;
type Peeled = readonly [inner: Value, parts: Parts] | string;

const peel = (operation: Operation, parts: Parts, defs: Definitions): Peeled => {
  const { op } = operation;
  if (op === select) return peelSelect(operation, parts, defs);
  if (op === add || op === sub) return peelSum(operation, parts, defs);
  if (op === neg) return [operand(operation, 0), { ...parts, scale: -parts.scale }];
  const scaled = peelScale(operation, defs);
  if (scaled !== null) return [scaled.inner, { ...parts, scale: parts.scale * scaled.factor }];
  if (op === mul || op === div) return "the scale is not a number known when compiling";
  return `sq.${op.mnemonic} stands between the product of queries and keys and the softmax`;
};

/** x · c, c · x or x / c. */
export const peelScale = (operation: Operation, defs: Definitions): { readonly inner: Value; readonly factor: number } | null => {
  if (operation.op !== mul && operation.op !== div) return null;
  const [x, y] = [operand(operation, 0), operand(operation, 1)];
  const right = numberOf(y, defs);
  if (right !== null) return { inner: x, factor: operation.op === mul ? right : 1 / right };
  const left = operation.op === mul ? numberOf(x, defs) : null;
  return left === null ? null : { inner: y, factor: left };
};

/** mask ? scores : fill  or  mask ? fill : scores. */
const peelSelect = (operation: Operation, parts: Parts, defs: Definitions): Peeled => {
  const [mask, yes, no] = [wholeView(operand(operation, 0)), operand(operation, 1), operand(operation, 2)];
  const [low, high] = [numberOf(no, defs), numberOf(yes, defs)];
  const fill = low ?? high;
  if (fill === null) return "a mask chooses between two tensors of scores";
  if (fill * parts.scale > MASKED) return `masked scores are filled with ${fill}, which still has weight (a mask needs ${MASKED} or less)`;
  const condition: Condition = { view: mask, negated: low === null };
  return [low === null ? no : yes, { ...parts, conditions: [...parts.conditions, condition] }];
};

/** scores ± term, where the term is a mask in disguise or a bias. */
const peelSum = (operation: Operation, parts: Parts, defs: Definitions): Peeled => {
  const [x, y] = [operand(operation, 0), operand(operation, 1)];
  const first = operation.op === sub || leadsToProduct(x, defs);
  const [scores, term] = first ? [x, y] : [y, x];
  const factor = (operation.op === sub ? -1 : 1) * parts.scale;
  const condition = disguisedMask(wholeView(term), factor, defs);
  if (condition !== null) return [scores, { ...parts, conditions: [...parts.conditions, condition] }];
  return [scores, { ...parts, biases: [...parts.biases, { view: look(wholeView(term), defs), factor }] }];
};

const ELEMENTWISE: ReadonlySet<unknown> = new Set([add, sub, mul, div, neg, select]);

export const leadsToProduct = (value: Value, defs: Definitions, depth = 8): boolean => {
  const operation = defs(value);
  if (operation === undefined || depth === 0) return false;
  if (operation.op === einsum) return true;
  return ELEMENTWISE.has(operation.op) && operation.operands.some((inner) => leadsToProduct(inner, defs, depth - 1));
};

/** mask ? 0 : low;  mask ? low : 0;  (1 - mask) · low;  mask · low. */
const disguisedMask = (outer: View, factor: number, defs: Definitions): Condition | null => {
  const { view, operation } = lookedAt(outer, defs);
  if (operation === undefined) return null;
  const [a, b, c] = operation.operands.map((_, i) => operandView(view, operation, i));
  if (operation.op === select && a !== undefined && b !== undefined && c !== undefined) {
    const [yes, no] = [numberIn(b, defs), numberIn(c, defs)];
    if (yes === 0 && no !== null && no * factor <= MASKED) return { view: a, negated: false };
    if (no === 0 && yes !== null && yes * factor <= MASKED) return { view: a, negated: true };
  }
  if (operation.op !== mul || a === undefined || b === undefined) return null;
  const [left, right] = [numberIn(a, defs), numberIn(b, defs)];
  const low = left ?? right;
  if (low === null || low * factor > MASKED) return null;
  return markedCondition(left === null ? a : b, defs);
};

/** convert(mask) is 1 where masked; 1 - convert(mask) is 1 where not. */
const markedCondition = (outer: View, defs: Definitions): Condition | null => {
  const { view, operation } = lookedAt(outer, defs);
  if (operation === undefined) return null;
  const [a, b] = operation.operands.map((_, i) => operandView(view, operation, i));
  if (operation.op === convert && a?.value.type.dtype === "i1") return { view: a, negated: true };
  if (operation.op !== sub || a === undefined || b === undefined || numberIn(a, defs) !== 1) return null;
  const inner = markedCondition(b, defs);
  return inner === null ? null : { ...inner, negated: !inner.negated };
};
