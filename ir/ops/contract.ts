/** @file The one contraction: einsum of two tensors, of which every matrix product is a case. */

import * as attr from "../attrs.ts";
import type { EvaluateContext, Example, Op, TensorType, Value } from "../core.ts";
import { defineOp, violates } from "../core.ts";
import { InternalError } from "../diagnostic.ts";
import { multiply } from "../matmul.ts";
import * as poly from "../poly.ts";
import type { Poly } from "../poly.ts";
import { at, empty, offsets, pick, place } from "../tensor-data.ts";
import { describe, named, strides } from "../types.ts";
import { parseEinsum, printEinsum } from "./einsum-spec.ts";
import type { EinsumSpec } from "./einsum-spec.ts";
import { inferTwo } from "./infer.ts";
import type { Inferred } from "./infer.ts";

interface Spec {
  readonly spec: string;
}

const parsed = (text: string): EinsumSpec => {
  const spec = parseEinsum(text);
  if ("constraint" in spec) throw new InternalError(spec.message);
  return spec;
};

/** The axis a label names, from whichever operand has it; a spelled dimension is preferred to a number. */
const axisOf = (label: string, spec: EinsumSpec, a: TensorType, b: TensorType): { size: number; dim: Poly } => {
  const [i, j] = [spec.a.indexOf(label), spec.b.indexOf(label)];
  const [mine, other] = [a.dims[i], b.dims[j]];
  const dim = mine === undefined || (other !== undefined && poly.isConstant(mine)) ? other : mine;
  return { size: a.shape[i] ?? b.shape[j] ?? 0, dim: dim ?? poly.ONE };
};

const inferEinsum = (a: TensorType, b: TensorType, { spec: text }: Spec): Inferred => {
  const spec = parseEinsum(text);
  if ("constraint" in spec) return spec;
  if (spec.a.length !== a.shape.length || spec.b.length !== b.shape.length)
    return violates("C4", `"${text}" of ${describe(a)} and ${describe(b)}`);
  const clash = spec.a.find((label, i) => spec.b.includes(label) && a.shape[i] !== b.shape[spec.b.indexOf(label)]);
  if (clash !== undefined)
    return violates("C5", `label ${clash} of "${text}" has two sizes in ${describe(a)} and ${describe(b)}`);
  if (a.dtype !== "f32" || b.dtype !== "f32") return violates("C6", `takes f32, given ${a.dtype} and ${b.dtype}`);
  const axes = spec.result.map((label) => axisOf(label, spec, a, b));
  return [{ dtype: "f32", shape: axes.map(({ size }) => size), dims: axes.map(({ dim }) => dim) }];
};

/** Offsets that walk a tensor, whose axes are `labels`, with its axes in another order. */
const walk = (labels: readonly string[], { shape }: TensorType, ...order: readonly (readonly string[])[]): Int32Array => {
  const step = strides(shape);
  const axes = order.flat().map((label) => labels.indexOf(label));
  return offsets(axes.map((axis) => at(shape, axis)), axes.map((axis) => at(step, axis)));
};

/** Both operands are packed as [batch, own, contracted] and [batch, contracted, own]; a batch of matrix products follows. */
const evaluateEinsum = ({ operands, operandTypes, resultTypes, attrs, tally }: EvaluateContext<Spec>): Float64Array => {
  const spec = parsed(attrs.spec);
  const [typeA, typeB, type] = [at(operandTypes, 0), at(operandTypes, 1), at(resultTypes, 0)];
  const sizes = new Map<string, number>();
  spec.a.forEach((label, i) => sizes.set(label, at(typeA.shape, i)));
  spec.b.forEach((label, i) => sizes.set(label, at(typeB.shape, i)));
  const extent = (labels: readonly string[]): number =>
    labels.reduce((product, label) => product * (sizes.get(label) ?? 1), 1);
  const [batch, m, n, k] = [extent(spec.batch), extent(spec.left), extent(spec.right), extent(spec.contracted)];
  const a = pick(at(operands, 0), walk(spec.a, typeA, spec.batch, spec.left, spec.contracted));
  const b = pick(at(operands, 1), walk(spec.b, typeB, spec.batch, spec.contracted, spec.right));
  const product = multiply(a, b, { batch, m, n, k });
  tally.flops += 2 * batch * m * n * k;
  const out = empty(type);
  place(out, product, walk(spec.result, type, spec.batch, spec.left, spec.right));
  return out;
};

type Axes = readonly (readonly [name: string, size: number])[];

const exampleOf = (spec: string, ...operands: readonly Axes[]): Example<Spec> => ({
  operands: operands.map((axes) => ({ type: named("f32", axes), elements: "normal" })),
  attrs: { spec },
});

/** y[result labels] = sum over the labels in a and b only of a[labels of a] b[labels of b]
 *  C1  `spec` reads "labels, labels -> labels"    C2  no label twice in one tensor
 *  C3  every label of an operand is in the result or the other operand, every label of the result in an operand
 *  C4  as many labels as axes    C5  a label has one size    C6  both are f32
 *  da = einsum(ct, b, "result, b -> a"),  db = einsum(ct, a, "result, a -> b"), which satisfy C3 again. */
export const einsum: Op<[a: Value, b: Value], Spec> = defineOp({
  mnemonic: "einsum",
  summary: "product of two tensors, summed over the labels that the result lacks",
  operands: ["a", "b"],
  results: ["y"],
  attrs: { spec: attr.string },
  infer: inferTwo(inferEinsum),
  evaluate: (ctx) => [evaluateEinsum(ctx)],
  vjp: ({ b, cotangents: [ct], operands: [x, y], attrs, wanted }) => {
    if (!ct) return [null, null];
    const spec = parsed(attrs.spec);
    return [
      wanted[0] ? b.one(einsum, [ct, y], { spec: printEinsum(spec.result, spec.b, spec.a) }) : null,
      wanted[1] ? b.one(einsum, [ct, x], { spec: printEinsum(spec.result, spec.a, spec.b) }) : null,
    ];
  },
  expand: null,
  flops: ({ operandTypes: [a, b], attrs }) => {
    if (!a || !b) return poly.ZERO;
    const spec = parsed(attrs.spec);
    const labels = [...spec.batch, ...spec.left, ...spec.right, ...spec.contracted];
    return poly.mul(poly.constant(2), ...labels.map((label) => axisOf(label, spec, a, b).dim));
  },
  examples: [
    exampleOf("b t d, d h k -> b h t k", [["B", 2], ["T", 3], ["D", 4]], [["D", 4], ["H", 2], ["K", 3]]),
    exampleOf("b h t k, b h s k -> b h t s", [["B", 2], ["H", 2], ["T", 3], ["K", 4]], [["B", 2], ["H", 2], ["S", 5], ["K", 4]]),
    exampleOf("t d, t d -> ", [["T", 3], ["D", 4]], [["T", 3], ["D", 4]]),
    exampleOf("t, d -> d t", [["T", 3]], [["D", 4]]),
  ],
});
