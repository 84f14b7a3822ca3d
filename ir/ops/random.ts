/** @file Randomness, always an operand: uniform numbers from a key. */

import * as attr from "../attrs.ts";
import type { Op, TensorType, Value } from "../core.ts";
import { defineOp, violates } from "../core.ts";
import * as poly from "../poly.ts";
import { COUNTER_HIGH_LIMIT, COUNTER_LOW_LIMIT, KEY_WORD_LIMIT, SITE_LIMIT } from "../random.ts";
import { draw, highAxes, NUMBERS, UNIT } from "../random.ts";
import { at, empty } from "../tensor-data.ts";
import { describe, elements, named, tensor } from "../types.ts";
import { inferOne } from "./infer.ts";

/** y[i] = draw(key, site, counter of i) 2^-24 (`ir/random.ts`). The counter's low word is the row-major index over the
 *  trailing axes that hold at most 2^24 elements together, its high word the index over the axes before them.
 *  C1  key is i32 [4] (every word below 2^16)    C2  0 <= site < 2^12    C3  `type` is f32 and its counters fit */
export const randomUniform: Op<[key: Value], { readonly site: number; readonly type: TensorType }> = defineOp({
  mnemonic: "random_uniform",
  summary: "numbers uniform in [0, 1), a function of the key, the site and the element",
  operands: ["key"],
  results: ["y"],
  attrs: { site: attr.i64, type: attr.type },
  infer: inferOne((key, { site, type }) => {
    if (key.dtype !== "i32" || key.shape.length !== 1 || key.shape[0] !== 4)
      return violates("C1", `the key must be i32[4], given ${describe(key)}`);
    if (!(Number.isInteger(site) && site >= 0 && site < SITE_LIMIT)) return violates("C2", `site ${site}`);
    const split = highAxes(type.shape);
    const high = elements({ ...type, shape: type.shape.slice(0, split) });
    const low = elements({ ...type, shape: type.shape.slice(split) });
    const fits = type.dtype === "f32" && high <= COUNTER_HIGH_LIMIT && low <= COUNTER_LOW_LIMIT;
    return fits ? [type] : violates("C3", `cannot draw ${describe(type)}`);
  }),
  evaluate: ({ operands, attrs: { site, type } }) => {
    const key = [...at(operands, 0)];
    if (!key.every((word) => Number.isInteger(word) && word >= 0 && word < KEY_WORD_LIMIT))
      throw new RangeError(`a key is four whole numbers below ${KEY_WORD_LIMIT}, given [${key.join(", ")}]`);
    const words = [at(key, 0), at(key, 1), at(key, 2), at(key, 3)] as const;
    const low = elements({ ...type, shape: type.shape.slice(highAxes(type.shape)) });
    return [empty(type).map((_, i) => draw(NUMBERS, words, site, Math.floor(i / low), i % low) * UNIT)];
  },
  vjp: "inactive",
  expand: null,
  flops: () => poly.ZERO,
  examples: [
    {
      operands: [{ type: tensor("i32", [4]), elements: "key" }],
      attrs: { site: 3, type: named("f32", [["B", 3], ["T", 4]]) },
    },
  ],
});
