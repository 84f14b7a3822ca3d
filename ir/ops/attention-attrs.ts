/** @file What `attention` and `attention_vjp` have in common: attributes, operands by name, sizes, constraints.
 *
 *  Query head h reads key head floor(h / (H / G)). Query i and key j are aligned at the end of their sequences: with
 *  `d = M - N`, causal allows j <= i + d, and a window of w allows j > i + d - w. */

import { array, f64, flag, i64, oneOf, string, withDefault } from "../attrs.ts";
import { violates } from "../core.ts";
import type { Op, TensorType, Value, Violation } from "../core.ts";
import { InternalError } from "../diagnostic.ts";
import { describe, sameShape } from "../types.ts";
import { checkDropout } from "./attention-dropout.ts";

/** Optional operands, in the order they must be given.
 *  lengths i32 [B]: keys at index >= lengths[b] are masked.   mask i1 [B or 1, H or 1, N, M]: 1 where i may attend to j.
 *  bias f32 [B or 1, H or 1, N, M]: added to the scaled scores.   dropout_key i32 [4]: the key of the dropout's draws.
 *  active i1 [B, H]: the heads whose gradient is wanted, that of others is 0.   d_lse f32 [B, H, N].
 *  The last two belong to `attention_vjp`. */
export const EXTRAS = ["lengths", "mask", "bias", "dropout_key", "active", "d_lse"] as const;

const OF_GRADIENT: readonly AttentionExtra[] = ["active", "d_lse"];

export type AttentionExtra = (typeof EXTRAS)[number];

export interface AttentionAttrs {
  readonly causal: boolean;
  /** Number of most recent keys a query may attend to; 0 for no limit. */
  readonly window: number;
  /** Factor of the scores, usually 1 / sqrt(K). */
  readonly scale: number;
  /** Probability that a weight is dropped, in [0, 1); the others are divided by 1 - dropout. */
  readonly dropout: number;
  readonly extras: readonly AttentionExtra[];
  /** The attention site in the model, by which the `backward` block selects it. */
  readonly site: string;
  /** How the gradient of this site is to be computed. */
  readonly backward: string;
}

export const attentionCodecs: Op<readonly Value[], AttentionAttrs>["attrs"] = {
  causal: flag,
  window: withDefault(i64, 0),
  scale: f64,
  dropout: withDefault(f64, 0),
  extras: withDefault(array(oneOf(...EXTRAS)), []),
  site: withDefault(string, ""),
  backward: withDefault(string, "exact"),
};

/** Operands (or their types, or their data) by the names they have in the op's record. */
export interface Named<T> {
  readonly need: (name: string) => T;
  readonly maybe: (name: AttentionExtra) => T | null;
}

export const namedBy = <T>(names: readonly string[], operands: readonly T[]): Named<T> => {
  const find = (name: string): T | null => operands[names.indexOf(name)] ?? null;
  const need = (name: string): T => {
    const found = find(name);
    if (found === null) throw new InternalError(`attention has no operand ${name}`);
    return found;
  };
  return { need, maybe: find };
};

export const FORWARD = ["q", "k", "v"] as const;
export const BACKWARD = ["q", "k", "v", "o", "lse", "d_o"] as const;

export const forwardOperands = <T>(operands: readonly T[], attrs: AttentionAttrs): Named<T> =>
  namedBy([...FORWARD, ...attrs.extras], operands);

export const backwardOperands = <T>(operands: readonly T[], attrs: AttentionAttrs): Named<T> =>
  namedBy([...BACKWARD, ...attrs.extras], operands);

/** B sequences; H query heads of N queries, G key heads of M keys; K wide scores, E wide values. */
export interface AttentionSizes {
  readonly B: number;
  readonly H: number;
  readonly G: number;
  readonly N: number;
  readonly M: number;
  readonly K: number;
  readonly E: number;
}

export const attentionSizes = (types: Named<TensorType>): AttentionSizes => {
  const [B = 0, H = 0, N = 0, K = 0] = types.need("q").shape;
  const [, G = 0, M = 0, E = 0] = types.need("v").shape;
  return { B, H, G, N, M, K, E };
};

/** Types of o and lse. */
export const forwardResults = (types: Named<TensorType>): readonly [o: TensorType, lse: TensorType] => {
  const { B, H, N, E } = attentionSizes(types);
  const rows = types.need("q").dims.slice(0, 3);
  const dims = [...rows, ...types.need("v").dims.slice(3)];
  return [
    { dtype: "f32", shape: [B, H, N, E], dims },
    { dtype: "f32", shape: [B, H, N], dims: rows },
  ];
};

/** Can a query find all its keys masked? Then o and lse of that row are 0, which the expansion must guard for. */
export const mayBeEmpty = (attrs: AttentionAttrs, { N, M }: AttentionSizes): boolean =>
  attrs.extras.includes("lengths") || attrs.extras.includes("mask") || (attrs.causal && N > M);

/** Keys first <= j < end that causality and window leave to query i, before any mask that is data. */
export const structuralKeys = (
  attrs: AttentionAttrs,
  { N, M }: AttentionSizes,
  i: number,
): { readonly first: number; readonly end: number } => {
  const diagonal = i + M - N;
  const end = attrs.causal ? Math.max(0, diagonal + 1) : M;
  const first = attrs.window > 0 ? Math.max(0, diagonal - attrs.window + 1) : 0;
  return { first: Math.min(first, end), end };
};

/** The first of these constraints that does not hold. `leading` are the operands before the extras.
 *  C0  one operand for each of `leading` and of the extras
 *  C1  extras in the order of EXTRAS, each at most once; active and d_lse only in attention_vjp
 *  C2  q, k, v: f32 of rank 4
 *  C3  q [B,H,N,K], k [B,G,M,K], v [B,G,M,E], H a multiple of G
 *  C4  lengths: i32 [B]
 *  C5  mask: i1, bias: f32, both [B or 1, H or 1, N, M]
 *  C6  window an integer >= 0, scale finite
 *  C8  active: i1 [B,H]; dropout in [0, 1), dropout_key: i32 [4], given where dropout > 0 and only there; enough counters:
 *      B H ceil(N / floor(2^24 / M)) <= 2^12 */
export const checkAttention = (
  operands: readonly TensorType[],
  attrs: AttentionAttrs,
  leading: readonly string[],
): Violation | null => {
  const ranks = attrs.extras.map((extra) => EXTRAS.indexOf(extra));
  if (ranks.some((rank, i) => i > 0 && rank <= (ranks[i - 1] ?? -1)))
    return violates("C1", `extras [${attrs.extras.join(", ")}] are not in the order ${EXTRAS.join(", ")}`);
  const early = leading.includes("d_o") ? undefined : OF_GRADIENT.find((extra) => attrs.extras.includes(extra));
  if (early !== undefined) return violates("C1", `${early} belongs to attention_vjp`);
  const expected = leading.length + attrs.extras.length;
  if (operands.length !== expected) return violates("C0", `takes ${expected} operands, given ${operands.length}`);
  const types = namedBy([...leading, ...attrs.extras], operands);
  return (
    checkShapes(types) ??
    checkMasks(types) ??
    checkNumbers(attrs) ??
    checkDropout("C8", attrs.dropout, types.maybe("dropout_key"), attentionSizes(types))
  );
};

const checkShapes = (types: Named<TensorType>): Violation | null => {
  const [q, k, v] = [types.need("q"), types.need("k"), types.need("v")];
  for (const [name, type] of [["q", q], ["k", k], ["v", v]] as const)
    if (type.dtype !== "f32" || type.shape.length !== 4)
      return violates("C2", `${name} is ${describe(type)}, expected f32 of rank 4`);
  const { B, H, G, M, K, E } = attentionSizes(types);
  if (!sameShape(k, { ...k, shape: [B, G, M, K] }) || !sameShape(v, { ...v, shape: [B, G, M, E] }))
    return violates("C3", `q ${describe(q)}, k ${describe(k)} and v ${describe(v)} do not fit [B,H,N,K], [B,G,M,K], [B,G,M,E]`);
  return G > 0 && H % G === 0 ? null : violates("C3", `${H} query heads are not a multiple of ${G} key heads`);
};

const checkMasks = (types: Named<TensorType>): Violation | null => {
  const { B, H, N, M } = attentionSizes(types);
  const active = types.maybe("active");
  if (active !== null && (active.dtype !== "i1" || !sameShape(active, { ...active, shape: [B, H] })))
    return violates("C8", `active is ${describe(active)}, expected i1[${B}, ${H}]`);
  const lengths = types.maybe("lengths");
  if (lengths !== null && (lengths.dtype !== "i32" || !sameShape(lengths, { ...lengths, shape: [B] })))
    return violates("C4", `lengths is ${describe(lengths)}, expected i32[${B}]`);
  for (const [name, dtype] of [["mask", "i1"], ["bias", "f32"]] as const) {
    const type = types.maybe(name);
    if (type === null) continue;
    const [b = 0, h = 0, n = 0, m = 0] = type.shape;
    const fits = type.shape.length === 4 && (b === B || b === 1) && (h === H || h === 1) && n === N && m === M;
    if (type.dtype !== dtype || !fits)
      return violates("C5", `${name} is ${describe(type)}, expected ${dtype}[${B} or 1, ${H} or 1, ${N}, ${M}]`);
  }
  return null;
};

const checkNumbers = (attrs: AttentionAttrs): Violation | null => {
  if (!Number.isInteger(attrs.window) || attrs.window < 0)
    return violates("C6", `window ${attrs.window} is not an integer >= 0`);
  return Number.isFinite(attrs.scale) ? null : violates("C6", `scale ${attrs.scale} is not finite`);
};
