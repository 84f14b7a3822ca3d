/** @file What `attention_lowrank` and `attention_vjp_lowrank` have in common: attributes, operands by name, constraints, and
 *  the polynomials that the two forms of the gradient are made of.
 *
 *  P(s) = Σ_p a_p s^p stands for exp(s). Query i and key j are aligned at the end of their sequences, as in `attention`. */

import { array, f64, flag, i64, oneOf, string, withDefault } from "../attrs.ts";
import type { AttrCodec } from "../attrs.ts";
import { derivativeOf } from "../approximation.ts";
import { violates } from "../core.ts";
import type { TensorType, Value, Violation } from "../core.ts";
import { InternalError } from "../diagnostic.ts";
import { isCountable, LARGEST_DEGREE } from "../monomials.ts";
import { describe, sameShape } from "../types.ts";
import { attentionSizes } from "./attention-attrs.ts";
import type { AttentionSizes } from "./attention-attrs.ts";

/** Optional operands, in the order they must be given.
 *  lengths i32 [B]: keys at index >= lengths[b] are masked.   Only `attention_vjp_lowrank`:
 *  delta f32 [B, H, N]: what stands for d_o_i . O_i.   gate f32 [B, H, N]: a factor of every row of the weights. */
export const LOWRANK_EXTRAS = ["lengths", "delta", "gate"] as const;

export type LowRankExtra = (typeof LOWRANK_EXTRAS)[number];

export interface LowRankAttrs {
  readonly causal: boolean;
  /** Factor of the scores. */
  readonly scale: number;
  /** a_0 … a_g of P. */
  readonly coefficients: readonly number[];
  /** Positions between which a causal prefix sum is kept: within a chunk scores are computed one by one. */
  readonly chunk: number;
  readonly extras: readonly LowRankExtra[];
  /** The attention site in the model. */
  readonly site: string;
}

/** plugin: the gradient of softmax with the weights of P in it.  surrogate: the gradient of attention by P. */
export const FORMS = ["plugin", "surrogate"] as const;

export type Form = (typeof FORMS)[number];

export interface LowRankVjpAttrs extends LowRankAttrs {
  readonly form: Form;
}

export const DEFAULT_CHUNK = 64;

export const lowRankCodecs: { readonly [K in keyof LowRankAttrs]-?: AttrCodec<LowRankAttrs[K]> } = {
  causal: flag,
  scale: f64,
  coefficients: array(f64),
  chunk: withDefault(i64, DEFAULT_CHUNK),
  extras: withDefault(array(oneOf(...LOWRANK_EXTRAS)), []),
  site: withDefault(string, ""),
};

export const formCodec: AttrCodec<Form> = oneOf(...FORMS);

/** Operands (or their types, or their data) by the names they have in the op's record. */
export interface LowRankOperands<T> {
  readonly need: (name: string) => T;
  readonly maybe: (name: string) => T | null;
}

export const FORWARD_LOWRANK = ["q", "k", "v"] as const;
export const BACKWARD_LOWRANK = ["q", "k", "v", "d_o"] as const;

export const lowRankOperands = <T>(operands: readonly T[], extras: readonly LowRankExtra[]): LowRankOperands<T> => {
  const names: readonly string[] = [...(operands.length - extras.length === 3 ? FORWARD_LOWRANK : BACKWARD_LOWRANK), ...extras];
  const maybe = (name: string): T | null => operands[names.indexOf(name)] ?? null;
  const need = (name: string): T => {
    const found = maybe(name);
    if (found === null) throw new InternalError(`attention_lowrank has no operand ${name}`);
    return found;
  };
  return { need, maybe };
};

export const lowRankTypes = (values: LowRankOperands<Value>): LowRankOperands<TensorType> => ({
  need: (name) => values.need(name).type,
  maybe: (name) => values.maybe(name)?.type ?? null,
});

/** The type of o. */
export const lowRankResult = (types: LowRankOperands<TensorType>): TensorType => {
  const [q, v] = [types.need("q"), types.need("v")];
  return { dtype: "f32", shape: [...q.shape.slice(0, 3), ...v.shape.slice(3)], dims: [...q.dims.slice(0, 3), ...v.dims.slice(3)] };
};

/** ∫P from 0. */
export const antiderivative = (coefficients: readonly number[]): readonly number[] => [0, ...coefficients.map((a, p) => a / (p + 1))];

/** P', a constant 0 included. */
export const derivative = (coefficients: readonly number[]): readonly number[] =>
  coefficients.length === 1 ? [0] : derivativeOf(coefficients);

/** F with dS_ij = F'(s_ij) (…): the features of the gradient are those of F. Σ_j F'(s_ij) c_ij k_j is the gradient of
 *  Σ_j F(s_ij) c_ij with respect to q_i, so monomials of one degree more take the place of the products of the features
 *  of F' with those of c (the Khatri-Rao product): C(K + g + 1, g + 1) of them instead of C(K + g, g) E. */
export const potential = ({ coefficients, form }: LowRankVjpAttrs): readonly number[] =>
  form === "plugin" ? antiderivative(coefficients) : coefficients;

export const slope = ({ coefficients, form }: LowRankVjpAttrs): readonly number[] =>
  form === "plugin" ? coefficients : derivative(coefficients);

/** With one query, which sees every key, there is nothing to order. */
export const isOrdered = ({ causal }: LowRankAttrs, { N }: AttentionSizes): boolean => causal && N > 1;

/** A causal sequence is cut into `count` chunks of `chunk` positions; one that fits into a chunk is not cut. */
export const chunksOf = ({ chunk }: LowRankAttrs, { N, M }: AttentionSizes): { readonly count: number; readonly chunk: number } => {
  const size = Math.min(chunk, Math.max(N, M));
  return { count: Math.ceil(Math.max(N, M) / size), chunk: size };
};

/** The first of these constraints that does not hold.
 *  C0  one operand for each of `leading` and of the extras
 *  C1  extras in order lengths, delta, gate (the last two only in attention_vjp_lowrank), each at most once
 *  C2  q, k, v: f32 of rank 4
 *  C3  q [B,H,N,K], k [B,G,M,K], v [B,G,M,E], H a multiple of G
 *  C4  lengths: i32 [B]; delta, gate: f32 [B,H,N]
 *  C5  finite coefficients, of degree 0 to 6, and no more monomials than can be counted (2^20)
 *  C6  chunk an integer >= 1, scale finite
 *  C7  d_o has the type of o (only attention_vjp_lowrank) */
export const checkLowRank = (operands: readonly TensorType[], attrs: LowRankAttrs, leading: readonly string[], degree: number): Violation | null => {
  const ranks = attrs.extras.map((extra) => LOWRANK_EXTRAS.indexOf(extra));
  if (ranks.some((rank, i) => i > 0 && rank <= (ranks[i - 1] ?? -1)))
    return violates("C1", `extras [${attrs.extras.join(", ")}] are not in the order ${LOWRANK_EXTRAS.join(", ")}`);
  const backward = leading.length > FORWARD_LOWRANK.length;
  if (!backward && ranks.some((rank) => rank > 0)) return violates("C1", "delta and gate belong to attention_vjp_lowrank");
  const expected = leading.length + attrs.extras.length;
  if (operands.length !== expected) return violates("C0", `takes ${expected} operands, given ${operands.length}`);
  const types = lowRankOperands(operands, attrs.extras);
  const wrong = checkShapes(types) ?? checkExtras(types) ?? checkNumbers(types, attrs, degree);
  if (wrong !== null || !backward) return wrong;
  const [dO, o] = [types.need("d_o"), lowRankResult(types)];
  return dO.dtype === "f32" && sameShape(dO, o) ? null : violates("C7", `d_o is ${describe(dO)}, expected ${describe(o)}`);
};

const checkShapes = (types: LowRankOperands<TensorType>): Violation | null => {
  const [q, k, v] = [types.need("q"), types.need("k"), types.need("v")];
  for (const [name, type] of [["q", q], ["k", k], ["v", v]] as const)
    if (type.dtype !== "f32" || type.shape.length !== 4) return violates("C2", `${name} is ${describe(type)}, expected f32 of rank 4`);
  const { B, H, G, M, K, E } = attentionSizes(types);
  if (!sameShape(k, { ...k, shape: [B, G, M, K] }) || !sameShape(v, { ...v, shape: [B, G, M, E] }))
    return violates("C3", `q ${describe(q)}, k ${describe(k)} and v ${describe(v)} do not fit [B,H,N,K], [B,G,M,K], [B,G,M,E]`);
  return G > 0 && H % G === 0 ? null : violates("C3", `${H} query heads are not a multiple of ${G} key heads`);
};

const checkExtras = (types: LowRankOperands<TensorType>): Violation | null => {
  const { B, H, N } = attentionSizes(types);
  for (const [name, dtype, shape] of [["lengths", "i32", [B]], ["delta", "f32", [B, H, N]], ["gate", "f32", [B, H, N]]] as const) {
    const type = types.maybe(name);
    if (type !== null && (type.dtype !== dtype || !sameShape(type, { ...type, shape })))
      return violates("C4", `${name} is ${describe(type)}, expected ${dtype}[${shape.join(", ")}]`);
  }
  return null;
};

const checkNumbers = (types: LowRankOperands<TensorType>, attrs: LowRankAttrs, degree: number): Violation | null => {
  const { coefficients, chunk, scale } = attrs;
  const width = attentionSizes(types).K;
  const fits = coefficients.length >= 1 && coefficients.length <= LARGEST_DEGREE && coefficients.every(Number.isFinite);
  if (!fits || !isCountable({ width, degree })) return violates("C5", `coefficients [${coefficients.join(", ")}] for heads of width ${width}`);
  if (!Number.isInteger(chunk) || chunk < 1) return violates("C6", `chunk ${chunk} is not an integer >= 1`);
  return Number.isFinite(scale) ? null : violates("C6", `scale ${scale} is not finite`);
};
