/** @file Attention by a polynomial, and its gradients, in time linear in the length. With φ all monomials of degree <= g and
 *  weights w, P(s_ij) = Σ_m w_m φ_m(q_i) φ_m(k_j), so that
 *
 *      Σ_j P(s_ij) [v_j, 1] = Σ_m φ_m(q_i) w_m S_m,     S_m = Σ_j φ_m(k_j) [v_j, 1]
 *
 *  and nothing of the size of all pairs is made. Causal: S runs over the chunks before that of the query; within its chunk
 *  the true scores are used. Weights multiply states, so coefficients may have any sign. */

import type { Builder } from "../builder.ts";
import type { Value } from "../core.ts";
import * as poly from "../poly.ts";
import { at } from "../tensor-data.ts";
import { filterAxes, tensor, withDType } from "../types.ts";
import { contract, over, plus, times } from "./arithmetic.ts";
import { lowRankOperands, lowRankResult, lowRankTypes, potential, slope } from "./attention-lowrank-attrs.ts";
import type { LowRankAttrs, LowRankVjpAttrs } from "./attention-lowrank-attrs.ts";
import { hasStates, keysIn, layoutOf, outOf, queriesIn, repeated, unmasked, valuesAndOne } from "./attention-lowrank-layout.ts";
import type { Layout } from "./attention-lowrank-layout.ts";
import { iota } from "./constant.ts";
import { cumsum } from "./cumsum.ts";
import { neg } from "./elementwise.ts";
import { features, featuresVjp } from "./features.ts";
import { broadcastAlong, broadcastTo, full, scaleBy, sumOver, zeros } from "./helpers.ts";
import { compare, select } from "./logic.ts";
import { monomialWeights } from "./monomials.ts";
import { concat, reshape, slice } from "./shape.ts";

/** What every step needs. */
interface Problem {
  readonly b: Builder;
  readonly layout: Layout;
  readonly attrs: LowRankAttrs;
  readonly q: Value;
  readonly k: Value;
  /** [v, 1] */
  readonly v1: Value;
}

/** The first `count` entries of axis `axis`, from `start`. */
const part = (b: Builder, x: Value, axis: number, start: number, count: number): Value =>
  start === 0 && count === at(x.type.shape, axis)
    ? x
    : b.one(slice, [x], {
        starts: x.type.shape.map((_, i) => (i === axis ? start : 0)),
        limits: x.type.shape.map((size, i) => (i === axis ? start + count : size)),
      });

const lastOf = (x: Value): number => x.type.shape.length - 1;

/** w_m S_m over the monomials of a polynomial, in `count` columns from `start`. */
const weighted = ({ b, attrs, layout }: Problem, state: Value, coefficients: readonly number[], start: number, count: number): Value => {
  const scaled = coefficients.map((a, p) => a * attrs.scale ** p);
  const weights = b.one(monomialWeights, [], { width: layout.sizes.K, coefficients: scaled });
  const rows = part(b, state, lastOf(state) - 1, 0, at(weights.type.shape, 0));
  const columns = part(b, rows, lastOf(state), start, count);
  const others = columns.type.shape.map((_, i) => i).filter((i) => i !== lastOf(state) - 1);
  return times(b, columns, broadcastAlong(b, weights, columns.type, others));
};

/** φ S: what the positions of `labels` read from a state. */
const readState = ({ b, layout }: Problem, phi: Value, state: Value, labels: string): Value => {
  const monomials = part(b, phi, lastOf(phi), 0, at(state.type.shape, lastOf(state) - 1));
  return contract(b, monomials, state, `${labels} m, ${layout.state} m e -> ${labels} e`);
};

/** Σ over positions of φ xᵀ; over the chunks before each, or behind each, where there is an order. */
const stateOf = ({ b, layout }: Problem, phi: Value, x: Value, labels: string, reverse: boolean): Value => {
  const sums = contract(b, phi, x, `${labels} m, ${labels} e -> ${layout.state} m e`);
  return layout.ordered ? b.one(cumsum, [sums], { axis: 2, reverse, exclusive: true }) : sums;
};

/** Pairs within a chunk: their scores, and who sees whom. */
interface Pairs {
  readonly scores: Value;
  readonly seen: Value;
}

const pairsOf = ({ b, layout, attrs, q, k }: Problem): Pairs | null => {
  if (!layout.ordered) return null;
  const raw = contract(b, q, k, `${layout.query} k, ${layout.key} k -> ${layout.pair}`);
  const index = withDType(filterAxes(raw.type, (i) => i >= raw.type.shape.length - 2), "i32");
  const [i, j] = [b.one(iota, [], { axis: 0, type: index }), b.one(iota, [], { axis: 1, type: index })];
  const seen = broadcastTo(b, b.one(compare, [j, i], { direction: "le" }), raw.type);
  return { scores: scaleBy(b, raw, attrs.scale), seen };
};

/** P(s) by Horner, 0 for pairs that do not see each other. */
const polynomial = (b: Builder, coefficients: readonly number[], { scores, seen }: Pairs): Value => {
  const [highest, ...lower] = coefficients.toReversed().map((a) => full(b, a, scores.type));
  const value = lower.reduce<Value>((sum, a) => plus(b, times(b, sum, scores), a), highest ?? zeros(b, scores.type));
  return b.one(select, [seen, value, zeros(b, scores.type)], {});
};

/** The sum of what there is. */
const sumOfParts = (b: Builder, ...parts: readonly (Value | null)[]): Value => {
  const [first, ...others] = parts.filter((x) => x !== null);
  return others.reduce<Value>((sum, x) => plus(b, sum, x), first as Value);
};

/** x, or 1 where it is 0: rows without keys. */
const orOne = (b: Builder, x: Value): Value =>
  b.one(select, [b.one(compare, [x, zeros(b, x.type)], { direction: "eq" }), full(b, 1, x.type), x], {});

/** Columns `start` … of Σ_j P(s_ij) [v_j, 1], for every query; the last is Z_i. */
const numerators = (p: Problem, phi: Value | null, state: Value | null, weights: Value | null, start: number): Value => {
  const { b, layout, attrs: { coefficients } } = p;
  const count = layout.sizes.E + 1 - start;
  const far = phi === null || state === null ? null : readState(p, phi, weighted(p, state, coefficients, start, count), layout.query);
  const near = weights === null ? null
    : contract(b, weights, part(b, p.v1, lastOf(p.v1), start, count), `${layout.pair}, ${layout.key} e -> ${layout.query} e`);
  return sumOfParts(b, far, near);
};

const problemOf = (b: Builder, operands: readonly Value[], attrs: LowRankAttrs): Problem => {
  const given = lowRankOperands(operands, attrs.extras);
  const layout = layoutOf(lowRankTypes(given), attrs);
  const v1 = keysIn(b, valuesAndOne(b, given.need("v"), given.maybe("lengths")), layout);
  return { b, layout, attrs, q: queriesIn(b, given.need("q"), layout), k: keysIn(b, given.need("k"), layout), v1 };
};

/** o_i = Σ_j P(s_ij) v_j / Σ_j P(s_ij) */
export const expandLowRank = (b: Builder, operands: readonly Value[], attrs: LowRankAttrs): readonly Value[] => {
  const p = problemOf(b, operands, attrs);
  const { layout, layout: { sizes: { E } } } = p;
  const map = { degree: attrs.coefficients.length - 1 };
  const states = hasStates(layout);
  const phi = states ? b.one(features, [p.q], map) : null;
  const state = states ? stateOf(p, b.one(features, [p.k], map), p.v1, layout.key, false) : null;
  const pairs = pairsOf(p);
  const sums = numerators(p, phi, state, pairs === null ? null : polynomial(b, attrs.coefficients, pairs), 0);
  const mixed = part(b, sums, lastOf(sums), 0, E);
  const o = over(b, mixed, repeated(b, orOne(b, part(b, sums, lastOf(sums), E, 1)), mixed.type));
  return [outOf(b, o, lowRankResult(lowRankTypes(lowRankOperands(operands, attrs.extras))), layout)];
};

/** c_i = gate_i / Z_i [d_o_i, -δ_i], so that dS_ij = F'(s_ij) c_i . [v_j, 1] */
const cotangents = (p: Problem, operands: readonly Value[], sums: Value): Value => {
  const { b, layout, attrs: { extras }, layout: { sizes: { E } } } = p;
  const given = lowRankOperands(operands, extras);
  const ofRows = (x: Value | null): Value | null => (x === null ? null : queriesIn(b, asColumn(b, x), layout));
  const dO = queriesIn(b, given.need("d_o"), layout);
  const [givenDelta, gate] = [ofRows(given.maybe("delta")), ofRows(given.maybe("gate"))];
  const total = orOne(b, part(b, sums, lastOf(sums), at(sums.type.shape, lastOf(sums)) - 1, 1));
  const factor = over(b, gate ?? full(b, 1, total.type), total);
  const ownDelta = (): Value => {
    const inner = sumOver(b, times(b, dO, part(b, sums, lastOf(sums), 0, E)), [lastOf(dO)]);
    return times(b, asColumn(b, inner), factor);
  };
  const both = b.one(concat, [dO, b.one(neg, [givenDelta ?? ownDelta()], {})], { axis: lastOf(dO) });
  return times(b, both, repeated(b, factor, both.type));
};

/** x with a last axis of size 1. */
const asColumn = (b: Builder, x: Value): Value => {
  const { dtype, shape, dims } = x.type;
  return b.one(reshape, [x], { type: tensor(dtype, [...shape, 1], [...dims, poly.ONE]) });
};

/** With F of `potential` and c of `cotangents`, S_m = Σ_j φ_m(k_j) [v_j, 1] and R_m = Σ_i φ_m(q_i) c_i over what each sees:
 *
 *      dφ_m(q_i) = w_m(F) c_i . S_m     dφ_m(k_j) = w_m(F) [v_j, 1] . R_m     dv_j = Σ_m φ_m(k_j) w_m(P) R_m
 *
 *  and dq, dk follow through the features, since Σ_j F'(s_ij) scale k_j (c_i . [v_j, 1]) is the gradient of
 *  Σ_j F(s_ij) (c_i . [v_j, 1]) with respect to q_i. Within a chunk: dS from the true scores, as in attention_vjp. */
export const expandLowRankVjp = (b: Builder, operands: readonly Value[], attrs: LowRankVjpAttrs): readonly Value[] => {
  const p = problemOf(b, operands, attrs);
  const { layout, layout: { sizes: { E } } } = p;
  const map = { degree: potential(attrs).length - 1 };
  const states = hasStates(layout);
  const [phiQ, phiK] = states ? [b.one(features, [p.q], map), b.one(features, [p.k], map)] : [null, null];
  const before = phiK === null ? null : stateOf(p, phiK, p.v1, layout.key, false);
  const pairs = pairsOf(p);
  const weights = pairs === null ? null : polynomial(b, attrs.coefficients, pairs);
  const sums = numerators(p, phiQ, before, weights, attrs.extras.includes("delta") ? E : 0);
  const c = cotangents(p, operands, sums);
  const far = phiQ === null || phiK === null || before === null ? null : throughStates(p, attrs, { phiQ, phiK, before, c });
  const near = pairs === null || weights === null ? null : throughPairs(p, attrs, pairs, weights, c);
  const given = lowRankOperands(operands, attrs.extras);
  const [dq, dk, dv] = [0, 1, 2].map((i) => sumOfParts(b, far?.[i] ?? null, near?.[i] ?? null)) as [Value, Value, Value];
  const [outQ, outK, outV] = [[dq, "q"], [dk, "k"], [dv, "v"]].map(([x, name]) => outOf(b, x as Value, given.need(name as string).type, layout)) as [Value, Value, Value];
  const lengths = given.maybe("lengths");
  return [outQ, outK, lengths === null ? outV : unmasked(b, outV, lengths)];
};

interface Far {
  readonly phiQ: Value;
  readonly phiK: Value;
  /** S before each chunk. */
  readonly before: Value;
  readonly c: Value;
}

const throughStates = (p: Problem, attrs: LowRankVjpAttrs, { phiQ, phiK, before, c }: Far): readonly [Value, Value, Value] => {
  const { b, layout, layout: { sizes: { E } } } = p;
  const whole = potential(attrs);
  const map = { degree: whole.length - 1 };
  const behind = stateOf(p, phiQ, c, layout.query, true);
  const toFeatures = (x: Value, state: Value, labels: string): Value =>
    contract(b, x, weighted(p, state, whole, 0, E + 1), `${labels} e, ${layout.state} m e -> ${labels} m`);
  return [
    b.one(featuresVjp, [p.q, toFeatures(c, before, layout.query)], map),
    b.one(featuresVjp, [p.k, toFeatures(p.v1, behind, layout.key)], map),
    readState(p, phiK, weighted(p, behind, attrs.coefficients, 0, E), layout.key),
  ];
};

const throughPairs = (p: Problem, attrs: LowRankVjpAttrs, pairs: Pairs, weights: Value, c: Value): readonly [Value, Value, Value] => {
  const { b, layout: { sizes: { E }, query, key, pair } } = p;
  const rate = attrs.form === "plugin" ? weights : polynomial(b, slope(attrs), pairs);
  const dS = times(b, rate, contract(b, c, p.v1, `${query} e, ${key} e -> ${pair}`));
  const dO = part(b, c, lastOf(c), 0, E);
  return [
    scaleBy(b, contract(b, dS, p.k, `${pair}, ${key} k -> ${query} k`), attrs.scale),
    scaleBy(b, contract(b, dS, p.q, `${pair}, ${query} k -> ${key} k`), attrs.scale),
    contract(b, weights, dO, `${pair}, ${query} e -> ${key} e`),
  ];
};
