/** @file What attention by polynomials costs: linear in the length in operations and in every tensor; the same as its
 *  expansion where no pair is ruled out; cheaper than the dense gradient from the length that its rank says. */

import { describe, expect, it } from "vitest";
import { rankOf } from "../../ir/approximation.ts";
import type { Func, TensorType } from "../../ir/core.ts";
import { costOfFunc } from "../../ir/cost.ts";
import type { Form, LowRankAttrs, LowRankExtra } from "../../ir/ops/attention-lowrank-attrs.ts";
import { attentionLowrank, attentionVjp, attentionVjpLowrank } from "../../ir/ops/index.ts";
import { OPS } from "../../ir/ops/index.ts";
import * as poly from "../../ir/poly.ts";
import { elements, tensor } from "../../ir/types.ts";
import { logLogSlope } from "../../compiler/audit/estimate.ts";
import { exactAttrs, headTypes, lowRankAttrs, square } from "./lowrank-support.ts";
import { makeFunc, toKernels } from "./support.ts";

const NONE: ReadonlyMap<string, number> = new Map();

const forwardFlops = (n: number, d: number, attrs: LowRankAttrs): number => {
  const operandTypes = headTypes(square(n, d)).slice(0, 3);
  return poly.evaluate(attentionLowrank.flops({ operandTypes, resultTypes: [], attrs }), NONE);
};

const backwardFlops = (n: number, d: number, attrs: LowRankAttrs, form: Form): number =>
  poly.evaluate(attentionVjpLowrank.flops({ operandTypes: headTypes(square(n, d)), resultTypes: [], attrs: { ...attrs, form } }), NONE);

const denseFlops = (n: number, d: number, causal: boolean): number => {
  const [q, k, v, dO] = headTypes(square(n, d)) as [TensorType, TensorType, TensorType, TensorType];
  const operandTypes = [q, k, v, dO, tensor("f32", [1, 1, n]), dO];
  return poly.evaluate(attentionVjp.flops({ operandTypes, resultTypes: [], attrs: exactAttrs(1, causal) }), NONE);
};

const LENGTHS = [1024, 2048, 4096, 8192, 16384];

const slopeOf = (costs: readonly number[]): number => logLogSlope(LENGTHS.map((n, i) => [n, costs[i]!]));

describe.each([[16, 2], [64, 1]])("heads of width %i, degree %i", (d, degree) => {
  it.each([[true, "plugin"], [true, "surrogate"], [false, "plugin"], [false, "surrogate"]] as const)("cost is linear in the length (causal %s, %s)", (causal, form) => {
    const attrs = lowRankAttrs({ causal, degree });
    expect(slopeOf(LENGTHS.map((n) => forwardFlops(n, d, attrs)))).toBeCloseTo(1, 2);
    expect(slopeOf(LENGTHS.map((n) => backwardFlops(n, d, attrs, form)))).toBeCloseTo(1, 2);
    expect(slopeOf(LENGTHS.map((n) => denseFlops(n, d, causal)))).toBeCloseTo(2, 2);
  });
});

const expansion = (types: readonly TensorType[], attrs: LowRankAttrs, form: Form | null): Func =>
  makeFunc(types, (b, params) => (form === null ? attentionLowrank.expand!(b, params, attrs) : attentionVjpLowrank.expand!(b, params, { ...attrs, form })));

describe("without an order", () => {
  const sizes = { B: 2, H: 4, G: 2, N: 6, M: 5, K: 3, E: 4 };
  const EXTRAS: readonly (readonly LowRankExtra[])[] = [[], ["lengths"], ["delta"], ["gate"], ["lengths", "delta", "gate"]];
  const typeOf = (extra: LowRankExtra): TensorType => (extra === "lengths" ? tensor("i32", [2]) : tensor("f32", [2, 4, 6]));

  it.each([0, 1, 2, 3])("the cost is that of the expansion, operation by operation (degree %i)", (degree) => {
    for (const extras of EXTRAS)
      for (const form of ["plugin", "surrogate"] as const) {
        const attrs = lowRankAttrs({ degree, extras, scale: 0.5 });
        const types = [...headTypes(sizes), ...extras.map(typeOf)];
        const parts = costOfFunc(expansion(types, attrs, form)).flops;
        const whole = attentionVjpLowrank.flops({ operandTypes: types, resultTypes: [], attrs: { ...attrs, form } });
        expect(poly.evaluate(whole, NONE), `${form} ${extras.join()}`).toBe(poly.evaluate(parts, NONE));
      }
    const types = headTypes(sizes).slice(0, 3);
    const attrs = lowRankAttrs({ degree, scale: 0.5 });
    const parts = costOfFunc(expansion(types, attrs, null)).flops;
    expect(poly.evaluate(attentionLowrank.flops({ operandTypes: types, resultTypes: [], attrs }), NONE)).toBe(poly.evaluate(parts, NONE));
  });
});

describe("in an order", () => {
  it.each([[4096, 16, 2], [16384, 16, 1]])("the expansion of length %i does a little more: masked pairs of chunks, twice the sums of states", (n, d, degree) => {
    for (const form of ["plugin", "surrogate"] as const) {
      const attrs = lowRankAttrs({ causal: true, degree });
      const parts = poly.evaluate(costOfFunc(expansion(headTypes(square(n, d)), attrs, form)).flops, NONE);
      const ratio = parts / backwardFlops(n, d, attrs, form);
      expect(ratio).toBeGreaterThan(1);
      expect(ratio).toBeLessThan(degree === 2 ? 1.25 : 2);
    }
  });
});

describe("a causal head of 16384 positions, compiled", () => {
  const n = 16384;
  const sizes = square(n, 16);
  const attrs = lowRankAttrs({ causal: true, degree: 2, scale: 0.25 });

  it.each([null, "plugin", "surrogate"] as const)("has no tensor with two axes of that length, stored or not (%s)", (form) => {
    const func = expansion(form === null ? headTypes(sizes).slice(0, 3) : headTypes(sizes), attrs, form);
    const module = { name: "Test", dims: new Map<string, number>(), funcs: [func], attrs: {} };
    const kernels = toKernels(module);
    const operations = kernels.funcs.flatMap(({ ops }) => ops);
    const sizesOf = (stored: boolean): readonly number[] =>
      operations.filter(({ inline }) => !stored || !inline).flatMap(({ results }) => results.map(({ type }) => elements(type)));
    expect(operations.every(({ op }) => OPS.includes(op) && op.expand === null)).toBe(true);
    expect(Math.max(...sizesOf(false))).toBeLessThan(n * n / 4);
    expect(Math.max(...sizesOf(true))).toBe(n * rankOf(16, form === "plugin" ? 3 : 2));
    for (const { results } of operations) for (const { type } of results) expect(type.shape.filter((size) => size >= n / 2).length).toBeLessThanOrEqual(1);
  });
});

describe("where the linear gradient has fewer operations than the dense one", () => {
  /** The first length, of all multiples of `step`. */
  const crossover = (d: number, degree: number, causal: boolean, form: Form, step: number, chunk = 64): number => {
    const attrs = lowRankAttrs({ causal, degree, chunk });
    for (let n = step; n < 1e6; n += step) if (backwardFlops(n, d, attrs, form) < denseFlops(n, d, causal)) return n;
    return Number.POSITIVE_INFINITY;
  };

  it("without causality it is near the rank: 1.2 r products of each kind against n", () => {
    for (const [d, degree] of [[16, 2], [64, 1], [64, 2], [16, 3]] as const) {
      const rank = rankOf(d, degree);
      const length = crossover(d, degree, false, "surrogate", 1);
      expect(length / rank, `d ${d} degree ${degree}: ${length}`).toBeGreaterThan(1);
      expect(length / rank, `d ${d} degree ${degree}: ${length}`).toBeLessThan(1.7);
    }
  });

  it("with causality it is near twice the rank and the chunk", () => {
    for (const [d, degree, form] of [[16, 1, "plugin"], [16, 2, "surrogate"], [64, 1, "surrogate"]] as const) {
      const rank = rankOf(d, form === "plugin" ? degree + 1 : degree);
      const length = crossover(d, degree, true, form, 16);
      expect(length / (2.4 * rank + 64), `d ${d} degree ${degree} ${form}: ${length}`).toBeGreaterThan(0.7);
      expect(length / (2.4 * rank + 64), `d ${d} degree ${degree} ${form}: ${length}`).toBeLessThan(1.7);
    }
  });
});
