/** @file The feature map of polynomials of an inner product, and its gradient: all distinct monomials of a vector, in the
 *  order of `ir/monomials.ts`. With the weights of `monomial_weights`, P(x · y) = Σ_m w_m φ_m(x) φ_m(y).
 *  Constraints: C0 operand count, C1 x is f32 with an axis, C2 the degree and the number of monomials. */

import * as attr from "../attrs.ts";
import { rankOf } from "../approximation.ts";
import type { Builder } from "../builder.ts";
import type { Example, Op, TensorType, Value } from "../core.ts";
import { defineOp, violates } from "../core.ts";
import { isCountable, monomialsOf, rankPoly } from "../monomials.ts";
import * as poly from "../poly.ts";
import type { Poly } from "../poly.ts";
import { at, empty } from "../tensor-data.ts";
import { describe, elements, filterAxes, named, sameType, tensor, volume, withDType } from "../types.ts";
import { contract, plus, reshaped, times } from "./arithmetic.ts";
import { iota } from "./constant.ts";
import { broadcastAlong, broadcastTo, full, zeros } from "./helpers.ts";
import { inferOne, inferTwo } from "./infer.ts";
import type { Inferred } from "./infer.ts";
import { compare, convert, select } from "./logic.ts";
import { monomialProducts, monomials } from "./monomials.ts";
import { slice } from "./shape.ts";
import { takeAlong } from "./take.ts";

interface Degree {
  /** The largest degree of a monomial. */
  readonly degree: number;
}

const widthOf = (x: TensorType): number => x.shape.at(-1) ?? 0;

const rowsOf = (x: TensorType): TensorType => filterAxes(x, (axis) => axis < x.shape.length - 1);

/** x with its last axis replaced. */
const wide = (x: TensorType, width: number, dim: Poly = poly.constant(width)): TensorType => ({
  ...x,
  shape: [...x.shape.slice(0, -1), width],
  dims: [...x.dims.slice(0, -1), dim],
});

const featuresOf = (x: TensorType, degree: number): TensorType => wide(x, rankOf(widthOf(x), degree));

const inferFeatures = (x: TensorType, { degree }: Degree): Inferred => {
  if (x.dtype !== "f32" || x.shape.length === 0) return violates("C1", `features of ${describe(x)}`);
  return isCountable({ width: widthOf(x), degree })
    ? [featuresOf(x, degree)]
    : violates("C2", `degree ${degree} in ${widthOf(x)} variables`);
};

/** Rows times monomials up to a degree. */
const monomialCount = (x: TensorType, degree: number): Poly =>
  poly.mul(volume(rowsOf(x)), rankPoly(x.dims.at(-1) ?? poly.ONE, degree));

const cases: readonly (readonly [x: TensorType, degree: number])[] = [
  [named("f32", [["B", 2], ["T", 3], ["K", 3]]), 2],
  [named("f32", [["T", 4], ["K", 2]]), 1],
  [tensor("f32", [3, 3]), 3],
  [named("f32", [["T", 3], ["K", 2]]), 0],
  [tensor("f32", [2]), 6],
];

/** φ_m(x) = Π_t x_{i_t} over the variables i_1 <= … <= i_p of monomial m; φ_0 = 1. */
export const features: Op<[x: Value], Degree> = defineOp({
  mnemonic: "features",
  summary: "all monomials up to a degree of the last axis",
  operands: ["x"],
  results: ["phi"],
  attrs: { degree: attr.i64 },
  infer: inferOne(inferFeatures),
  evaluate: ({ operands, operandTypes, resultTypes, attrs: { degree }, tally }) => {
    const [x, phi] = [at(operands, 0), empty(at(resultTypes, 0))];
    const width = widthOf(at(operandTypes, 0));
    const table = monomialsOf({ width, degree });
    for (let i = 0; i < phi.length; i++) {
      const row = Math.floor(i / table.length) * width;
      phi[i] = at(table, i % table.length).reduce((product, variable) => product * (x[row + variable] ?? Number.NaN), 1);
    }
    tally.flops += phi.length * Math.max(degree - 1, 0);
    return [phi];
  },
  vjp: ({ b, operands: [x], attrs, cotangents: [ct] }) => [ct ? b.one(featuresVjp, [x, ct], attrs) : null],
  expand: (b, [x], { degree }) => {
    const type = featuresOf(x.type, degree);
    const factors = columnsOf(b, widthOf(x.type), degree).map((column) => {
      const ids = broadcastTo(b, column, withDType(type, "i32"));
      const none = b.one(compare, [ids, zeros(b, ids.type)], { direction: "lt" });
      return b.one(select, [none, full(b, 1, type), b.one(takeAlong, [x, ids], {})], {});
    });
    const [first = full(b, 1, type), ...others] = factors;
    return [others.reduce((product, factor) => times(b, product, factor), first)];
  },
  flops: ({ operandTypes: [x], attrs: { degree } }) =>
    x === undefined ? poly.ZERO : poly.scale(monomialCount(x, degree), Math.max(degree - 1, 0)),
  examples: cases.map(([type, degree]): Example<Degree> => ({ operands: [{ type, elements: "normal" }], attrs: { degree } })),
});

/** The t-th variable of every monomial, -1 where it has fewer, for t = 1 … degree. */
const columnsOf = (b: Builder, width: number, degree: number): readonly Value[] => {
  if (degree === 0) return [];
  const table = b.one(monomials, [], { width, degree });
  const count = at(table.type.shape, 0);
  return Array.from({ length: degree }, (_, t) =>
    reshaped(b, b.one(slice, [table], { starts: [0, t], limits: [count, t + 1] }), tensor("i32", [count])),
  );
};

/** dx_a = Σ_m (e_a(m) + 1) ct[m x_a] φ_m(x) over the monomials m below the degree, e_a the exponent of x_a: the derivative
 *  of the monomial m x_a by x_a is (e_a(m) + 1) m. C(K + g - 1, g - 1) K products instead of one for each pair of a
 *  monomial and a variable.    C3  ct is like the features of x */
export const featuresVjp: Op<[x: Value, ct: Value], Degree> = defineOp({
  mnemonic: "features_vjp",
  summary: "gradient of features",
  operands: ["x", "ct"],
  results: ["dx"],
  attrs: { degree: attr.i64 },
  infer: inferTwo((x, ct, attrs) => {
    const types = inferFeatures(x, attrs);
    if ("constraint" in types) return types;
    return sameType(ct, at(types, 0)) ? [x] : violates("C3", `the cotangent is ${describe(ct)}, expected ${describe(at(types, 0))}`);
  }),
  evaluate: ({ operands, operandTypes, attrs: { degree }, tally }) => {
    const [x, ct] = [at(operands, 0), at(operands, 1)];
    const width = widthOf(at(operandTypes, 0));
    const table = monomialsOf({ width, degree });
    const dx = new Float64Array(x.length);
    // By the product rule, one variable of one monomial at a time.
    ct.forEach((d, i) => {
      const row = Math.floor(i / table.length) * width;
      const variables = at(table, i % table.length);
      variables.forEach((own, t) => {
        const others = variables.reduce((product, v, s) => (s === t ? product : product * (x[row + v] ?? Number.NaN)), d);
        dx[row + own] = (dx[row + own] ?? Number.NaN) + others;
      });
    });
    if (degree > 0) tally.flops += (x.length / width) * (rankOf(width, degree - 1) * (3 * width + Math.max(degree - 2, 0)));
    return [dx];
  },
  vjp: "by-expansion",
  expand: (b, [x, ct], { degree }) => {
    if (degree === 0) return [zeros(b, x.type)];
    const rows = rowsOf(x.type);
    const [n, width] = [elements(rows), widthOf(x.type)];
    const flat = (y: Value): Value => reshaped(b, y, tensor(y.type.dtype, [n, widthOf(y.type)], [volume(rows), at(y.type.dims, rows.shape.length)]));
    const [count, below] = [rankOf(width, degree - 1), { degree: degree - 1 }];
    const products = reshaped(b, b.one(monomialProducts, [], { width, degree }), tensor("i32", [count * width]));
    const rowType = tensor("i32", [n, count * width], [volume(rows), poly.constant(count * width)]);
    const taken = b.one(takeAlong, [flat(ct), broadcastTo(b, products, rowType)], {});
    const cube = tensor("f32", [n, count, width], [volume(rows), poly.constant(count), at(x.type.dims, rows.shape.length)]);
    const exponents = broadcastTo(b, exponentsAbove(b, width, degree - 1), cube);
    const weighted = times(b, reshaped(b, taken, cube), exponents);
    const phi = b.one(features, [flat(x)], below);
    return [reshaped(b, contract(b, weighted, phi, "n m a, n m -> n a"), x.type)];
  },
  flops: ({ operandTypes: [x], attrs: { degree } }) => {
    if (x === undefined || degree === 0) return poly.ZERO;
    const width = x.dims.at(-1) ?? poly.ONE;
    return poly.mul(monomialCount(x, degree - 1), poly.add(poly.scale(width, 3), poly.constant(Math.max(degree - 2, 0))));
  },
  examples: cases.map(([type, degree]): Example<Degree> => ({
    operands: [{ type, elements: "normal" }, { type: featuresOf(type, degree), elements: "normal" }],
    attrs: { degree },
  })),
});

/** e_a(m) + 1 for every monomial m up to the degree and variable a: [count, width]. */
const exponentsAbove = (b: Builder, width: number, degree: number): Value => {
  const type = tensor("i32", [rankOf(width, degree), width]);
  const variable = b.one(iota, [], { axis: 1, type });
  const uses = columnsOf(b, width, degree).map((column) => {
    const same = b.one(compare, [broadcastAlong(b, column, type, [1]), variable], { direction: "eq" });
    return b.one(convert, [same], { to: "i32" });
  });
  return b.one(convert, [uses.reduce((sum, use) => plus(b, sum, use), full(b, 1, type))], { to: "f32" });
};
