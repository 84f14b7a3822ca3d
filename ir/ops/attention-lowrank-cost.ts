/** @file What attention by a polynomial costs, as polynomials in the dimensions: the linear algorithm's operations, although
 *  reference evaluation goes through all pairs. The convention, written here once, with r(g) = C(K + g, g) features, C the
 *  chunk, g the degree of P, h that of F (g + 1 for plugin, g for surrogate), W = 1 if delta is given, else E + 1:
 *
 *  - a query:  features r (g - 1), state read 2 r (E + 1), divide E
 *  - a key:    features r (g - 1), into the state 2 r (E + 1)
 *  - a state:  weights r (E + 1), added to the chunks before r (E + 1) if causal
 *  - backward, a query: features r(h) (h - 1), Z and o 2 r W, two state products 4 r(h) (E + 1), features_vjp
 *    r(h - 1) (3K + h - 2), c E + 3, delta 2E + 1 unless given
 *  - backward, a key:   features, two state products 4 r(h) (E + 1), features_vjp, dv 2 r E
 *  - backward, a state: weights r W + r E + 2 r(h) (E + 1), added 2 r(h) (E + 1) if causal
 *  - causal, a pair of a chunk: score 2K + 1, Horner 2g, output 2 (E + 1); backward: score, Horner (P' too if surrogate), 2W,
 *    dP 2 (E + 1), dS 1, dq 2K, dk 2K, dv 2E
 *  - causal: both parts are added, dq and dk of the pairs are scaled
 *
 *  A query meets (C + 1) / 2 keys of its chunk; M / C states are kept (N / C where N is larger), also where C does not
 *  divide it; a causal sequence that fits into one chunk has pairs only. Without causality this is what the expansion does,
 *  operation by operation. `evaluate` tallies these numbers. */

import type { CostContext, TensorType } from "../core.ts";
import { rankPoly } from "../monomials.ts";
import * as poly from "../poly.ts";
import type { Poly } from "../poly.ts";
import { attentionSizes } from "./attention-attrs.ts";
import { chunksOf, isOrdered, lowRankOperands, potential, slope } from "./attention-lowrank-attrs.ts";
import type { LowRankAttrs, LowRankVjpAttrs } from "./attention-lowrank-attrs.ts";

/** How many of each thing there are. */
interface Counts {
  readonly ordered: boolean;
  readonly states: boolean;
  readonly queries: Poly;
  readonly keys: Poly;
  readonly stateCount: Poly;
  readonly pairs: Poly;
  readonly K: Poly;
  readonly E: Poly;
}

const countsOf = (operandTypes: readonly TensorType[], attrs: LowRankAttrs): Counts => {
  const types = lowRankOperands(operandTypes, attrs.extras);
  const sizes = attentionSizes(types);
  const [B = poly.ONE, H = poly.ONE, N = poly.ONE, K = poly.ONE] = types.need("q").dims;
  const [, G = poly.ONE, M = poly.ONE, E = poly.ONE] = types.need("v").dims;
  const ordered = isOrdered(attrs, sizes);
  const { count, chunk } = chunksOf(attrs, sizes);
  const queries = poly.mul(B, H, N);
  const chunks = ordered ? poly.scale(sizes.N > sizes.M ? N : M, 1 / chunk) : poly.ONE;
  return {
    ordered, states: !ordered || count > 1, queries, keys: poly.mul(B, G, M), stateCount: poly.mul(B, G, chunks),
    pairs: ordered ? poly.scale(queries, (chunk + 1) / 2) : poly.ZERO, K, E,
  };
};

const only = (holds: boolean, p: Poly): Poly => (holds ? p : poly.ZERO);
const times = (factor: number, ...factors: readonly Poly[]): Poly => poly.scale(poly.mul(...factors), factor);
const atLeast0 = (n: number): number => Math.max(n, 0);

export const lowRankFlops = ({ operandTypes, attrs }: CostContext<LowRankAttrs>): Poly => {
  const n = countsOf(operandTypes, attrs);
  const degree = attrs.coefficients.length - 1;
  const r = rankPoly(n.K, degree);
  const E1 = poly.add(n.E, poly.ONE);
  const features = poly.scale(r, atLeast0(degree - 1));
  const aQuery = poly.add(n.E, only(n.states, poly.add(features, times(2, r, E1))), only(n.states && n.ordered, E1));
  const aKey = only(n.states, poly.add(features, times(2, r, E1)));
  const aState = only(n.states, times(n.ordered ? 2 : 1, r, E1));
  const aPair = poly.add(times(2, n.K), times(2, E1), poly.constant(1 + 2 * degree));
  return poly.add(poly.mul(n.queries, aQuery), poly.mul(n.keys, aKey), poly.mul(n.stateCount, aState), poly.mul(n.pairs, aPair));
};

export const lowRankVjpFlops = ({ operandTypes, attrs }: CostContext<LowRankVjpAttrs>): Poly => {
  const n = countsOf(operandTypes, attrs);
  const { K, E } = n;
  const [degree, top] = [attrs.coefficients.length - 1, potential(attrs).length - 1];
  const [r, R, E1] = [rankPoly(K, degree), rankPoly(K, top), poly.add(E, poly.ONE)];
  const given = attrs.extras.includes("delta");
  const W = given ? poly.ONE : E1;
  const through = top === 0 ? poly.ZERO : poly.mul(rankPoly(K, top - 1), poly.add(poly.scale(K, 3), poly.constant(atLeast0(top - 2))));
  const both = poly.add(poly.scale(R, atLeast0(top - 1)), through, times(4, R, E1));
  const aQuery = poly.add(
    E1, poly.constant(2), only(!given, poly.add(times(2, E), poly.ONE)),
    only(n.states, poly.add(both, times(2, r, W))), only(n.ordered, K), only(n.states && n.ordered, poly.add(W, K)),
  );
  const aKey = poly.add(only(n.states, poly.add(both, times(2, r, E))), only(n.ordered, K), only(n.states && n.ordered, poly.add(K, E)));
  const aState = only(n.states, poly.add(poly.mul(r, W), poly.mul(r, E), times(n.ordered ? 4 : 2, R, E1)));
  const horner = 2 * degree + (attrs.form === "plugin" ? 0 : 2 * (slope(attrs).length - 1));
  const aPair = poly.add(times(6, K), times(2, W), times(2, E1), times(2, E), poly.constant(2 + horner));
  return poly.add(poly.mul(n.queries, aQuery), poly.mul(n.keys, aKey), poly.mul(n.stateCount, aState), poly.mul(n.pairs, aPair));
};

/** The same numbers for sizes, as evaluation counts them. */
const numberOf = <A>(flops: (ctx: CostContext<A>) => Poly, { operandTypes, resultTypes, attrs }: CostContext<A>): number => {
  const sized = (types: readonly TensorType[]): readonly TensorType[] => types.map((type) => ({ ...type, dims: type.shape.map(poly.constant) }));
  return poly.evaluate(flops({ operandTypes: sized(operandTypes), resultTypes: sized(resultTypes), attrs }), new Map());
};

export const lowRankTally = (ctx: CostContext<LowRankAttrs>): number => numberOf(lowRankFlops, ctx);
export const lowRankVjpTally = (ctx: CostContext<LowRankVjpAttrs>): number => numberOf(lowRankVjpFlops, ctx);
