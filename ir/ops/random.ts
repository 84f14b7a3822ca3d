/** @file Randomness, always an operand: uniform numbers from a key, for a tensor's own elements or for given counters. */

import * as attr from "../attrs.ts";
import type { Op, TensorType, Value } from "../core.ts";
import { defineOp, violates } from "../core.ts";
import * as poly from "../poly.ts";
import { COUNTER_HIGH_LIMIT, COUNTER_LOW_LIMIT, draw, highAxes, keyWords, NUMBERS, SITE_LIMIT, UNIT } from "../random.ts";
import { at, empty } from "../tensor-data.ts";
import { describe, elements, named, sameType, tensor, withDType } from "../types.ts";
import { inferOne, inferThree } from "./infer.ts";

const isKey = (key: TensorType): boolean => key.dtype === "i32" && key.shape.length === 1 && key.shape[0] === 4;

const isSite = (site: number): boolean => Number.isInteger(site) && site >= 0 && site < SITE_LIMIT;

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
    if (!isKey(key)) return violates("C1", `the key must be i32[4], given ${describe(key)}`);
    if (!isSite(site)) return violates("C2", `site ${site}`);
    const split = highAxes(type.shape);
    const high = elements({ ...type, shape: type.shape.slice(0, split) });
    const low = elements({ ...type, shape: type.shape.slice(split) });
    const fits = type.dtype === "f32" && high <= COUNTER_HIGH_LIMIT && low <= COUNTER_LOW_LIMIT;
    return fits ? [type] : violates("C3", `cannot draw ${describe(type)}`);
  }),
  evaluate: ({ operands, attrs: { site, type } }) => {
    const words = keyWords(at(operands, 0));
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

const COUNTERS = named("i32", [["B", 3], ["T", 4]]);

const below = (limit: number, what: string, counter: number): number => {
  if (!(Number.isInteger(counter) && counter >= 0 && counter < limit)) throw new RangeError(`${what} counter ${counter}`);
  return counter;
};

/** y[i] = draw(key, site, high[i], low[i]) 2^-24: the number that `random_uniform` gives an element with these counters,
 *  wherever it is needed. Who asks twice for the same counters gets the same number.
 *  C1  key is i32 [4]    C2  0 <= site < 2^12    C3  high and low are i32 of one shape (high below 2^12, low below 2^24) */
export const randomAt: Op<[key: Value, high: Value, low: Value], { readonly site: number }> = defineOp({
  mnemonic: "random_at",
  summary: "numbers uniform in [0, 1), a function of the key, the site and two counters",
  operands: ["key", "high", "low"],
  results: ["y"],
  attrs: { site: attr.i64 },
  infer: inferThree((key, high, low, { site }) => {
    if (!isKey(key)) return violates("C1", `the key must be i32[4], given ${describe(key)}`);
    if (!isSite(site)) return violates("C2", `site ${site}`);
    const fits = high.dtype === "i32" && sameType(high, low);
    return fits ? [withDType(low, "f32")] : violates("C3", `counters ${describe(high)} and ${describe(low)}`);
  }),
  evaluate: ({ operands, attrs: { site } }) => {
    const words = keyWords(at(operands, 0));
    const [high, low] = [at(operands, 1), at(operands, 2)];
    return [low.map((counter, i) => {
      const upper = below(COUNTER_HIGH_LIMIT, "high", high[i] ?? Number.NaN);
      return draw(NUMBERS, words, site, upper, below(COUNTER_LOW_LIMIT, "low", counter)) * UNIT;
    })];
  },
  vjp: "inactive",
  expand: null,
  flops: () => poly.ZERO,
  examples: [
    {
      operands: [
        { type: tensor("i32", [4]), elements: "key" },
        { type: COUNTERS, elements: "index", below: COUNTER_HIGH_LIMIT },
        { type: COUNTERS, elements: "index", below: COUNTER_LOW_LIMIT },
      ],
      attrs: { site: 3 },
    },
  ],
});
