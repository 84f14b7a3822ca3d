/** @file Systematic sampling: which of M indices a row keeps, index j with probability p_j, with one random number a row.
 *
 *  With P_j = p_0 + … + p_j, the thresholds 1 - u, 2 - u, … lie at distance 1, so an index of p_j <= 1 holds at most one of
 *  them, and holds one with probability p_j as u is uniform on [0, 1). The number kept is floor or ceil of P_{M-1}
 *  (Madow, "On the theory of systematic sampling, II", 1949). Constraint C0: operand count. */

import * as attr from "../attrs.ts";
import type { Builder } from "../builder.ts";
import type { Data, Example, ExampleOperand, Op, TensorType, Value } from "../core.ts";
import { defineOp, isViolation, violates } from "../core.ts";
import * as poly from "../poly.ts";
import type { Poly } from "../poly.ts";
import { at, empty } from "../tensor-data.ts";
import { describe, elements, filterAxes, named, sameShape, sameType, tensor, volume } from "../types.ts";
import { reshaped } from "./arithmetic.ts";
import { sumOver, zeros } from "./helpers.ts";
import { inferThree, inferTwo } from "./infer.ts";
import type { Inferred } from "./infer.ts";
import { directSums } from "./running-sums.ts";
import { pad } from "./shape.ts";

/** The type of what is kept in `slots` slots a row. */
const keptType = (u: TensorType, slots: number): TensorType =>
  tensor("i32", [...u.shape, slots], [...u.dims, poly.constant(slots)]);

/** The first of the constraints that `sample` and `systematic` share that does not hold. */
const inferKept = (p: TensorType, u: TensorType, slots: number): Inferred => {
  if (p.dtype !== "f32" || p.shape.length === 0) return violates("C1", `probabilities ${describe(p)}`);
  const rows = filterAxes(p, (axis) => axis < p.shape.length - 1);
  if (u.dtype !== "f32" || !sameShape(u, rows)) return violates("C2", `${describe(u)} for the rows of ${describe(p)}`);
  return Number.isInteger(slots) && slots > 0 ? [keptType({ ...u, dims: rows.dims }, slots)] : violates("C3", `${slots} slots`);
};

/** A running sum an element and a threshold a slot. */
const sampleFlops = (p: TensorType, u: TensorType, slots: number): Poly => poly.add(volume(p), poly.scale(volume(u), slots));

/** slot s of a row: the first j with P_j >= s + 1 - u, or -1. */
const evaluateSample = (p: Data, u: Data, slots: number): Data => {
  const kept = new Float64Array(u.length * slots).fill(-1);
  const size = p.length / u.length;
  u.forEach((offset, row) => {
    let [sum, slot] = [0, 0];
    for (let j = 0; j < size; j++) {
      sum += p[row * size + j] ?? Number.NaN;
      for (; slot < slots && sum >= slot + 1 - offset; slot++) kept[row * slots + slot] = j;
    }
  });
  return kept;
};

/** Rows of at most this length are searched as a whole. */
const WHOLE = 64;

/** Chunks of about the square root of a row make both the search for a chunk and the one inside it short. */
const chunkWidth = (size: number): number => (size <= WHOLE ? size : Math.ceil(Math.sqrt(size)));

/** The sums of the probabilities before each chunk. They are added in order, so that they never decrease by rounding. */
const chunkPrefix = (b: Builder, p: Value, width: number): Value => {
  const rank = p.type.shape.length;
  const size = at(p.type.shape, rank - 1);
  const count = Math.ceil(size / width);
  const lead = filterAxes(p.type, (axis) => axis < rank - 1);
  const shaped = (...tail: readonly number[]): TensorType =>
    tensor("f32", [...lead.shape, ...tail], [...lead.dims, ...tail.map(poly.constant)]);
  if (count === 1) return zeros(b, shaped(1));
  const none = lead.shape.map(() => 0);
  const missing = count * width - size;
  const even = missing === 0 ? p : b.one(pad, [p], { low: [...none, 0], high: [...none, missing] });
  const sums = sumOver(b, reshaped(b, even, shaped(count, width)), [rank]);
  const lines = tensor("f32", [elements(lead), count, 1], [volume(lead), poly.constant(count), poly.ONE]);
  return reshaped(b, directSums(b, reshaped(b, sums, lines), false), shaped(count));
};

/** Probabilities of every kind, a row of none and a row of certain ones among them. */
const probabilities = (rows: number, size: number): ExampleOperand => ({
  type: named("f32", [["N", rows], ["M", size]]),
  elements: "positive",
  values: Array.from({ length: rows * size }, (_, i) => {
    const [row, j] = [Math.floor(i / size), i % size];
    if (row === 0) return j % 3 === 1 ? 1 : 0;
    return row === 1 ? 0 : Math.max(0, Math.min(1, ((7 * j * j + 3 * j + 5 * row) % 23) / 16 - 0.2));
  }),
});

const offsets = (rows: number): ExampleOperand => ({
  type: named("f32", [["N", rows]]),
  elements: "positive",
  values: Array.from({ length: rows }, (_, row) => ((row * 37 + 11) % 64) / 64),
});

/** kept[…, s] = the first j with p_0 + … + p_j >= s + 1 - u, -1 if there is none. Of 0 <= p <= 1 and 0 <= u < 1: ascending,
 *  no index twice, -1 only at the end; an index is kept with probability p, and what finds no slot is the last ones.
 *  In float32 a sum that is within rounding of a threshold may fall on its other side, by which an index of p = 1 can also
 *  be met twice.
 *  C1  p is f32 [..., M]    C2  u is f32 [...]    C3  slots is a positive integer */
export const sample: Op<[p: Value, u: Value], { readonly slots: number }> = defineOp({
  mnemonic: "sample",
  summary: "systematic sampling: indices of the last axis, each kept with its own probability",
  operands: ["p", "u"],
  results: ["kept"],
  attrs: { slots: attr.i64 },
  infer: inferTwo((p, u, { slots }) => inferKept(p, u, slots)),
  evaluate: ({ operands, attrs: { slots }, tally }) => {
    const [p, u] = [at(operands, 0), at(operands, 1)];
    tally.flops += p.length + u.length * slots;
    return [evaluateSample(p, u, slots)];
  },
  vjp: "inactive",
  expand: (b, [p, u], { slots }) => {
    const width = chunkWidth(at(p.type.shape, p.type.shape.length - 1));
    return [b.one(systematic, [p, chunkPrefix(b, p, width), u], { slots, width })];
  },
  flops: ({ operandTypes: [p, u], attrs: { slots } }) => (p && u ? sampleFlops(p, u, slots) : poly.ZERO),
  examples: [
    { operands: [probabilities(4, 10), offsets(4)], attrs: { slots: 6 } },
    { operands: [probabilities(5, 70), offsets(5)], attrs: { slots: 40 } },
    { operands: [probabilities(3, 81), offsets(3)], attrs: { slots: 3 } },
  ],
});

interface SystematicAttrs {
  readonly slots: number;
  /** Elements of a chunk; the last one may be shorter. */
  readonly width: number;
}

/** The slot whose threshold is t = s + 1 - u. Two searches: for the chunk, then inside it. */
const search = (p: Data, prefix: Data, t: number, width: number): number => {
  const chunk = Math.max(0, prefix.findLastIndex((before) => before < t));
  const [start, end] = [chunk * width, Math.min(p.length, (chunk + 1) * width)];
  let sum = prefix[chunk] ?? Number.NaN;
  for (let j = start; j < end; j++) {
    sum += p[j] ?? Number.NaN;
    if (sum >= t) return j;
  }
  if (chunk === prefix.length - 1) return -1;
  const last = p.subarray(start, end).findLastIndex((x) => x > 0);
  return last < 0 ? -1 : start + last;
};

/** The sums before chunks of `width`, which a `drift` above 1 brings out of step with those inside the chunks. */
const sumsBefore = ({ type, values = [] }: ExampleOperand, width: number, drift: number): ExampleOperand => {
  const [rows = 0, size = 0] = type.shape;
  const chunks = Math.ceil(size / width);
  const sum = (row: number, chunk: number): number =>
    values.slice(row * size, row * size + chunk * width).reduce((total, x) => total + x, 0);
  return {
    type: named("f32", [["N", rows], ["C", chunks]]),
    elements: "positive",
    values: Array.from({ length: rows * chunks }, (_, i) => drift * sum(Math.floor(i / chunks), i % chunks)),
  };
};

const systematicExample = (rows: number, size: number, width: number, drift: number): Example<SystematicAttrs> => {
  const p = probabilities(rows, size);
  return { operands: [p, sumsBefore(p, width, drift), offsets(rows)], attrs: { slots: 5, width } };
};

/** What `sample` says, with the sums of p before each chunk of `width` given: finds the last chunk whose sum is below the
 *  threshold, then the index inside it. All slots of a row add up a chunk in the same way, so what one passes the next
 *  does not take. Where the next chunk's sum reaches the threshold and this one's own, rounded otherwise, does not, the
 *  last index of the chunk with p > 0 is taken.
 *  Cost: a chunk's additions and a threshold, a slot.
 *  C1–C3  as of `sample`    C4  prefix is f32 [..., ceil(M / width)], width a positive integer */
export const systematic: Op<[p: Value, prefix: Value, u: Value], SystematicAttrs> = defineOp({
  mnemonic: "systematic",
  summary: "systematic sampling by the sums of probabilities before each chunk of the last axis",
  operands: ["p", "prefix", "u"],
  results: ["kept"],
  attrs: { slots: attr.i64, width: attr.i64 },
  infer: inferThree((p, prefix, u, { slots, width }) => {
    const kept = inferKept(p, u, slots);
    const chunks = Math.ceil((p.shape.at(-1) ?? 0) / width);
    const fits = Number.isInteger(width) && width > 0 && sameType(prefix, tensor("f32", [...u.shape, chunks]));
    return fits || isViolation(kept) ? kept : violates("C4", `prefix ${describe(prefix)} for chunks of ${width} of ${describe(p)}`);
  }),
  evaluate: ({ operands, resultTypes, attrs: { slots, width }, tally }) => {
    const [p, prefix, u] = [at(operands, 0), at(operands, 1), at(operands, 2)];
    const [size, chunks] = [p.length / u.length, prefix.length / u.length];
    const kept = empty(at(resultTypes, 0));
    tally.flops += kept.length * (width + 1);
    u.forEach((offset, row) => {
      const [own, before] = [p.subarray(row * size, (row + 1) * size), prefix.subarray(row * chunks, (row + 1) * chunks)];
      for (let s = 0; s < slots; s++) kept[row * slots + s] = search(own, before, s + 1 - offset, width);
    });
    return [kept];
  },
  vjp: "inactive",
  expand: null,
  flops: ({ resultTypes: [kept], attrs: { width } }) => (kept ? poly.scale(volume(kept), width + 1) : poly.ZERO),
  examples: [systematicExample(4, 10, 4, 1), systematicExample(4, 10, 5, 1.3), systematicExample(3, 6, 6, 1)],
});
