/** @file Splits a reduction that is too long for the thread that computes one of its elements.
 *
 *  A kernel has one thread an output element. A reduction over n elements into few outputs leaves the device idle, and
 *  one over more than LONGEST iterations is cut short by some WebGL drivers; both become two reductions over about
 *  sqrt(n). A contraction is split only where it must be: its outputs are many. */

import type { Builder } from "../ir/builder.ts";
import type { Operation, TensorType, Value } from "../ir/core.ts";
import { parseEinsum, printEinsum } from "../ir/ops/einsum-spec.ts";
import { add, einsum, max, reduceMax, reduceSum, reshape, slice } from "../ir/ops/index.ts";
import { InternalError } from "../ir/diagnostic.ts";
import * as poly from "../ir/poly.ts";
import { elements } from "../ir/types.ts";

/** Most iterations of one thread (a limit of llvmpipe, met by all). */
export const LONGEST = 65_535;
/** A sum over more than this into fewer than FEW outputs is split for the sake of parallelism. */
const LONG = 4096;
const FEW = 1024;

type Expand = NonNullable<Operation["op"]["expand"]>;

/** How to build the same value by two reductions; null where one will do. */
export const splitOf = (operation: Operation): Expand | null => {
  const { op, operands, attrs } = operation;
  const [x] = operands;
  if (x !== undefined && op === reduceSum) return splitReduction(reduceSum, x, attrs as Axes);
  if (x !== undefined && op === reduceMax) return splitReduction(reduceMax, x, attrs as Axes);
  return op === einsum ? splitContraction(operands, attrs as Spec) : null;
};

interface Axes {
  readonly axes: readonly number[];
}

interface Spec {
  readonly spec: string;
}

const sizeOf = (type: TensorType, axes: readonly number[]): number =>
  axes.reduce((product, axis) => product * (type.shape[axis] ?? 1), 1);

const splitReduction = (op: typeof reduceSum, x: Value, { axes }: Axes): Expand | null => {
  const count = sizeOf(x.type, axes);
  const outputs = elements(x.type) / Math.max(count, 1);
  if (count <= LONG || (count <= LONGEST && outputs >= FEW)) return null;
  const run = lastRun(axes);
  const others = axes.slice(0, axes.length - run.length);
  // Several runs of neighbouring axes: first the last run, then the others; either is split again if it must be.
  if (others.length > 0) return (b) => [b.one(op, [b.one(op, [x], { axes: run })], { axes: others })];
  const first = run[0] ?? 0;
  const inner = divisorNear(count, Math.ceil(Math.sqrt(count)));
  if (inner === null) return (b) => [inTwoParts(b, op, b.one(reshape, [x], { type: foldAxes(x.type, run, [count]) }), first)];
  return (b) => {
    const folded = b.one(reshape, [x], { type: foldAxes(x.type, run, [count / inner, inner]) });
    return [b.one(op, [b.one(op, [folded], { axes: [first + 1] })], { axes: [first] })];
  };
};

/** A length without useful divisors: a square part, and what is left over. */
const inTwoParts = (b: Builder, op: typeof reduceSum, x: Value, axis: number): Value => {
  const side = Math.ceil(Math.sqrt(x.type.shape[axis] ?? 1));
  const parts = headAndTail(b, x, axis, side).map((part) => b.one(op, [part], { axes: [axis] }));
  return parts.reduce((left, right) => b.one(op === reduceMax ? max : add, [left, right], {}));
};

/** The largest part of an axis that `unit` divides, and the rest. */
const headAndTail = (b: Builder, x: Value, axis: number, unit: number): readonly Value[] => {
  const size = x.type.shape[axis] ?? 1;
  const head = unit * Math.floor(size / unit);
  const cut = (from: number, to: number): Value =>
    b.one(slice, [x], {
      starts: x.type.shape.map((_, i) => (i === axis ? from : 0)),
      limits: x.type.shape.map((own, i) => (i === axis ? to : own)),
    });
  return head === size ? [x] : [cut(0, head), cut(head, size)];
};

/** The longest tail of `axes` whose axes are neighbours. */
const lastRun = (axes: readonly number[]): readonly number[] => {
  let start = axes.length - 1;
  while (start > 0 && (axes[start - 1] ?? 0) + 1 === axes[start]) start--;
  return axes.slice(start);
};

/** A divisor of n in wanted/4 … wanted, the largest; null where there is none. */
const divisorNear = (n: number, wanted: number): number | null => {
  for (let d = wanted; d > 1 && 4 * d >= wanted; d--) if (n % d === 0) return d;
  return null;
};

/** The neighbouring axes `run` replaced by axes of the given sizes. */
const foldAxes = (type: TensorType, run: readonly number[], sizes: readonly number[]): TensorType => {
  const [first, last] = [run[0] ?? 0, run.at(-1) ?? 0];
  const dims = sizes.map(poly.constant);
  return {
    dtype: type.dtype,
    shape: [...type.shape.slice(0, first), ...sizes, ...type.shape.slice(last + 1)],
    dims: [...type.dims.slice(0, first), ...dims, ...type.dims.slice(last + 1)],
  };
};

/** Contracted labels become labels of the result, which a sum then removes, until at most LONGEST products are left. */
const splitContraction = ([a, b]: readonly Value[], { spec: text }: Spec): Expand | null => {
  const spec = parseEinsum(text);
  if (a === undefined || b === undefined || "constraint" in spec) return null;
  const size = (label: string): number => a.type.shape[spec.a.indexOf(label)] ?? 1;
  const count = spec.contracted.reduce((product, label) => product * size(label), 1);
  if (count <= LONGEST) return null;
  const bySize = [...spec.contracted].sort((x, y) => size(x) - size(y));
  const label = bySize.find((l) => count / size(l) <= LONGEST) ?? bySize[0] ?? "";
  if (spec.contracted.length > 1)
    return (builder) => [summedOver(builder, [a, b], label, printEinsum(spec.a, spec.b, [label, ...spec.result]))];
  const axes: [number, number] = [spec.a.indexOf(label), spec.b.indexOf(label)];
  const outer = outerFactor(count);
  if (outer === null) {
    return (builder) => {
      const unit = Math.ceil(count / LONGEST);
      const [left, right] = [headAndTail(builder, a, axes[0], unit), headAndTail(builder, b, axes[1], unit)];
      const parts = left.map((part, i) => builder.one(einsum, [part, right[i] ?? b], { spec: text }));
      return [parts.reduce((x, y) => builder.one(add, [x, y], {}))];
    };
  }
  const [hi, lo] = [`${label}_hi`, `${label}_lo`];
  const folded = (labels: readonly string[]): readonly string[] => labels.flatMap((l) => (l === label ? [hi, lo] : [l]));
  return (builder) => {
    const fold = (x: Value, axis: number): Value =>
      builder.one(reshape, [x], { type: foldAxes(x.type, [axis], [outer, count / outer]) });
    const operands: [Value, Value] = [fold(a, axes[0]), fold(b, axes[1])];
    return [summedOver(builder, operands, hi, printEinsum(folded(spec.a), folded(spec.b), [hi, ...spec.result]))];
  };
};

/** The contraction with `label` kept as the first axis of its result, and the sum over that axis. */
const summedOver = (b: Builder, operands: [Value, Value], label: string, spec: string): Value => {
  if (label === "") throw new InternalError(`nothing to split in ${spec}`);
  return b.one(reduceSum, [b.one(einsum, operands, { spec })], { axes: [0] });
};

/** The smallest divisor of n that leaves at most LONGEST; null where that is more than a few dozen times too large. */
const outerFactor = (n: number): number | null => {
  const least = Math.ceil(n / LONGEST);
  for (let d = least; d <= 32 * least; d++) if (n % d === 0) return d;
  return null;
};
