/** @file Builds the `attention` op, and what stands around it, from the parts of a written-out one. */

import type { Builder } from "../../ir/builder.ts";
import type { TensorType, Value } from "../../ir/core.ts";
import { InternalError } from "../../ir/diagnostic.ts";
import type { AttentionAttrs } from "../../ir/ops/attention-attrs.ts";
import { add, and, attention, constant, mul, not } from "../../ir/ops/index.ts";
import type { Definitions } from "../../ir/pattern.ts";
import * as poly from "../../ir/poly.ts";
import { fromRankFour, toRankFour } from "./layout.ts";
import type { Layout } from "./layout.ts";
import type { Masks } from "./mask.ts";
import { peelScale } from "./scores.ts";
import type { Scores } from "./scores.ts";
import { materialize } from "./view.ts";
import type { View } from "./view.ts";

export interface Found {
  readonly layout: Layout;
  readonly scores: Scores;
  readonly masks: Masks;
}

/** Where it is in the model, and how its gradient is to be computed. */
export interface FoundSite {
  readonly site: string;
  readonly backward: string;
}

/** The result of the written-out form, of its `type`. */
export const buildAttention = (b: Builder, found: Found, site: FoundSite, type: TensorType, defs: Definitions): Value => {
  const { layout, scores, masks } = found;
  const q = unscaled(layout.q, defs);
  const k = unscaled(layout.k, defs);
  const wide = [
    toRankFour(b, q.inner, layout.qLabels, layout, layout.query, layout.width),
    toRankFour(b, k.inner, layout.kLabels, layout, layout.key, layout.width),
    toRankFour(b, layout.v, layout.vLabels, layout, layout.key, layout.valueWidth),
  ];
  const scoresType = typeOfScores(wide);
  const extras = buildExtras(b, found, scoresType);
  const attrs: AttentionAttrs = {
    causal: masks.causal,
    window: masks.window,
    scale: scores.scale * q.factor * k.factor,
    dropout: 0,
    extras: extras.map(([name]) => name),
    ...site,
  };
  const [o] = b.all(attention, [...wide, ...extras.map(([, value]) => value)], attrs, ["", "lse"]);
  if (o === undefined) throw new InternalError("attention has a result");
  return fromRankFour(b, o, layout, type);
};

/** Queries or keys without the known numbers they are multiplied by. */
const unscaled = (value: Value, defs: Definitions): { readonly inner: Value; readonly factor: number } => {
  const operation = defs(value);
  const scaled = operation === undefined ? null : peelScale(operation, defs);
  if (scaled === null) return { inner: value, factor: 1 };
  const { inner, factor } = unscaled(scaled.inner, defs);
  return { inner, factor: factor * scaled.factor };
};

/** [B, H, N, M]. */
const typeOfScores = ([q, k]: readonly Value[]): TensorType => {
  if (q === undefined || k === undefined) throw new InternalError("attention has queries and keys");
  const pick = <T>(own: readonly T[], other: readonly T[]): readonly T[] => [...own.slice(0, 3), ...other.slice(2, 3)];
  return { dtype: "f32", shape: pick(q.type.shape, k.type.shape), dims: pick(q.type.dims, k.type.dims) };
};

type Extra = readonly [name: AttentionAttrs["extras"][number], value: Value];

const buildExtras = (b: Builder, { layout, scores, masks }: Found, type: TensorType): readonly Extra[] => {
  const extras: Extra[] = [];
  const sequences: TensorType = { dtype: "i32", shape: type.shape.slice(0, 1), dims: type.dims.slice(0, 1) };
  if (masks.lengths !== null) extras.push(["lengths", materialize(b, masks.lengths, [layout.axes.batch ?? NO_AXIS], sequences)]);
  const plane = planeOf([...masks.tensors, ...scores.biases].map(({ view }) => view), layout, type);
  const wide = (view: View): Value => materialize(b, view, axesOf(layout), plane);
  const marks = masks.tensors.map(({ view, negated }) => (negated ? b.one(not, [wide(view)], {}) : wide(view)));
  const [mark, ...moreMarks] = marks;
  if (mark !== undefined) extras.push(["mask", moreMarks.reduce((x, y) => b.one(and, [x, y], {}), mark)]);
  const [term, ...moreTerms] = scores.biases.map(({ view, factor }) => times(b, wide(view), factor));
  if (term !== undefined) extras.push(["bias", moreTerms.reduce((x, y) => b.one(add, [x, y], {}), term)]);
  return extras;
};

/** Stands for an axis of the op that the written form does not have. */
const NO_AXIS = -2;

const axesOf = ({ axes }: Layout): readonly number[] => [axes.batch ?? NO_AXIS, axes.head ?? NO_AXIS, axes.query, axes.key];

/** [B or 1, H or 1, N, M]: batch and heads only where one of the tensors differs along them. */
const planeOf = (views: readonly View[], layout: Layout, type: TensorType): TensorType => {
  const varies = (axis: number | null): boolean =>
    axis !== null && views.some(({ value, axes }) => axes.some((own, i) => own === axis && value.type.shape[i] !== 1));
  const keep = [varies(layout.axes.batch), varies(layout.axes.head), true, true];
  return {
    dtype: "f32",
    shape: type.shape.map((size, i) => (keep[i] === true ? size : 1)),
    dims: type.dims.map((dim, i) => (keep[i] === true ? dim : poly.ONE)),
  };
};

const times = (b: Builder, value: Value, factor: number): Value =>
  factor === 1 ? value : b.one(mul, [value, b.one(constant, [], { value: factor, type: value.type })], {});
