/** @file Tables of monomials in the order of `ir/monomials.ts`. Kernels compute them, so a program carries no data; they
 *  have no operands and are functions of a few numbers, so every layer shares them. Constraint C0: operand count. */

import * as attr from "../attrs.ts";
import { rankOf } from "../approximation.ts";
import type { AttrCodec } from "../attrs.ts";
import type { Op } from "../core.ts";
import { defineOp, violates } from "../core.ts";
import { isCountable, monomialsOf, ordersOf } from "../monomials.ts";
import type { Monomials } from "../monomials.ts";
import * as poly from "../poly.ts";
import { tensor } from "../types.ts";
import { inferNone } from "./infer.ts";
import type { Inferred } from "./infer.ts";

const codecs: { readonly [K in keyof Monomials]: AttrCodec<number> } = { width: attr.i64, degree: attr.i64 };

/** C1  width >= 1, 1 <= degree <= 7 and at most 2^20 monomials */
const inferTable = (attrs: Monomials, shape: (attrs: Monomials) => readonly number[]): Inferred =>
  attrs.degree > 0 && isCountable(attrs) ? [tensor("i32", shape(attrs))] : violates("C1", `monomials of degree ${attrs.degree} in ${attrs.width} variables`);

type Table = Op<[], Monomials>;

export const monomials: Table = defineOp({
  mnemonic: "monomials",
  summary: "the variables of every monomial up to a degree, sorted, -1 after the last",
  operands: [],
  results: ["table"],
  attrs: codecs,
  infer: inferNone((attrs) => inferTable(attrs, ({ width, degree }) => [rankOf(width, degree), degree])),
  evaluate: ({ attrs }) => {
    const columns = Array.from({ length: attrs.degree }, (_, t) => t);
    return [Float64Array.from(monomialsOf(attrs).flatMap((variables) => columns.map((t) => variables[t] ?? -1)))];
  },
  vjp: "inactive",
  expand: null,
  flops: () => poly.ZERO,
  examples: [
    { operands: [], attrs: { width: 3, degree: 1 } },
    { operands: [], attrs: { width: 5, degree: 2 } },
    { operands: [], attrs: { width: 4, degree: 3 } },
    { operands: [], attrs: { width: 1, degree: 6 } },
    { operands: [], attrs: { width: 2, degree: 7 } },
  ],
});

export const monomialProducts: Table = defineOp({
  mnemonic: "monomial_products",
  summary: "the number of every monomial below a degree times every variable",
  operands: [],
  results: ["table"],
  attrs: codecs,
  infer: inferNone((attrs) => inferTable(attrs, ({ width, degree }) => [rankOf(width, degree - 1), width])),
  evaluate: ({ attrs }) => {
    const numbers = new Map(monomialsOf(attrs).map((variables, number) => [variables.join(), number]));
    const factors = monomialsOf({ ...attrs, degree: attrs.degree - 1 });
    const columns = Array.from({ length: attrs.width }, (_, variable) => variable);
    const product = (variables: readonly number[], by: number): number =>
      numbers.get([...variables, by].sort((a, b) => a - b).join()) ?? Number.NaN;
    return [Float64Array.from(factors.flatMap((variables) => columns.map((by) => product(variables, by))))];
  },
  vjp: "inactive",
  expand: null,
  flops: () => poly.ZERO,
  examples: [
    { operands: [], attrs: { width: 3, degree: 1 } },
    { operands: [], attrs: { width: 5, degree: 2 } },
    { operands: [], attrs: { width: 4, degree: 3 } },
    { operands: [], attrs: { width: 1, degree: 3 } },
    { operands: [], attrs: { width: 2, degree: 7 } },
  ],
});

interface Weights {
  readonly width: number;
  /** a_0 … a_g of a polynomial P. */
  readonly coefficients: readonly number[];
}

/** w with P(x . y) = Σ_m w_m μ_m(x) μ_m(y): a_p p! / Π e_v! for a monomial of degree p.
 *  C1  width >= 1, one to eight finite coefficients and at most 2^20 monomials */
export const monomialWeights: Op<[], Weights> = defineOp({
  mnemonic: "monomial_weights",
  summary: "what every monomial counts in a polynomial of an inner product",
  operands: [],
  results: ["weights"],
  attrs: { width: attr.i64, coefficients: attr.array(attr.f64) },
  infer: inferNone(({ width, coefficients }) => {
    const degree = coefficients.length - 1;
    return isCountable({ width, degree }) && coefficients.every(Number.isFinite)
      ? [tensor("f32", [rankOf(width, degree)])]
      : violates("C1", `coefficients [${coefficients.join(", ")}] in ${width} variables`);
  }),
  evaluate: ({ attrs: { width, coefficients } }) => [
    Float64Array.from(
      monomialsOf({ width, degree: coefficients.length - 1 }),
      (variables) => (coefficients[variables.length] ?? 0) * ordersOf(variables),
    ),
  ],
  vjp: "inactive",
  expand: null,
  flops: () => poly.ZERO,
  examples: [
    { operands: [], attrs: { width: 3, coefficients: [0.5] } },
    { operands: [], attrs: { width: 5, coefficients: [1, 1, 0.5] } },
    { operands: [], attrs: { width: 4, coefficients: [1, -1, 0.25, 0.125] } },
    { operands: [], attrs: { width: 2, coefficients: [1, 1, 1, 1, 1, 1, 1, 1] } },
  ],
});
