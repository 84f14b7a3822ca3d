/** @file What attention costs, as polynomials in the dimensions. The convention, written here once:
 *
 *  A pair is one query head's query i and one key j. Pairs that causality or the window rule out cost nothing, although
 *  the dense expansion computes them: what is counted is the work the operation needs, not the work a backend wastes.
 *  Masks that are data (lengths, mask) rule out nothing here: they are counted as if every key were allowed, since a
 *  cost must not depend on a tensor's contents. `evaluate` tallies by the same convention.
 *
 *  Without causality and window the counts equal those of the expansion, operation by operation:
 *  - forward, a pair:   score 2K, scale 1, bias 1, maximum 1, subtract 1, exp 1, sum 1, output 2E, with dropout 1
 *  - forward, a query:  divide E, log 1, add 1, guard 1 (where a row can be empty)
 *  - backward, a pair:  score 2K, scale 1, bias 1, subtract 1, exp 1, dp 2E, ds 2, dq 2K, dk 2K, dv 2E, bias sum 1, with
 *                       dropout 2
 *  - backward, a query: delta 2E, d_lse 1, scale of dq K;   a key of a key head: scale of dk K */

import type { CostContext, TensorType } from "../core.ts";
import * as poly from "../poly.ts";
import type { Poly } from "../poly.ts";
import { attentionSizes, backwardOperands, forwardOperands, mayBeEmpty } from "./attention-attrs.ts";
import type { AttentionAttrs, AttentionSizes, Named } from "./attention-attrs.ts";

/** Does the gradient of a bias add up over sequences or heads? */
export const biasIsSummed = (bias: TensorType, { B, H }: AttentionSizes): boolean =>
  bias.shape[0] !== B || bias.shape[1] !== H;

export const attentionFlops = ({ operandTypes, attrs }: CostContext<AttentionAttrs>): Poly => {
  const types = forwardOperands(operandTypes, attrs);
  const { heads, N, M, K, E } = dimensions(types);
  const sizes = attentionSizes(types);
  const aPair = poly.add(poly.scale(poly.add(K, E), 2), poly.constant((types.maybe("bias") === null ? 5 : 6) + (attrs.dropout > 0 ? 1 : 0)));
  const aQuery = poly.add(E, poly.constant(mayBeEmpty(attrs, sizes) ? 3 : 2));
  return poly.mul(heads, poly.add(poly.mul(pairs(attrs, sizes, N, M), aPair), poly.mul(N, aQuery)));
};

export const attentionVjpFlops = ({ operandTypes, attrs }: CostContext<AttentionAttrs>): Poly => {
  const types = backwardOperands(operandTypes, attrs);
  const { heads, keyHeads, N, M, K, E } = dimensions(types);
  const sizes = attentionSizes(types);
  const bias = types.maybe("bias");
  const forBias = bias === null ? 0 : biasIsSummed(bias, sizes) ? 2 : 1;
  const forDropout = attrs.dropout > 0 ? 2 : 0;
  const aPair = poly.add(poly.scale(K, 6), poly.scale(E, 4), poly.constant(5 + forBias + forDropout));
  const aQuery = poly.add(poly.scale(E, 2), K, poly.constant(types.maybe("d_lse") === null ? 0 : 1));
  return poly.add(
    poly.mul(heads, poly.add(poly.mul(pairs(attrs, sizes, N, M), aPair), poly.mul(N, aQuery))),
    poly.mul(keyHeads, M, K),
  );
};

interface Dimensions {
  /** Query heads and key heads of all sequences together. */
  readonly heads: Poly;
  readonly keyHeads: Poly;
  readonly N: Poly;
  readonly M: Poly;
  readonly K: Poly;
  readonly E: Poly;
}

const dimensions = (types: Named<TensorType>): Dimensions => {
  const [B = poly.ONE, H = poly.ONE, N = poly.ONE, K = poly.ONE] = types.need("q").dims;
  const [, G = poly.ONE, M = poly.ONE, E = poly.ONE] = types.need("v").dims;
  return { heads: poly.mul(B, H), keyHeads: poly.mul(B, G), N, M, K, E };
};

/** 1 + 2 + … + n */
const triangle = (n: Poly): Poly => poly.scale(poly.add(poly.mul(n, n), n), 0.5);

/** Pairs of one query head that causality and window allow. Exact in every case; which formula holds depends on the
 *  order of N, M and w, which the sizes at hand decide. With c = i + 1 + M - N, a query sees keys j < c if causal, and
 *  j >= c - w if windowed; c runs from 1 + M - N to M. */
export const pairs = (attrs: AttentionAttrs, sizes: AttentionSizes, N: Poly, M: Poly): Poly => {
  const w = poly.constant(attrs.window);
  const d = poly.sub(M, N);
  const longer = sizes.M - sizes.N;
  const windowed = attrs.window > 0 && attrs.window < sizes.M;
  if (!attrs.causal) {
    if (!windowed) return poly.mul(N, M);
    // Beyond the window: sum over queries of max(0, c - w).
    const beyond = longer >= attrs.window ? poly.add(poly.mul(N, poly.sub(d, w)), triangle(N)) : triangle(poly.sub(M, w));
    return poly.sub(poly.mul(N, M), beyond);
  }
  if (!windowed) return longer >= 0 ? poly.add(poly.mul(N, d), triangle(N)) : triangle(M);
  // Each query sees w keys, but for the c < w of the first ones: sum over them of w - max(0, c).
  const queries = longer >= 0 ? N : M;
  const lead = poly.sub(poly.sub(w, longer >= 0 ? d : poly.ZERO), poly.ONE);
  return longer + 1 >= attrs.window ? poly.mul(N, w) : poly.sub(poly.mul(queries, w), triangle(lead));
};
