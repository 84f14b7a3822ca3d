/** @file How large the scores of an attention can get, whatever its parameters become: an abstract interpretation of the
 *  function, forwards, with the domain of bounded.ts.
 *
 *      |s_ij| = |scale q_i · k_j + bias_ij| <= |scale| max‖q_i‖ max‖k_j‖ + max|bias|          (Cauchy, Schwarz)
 *
 *  Parameters are trained and inputs are anything, so they have no bound: what gives scores one is normalisation of q and k
 *  (over the width of a head, without a gain that is trained, or with one that is clipped: `min(max(gain, -2), 2)`), and
 *  functions that saturate. Masks do not matter: a bound for all pairs holds for those that are left.
 *
 *  With a static bound the rewrite does not centre keys. Softmax does not notice when keys are centred, s_ij - s̄_i, but
 *  |s| <= R only gives |s - s̄| <= 2R: the scores of a row lie anywhere in an interval of length 2R, and [-R, R] is already the
 *  shortest one. Centring helps where the bound is measured, not where it is proven. */

import type { AnyOp, Func, Operation, Param, Value } from "../../ir/core.ts";
import { backwardOperands, forwardOperands } from "../../ir/ops/attention-attrs.ts";
import type { AttentionAttrs, Named } from "../../ir/ops/attention-attrs.ts";
import { attention, attentionVjp } from "../../ir/ops/index.ts";
import { definitions, liveOps } from "../edit.ts";
import { bounded, EVERYTHING, magnitude, nearestCause } from "./bounded.ts";
import type { Bounded, Cause } from "./bounded.ts";
import { boundOf } from "./bound-rules.ts";
import { normalised, rotated } from "./normalised.ts";
import type { Known } from "./normalised.ts";

export interface ScoreBound {
  /** R with |s_ij| <= R for every pair, keys not centred; null where none is proven. */
  readonly bound: number | null;
  /** The factors of the bound, or which value keeps it from being one. */
  readonly why: string;
}

type OperandsByName = (operands: readonly Value[], attrs: AttentionAttrs) => Named<Value>;

const OPERANDS: ReadonlyMap<AnyOp, OperandsByName> = new Map<AnyOp, OperandsByName>([
  [attention, forwardOperands],
  [attentionVjp, backwardOperands],
]);

/** For every `attention` and `attention_vjp` of a function. */
export const scoreBounds = (func: Func): ReadonlyMap<Operation, ScoreBound> => {
  const sites = func.ops.flatMap((operation) => {
    const named = OPERANDS.get(operation.op);
    const attrs = operation.attrs as AttentionAttrs;
    return named === undefined ? [] : [{ operation, attrs, given: named(operation.operands, attrs) }];
  });
  const wanted = sites.flatMap(({ given }) => [given.need("q"), given.need("k"), given.maybe("bias")].filter((value) => value !== null));
  const known = valueBounds({ ...func, ops: liveOps(func.ops, wanted) }, unboundedParam);
  return new Map(sites.map(({ operation, attrs, given }) => [operation, boundOfScores(given, attrs, known)]));
};

const WIDTH_AXIS = 3;

const digits = (x: number): string => String(Number(x.toPrecision(3)));

const boundOfScores = (given: Named<Value>, attrs: AttentionAttrs, known: ReadonlyMap<Value, Bounded>): ScoreBound => {
  const get = (value: Value): Bounded => known.get(value) ?? unknown(value, "nothing is known of it");
  const [q, k] = [get(given.need("q")), get(given.need("k"))];
  const bias = given.maybe("bias");
  const offset = bias === null ? null : get(bias);
  const lacking = [["queries", q], ["keys", k], ["the bias", offset]] as const;
  for (const [what, part] of lacking) if (part?.cause) return { bound: null, why: `${what} without a bound: ${part.cause.text}` };
  const [nq, nk] = [q.norms[WIDTH_AXIS] ?? Infinity, k.norms[WIDTH_AXIS] ?? Infinity];
  const most = offset === null ? 0 : magnitude(offset);
  const bound = Math.abs(attrs.scale) * nq * nk + most;
  const terms = `|scale| ‖q‖ ‖k‖ = ${digits(Math.abs(attrs.scale))} · ${digits(nq)} · ${digits(nk)}`;
  const plus = offset === null ? "" : `, and |bias| <= ${digits(most)}`;
  return { bound, why: `|scores| <= ${terms}${plus}: at most ${digits(bound)}` };
};

const paramCause = ({ name, role }: Param): Cause => {
  const dot = name.lastIndexOf(".");
  const place = dot < 0 ? `\`${name}\`` : `\`${name.slice(dot + 1)}\` of ${name.slice(0, dot)}`;
  const what = role === "parameter" ? "is trained" : role === "input" ? "is an input" : "comes from outside";
  // Of a product of the two, the parameter is what a reader can change.
  return { text: `${place} ${what}, hence unbounded`, distance: role === "parameter" ? 0 : 1 };
};

export const unboundedParam = (param: Param): Bounded => bounded(param.value.type, EVERYTHING, [], () => paramCause(param));

const placeOf = ({ op, path }: Operation): string => `\`sq.${op.mnemonic}\`${path === "" ? "" : ` in ${path}`}`;

const unknown = (value: Value, text: string): Bounded => bounded(value.type, EVERYTHING, [], () => ({ text, distance: 0 }));

/** Bounds of every value, given those of the parameters. */
export const valueBounds = (func: Func, ofParam: (param: Param) => Bounded): ReadonlyMap<Value, Bounded> => {
  const known = new Map<Value, Bounded>(func.params.map((param) => [param.value, ofParam(param)]));
  const defs = definitions(func.ops);
  const context: Known = { defs: (value) => defs.get(value), of: (value) => known.get(value) ?? unknown(value, "nothing is known of it") };
  for (const operation of func.ops) {
    const [first, ...others] = operation.results;
    if (first !== undefined) known.set(first, boundOfFirst(operation, first, context));
    for (const value of others) known.set(value, unknown(value, `no bound is known for ${placeOf(operation)}`));
  }
  return known;
};

/** What the operation's entry says, and what its structure shows. */
const boundOfFirst = (operation: Operation, value: Value, context: Known): Bounded => {
  const operands = operation.operands.map(context.of);
  const said = boundOf(operation, operands);
  if (said === null) return unknown(value, `no bound is known for ${placeOf(operation)}`);
  const normal = normalised(operation, context);
  const turned = rotated(operation, context.defs);
  const norms = value.type.shape.map((_, axis) => {
    const byStructure = normal?.axes.includes(axis) ? normal.bound : Infinity;
    const byRotation = turned?.axis === axis ? (context.of(turned.whole).norms[axis] ?? Infinity) : Infinity;
    return Math.min(said.norms?.[axis] ?? Infinity, byStructure, byRotation);
  });
  const most = normal?.bound ?? Infinity;
  const interval = { lo: Math.max(said.interval.lo, -most), hi: Math.min(said.interval.hi, most) };
  return bounded(value.type, interval, norms, () => nearestCause(operands, `${placeOf(operation)} has no bound here`));
};
