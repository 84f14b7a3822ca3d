/** @file What is known of a value whatever the parameters become: an interval for its elements, and for every axis a bound
 *  of the Euclidean norm along it. The domain of the abstract interpretation in score-bound.ts.
 *
 *      lo <= x <= hi,   ‖x along axis i‖ <= norms[i]
 *
 *  Values are taken as finite: a NaN or an overflow is no counterexample. Sums are those of real arithmetic; float32 rounds
 *  a score of width K by a relative K 2^-24 of its bound or so, which no polynomial in use here notices. */

import type { TensorType } from "../../ir/core.ts";

/** Why a value has no bound, and how many operations ago that was: of several reasons, the nearest is the one to tell. */
export interface Cause {
  readonly text: string;
  readonly distance: number;
}

export interface Bounded {
  readonly lo: number;
  readonly hi: number;
  /** One an axis; at most max |x| · √size. */
  readonly norms: readonly number[];
  /** Null exactly where the interval is finite. */
  readonly cause: Cause | null;
}

/** The largest |x|. */
export const magnitude = ({ lo, hi }: { readonly lo: number; readonly hi: number }): number => Math.max(Math.abs(lo), Math.abs(hi));

/** a · b for ends of intervals: 0 · ∞ is 0, since elements are finite. */
export const product = (a: number, b: number): number => (a === 0 || b === 0 ? 0 : a * b);

export interface Interval {
  readonly lo: number;
  readonly hi: number;
}

export const EVERYTHING: Interval = { lo: -Infinity, hi: Infinity };

export const upTo = (most: number): Interval => ({ lo: -most, hi: most });

/** Puts together what is known (an interval that overflowed says nothing): |x| is at most the norm along any axis, and a norm at most √size times the largest |x|.
 *  `cause` is asked for only where no bound comes out. */
export const bounded = (type: TensorType, interval: Interval, norms: readonly number[], cause: () => Cause): Bounded => {
  const least = type.shape.reduce((most, _, axis) => Math.min(most, norms[axis] ?? Infinity), Infinity);
  const known = interval.lo <= interval.hi && interval.lo < Infinity && interval.hi > -Infinity ? interval : EVERYTHING;
  const [lo, hi] = [Math.max(known.lo, -least), Math.min(known.hi, least)];
  const most = magnitude({ lo, hi });
  return {
    lo,
    hi,
    norms: type.shape.map((size, axis) => Math.min(norms[axis] ?? Infinity, product(most, Math.sqrt(size)))),
    cause: Number.isFinite(most) ? null : cause(),
  };
};

/** The nearest cause among operands; `otherwise` where all of them have bounds. */
export const nearestCause = (operands: readonly Bounded[], otherwise: string): Cause => {
  const causes = operands.flatMap(({ cause }) => (cause === null ? [] : [cause]));
  const nearest = causes.reduce<Cause | null>((best, cause) => (best === null || cause.distance < best.distance ? cause : best), null);
  return nearest === null ? { text: otherwise, distance: 0 } : { ...nearest, distance: nearest.distance + 1 };
};

export const addIntervals = (a: Interval, b: Interval): Interval => ({ lo: a.lo + b.lo, hi: a.hi + b.hi });

export const negated = ({ lo, hi }: Interval): Interval => ({ lo: -hi, hi: -lo });

export const multiplyIntervals = (a: Interval, b: Interval): Interval => {
  const ends = [product(a.lo, b.lo), product(a.lo, b.hi), product(a.hi, b.lo), product(a.hi, b.hi)];
  return { lo: Math.min(...ends), hi: Math.max(...ends) };
};

/** Everything where the divisor may be 0. */
export const divideIntervals = (a: Interval, b: Interval): Interval =>
  b.lo > 0 || b.hi < 0 ? multiplyIntervals(a, { lo: 1 / b.hi, hi: 1 / b.lo }) : EVERYTHING;

export const union = (a: Interval, b: Interval): Interval => ({ lo: Math.min(a.lo, b.lo), hi: Math.max(a.hi, b.hi) });

/** Norms of a vector each of whose elements is one of two vectors' (or no larger): ‖y‖² <= ‖a‖² + ‖b‖². */
export const eitherNorms = (a: Bounded, b: Bounded): readonly number[] => a.norms.map((norm, axis) => Math.hypot(norm, b.norms[axis] ?? Infinity));
