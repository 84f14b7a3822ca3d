/** @file What a kernel-stage operation costs inside a kernel, and how often it reads its operands. */

import type { AnyOp, Operation, Value } from "../ir/core.ts";
import { parseEinsum } from "../ir/ops/einsum-spec.ts";
import * as sq from "../ir/ops/index.ts";
import { elements } from "../ir/types.ts";

/** Time of one element, in additions, without its loop; 1 for the ops that are not listed. */
const COST: ReadonlyMap<AnyOp, number> = new Map<AnyOp, number>([
  ...[sq.constant, sq.iota, sq.broadcast, sq.transpose, sq.slice, sq.reshape, sq.dynamicSlice, sq.takeRows, sq.takeAlong].map((op): [AnyOp, number] => [op, 0]),
  ...[sq.div, sq.sqrt, sq.rsqrt, sq.idiv, sq.mod].map((op): [AnyOp, number] => [op, 4]),
  ...[sq.exp, sq.log, sq.sin, sq.cos, sq.tanh, sq.logistic, sq.erf].map((op): [AnyOp, number] => [op, 12]),
  [sq.pow, 24],
  [sq.randomUniform, 60],
  ...[sq.monomials, sq.monomialProducts, sq.monomialWeights].map((op): [AnyOp, number] => [op, 200]),
  [sq.randomAt, 60],
]);

/** Time of one element of the result, its own loop included. */
export const operationCost = (operation: Operation): number =>
  Math.max(loopCount(operation), 1) * (COST.get(operation.op) ?? 1);

/** Iterations that one element of the result takes; 1 where there is no loop. */
export const loopCount = ({ op, operands, attrs }: Operation): number => {
  const [a, b] = operands;
  if (a === undefined) return 1;
  if (op === sq.reduceSum || op === sq.reduceMax) {
    const { axes } = attrs as { readonly axes: readonly number[] };
    return axes.reduce((product, axis) => product * (a.type.shape[axis] ?? 1), 1);
  }
  if (op === sq.systematic) return searchLength(b, attrs as { readonly width: number });
  if (op === sq.einsum) return contractedSize(attrs as { readonly spec: string }, a.type.shape);
  if (op === sq.bucketHeads || op === sq.bucketNext) return elements(a.type);
  if (op === sq.mergeRuns) return 1 + halvings((attrs as { readonly run: number }).run);
  if (op === sq.lowerBound) return 1 + halvings(a.type.shape.at(-1) ?? 1);
  if (op === sq.segmentSum) return b?.type.shape[2] ?? 1;
  return op === sq.bucketSum && b !== undefined ? elements(b.type) : 1;
};

/** Every chunk is looked at, then every element of one. */
const searchLength = (prefix: Value | undefined, { width }: { readonly width: number }): number =>
  width + (prefix?.type.shape.at(-1) ?? 0);

/** Steps of a binary search among n. */
const halvings = (n: number): number => 1 + Math.floor(Math.log2(Math.max(n, 1)));

const contractedSize = ({ spec: text }: { readonly spec: string }, shape: readonly number[]): number => {
  const spec = parseEinsum(text);
  if ("constraint" in spec) return 1;
  return spec.contracted.reduce((product, label) => product * (shape[spec.a.indexOf(label)] ?? 1), 1);
};

/** Elements of operand `i` that are read for one element of the result, on average. */
export const readsOf = (operation: Operation, i: number): number => {
  const { op, operands, results, attrs } = operation;
  const [operand, result] = [operands[i], results[0]];
  if (operand === undefined || result === undefined) return 0;
  // Each element is copied at most once, whatever surrounds it.
  if (op === sq.barrier && i > 0) return 0;
  if (op === sq.pad || op === sq.concat || (op === sq.dynamicUpdateSlice && i === 1)) return elements(operand.type) / Math.max(elements(result.type), 1);
  // A list is walked once for all the rows together.
  if (op === sq.bucketSum) return i === 0 ? 1 : elements(operand.type) / Math.max(elements(operand.type), elements(result.type));
  if (op === sq.systematic && i !== 1) return i === 0 ? (attrs as { readonly width: number }).width : 1;
  if (op === sq.mergeRuns) return i === 0 ? 2 * loopCount(operation) : 1;
  // Each position is on one list.
  if (op === sq.segmentSum) return i === 0 ? 2 : loopCount(operation) / Math.max(result.type.shape[2] ?? 1, 1);
  return loopCount(operation);
};
