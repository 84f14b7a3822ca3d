/** @file Two facts that no interval shows, found by their structure.
 *
 *  Normalised:  y = x · r with |r| <= c / ‖x‖  has ‖y‖ <= c along the axes of the norm, whatever x is. Such r are
 *      1/sqrt(m Σx² + ε) and its relatives: c = 1/√m, so ‖y‖ <= √D for RMS norm and LayerNorm (m = 1/D), 1 for x/‖x‖.
 *      ε >= 0, a maximum with anything, factors bounded from below: all only shrink y.
 *  Rotated:  y = concat(l cos θ - r sin θ, r cos θ + l sin θ) has the norm of the halves l, r of x together (rotary
 *      positions). A rotation written otherwise gets what the single operations give: 2√2 times the norm of x for these.
 *
 *  x is compared as a value, through broadcasts, transposes and reshapes: `cse` has made equal values one. */

import type { Operation, Value } from "../../ir/core.ts";
import { add, concat, constant, cos, div, max, mul, pow, reduceSum, rsqrt, sin, slice, sqrt, sub } from "../../ir/ops/index.ts";
import type { Definitions } from "../../ir/pattern.ts";
import { magnitude } from "./bounded.ts";
import type { Bounded, Interval } from "./bounded.ts";
import { look, lookedAt, wholeView } from "./view.ts";
import type { View } from "./view.ts";

/** How many operations down factors and summands are looked for: beyond it, shared subterms would be visited ever again. */
const DEPTH = 6;

export interface Known {
  readonly defs: Definitions;
  /** What is known of a value that comes before. */
  readonly of: (value: Value) => Bounded;
}

export interface Normalised {
  /** |y| <= bound, and ‖y‖ along each of `axes`. */
  readonly bound: number;
  readonly axes: readonly number[];
}

const operandOf = (operation: Operation, i: number): Value => operation.operands[i] as Value;

const sidesOf = (operation: Operation): readonly (readonly [Value, Value])[] => {
  const [a, b] = [operandOf(operation, 0), operandOf(operation, 1)];
  return [[a, b], [b, a]];
};

/** What multiplication or division by a norm says about the result of `operation`; null if it is none. */
export const normalised = (operation: Operation, known: Known): Normalised | null => {
  if (operation.op !== mul && operation.op !== div) return null;
  const sides = sidesOf(operation);
  for (const [numerator, other] of operation.op === mul ? sides : sides.slice(0, 1))
    for (const { x, factor } of numerators(wholeView(numerator), known, DEPTH)) {
      const r = wholeView(other);
      const found = operation.op === mul ? reciprocal(r, x, known, DEPTH) : raised(atLeast(r, 1, x, known, DEPTH), -1);
      if (found !== null) return { bound: factor * found.factor, axes: found.axes };
    }
  return null;
};

/** The values x with |numerator| <= factor |x|: itself, and what is left without factors that have bounds. */
const numerators = (numerator: View, known: Known, depth: number): readonly { readonly x: View; readonly factor: number }[] => {
  const { view, operation } = lookedAt(numerator, known.defs);
  const own = { x: view, factor: 1 };
  if (operation?.op !== mul || depth === 0) return [own];
  const parts = sidesOf(operation).flatMap(([inner, other]) => {
    const most = magnitude(known.of(other));
    if (!Number.isFinite(most)) return [];
    return numerators(within(view, inner), known, depth - 1).map(({ x, factor }) => ({ x, factor: factor * most }));
  });
  return [own, ...parts];
};

interface Relation {
  readonly factor: number;
  /** Axes of the result along which the norm of x is taken. */
  readonly axes: readonly number[];
}

const scaled = (relation: Relation | null, by: number): Relation | null =>
  relation === null || !(by > 0 && Number.isFinite(by)) ? null : { ...relation, factor: relation.factor * by };

const within = (view: View, value: Value): View => ({ value, axes: view.axes });

const numberOf = (value: Value, defs: Definitions): number | null => {
  const operation = defs(look(wholeView(value), defs).value);
  return operation?.op === constant ? (operation.attrs as { readonly value: number }).value : null;
};

/** c with |r| <= c / ‖x‖ */
const reciprocal = (r: View, x: View, known: Known, depth: number): Relation | null => {
  const { view, operation } = lookedAt(r, known.defs);
  const first = operation?.operands[0];
  if (operation === undefined || first === undefined || depth === 0) return null;
  const { op } = operation;
  const inverse = op === rsqrt || (op === pow && numberOf(operandOf(operation, 1), known.defs) === -0.5);
  if (inverse) return raised(atLeast(within(view, first), 2, x, known, depth - 1), -0.5);
  const most = (value: Value): number => magnitude(known.of(value));
  if (op === div) return scaled(raised(atLeast(within(view, operandOf(operation, 1)), 1, x, known, depth - 1), -1), most(first));
  if (op !== mul) return null;
  for (const [inner, factor] of sidesOf(operation)) {
    const found = scaled(reciprocal(within(view, inner), x, known, depth - 1), most(factor));
    if (found !== null) return found;
  }
  return null;
};

const raised = (relation: Relation | null, power: number): Relation | null =>
  relation === null ? null : { ...relation, factor: relation.factor ** power };

/** c > 0 with v >= c ‖x‖^power */
const atLeast = (v: View, power: 1 | 2, x: View, known: Known, depth: number): Relation | null => {
  const { view, operation } = lookedAt(v, known.defs);
  const first = operation?.operands[0];
  if (operation === undefined || first === undefined || depth === 0) return null;
  const { op } = operation;
  const squares = power === 2 && op === reduceSum ? squaredNorm(view, operation, x, known.defs) : null;
  if (squares !== null) return squares;
  const root = op === sqrt || (op === pow && numberOf(operandOf(operation, 1), known.defs) === 0.5);
  if (power === 1 && root) return raised(atLeast(within(view, first), 2, x, known, depth - 1), 0.5);
  if (op === div) return scaled(atLeast(within(view, first), power, x, known, depth - 1), leastQuotient(known.of(operandOf(operation, 1))));
  if (op !== add && op !== max && op !== mul) return null;
  for (const [inner, other] of sidesOf(operation)) {
    const { lo } = known.of(other);
    // v + e >= v for e >= 0; max(v, e) >= v; v e >= v min e for v >= 0.
    const factor = op === max ? 1 : op === add ? (lo >= 0 ? 1 : 0) : lo;
    const found = factor > 0 ? scaled(atLeast(within(view, inner), power, x, known, depth - 1), factor) : null;
    if (found !== null) return found;
  }
  return null;
};

/** The least 1 / d, where d is positive. */
const leastQuotient = ({ lo, hi }: Interval): number => (lo >= 0 ? 1 / hi : 0);

/** v = Σ p² with p the same value as x, index for index, but for the axes that are summed over. Axes of p that were made by
 *  broadcasting only add to the sum. */
const squaredNorm = (v: View, operation: Operation, x: View, defs: Definitions): Relation | null => {
  const { axes: reduced } = operation.attrs as { readonly axes: readonly number[] };
  const inner = operandOf(operation, 0);
  const kept = inner.type.shape.map((_, axis) => axis).filter((axis) => !reduced.includes(axis));
  const labels = inner.type.shape.map((_, axis) => (reduced.includes(axis) ? SUMMED : (v.axes[kept.indexOf(axis)] ?? -1)));
  const { view, operation: square } = lookedAt({ value: inner, axes: labels }, defs);
  const base = square === undefined ? null : squaredBase(square, defs);
  if (base === null) return null;
  const p = look(within(view, base), defs);
  if (p.value !== x.value) return null;
  const sizes = p.value.type.shape;
  const differs = sizes.some((size, i) => size > 1 && p.axes[i] !== SUMMED && p.axes[i] !== x.axes[i]);
  if (differs) return null;
  return { factor: 1, axes: sizes.flatMap((size, i) => (size > 1 && p.axes[i] === SUMMED ? [x.axes[i] ?? -1] : [])) };
};

/** Stands for an axis of the result that has been summed over; no axis, and not the -1 of an axis that was dropped. */
const SUMMED = -2;

const squaredBase = ({ op, operands }: Operation, defs: Definitions): Value | null => {
  const [a, b] = operands;
  if (a === undefined || b === undefined) return null;
  if (op === mul && a === b) return a;
  return op === pow && numberOf(b, defs) === 2 ? a : null;
};

/** The value whose norm along `axis` is no smaller than that of the result of `operation` (a concat), which is parts of it
 *  rotated pair by pair; null if it is no rotation. */
export const rotated = (operation: Operation, defs: Definitions): { readonly whole: Value; readonly axis: number } | null => {
  const [first, second, ...more] = operation.operands;
  if (operation.op !== concat || first === undefined || second === undefined || more.length > 0) return null;
  const { axis } = operation.attrs as { readonly axis: number };
  const [u, w] = [trigTerms(first, defs), trigTerms(second, defs)];
  if (u === null || w === null) return null;
  // Rows (σ1 cos, σ2 sin) and (σ4 sin, σ3 cos) of a matrix are orthogonal if σ1 σ4 + σ2 σ3 = 0.
  const crossed = u.cosine.of === w.sine.of && u.sine.of === w.cosine.of && u.cosine.sign * w.sine.sign === -u.sine.sign * w.cosine.sign;
  const angles = [u.cosine, u.sine, w.cosine, w.sine].map(({ angle }) => angle);
  if (!crossed || !angles.every((angle) => sameView(angle, angles[0]))) return null;
  const whole = wholeOfParts(u.cosine.of, u.sine.of, axis, defs);
  return whole === null ? null : { whole, axis };
};

interface Term {
  readonly of: Value;
  readonly sign: 1 | -1;
  readonly angle: View;
}

/** ± a cos θ ± b sin φ */
const trigTerms = (value: Value, defs: Definitions): { readonly cosine: Term; readonly sine: Term } | null => {
  const operation = defs(value);
  if (operation === undefined || (operation.op !== add && operation.op !== sub)) return null;
  const terms = operation.operands.map((operand, i) => trigTerm(operand, operation.op === sub && i === 1 ? -1 : 1, defs));
  const cosine = terms.find((term) => term?.op === cos);
  const sine = terms.find((term) => term?.op === sin);
  return cosine === undefined || sine === undefined || cosine === null || sine === null ? null : { cosine, sine };
};

const trigTerm = (value: Value, sign: 1 | -1, defs: Definitions): (Term & { readonly op: Operation["op"] }) | null => {
  const operation = defs(value);
  if (operation?.op !== mul) return null;
  for (const [of, factor] of sidesOf(operation)) {
    const { view, operation: trig } = lookedAt(wholeView(factor), defs);
    if (trig?.op === cos || trig?.op === sin) return { of, sign, op: trig.op, angle: look(within(view, operandOf(trig, 0)), defs) };
  }
  return null;
};

const sameView = (a: View, b: View | undefined): boolean =>
  a.value === b?.value && a.axes.every((axis, i) => axis === b.axes[i] || a.value.type.shape[i] === 1);

/** x, if both are slices of it that differ along `axis` only and do not overlap there. */
const wholeOfParts = (a: Value, b: Value, axis: number, defs: Definitions): Value | null => {
  const [left, right] = [defs(a), defs(b)];
  const [x] = left?.operands ?? [];
  if (left?.op !== slice || right?.op !== slice || x === undefined || right.operands[0] !== x) return null;
  type Box = { readonly starts: readonly number[]; readonly limits: readonly number[] };
  const [l, r] = [left.attrs as Box, right.attrs as Box];
  const along = (box: Box): readonly [number, number] => [box.starts[axis] ?? 0, box.limits[axis] ?? 0];
  const [[ls, le], [rs, re]] = [along(l), along(r)];
  const aligned = l.starts.every((start, i) => i === axis || (start === r.starts[i] && l.limits[i] === r.limits[i]));
  return aligned && (le <= rs || re <= ls) ? x : null;
};
