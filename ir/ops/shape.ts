/** @file Movement of data: reshape, transpose, slice, pad, concat. No arithmetic; every one is a list of offsets.
 *  Constraint C0 of each is the operand count. */

import * as attr from "../attrs.ts";
import type { Op, TensorType, Value } from "../core.ts";
import { defineOp, violates } from "../core.ts";
import * as poly from "../poly.ts";
import type { Poly } from "../poly.ts";
import { at, empty, offsets, pick, place } from "../tensor-data.ts";
import { describe, elements, named, strides, tensor } from "../types.ts";
import { areAxes, inferOne } from "./infer.ts";
import type { Inferred } from "./infer.ts";

const btd = named("f32", [["B", 3], ["T", 4], ["D", 2]]);

/** C1  the same dtype and number of elements */
export const reshape: Op<[x: Value], { readonly type: TensorType }> = defineOp({
  mnemonic: "reshape",
  summary: "the same elements in row-major order under another shape",
  operands: ["x"],
  results: ["y"],
  attrs: { type: attr.type },
  infer: inferOne((x, { type }) =>
    x.dtype === type.dtype && elements(x) === elements(type)
      ? [type]
      : violates("C1", `${describe(x)} to ${describe(type)}`),
  ),
  evaluate: ({ operands }) => [at(operands, 0).slice()],
  vjp: ({ b, cotangents: [ct], operands: [x] }) => [ct ? b.one(reshape, [ct], { type: x.type }) : null],
  expand: null,
  flops: () => poly.ZERO,
  examples: [
    {
      operands: [{ type: btd, elements: "normal" }],
      attrs: { type: tensor("f32", [12, 2], [poly.mul(poly.symbol("B"), poly.symbol("T")), poly.symbol("D")]) },
    },
  ],
});

const isPermutation = (perm: readonly number[], rank: number): boolean =>
  perm.length === rank && areAxes([...perm].sort((a, b) => a - b), rank);

/** Axis i of the result is axis perm[i] of x.   C1  `perm` is a permutation of the axes */
export const transpose: Op<[x: Value], { readonly perm: readonly number[] }> = defineOp({
  mnemonic: "transpose",
  summary: "the axes in another order",
  operands: ["x"],
  results: ["y"],
  attrs: { perm: attr.i64s },
  infer: inferOne((x, { perm }) => {
    if (!isPermutation(perm, x.shape.length))
      return violates("C1", `[${perm.join(", ")}] does not permute ${x.shape.length} axes`);
    return [{ dtype: x.dtype, shape: perm.map((i) => at(x.shape, i)), dims: perm.map((i) => at(x.dims, i)) }];
  }),
  evaluate: ({ operands, operandTypes, resultTypes, attrs: { perm } }) => {
    const own = strides(at(operandTypes, 0).shape);
    return [pick(at(operands, 0), offsets(at(resultTypes, 0).shape, perm.map((i) => at(own, i))))];
  },
  vjp: ({ b, cotangents: [ct], attrs: { perm } }) => [
    ct ? b.one(transpose, [ct], { perm: perm.map((_, axis) => perm.indexOf(axis)) }) : null,
  ],
  expand: null,
  flops: () => poly.ZERO,
  examples: [
    { operands: [{ type: btd, elements: "normal" }], attrs: { perm: [0, 2, 1] } },
    { operands: [{ type: btd, elements: "normal" }], attrs: { perm: [2, 0, 1] } },
  ],
});

/** C1  one entry an axis in `starts` and in `limits`    C2  0 <= start < limit <= size on every axis */
export const slice: Op<[x: Value], { readonly starts: readonly number[]; readonly limits: readonly number[] }> = defineOp({
  mnemonic: "slice",
  summary: "a box cut out: start <= index < limit on every axis",
  operands: ["x"],
  results: ["y"],
  attrs: { starts: attr.i64s, limits: attr.i64s },
  infer: inferOne((x, { starts, limits }) => {
    if (starts.length !== x.shape.length || limits.length !== x.shape.length)
      return violates("C1", `${starts.length} starts and ${limits.length} limits for a tensor of rank ${x.shape.length}`);
    const shape = limits.map((limit, i) => limit - at(starts, i));
    const wrong = shape.findIndex((size, i) => !(at(starts, i) >= 0 && size > 0 && at(limits, i) <= at(x.shape, i)));
    if (wrong >= 0) return violates("C2", `axis ${wrong}: ${starts[wrong]} to ${limits[wrong]} of ${x.shape[wrong]}`);
    const dims = shape.map((size, i) => (size === x.shape[i] ? at(x.dims, i) : poly.constant(size)));
    return [tensor(x.dtype, shape, dims)];
  }),
  evaluate: ({ operands, operandTypes, resultTypes, attrs: { starts } }) => {
    const own = strides(at(operandTypes, 0).shape);
    const start = starts.reduce((sum, s, i) => sum + s * at(own, i), 0);
    return [pick(at(operands, 0), offsets(at(resultTypes, 0).shape, own, start))];
  },
  vjp: ({ b, cotangents: [ct], operands: [x], attrs: { starts, limits } }) => [
    ct ? b.one(pad, [ct], { low: starts, high: limits.map((limit, i) => at(x.type.shape, i) - limit) }) : null,
  ],
  expand: null,
  flops: () => poly.ZERO,
  examples: [
    { operands: [{ type: btd, elements: "normal" }], attrs: { starts: [0, 1, 0], limits: [3, 3, 2] } },
    { operands: [{ type: btd, elements: "normal" }], attrs: { starts: [2, 0, 1], limits: [3, 4, 2] } },
  ],
});

const paddedDim = (dim: Poly, by: number): Poly => (by === 0 ? dim : poly.add(dim, poly.constant(by)));

/** C1  one entry an axis in `low` and in `high`    C2  no entry is negative */
export const pad: Op<[x: Value], { readonly low: readonly number[]; readonly high: readonly number[] }> = defineOp({
  mnemonic: "pad",
  summary: "zeros around a tensor: `low` before and `high` after, on every axis",
  operands: ["x"],
  results: ["y"],
  attrs: { low: attr.i64s, high: attr.i64s },
  infer: inferOne((x, { low, high }) => {
    if (low.length !== x.shape.length || high.length !== x.shape.length)
      return violates("C1", `${low.length} and ${high.length} widths for a tensor of rank ${x.shape.length}`);
    if (![...low, ...high].every((width) => Number.isInteger(width) && width >= 0))
      return violates("C2", `widths [${low.join(", ")}] and [${high.join(", ")}]`);
    const added = low.map((width, i) => width + at(high, i));
    return [{
      dtype: x.dtype,
      shape: x.shape.map((size, i) => size + at(added, i)),
      dims: x.dims.map((dim, i) => paddedDim(dim, at(added, i))),
    }];
  }),
  evaluate: ({ operands, operandTypes, resultTypes, attrs: { low } }) => {
    const type = at(resultTypes, 0);
    const step = strides(type.shape);
    const start = low.reduce((sum, width, i) => sum + width * at(step, i), 0);
    const out = empty(type);
    place(out, at(operands, 0), offsets(at(operandTypes, 0).shape, step, start));
    return [out];
  },
  vjp: ({ b, cotangents: [ct], operands: [x], attrs: { low } }) => [
    ct ? b.one(slice, [ct], { starts: low, limits: low.map((width, i) => width + at(x.type.shape, i)) }) : null,
  ],
  expand: null,
  flops: () => poly.ZERO,
  examples: [
    { operands: [{ type: btd, elements: "normal" }], attrs: { low: [0, 1, 0], high: [0, 2, 0] } },
    { operands: [{ type: btd, elements: "normal" }], attrs: { low: [1, 0, 2], high: [0, 0, 1] } },
  ],
});

/** C1  at least one operand    C2  `axis` is an axis    C3  one dtype, and one size on every other axis */
const inferConcat = (xs: readonly TensorType[], { axis }: { readonly axis: number }): Inferred => {
  const [first] = xs;
  if (first === undefined) return violates("C1", "nothing to concatenate");
  if (first.shape[axis] === undefined) return violates("C2", `axis ${axis} of a tensor of rank ${first.shape.length}`);
  const odd = xs.find((x) => x.dtype !== first.dtype || x.shape.length !== first.shape.length
    || x.shape.some((size, i) => i !== axis && size !== first.shape[i]));
  if (odd !== undefined) return violates("C3", `${describe(first)} and ${describe(odd)} along axis ${axis}`);
  const size = xs.reduce((sum, x) => sum + at(x.shape, axis), 0);
  const dim = poly.add(...xs.map((x) => at(x.dims, axis)));
  return [{
    dtype: first.dtype,
    shape: first.shape.map((own, i) => (i === axis ? size : own)),
    dims: first.dims.map((own, i) => (i === axis ? dim : own)),
  }];
};

/** Where along `axis` each operand starts, and after the last one the whole size. */
const boundaries = (types: readonly TensorType[], axis: number): readonly number[] => {
  const starts = [0];
  for (const type of types) starts.push((starts.at(-1) ?? 0) + at(type.shape, axis));
  return starts;
};

export const concat: Op<readonly Value[], { readonly axis: number }> = defineOp({
  mnemonic: "concat",
  summary: "tensors one after the other along an axis",
  operands: ["xs..."],
  results: ["y"],
  attrs: { axis: attr.i64 },
  infer: inferConcat,
  evaluate: ({ operands, operandTypes, resultTypes, attrs: { axis } }) => {
    const type = at(resultTypes, 0);
    const step = strides(type.shape);
    const starts = boundaries(operandTypes, axis);
    const out = empty(type);
    operands.forEach((x, i) => place(out, x, offsets(at(operandTypes, i).shape, step, at(starts, i) * at(step, axis))));
    return [out];
  },
  vjp: ({ b, cotangents: [ct], operands, attrs: { axis }, wanted }) => {
    const starts = boundaries(operands.map((x) => x.type), axis);
    return operands.map((_, i) => {
      if (!ct || !wanted[i]) return null;
      return b.one(slice, [ct], {
        starts: ct.type.shape.map((_, j) => (j === axis ? at(starts, i) : 0)),
        limits: ct.type.shape.map((size, j) => (j === axis ? at(starts, i + 1) : size)),
      });
    });
  },
  expand: null,
  flops: () => poly.ZERO,
  examples: [
    { operands: [{ type: btd, elements: "normal" }, { type: btd, elements: "normal" }], attrs: { axis: 2 } },
    {
      operands: [
        { type: btd, elements: "normal" },
        { type: named("f32", [["B", 3], ["S", 5], ["D", 2]]), elements: "normal" },
        { type: btd, elements: "normal" },
      ],
      attrs: { axis: 1 },
    },
  ],
});
