/** @file A copy that no rule looks through: what keeps a recomputation apart from what it recomputes. */

import type { Op, Value } from "../core.ts";
import { defineOp, violates } from "../core.ts";
import * as poly from "../poly.ts";
import { at } from "../tensor-data.ts";
import { named } from "../types.ts";
import type { NoAttrs } from "./infer.ts";

/** y = x, once every value of `after` exists. It has a buffer of its own, so what is computed from y is not what is
 *  computed from x: common subexpressions of the two sides are never one, however long the first would have to be kept.
 *  C0  at least one operand */
export const barrier: Op<readonly Value[], NoAttrs> = defineOp({
  mnemonic: "barrier",
  summary: "a copy made only after other values, which no pass looks through",
  operands: ["x", "after..."],
  results: ["y"],
  attrs: {},
  infer: ([x]) => (x === undefined ? violates("C0", "takes at least one operand, given 0") : [x]),
  evaluate: ({ operands }) => [at(operands, 0).slice()],
  vjp: ({ cotangents: [ct = null], operands }) => operands.map((_, i) => (i === 0 ? ct : null)),
  expand: null,
  flops: () => poly.ZERO,
  examples: [
    { operands: [{ type: named("f32", [["T", 3], ["D", 2]]), elements: "normal" }], attrs: {} },
    {
      operands: [
        { type: named("f32", [["T", 3], ["D", 2]]), elements: "normal" },
        { type: named("f32", [["S", 5]]), elements: "normal" },
        { type: named("i32", []), elements: "index", below: 5 },
      ],
      attrs: {},
    },
    { operands: [{ type: named("i32", []), elements: "index", below: 5 }], attrs: {} },
  ],
});
