/** @file Attention of any rank as the IR's operation of rank 4, q [B, H, N, K]: leading axes are merged into one, missing
 *  ones are inserted with size 1. */

import type { Builder } from "../../ir/builder.ts";
import type { TensorType, Value } from "../../ir/core.ts";
import { InternalError } from "../../ir/diagnostic.ts";
import type { AttentionExtra } from "../../ir/ops/attention-attrs.ts";
import * as ops from "../../ir/ops/index.ts";
import * as poly from "../../ir/poly.ts";
import { sameShape } from "../../ir/types.ts";
import type { Form } from "../check/program.ts";
import { broadcastTo, reshapeTo } from "./broadcast.ts";

type Attention = Extract<Form, { kind: "attention" }>;

interface Site {
  readonly site: string;
  readonly backward: string;
  readonly name: string;
}

/** The batch axis in front of a type of rank 2, 3 or more. Rank 3 is [B, N, K] where q and k have the same first axis, and
 *  [H, N, K] with groups otherwise. */
const rankFour = (type: TensorType, batched: boolean): TensorType => {
  const { shape, dims, dtype } = type;
  const tail = shape.length === 3 && batched ? 2 : Math.min(3, shape.length);
  const lead = shape.length - tail;
  const ones = 3 - tail;
  return {
    dtype,
    shape: [shape.slice(0, lead).reduce((a, n) => a * n, 1), ...new Array<number>(ones).fill(1), ...shape.slice(lead)],
    dims: [poly.mul(...dims.slice(0, lead)), ...new Array<poly.Poly>(ones).fill(poly.ONE), ...dims.slice(lead)],
  };
};

/** A mask or bias as [B or 1, H or 1, N, M]. */
const scoresLike = (b: Builder, value: Value, scores: TensorType, batched: boolean): Value => {
  const { type } = value;
  const rank = scores.shape.length;
  const [n, m] = [scores.shape.slice(-2), scores.dims.slice(-2)];
  const short = type.shape.length < 2 || !sameShape({ ...type, shape: type.shape.slice(-2) }, { ...scores, shape: n });
  const lead = type.shape.length > 2 ? { shape: type.shape.slice(0, -2), dims: type.dims.slice(0, -2) } : { shape: [], dims: [] };
  const plane: TensorType = { dtype: type.dtype, shape: [...lead.shape, ...n], dims: [...lead.dims, ...m] };
  const wide = short ? broadcastTo(b, value, plane) : value;
  const before = wide.type.shape.length - 2;
  if (rank > 4 && before > 1) {
    const all = broadcastTo(b, wide, { ...scores, dtype: type.dtype });
    return reshapeTo(b, all, rankFour(all.type, false));
  }
  if (rank === 3 && batched && before === 1) return reshapeTo(b, wide, rankFour(wide.type, true));
  const missing = 4 - wide.type.shape.length;
  const full: TensorType = {
    dtype: type.dtype,
    shape: [...new Array<number>(missing).fill(1), ...wide.type.shape],
    dims: [...new Array<poly.Poly>(missing).fill(poly.ONE), ...wide.type.dims],
  };
  return reshapeTo(b, wide, full);
};

/** `key` is what dropout draws from; null without. */
export const lowerAttention = (
  b: Builder,
  operands: readonly Value[],
  form: Attention,
  key: Value | null,
  site: Site,
  type: TensorType,
): Value => {
  const [q, k, v, ...extras] = operands;
  if (q === undefined || k === undefined || v === undefined) throw new InternalError("attention has q, k and v");
  const batched = q.type.shape[0] === k.type.shape[0];
  const scores: TensorType = {
    dtype: "f32",
    shape: [...q.type.shape.slice(0, -1), k.type.shape.at(-2) ?? 1],
    dims: [...q.type.dims.slice(0, -1), k.type.dims.at(-2) ?? poly.ONE],
  };
  const wide = [q, k, v].map((value) => reshapeTo(b, value, rankFour(value.type, batched)));
  const batch = wide[0]?.type;
  const more = extras.map((value, i) => {
    if (form.extras[i] !== "lengths") return scoresLike(b, value, scores, batched);
    return reshapeTo(b, value, { dtype: "i32", shape: [batch?.shape[0] ?? 1], dims: [batch?.dims[0] ?? poly.ONE] });
  });
  const { causal, window, scale, dropout } = form;
  const names: readonly AttentionExtra[] = key === null ? form.extras : [...form.extras, "dropout_key"];
  const drawn = key === null ? [] : [key];
  const attrs = { causal, window, scale, dropout, extras: names, site: site.site, backward: site.backward };
  const rankIsFour = q.type.shape.length === 4;
  const [o] = b.all(ops.attention, [...wide, ...more, ...drawn], attrs, [rankIsFour ? site.name : "", "lse"]);
  if (o === undefined) throw new InternalError("attention has a result");
  return reshapeTo(b, o, type);
};
