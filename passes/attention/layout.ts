/** @file Brings hand-written queries, keys and values to the axes of the `attention` op, [B, H, N, K], and back. */

import type { Builder } from "../../ir/builder.ts";
import type { Operation, TensorType, Value } from "../../ir/core.ts";
import { parseEinsum } from "../../ir/ops/einsum-spec.ts";
import { reshape, transpose } from "../../ir/ops/index.ts";
import * as poly from "../../ir/poly.ts";
import type { ScoreAxes } from "./mask.ts";

/** Labels of the two products, in the words of the first: scores = q k^T, out = weights v. */
export interface Layout {
  readonly q: Value;
  readonly k: Value;
  readonly v: Value;
  readonly qLabels: readonly string[];
  readonly kLabels: readonly string[];
  readonly vLabels: readonly string[];
  readonly outLabels: readonly string[];
  /** At most two, in the order of the scores. */
  readonly batch: readonly string[];
  readonly query: string;
  readonly key: string;
  readonly width: string;
  readonly valueWidth: string;
  readonly axes: ScoreAxes;
}

/** How the products fit together; or, in words, why they do not. `axis` is the softmax's, `side` the weights' operand. */
export const readLayout = (first: Operation, second: Operation, side: 0 | 1, axis: number): Layout | string => {
  const [one, two] = [first, second].map((operation) => parseEinsum((operation.attrs as { readonly spec: string }).spec));
  const [x, y] = first.operands;
  const v = second.operands[1 - side];
  if (one === undefined || two === undefined || "constraint" in one || "constraint" in two) return "a product cannot be read";
  if (x === undefined || y === undefined || v === undefined) return "a product lacks an operand";
  const scores = one.result;
  const key = scores[axis] ?? "";
  const onRight = one.right.includes(key);
  if (!onRight && !one.left.includes(key)) return "the softmax is not over the keys";
  const [own, other] = onRight ? [one.left, one.right] : [one.right, one.left];
  const [query, ...moreQueries] = own;
  if (query === undefined || moreQueries.length > 0 || other.length > 1) return "queries or keys have more than one axis of their own";
  if (one.contracted.length !== 1 || two.contracted.length !== 1) return "a product sums over more than one axis";
  if (one.batch.length > 2) return "there are more than two batch axes";
  // The second product has labels of its own: those of the weights are those of the scores, axis by axis.
  const [weightLabels, theirs] = side === 0 ? [two.a, two.b] : [two.b, two.a];
  const rename = (label: string): string => scores[weightLabels.indexOf(label)] ?? `value ${label}`;
  const vLabels = theirs.map(rename);
  const valueWidth = vLabels.filter((label) => !scores.includes(label));
  if (rename(two.contracted[0] ?? "") !== key) return "the product with the values does not sum over the keys";
  if (vLabels.includes(query) || valueWidth.length !== 1 || !one.batch.every((label) => vLabels.includes(label)))
    return "the values do not have the axes of the keys";
  const place = (label: string | undefined): number | null => (label === undefined ? null : scores.indexOf(label));
  const sizes = first.results[0]?.type.shape ?? [];
  const sizeOf = (label: string | undefined): number => sizes[scores.indexOf(label ?? "")] ?? 1;
  const axes: ScoreAxes = {
    batch: place(one.batch[0]),
    head: place(one.batch[1]),
    query: scores.indexOf(query),
    key: axis,
    B: sizeOf(one.batch[0]),
    N: sizeOf(query),
    M: sizeOf(key),
  };
  return {
    q: onRight ? x : y,
    k: onRight ? y : x,
    v,
    qLabels: onRight ? one.a : one.b,
    kLabels: onRight ? one.b : one.a,
    vLabels,
    outLabels: two.result.map(rename),
    batch: one.batch,
    query,
    key,
    width: one.contracted[0] ?? "",
    valueWidth: valueWidth[0] ?? "",
    axes,
  };
};

/** The tensor with its axes in the order of `wanted`. */
const inOrder = (b: Builder, value: Value, labels: readonly string[], wanted: readonly string[]): Value => {
  const perm = wanted.map((label) => labels.indexOf(label));
  return perm.every((axis, i) => axis === i) ? value : b.one(transpose, [value], { perm });
};

/** [batch…, rows, width] as [B, H, rows, width], with size 1 for the batch axes there are not. */
export const toRankFour = (b: Builder, value: Value, labels: readonly string[], layout: Layout, rows: string, width: string): Value => {
  const moved = inOrder(b, value, labels, [...layout.batch, rows, width]);
  const missing = 2 - layout.batch.length;
  if (missing === 0) return moved;
  const { dtype, shape, dims } = moved.type;
  const at = layout.batch.length;
  const ones = Array.from({ length: missing }, () => 1);
  const type: TensorType = {
    dtype,
    shape: [...shape.slice(0, at), ...ones, ...shape.slice(at)],
    dims: [...dims.slice(0, at), ...ones.map(() => poly.ONE), ...dims.slice(at)],
  };
  return b.one(reshape, [moved], { type });
};

/** o [B, H, N, E] with the axes, and their order, that the hand-written product has. */
export const fromRankFour = (b: Builder, o: Value, layout: Layout, type: TensorType): Value => {
  const order = [...layout.batch, layout.query, layout.valueWidth];
  const kept = [0, 1, 2, 3].filter((axis) => axis >= 2 || axis < layout.batch.length);
  const narrow: TensorType = { dtype: "f32", shape: kept.map((i) => o.type.shape[i] ?? 1), dims: kept.map((i) => o.type.dims[i] ?? poly.ONE) };
  const squeezed = kept.length === 4 ? o : b.one(reshape, [o], { type: narrow });
  const moved = inOrder(b, squeezed, order, layout.outLabels);
  return moved.type.shape.length === type.shape.length ? moved : b.one(reshape, [moved], { type });
};
