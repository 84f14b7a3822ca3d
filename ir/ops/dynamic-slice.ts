/** @file Rows of one axis from a start that is a value: every block of a loop over blocks is then the same kernel, with
 *  another start in a buffer. A start outside 0 … (size of the axis) - (rows) is an error of the caller; reference
 *  evaluation throws. Constraint C0 of both is the operand count. */

import * as attr from "../attrs.ts";
import type { Op, TensorType, Value, Violation } from "../core.ts";
import { defineOp, violates } from "../core.ts";
import * as poly from "../poly.ts";
import { at, offsets, pick, place } from "../tensor-data.ts";
import { describe, named, sameShape, strides } from "../types.ts";
import { zeros } from "./helpers.ts";
import { inferThree, inferTwo } from "./infer.ts";

interface Rows {
  readonly axis: number;
  readonly size: number;
}

/** The type of `size` rows of x. */
const rowsOf = (x: TensorType, { axis, size }: Rows): TensorType => ({
  dtype: x.dtype,
  shape: x.shape.map((own, i) => (i === axis ? size : own)),
  dims: x.dims.map((own, i) => (i === axis && size !== x.shape[i] ? poly.constant(size) : own)),
});

const notAStart = (constraint: string, start: TensorType): Violation | null =>
  start.dtype === "i32" && start.shape.length === 0 ? null : violates(constraint, `the start must be i32[], given ${describe(start)}`);

/** Where the rows lie in x. */
const placesOf = (x: TensorType, rows: TensorType, axis: number, start: number): Int32Array => {
  const [own, size] = [at(x.shape, axis), at(rows.shape, axis)];
  if (!(start >= 0 && start + size <= own)) throw new RangeError(`${size} rows from ${start} of ${own}`);
  const step = strides(x.shape);
  return offsets(rows.shape, step, start * at(step, axis));
};

const BTD = named("f32", [["B", 2], ["T", 5], ["D", 3]]);
const START = named("i32", []);

/** y[…, i, …] = x[…, start + i, …] for i < size
 *  C1  `axis` is an axis of x    C2  1 <= size <= the size of the axis    C3  start is i32 [] */
export const dynamicSlice: Op<[x: Value, start: Value], Rows> = defineOp({
  mnemonic: "dynamic_slice",
  summary: "rows of an axis, from a start that is a value",
  operands: ["x", "start"],
  results: ["y"],
  attrs: { axis: attr.i64, size: attr.i64 },
  infer: inferTwo((x, start, { axis, size }) => {
    const own = x.shape[axis];
    if (own === undefined) return violates("C1", `axis ${axis} of a tensor of rank ${x.shape.length}`);
    if (!(Number.isInteger(size) && size >= 1 && size <= own)) return violates("C2", `${size} rows of ${own}`);
    return notAStart("C3", start) ?? [rowsOf(x, { axis, size })];
  }),
  evaluate: ({ operands, operandTypes, resultTypes, attrs: { axis } }) => {
    const places = placesOf(at(operandTypes, 0), at(resultTypes, 0), axis, at(operands, 1)[0] ?? Number.NaN);
    return [pick(at(operands, 0), places)];
  },
  vjp: ({ b, cotangents: [ct], operands: [x, start], attrs: { axis } }) => [
    ct ? b.one(dynamicUpdateSlice, [zeros(b, x.type), ct, start], { axis }) : null,
    null,
  ],
  expand: null,
  flops: () => poly.ZERO,
  examples: [
    { operands: [{ type: BTD, elements: "normal" }, { type: START, elements: "index", values: [1] }], attrs: { axis: 1, size: 3 } },
    { operands: [{ type: BTD, elements: "normal" }, { type: START, elements: "index", values: [0] }], attrs: { axis: 0, size: 2 } },
    { operands: [{ type: BTD, elements: "normal" }, { type: START, elements: "index", below: 3 }], attrs: { axis: 2, size: 1 } },
  ],
});

/** y = x, but y[…, start + i, …] = update[…, i, …] for every row i of update
 *  C1  `axis` is an axis of x    C2  update is like x, with at most as many rows    C3  start is i32 [] */
export const dynamicUpdateSlice: Op<[x: Value, update: Value, start: Value], { readonly axis: number }> = defineOp({
  mnemonic: "dynamic_update_slice",
  summary: "a tensor with some rows of an axis replaced, from a start that is a value",
  operands: ["x", "update", "start"],
  results: ["y"],
  attrs: { axis: attr.i64 },
  infer: inferThree((x, update, start, { axis }) => {
    const own = x.shape[axis];
    if (own === undefined) return violates("C1", `axis ${axis} of a tensor of rank ${x.shape.length}`);
    const size = update.shape[axis] ?? 0;
    if (update.dtype !== x.dtype || size < 1 || size > own || !sameShape(update, rowsOf(x, { axis, size })))
      return violates("C2", `${describe(update)} into axis ${axis} of ${describe(x)}`);
    return notAStart("C3", start) ?? [x];
  }),
  evaluate: ({ operands, operandTypes, attrs: { axis } }) => {
    const places = placesOf(at(operandTypes, 0), at(operandTypes, 1), axis, at(operands, 2)[0] ?? Number.NaN);
    const out = at(operands, 0).slice();
    place(out, at(operands, 1), places);
    return [out];
  },
  vjp: ({ b, cotangents: [ct], operands: [, update, start], attrs: { axis }, wanted }) => [
    ct && wanted[0] ? b.one(dynamicUpdateSlice, [ct, zeros(b, update.type), start], { axis }) : null,
    ct && wanted[1] ? b.one(dynamicSlice, [ct, start], { axis, size: at(update.type.shape, axis) }) : null,
    null,
  ],
  expand: null,
  flops: () => poly.ZERO,
  examples: [
    {
      operands: [
        { type: BTD, elements: "normal" },
        { type: named("f32", [["B", 2], ["C", 2], ["D", 3]]), elements: "normal" },
        { type: START, elements: "index", values: [3] },
      ],
      attrs: { axis: 1 },
    },
    {
      operands: [
        { type: named("i32", [["T", 4]]), elements: "index", below: 9 },
        { type: named("i32", [["C", 1]]), elements: "index", below: 9 },
        { type: START, elements: "index", below: 4 },
      ],
      attrs: { axis: 0 },
    },
  ],
});
