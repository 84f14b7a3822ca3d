/** @file How bounds pass through operations: one entry an operation. An operation without one has unknown results.
 *  Every entry is tested on its op's examples and on random functions against the interpreter (test/passes/score-bound). */

import type { AnyOp, Op, Operation, TensorType, Value } from "../../ir/core.ts";
import { parseEinsum } from "../../ir/ops/einsum-spec.ts";
import {
  abs, add, attention, barrier, broadcast, compare, concat, constant, convert, cos, div, einsum, erf, exp, floor, gather, iota, log,
  logistic, logSoftmax, max, min, mul, neg, pad, pow, randomAt, randomUniform, reduceMax, reduceSum, reshape, rsqrt, select, sign, sin, slice,
  softmax, sqrt, sub, tanh, transpose,
} from "../../ir/ops/index.ts";
import { elements } from "../../ir/types.ts";
import {
  EVERYTHING, addIntervals, divideIntervals, eitherNorms, magnitude, multiplyIntervals, negated, product, union, upTo,
} from "./bounded.ts";
import type { Bounded, Interval } from "./bounded.ts";

/** What an entry says of a result; norms that it leaves out follow from the interval. */
export interface Said {
  readonly interval: Interval;
  readonly norms?: readonly number[];
}

interface Given<A> {
  readonly operands: readonly Bounded[];
  readonly types: readonly TensorType[];
  readonly result: TensorType;
  readonly attrs: A;
  readonly operation: Operation;
}

type Rule<A> = (given: Given<A>) => Said;

/** For results after the first nothing is said. */
type Entry = readonly [AnyOp, Rule<never>];

const entry = <O extends readonly Value[], A extends object>(op: Op<O, A>, rule: Rule<A>): Entry => [op, rule];

const operandOf = <A>({ operands }: Given<A>, i: number): Bounded => operands[i] as Bounded;

const typeOf = <A>({ types }: Given<A>, i: number): TensorType => types[i] as TensorType;

/** An increasing function, and c with |f(x)| <= c |x| where there is one: then norms grow by at most c. */
const increasing = (op: AnyOp, f: (x: number) => number, steepest: number | null = null): Entry =>
  entry(op, (given) => {
    const x = operandOf(given, 0);
    const interval = { lo: f(x.lo), hi: f(x.hi) };
    return steepest === null ? { interval } : { interval, norms: x.norms.map((norm) => norm * steepest) };
  });

const within = (op: AnyOp, lo: number, hi: number): Entry => entry(op, () => ({ interval: { lo, hi } }));

const TWO_BY_ROOT_PI = 2 / Math.sqrt(Math.PI);

const unary: readonly Entry[] = [
  entry(neg, (given) => ({ interval: negated(operandOf(given, 0)), norms: operandOf(given, 0).norms })),
  entry(abs, (given) => {
    const x = operandOf(given, 0);
    return { interval: { lo: Math.max(0, x.lo, -x.hi), hi: magnitude(x) }, norms: x.norms };
  }),
  increasing(exp, Math.exp),
  increasing(log, (x) => (x > 0 ? Math.log(x) : -Infinity)),
  increasing(sqrt, (x) => Math.sqrt(Math.max(x, 0))),
  entry(rsqrt, (given) => {
    const { lo, hi } = operandOf(given, 0);
    return { interval: { lo: hi > 0 ? 1 / Math.sqrt(hi) : 0, hi: lo > 0 ? 1 / Math.sqrt(lo) : Infinity } };
  }),
  increasing(tanh, Math.tanh, 1),
  entry(erf, (given) => {
    const most = TWO_BY_ROOT_PI * magnitude(operandOf(given, 0));
    const norms = operandOf(given, 0).norms.map((norm) => TWO_BY_ROOT_PI * norm);
    return { interval: upTo(Math.min(1, most)), norms };
  }),
  increasing(logistic, (x) => 1 / (1 + Math.exp(-x))),
  entry(sin, (given) => ({ interval: upTo(Math.min(1, magnitude(operandOf(given, 0)))), norms: operandOf(given, 0).norms })),
  within(cos, -1, 1),
  within(sign, -1, 1),
  increasing(floor, Math.floor),
];

const combine = (op: AnyOp, interval: (a: Interval, b: Interval) => Interval, norms?: (a: Bounded, b: Bounded) => readonly number[]): Entry =>
  entry(op, (given) => {
    const [a, b] = [operandOf(given, 0), operandOf(given, 1)];
    return norms === undefined ? { interval: interval(a, b) } : { interval: interval(a, b), norms: norms(a, b) };
  });

const addedNorms = (a: Bounded, b: Bounded): readonly number[] => a.norms.map((norm, axis) => norm + (b.norms[axis] ?? Infinity));

const binary: readonly Entry[] = [
  combine(add, addIntervals, addedNorms),
  combine(sub, (a, b) => addIntervals(a, negated(b)), addedNorms),
  entry(mul, (given) => {
    const [a, b] = [operandOf(given, 0), operandOf(given, 1)];
    const [x, y] = given.operation.operands;
    const ends = multiplyIntervals(a, b);
    const norms = a.norms.map((norm, axis) =>
      Math.min(product(norm, magnitude(b)), product(b.norms[axis] ?? Infinity, magnitude(a))));
    // A square is not negative.
    return { interval: x === y ? { lo: Math.max(ends.lo, 0), hi: ends.hi } : ends, norms };
  }),
  combine(div, divideIntervals, (a, b) => {
    const least = b.lo > 0 ? b.lo : b.hi < 0 ? -b.hi : 0;
    return a.norms.map((norm) => (least > 0 ? norm / least : Infinity));
  }),
  combine(max, (a, b) => ({ lo: Math.max(a.lo, b.lo), hi: Math.max(a.hi, b.hi) }), eitherNorms),
  combine(min, (a, b) => ({ lo: Math.min(a.lo, b.lo), hi: Math.min(a.hi, b.hi) }), eitherNorms),
  // Of positive numbers to a known power it is monotone in both; of others nothing is said but that squares are squares.
  entry(pow, (given) => {
    const [a, b] = [operandOf(given, 0), operandOf(given, 1)];
    if (b.lo === 2 && b.hi === 2) return { interval: { lo: 0, hi: magnitude(a) ** 2 } };
    if (!(a.lo > 0) || !Number.isFinite(magnitude(b))) return { interval: EVERYTHING };
    const ends = [a.lo ** b.lo, a.lo ** b.hi, a.hi ** b.lo, a.hi ** b.hi];
    return { interval: { lo: Math.min(...ends), hi: Math.max(...ends) } };
  }),
  within(compare, 0, 1),
  entry(select, (given) => {
    const [a, b] = [operandOf(given, 1), operandOf(given, 2)];
    return { interval: union(a, b), norms: eitherNorms(a, b) };
  }),
];

const sources: readonly Entry[] = [
  entry(constant, ({ attrs: { value } }) => ({ interval: { lo: value, hi: value } })),
  entry(iota, ({ attrs: { axis }, result }) => ({ interval: { lo: 0, hi: (result.shape[axis] ?? 1) - 1 } })),
  within(randomUniform, 0, 1),
  within(randomAt, 0, 1),
];

const same = (op: AnyOp): Entry => entry(op, (given) => ({ interval: operandOf(given, 0), norms: operandOf(given, 0).norms }));

/** Norms along the axes of a reshape's result. Where [H, K] and [H K] are the same elements, a part of an axis has at most
 *  the norm of the whole, and the whole at most √H times the largest norm of a part of size K. */
export const reshapedNorms = (from: readonly number[], to: readonly number[], norms: readonly number[]): readonly number[] => {
  const result = to.map(() => Infinity);
  for (let [i, k] = [0, 0]; i < from.length && k < to.length; ) {
    let [di, dk] = [i + 1, k + 1];
    let [a, b] = [from[i] ?? 1, to[k] ?? 1];
    while (a !== b) {
      if (a < b) a *= from[di++] ?? 1;
      else b *= to[dk++] ?? 1;
    }
    // Along axis `axis` of the group, the elements of the other axes repeat the bound.
    const wholes = from.slice(i, di).map((size, at) => product(norms[i + at] ?? Infinity, Math.sqrt(a / size)));
    const own = dk - k === 1 || di - i === 1 ? Math.min(...wholes) : Infinity;
    for (let axis = k; axis < dk; axis++) result[axis] = own;
    [i, k] = [di, dk];
  }
  return result;
};

const movement: readonly Entry[] = [
  same(convert),
  same(barrier),
  same(slice),
  entry(reshape, (given) => {
    const x = operandOf(given, 0);
    return { interval: x, norms: reshapedNorms(typeOf(given, 0).shape, given.result.shape, x.norms) };
  }),
  entry(transpose, (given) => ({
    interval: operandOf(given, 0),
    norms: given.attrs.perm.map((axis) => operandOf(given, 0).norms[axis] ?? Infinity),
  })),
  entry(broadcast, (given) => {
    const x = operandOf(given, 0);
    const norms = given.result.shape.map((_, axis) => x.norms[given.attrs.axes.indexOf(axis)] ?? Infinity);
    return { interval: x, norms };
  }),
  entry(pad, (given) => ({ interval: union(operandOf(given, 0), upTo(0)), norms: operandOf(given, 0).norms })),
  entry(concat, ({ operands, result, attrs }) => ({
    interval: operands.reduce<Interval>((all, x) => union(all, x), { lo: Infinity, hi: -Infinity }),
    norms: result.shape.map((_, axis) => {
      const norms = operands.map((x) => x.norms[axis] ?? Infinity);
      return axis === attrs.axis ? Math.hypot(...norms) : Math.max(...norms);
    }),
  })),
  entry(gather, (given) => {
    const table = operandOf(given, 0);
    const added = typeOf(given, 1).shape.map(() => Infinity);
    return { interval: table, norms: [...added, ...table.norms.slice(1)] };
  }),
];

const kept = <T>(list: readonly T[], axes: readonly number[]): readonly T[] => list.filter((_, axis) => !axes.includes(axis));

const reductions: readonly Entry[] = [
  entry(reduceSum, (given) => {
    const x = operandOf(given, 0);
    const { shape } = typeOf(given, 0);
    const count = given.attrs.axes.reduce((all, axis) => all * (shape[axis] ?? 1), 1);
    // |Σ x| <= √size · norm along an axis, times the number of other terms.
    const most = Math.min(...given.attrs.axes.map((axis) => product(x.norms[axis] ?? Infinity, count / Math.sqrt(shape[axis] ?? 1))), Infinity);
    const interval = { lo: Math.max(product(x.lo, count), -most), hi: Math.min(product(x.hi, count), most) };
    return { interval, norms: kept(x.norms, given.attrs.axes).map((norm) => product(norm, count)) };
  }),
  entry(reduceMax, (given) => ({ interval: operandOf(given, 0) })),
  // |Σ a b| <= Σ|a||b|, and by Cauchy and Schwarz at most the product of the norms along a label that is summed over.
  entry(einsum, (given) => {
    const [a, b] = [operandOf(given, 0), operandOf(given, 1)];
    const spec = parseEinsum(given.attrs.spec);
    if (!("contracted" in spec)) return { interval: EVERYTHING };
    const size = (label: string): number => typeOf(given, 0).shape[spec.a.indexOf(label)] ?? 1;
    const count = spec.contracted.reduce((all, label) => all * size(label), 1);
    const byNorms = spec.contracted.map((label) =>
      (count / size(label)) * product(a.norms[spec.a.indexOf(label)] ?? Infinity, b.norms[spec.b.indexOf(label)] ?? Infinity));
    const ends = multiplyIntervals(a, b);
    const most = Math.min(...byNorms, Infinity);
    return { interval: { lo: Math.max(product(ends.lo, count), -most), hi: Math.min(product(ends.hi, count), most) } };
  }),
  entry(softmax, ({ result, attrs }) => ({ interval: { lo: 0, hi: 1 }, norms: result.shape.map((_, axis) => (axis === attrs.axis ? 1 : Infinity)) })),
  // The largest of n is at least their mean: -log n at the top, max - min + log n below it.
  entry(logSoftmax, (given) => {
    const { lo, hi } = operandOf(given, 0);
    const least = lo - hi - Math.log(typeOf(given, 0).shape[given.attrs.axis] ?? 1);
    return { interval: { lo: least, hi: 0 } };
  }),
  // Rows of values mixed with weights that sum to 1, or 0 where there are no keys; dropout makes those that stay larger.
  entry(attention, (given) => {
    const values = operandOf(given, 2);
    const factor = 1 / (1 - given.attrs.dropout);
    const mixed = union(values, upTo(0));
    const interval = multiplyIntervals(mixed, { lo: factor, hi: factor });
    return { interval, norms: given.result.shape.map((_, axis) => (axis === 3 ? product(values.norms[3] ?? Infinity, factor) : Infinity)) };
  }),
];

const RULES: ReadonlyMap<AnyOp, Rule<never>> = new Map([...unary, ...binary, ...sources, ...movement, ...reductions]);

/** What is said of the first result of an operation; of integers and truth values too. null: nothing. */
export const boundOf = (operation: Operation, operands: readonly Bounded[]): Said | null => {
  const rule = RULES.get(operation.op) as Rule<object> | undefined;
  const [result] = operation.results;
  if (rule === undefined || result === undefined || elements(result.type) === 0) return null;
  const types = operation.operands.map(({ type }) => type);
  return rule({ operands, types, result: result.type, attrs: operation.attrs, operation });
};
