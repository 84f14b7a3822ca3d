/** @file Sums over the lists that transpose_kept makes: what the slots that keep a key add to its gradient.
 *  Constraint C0: operand count. */

import type { Builder } from "../builder.ts";
import type { Op, TensorType, Value } from "../core.ts";
import { defineOp, violates } from "../core.ts";
import * as poly from "../poly.ts";
import { at, empty } from "../tensor-data.ts";
import { describe, named, tensor, volume } from "../types.ts";
import { iota } from "./constant.ts";
import { einsum } from "./contract.ts";
import { inferThree } from "./infer.ts";
import type { NoAttrs } from "./infer.ts";
import { compare, convert } from "./logic.ts";

/** Membership m[b, g, j, p] = 1 where position p is on list j: the lists' sum of the rows of the identity.  d updates = m^T ct.
 *  Quadratic, and never on a training path, where differentiation comes before the lists. */
const transposed = (b: Builder, [starts, entries]: readonly [Value, Value, Value], ct: Value): Value => {
  const { shape, dims } = entries.type;
  const square = tensor("i32", [...shape, at(shape, 2)], [...dims, at(dims, 2)]);
  const [row, column] = [b.one(iota, [], { axis: 2, type: square }), b.one(iota, [], { axis: 3, type: square })];
  const identity = b.one(convert, [b.one(compare, [row, column], { direction: "eq" })], { to: "f32" });
  return b.one(einsum, [b.one(segmentSum, [starts, entries, identity], {}), ct], { spec: "b g m p, b g m e -> b g p e" });
};

const isList = (type: TensorType): boolean => type.dtype === "i32" && type.shape.length === 3;

/** y[b, g, j, :] = sum over p = starts[b, g, j] … starts[b, g, j + 1] - 1 of updates[b, g, entries[b, g, p], :]
 *  C1  starts and entries are i32 [B, G, M + 1] and i32 [B, G, P], M > 0    C2  updates are f32 [B, G, P, E] */
export const segmentSum: Op<[starts: Value, entries: Value, updates: Value], NoAttrs> = defineOp({
  mnemonic: "segment_sum",
  summary: "for each list, the sum of the updates at its entries",
  operands: ["starts", "entries", "updates"],
  results: ["y"],
  attrs: {},
  infer: inferThree((starts, entries, updates) => {
    const [batch = 0, groups = 0, rows = 0] = starts.shape;
    if (!isList(starts) || !isList(entries) || rows < 2 || batch !== entries.shape[0] || groups !== entries.shape[1])
      return violates("C1", `takes i32 [B, G, M + 1] and i32 [B, G, P], given ${describe(starts)} and ${describe(entries)}`);
    const width = updates.shape[3];
    const fit = entries.shape.every((size, axis) => size === updates.shape[axis]);
    if (updates.dtype !== "f32" || updates.shape.length !== 4 || !fit || width === undefined)
      return violates("C2", `updates ${describe(updates)} for entries ${describe(entries)}`);
    const dims = [at(updates.dims, 0), at(updates.dims, 1), poly.sub(at(starts.dims, 2), poly.ONE), at(updates.dims, 3)];
    return [tensor("f32", [batch, groups, rows - 1, width], dims)];
  }),
  evaluate: ({ operands, operandTypes, resultTypes, tally }) => {
    const [starts, entries, updates] = [at(operands, 0), at(operands, 1), at(operands, 2)];
    const [, , rows = 0, width = 0] = at(resultTypes, 0).shape;
    const positions = at(at(operandTypes, 1).shape, 2);
    const out = empty(at(resultTypes, 0));
    for (let j = 0; j < out.length / width; j++) {
      const list = Math.floor(j / rows);
      const start = list * (rows + 1) + (j % rows);
      for (let p = starts[start] ?? 0; p < (starts[start + 1] ?? 0); p++) {
        const from = (list * positions + (entries[list * positions + p] ?? Number.NaN)) * width;
        for (let e = 0; e < width; e++) out[j * width + e]! += updates[from + e] ?? Number.NaN;
      }
    }
    // As if every position were on a list: how many are is known at run time only.
    tally.flops += updates.length;
    return [out];
  },
  vjp: ({ b, cotangents: [ct], operands, wanted }) => [null, null, ct && wanted[2] ? transposed(b, operands, ct) : null],
  expand: null,
  flops: ({ operandTypes: [, , updates] }) => (updates ? volume(updates) : poly.ZERO),
  examples: [
    {
      operands: [
        {
          type: tensor("i32", [1, 2, 4], [poly.symbol("B"), poly.symbol("G"), poly.constant(4)]),
          elements: "index",
          values: [0, 2, 2, 3, 0, 0, 1, 4],
        },
        { type: named("i32", [["B", 1], ["G", 2], ["P", 4]]), elements: "index", values: [2, 0, 1, 3, 3, 0, 2, 1] },
        { type: named("f32", [["B", 1], ["G", 2], ["P", 4], ["E", 2]]), elements: "normal" },
      ],
      attrs: {},
    },
  ],
});
