/** @file What `attention_sampled` and `attention_vjp_sampled` have in common: attributes, operands by name, constraints.
 *
 *  q_ij = min(1, c w_ij) is the probability that an entry is kept, so at most c of a row are kept on average. A row's kept
 *  keys lie in its first slots, ascending; -1 fills the others.
 *
 *  systematic  one uniform number u a row: key j is kept where floor(u + q_0 + … + q_j) steps. Never more than ceil(c).
 *  bernoulli   one uniform number an entry: kept where it is below q_ij. The count has mean and variance of at most c, and
 *              the tail of a Poisson variable bounds its tail: c + 6 sqrt(c) + 4 slots are too few for one row in more than
 *              10^8. The last keys of such a row are dropped. */

import { array, f64, oneOf, withDefault } from "../attrs.ts";
import type { Op, TensorType, Value, Violation } from "../core.ts";
import { violates } from "../core.ts";
import * as poly from "../poly.ts";
import type { Poly } from "../poly.ts";
import { COUNTER_HIGH_LIMIT } from "../random.ts";
import { describe, sameType, tensor } from "../types.ts";
import { attentionCodecs, attentionSizes, checkAttention, forwardResults, namedBy } from "./attention-attrs.ts";
import type { AttentionAttrs, AttentionSizes, Named } from "./attention-attrs.ts";
import { entryCounters } from "./attention-draw.ts";

export interface SampledAttrs extends AttentionAttrs {
  /** Kept entries a query row, on average and at most. */
  readonly c: number;
  readonly sampler: "systematic" | "bernoulli";
  /** Coefficients a_0, a_1, … of a polynomial P that stands for exp in a control variate; [] for none. */
  readonly control: readonly number[];
}

export const sampledCodecs: Op<readonly Value[], SampledAttrs>["attrs"] = {
  ...attentionCodecs,
  c: f64,
  sampler: withDefault(oneOf("systematic", "bernoulli"), "systematic"),
  control: withDefault(array(f64), []),
};

const SAMPLED_FORWARD = ["q", "k", "v", "key"] as const;
export const SAMPLED_BACKWARD = ["q", "k", "v", "o", "kept", "weights", "d_o"] as const;

/** Names of the operands before the extras. */
export const sampledLeading = ({ control }: SampledAttrs): readonly string[] =>
  control.length === 0 ? SAMPLED_FORWARD : [...SAMPLED_FORWARD, "center"];

export const sampledOperands = <T>(operands: readonly T[], attrs: SampledAttrs): Named<T> =>
  namedBy([...sampledLeading(attrs), ...attrs.extras], operands);

export const sampledVjpOperands = <T>(operands: readonly T[], attrs: SampledAttrs): Named<T> =>
  namedBy([...SAMPLED_BACKWARD, ...attrs.extras], operands);

/** Slots of a query row. */
export const capacity = ({ c, sampler }: SampledAttrs, { M }: Pick<AttentionSizes, "M">): number =>
  Math.min(M, sampler === "systematic" ? Math.ceil(c) : Math.ceil(c + 6 * Math.sqrt(c)) + 4);

/** The type of `kept`, at dtype i32; that of `weights` is the same at f32. */
export const slotsType = (types: Named<TensorType>, attrs: SampledAttrs): TensorType => {
  const sizes = attentionSizes(types);
  const slots = capacity(attrs, sizes);
  const [, , M = poly.ONE] = types.need("k").dims;
  const dim: Poly = slots === sizes.M ? M : poly.constant(slots);
  return tensor("i32", [sizes.B, sizes.H, sizes.N, slots], [...types.need("q").dims.slice(0, 3), dim]);
};

/** o, lse, kept, weights, and gate where there is a control variate. */
export const sampledResults = (types: Named<TensorType>, attrs: SampledAttrs): readonly TensorType[] => {
  const [o, lse] = forwardResults(types);
  const kept = slotsType(types, attrs);
  return [o, lse, kept, { ...kept, dtype: "f32" }, ...(attrs.control.length === 0 ? [] : [lse])];
};

/** The first of these constraints that does not hold; C0–C6 and C8 are those of attention.
 *  C1  extras without d_lse and active, which are the backward's
 *  C7  key: i32 [4]
 *  C9  the random counters fit: B H <= 4096 (bernoulli: B H ceil(N / floor(2^24 / M)) <= 4096)
 *  C10 center: f32 [B,G,K]
 *  C11 `control` goes with neither window, mask, bias nor dropout: its low-rank part has no such gradient
 *  C12 c is finite and positive, the coefficients of `control` are finite */
export const checkSampled = (operands: readonly TensorType[], attrs: SampledAttrs): Violation | null =>
  checkOwnExtras(attrs, ["d_lse", "active"]) ??
  checkAttention(operands, attrs, sampledLeading(attrs)) ??
  checkKey(sampledOperands(operands, attrs)) ??
  checkRetention("C12", attrs) ??
  checkCounters(attentionSizes(sampledOperands(operands, attrs)), attrs) ??
  checkControl(sampledOperands(operands, attrs), attrs);

/** The first of these constraints that does not hold; C0–C6 and C8 are those of attention.
 *  C1  extras without active
 *  C7  o and d_o have the type that attention gives o, d_lse that of lse
 *  C9  kept i32 [B,H,N,S] and weights f32 [B,H,N,S], S the capacity that c and the sampler give
 *  C10 c is finite and positive, the coefficients of `control` are finite */
export const checkSampledVjp = (operands: readonly TensorType[], attrs: SampledAttrs): Violation | null => {
  const wrong = checkOwnExtras(attrs, ["active"]) ?? checkAttention(operands, attrs, SAMPLED_BACKWARD) ?? checkRetention("C10", attrs);
  if (wrong !== null) return wrong;
  const types = sampledVjpOperands(operands, attrs);
  const [o, lse] = forwardResults(types);
  const kept = slotsType(types, attrs);
  const dLse = types.maybe("d_lse");
  const expected: readonly (readonly [string, string, TensorType, TensorType])[] = [
    ["C7", "o", types.need("o"), o],
    ["C7", "d_o", types.need("d_o"), o],
    ...(dLse === null ? [] : [["C7", "d_lse", dLse, lse] as const]),
    ["C9", "kept", types.need("kept"), kept],
    ["C9", "weights", types.need("weights"), { ...kept, dtype: "f32" }],
  ];
  const odd = expected.find(([, , given, wanted]) => !sameType(given, wanted));
  return odd === undefined ? null : violates(odd[0], `${odd[1]} is ${describe(odd[2])}, expected ${describe(odd[3])}`);
};

const checkOwnExtras = ({ extras }: SampledAttrs, foreign: readonly string[]): Violation | null => {
  const found = extras.find((extra) => foreign.includes(extra));
  return found === undefined ? null : violates("C1", `${found} is no operand of this operation`);
};

const checkKey = (types: Named<TensorType>): Violation | null => {
  const key = types.need("key");
  return sameType(key, tensor("i32", [4])) ? null : violates("C7", `the key must be i32[4], given ${describe(key)}`);
};

const checkRetention = (constraint: string, { c, control }: SampledAttrs): Violation | null => {
  if (!(Number.isFinite(c) && c > 0)) return violates(constraint, `c ${c} is not a positive number`);
  const odd = control.find((coefficient) => !Number.isFinite(coefficient));
  return odd === undefined ? null : violates(constraint, `coefficient ${odd} of control is not finite`);
};

const checkCounters = ({ B, H, N, M }: AttentionSizes, { sampler }: SampledAttrs): Violation | null => {
  const { high } = entryCounters({ H, N, M: sampler === "systematic" ? 1 : M }, [B - 1, H - 1, N - 1, 0]);
  return high < COUNTER_HIGH_LIMIT ? null : violates("C9", `${B} x ${H} heads of ${N} queries are too many to draw for`);
};

const checkControl = (types: Named<TensorType>, attrs: SampledAttrs): Violation | null => {
  if (attrs.control.length === 0) return null;
  const { B, G, K } = attentionSizes(types);
  const center = types.need("center");
  if (!sameType(center, tensor("f32", [B, G, K])))
    return violates("C10", `center is ${describe(center)}, expected f32[${B}, ${G}, ${K}]`);
  const mask = attrs.extras.find((extra) => extra !== "lengths") ?? (attrs.window > 0 ? "window" : null);
  return mask === null ? null : violates("C11", `${mask} beside control`);
};

