/** @file Attention by polynomials against its definition: features, chunks of any length, every combination of operands; keys
 *  about their mean. */

import { describe, expect, it } from "vitest";
import { polynomialAt, rankOf, taylor } from "../../ir/approximation.ts";
import type { Data, Func } from "../../ir/core.ts";
import { interpret } from "../../ir/interpret.ts";
import type { AttentionSizes } from "../../ir/ops/attention-attrs.ts";
import { centred } from "../../ir/ops/attention-lowrank-center.ts";
import type { Form, LowRankExtra } from "../../ir/ops/attention-lowrank-attrs.ts";
import { attention, attentionLowrank, attentionVjpLowrank, einsum, features, featuresVjp, monomialWeights, mul } from "../../ir/ops/index.ts";
import { broadcastTo } from "../../ir/ops/helpers.ts";
import { tensor } from "../../ir/types.ts";
import { exactAttrs, extrasOf, gaussian, headData, headTypes, lowRankAttrs, run, square } from "./lowrank-support.ts";
import { makeFunc, namedInputs, relativeError } from "./support.ts";

const results = (func: Func, data: readonly Data[]): readonly Data[] => [...interpret(func, namedInputs(data)).results.values()];

/** Rank by elimination with pivots. */
const rankOfMatrix = (matrix: readonly (readonly number[])[]): number => {
  const rows = matrix.map((row) => [...row]);
  let rank = 0;
  for (let column = 0; column < (rows[0]?.length ?? 0); column++) {
    const pivot = rows.reduce((best, row, i) => (i >= rank && Math.abs(row[column]!) > Math.abs(rows[best]?.[column] ?? 0) ? i : best), rank);
    if (rank >= rows.length || Math.abs(rows[pivot]![column]!) < 1e-9) continue;
    [rows[rank], rows[pivot]] = [rows[pivot]!, rows[rank]!];
    for (const row of rows.slice(rank + 1)) {
      const factor = row[column]! / rows[rank]![column]!;
      row.forEach((_, c) => (row[c]! -= factor * rows[rank]![c]!));
    }
    rank++;
  }
  return rank;
};

describe("features", () => {
  it("of degree 3 in 4 variables are 35 and independent", () => {
    const [points, width, degree] = [120, 4, 3];
    const [phi] = run(features, [gaussian(points * width, 1)], [tensor("f32", [points, width])], { degree });
    const count = rankOf(width, degree);
    expect(count).toBe(35);
    expect(rankOfMatrix(Array.from({ length: points }, (_, i) => [...phi!.slice(i * count, (i + 1) * count)]))).toBe(35);
  });

  it.each([0, 1, 2, 3, 4, 6])("with their weights give the polynomial of degree %i of an inner product", (degree) => {
    const [n, width] = [10, 3];
    const type = tensor("f32", [n, width]);
    const coefficients = taylor(degree).map((a, p) => (p % 3 === 2 ? -a : a));
    const func = makeFunc([type, type], (b, [x, y]) => {
      const [left, right] = [b.one(features, [x!], { degree }), b.one(features, [y!], { degree })];
      const weights = broadcastTo(b, b.one(monomialWeights, [], { width, coefficients }), left.type);
      return [b.one(einsum, [b.one(mul, [left, weights], {}), right], { spec: "i m, j m -> i j" }), b.one(einsum, [x!, y!], { spec: "i k, j k -> i j" })];
    });
    const [product, scores] = results(func, [gaussian(n * width, 1), gaussian(n * width, 2)]);
    const expected = scores!.map((s) => polynomialAt(coefficients, s));
    product!.forEach((got, i) => expect(Math.abs(got - expected[i]!)).toBeLessThan(1e-10 * (1 + Math.abs(expected[i]!))));
  });

  it("of a lower degree are a prefix, and their gradient is that of their parts", () => {
    const type = tensor("f32", [3]);
    const x = gaussian(3, 4);
    const [low, high] = [2, 3].map((degree) => run(features, [x], [type], { degree })[0]!);
    expect([...high!.slice(0, low!.length)]).toEqual([...low!]);
    const ct = Float64Array.from(high!, (_, i) => (i < low!.length ? i + 1 : 0));
    const [short, long] = [2, 3].map((degree) => {
      const seed = degree === 2 ? ct.slice(0, low!.length) : ct;
      return run(featuresVjp, [x, seed], [type, tensor("f32", [seed.length])], { degree })[0]!;
    });
    expect(relativeError(long!, short!)).toBeLessThan(1e-14);
  });
});

const SHAPES: readonly AttentionSizes[] = [
  { B: 1, H: 1, G: 1, N: 13, M: 13, K: 2, E: 2 },
  { B: 2, H: 4, G: 2, N: 9, M: 14, K: 3, E: 2 },
  { B: 3, H: 3, G: 1, N: 11, M: 6, K: 2, E: 3 },
  { B: 1, H: 2, G: 2, N: 1, M: 8, K: 2, E: 2 },
];
const EXTRAS: readonly (readonly LowRankExtra[])[] = [[], ["lengths"], ["delta"], ["gate"], ["delta", "gate"], ["lengths", "delta", "gate"]];
const POLYNOMIALS = [[1], [2, 0.5], taylor(2), [3, 0.5, 0.75, -0.0625], taylor(4)];

/** Every combination of the others; the polynomials are dealt round. */
const CASES = SHAPES.flatMap((sizes, s) => [false, true].flatMap((causal) => EXTRAS.flatMap((extras, e) =>
  (["plugin", "surrogate"] as const).map((form: Form, f) => ({ sizes, causal, extras, form, coefficients: POLYNOMIALS[(s + e + f) % POLYNOMIALS.length]! })),
)));

describe.each([1, 2, 3, 5, 7, 64])("chunks of %i", (chunk) => {
  it("give what all pairs give: the output", () => {
    for (const { sizes, causal, extras, coefficients } of CASES) {
      if (extras.some((extra) => extra !== "lengths")) continue;
      const given = extrasOf(sizes, extras, 50);
      const attrs = lowRankAttrs({ causal, chunk, coefficients, extras, scale: 0.4 });
      const [types, data] = [[...headTypes(sizes).slice(0, 3), ...given.types], [...headData(sizes, 1).slice(0, 3), ...given.data]];
      const func = makeFunc(types, (b, params) => attentionLowrank.expand!(b, params, attrs));
      const where = `${JSON.stringify(sizes)} ${causal ? "causal" : ""} ${extras.join()} [${coefficients.join()}]`;
      expect(relativeError(results(func, data)[0]!, run(attentionLowrank, data, types, attrs)[0]!), where).toBeLessThan(1e-10);
    }
  });

  it("give what all pairs give: the gradients", () => {
    for (const { sizes, causal, extras, form, coefficients } of CASES) {
      const given = extrasOf(sizes, extras, 50);
      const attrs = { ...lowRankAttrs({ causal, chunk, coefficients, extras, scale: 0.4 }), form };
      const [types, data] = [[...headTypes(sizes), ...given.types], [...headData(sizes, 1), ...given.data]];
      const func = makeFunc(types, (b, params) => attentionVjpLowrank.expand!(b, params, attrs));
      const expected = run(attentionVjpLowrank, data, types, attrs);
      results(func, data).forEach((got, i) => {
        const where = `${["dq", "dk", "dv"][i]} ${JSON.stringify(sizes)} ${form} ${causal ? "causal" : ""} ${extras.join()} [${coefficients.join()}]`;
        expect(relativeError(got, expected[i]!), where).toBeLessThan(1e-10);
      });
    }
  });
});

it("rows without keys give 0, and gradients that are finite and leave them out", () => {
  const sizes: AttentionSizes = { B: 2, H: 2, G: 1, N: 6, M: 4, K: 2, E: 2 };
  const types = [...headTypes(sizes), tensor("i32", [2])];
  const data = [...headData(sizes, 3), Float64Array.of(0, 4)];
  const attrs = lowRankAttrs({ causal: true, chunk: 2, extras: ["lengths"], scale: 0.4 });
  const forward = makeFunc(types.filter((_, i) => i !== 3), (b, params) => attentionLowrank.expand!(b, params, attrs));
  const [o] = results(forward, data.filter((_, i) => i !== 3));
  const half = o!.length / 2;
  const isLost = (i: number): boolean => i < half || Math.floor(i / 2) % 6 < 2;
  o!.forEach((x, i) => expect(x === 0, `o ${i}`).toBe(isLost(i)));
  const backward = makeFunc(types, (b, params) => attentionVjpLowrank.expand!(b, params, { ...attrs, form: "plugin" as const }));
  const [dq, dk, dv] = results(backward, data);
  dq!.forEach((x, i) => expect(x === 0, `dq ${i}`).toBe(isLost(i) || Math.floor(i / 2) % 6 === 2));
  for (const x of [dk!, dv!]) x.forEach((value, i) => expect(value === 0).toBe(i < x.length / 2));
});

describe("keys about their mean", () => {
  const sizes = square(64, 8);
  const scale = 8 ** -0.5;
  const [q, k, v] = headData(sizes, 5) as [Data, Data, Data];
  const offset = gaussian(8, 9).map((x) => 3 * x);
  const shifted = k.map((x, i) => x + offset[i % 8]!);
  const keyType = headTypes(sizes)[1]!;
  const outputOf = (keys: Data): Data => run(attention, [q, keys, v], headTypes(sizes).slice(0, 3), exactAttrs(scale, true))[0]!;
  const [about, center] = results(makeFunc([keyType], (b, [x]) => {
    const both = centred(b, x!);
    return [both.k, both.center];
  }), [shifted]);

  it("leave softmax as it is, and make the largest score smaller", () => {
    expect(relativeError(outputOf(about!), outputOf(shifted))).toBeLessThan(1e-10);
    const largest = (keys: Data): number => {
      let most = 0;
      for (let i = 0; i < 64; i++)
        for (let j = 0; j < 64; j++) most = Math.max(most, Math.abs(q.slice(i * 8, i * 8 + 8).reduce((s, x, c) => s + x * keys[j * 8 + c]!, 0)));
      return most;
    };
    expect(largest(about!)).toBeLessThan(0.6 * largest(shifted));
    expect(center!.length).toBe(8);
  });

  it("count only the keys that there are", () => {
    const type = tensor("f32", [2, 1, 4, 3]);
    const x = gaussian(24, 6);
    const func = makeFunc([type, tensor("i32", [2])], (b, [keys, lengths]) => {
      const both = centred(b, keys!, lengths!);
      return [both.k, both.center];
    });
    const [same, mean] = results(func, [x, Float64Array.of(0, 2)]);
    expect([...mean!.slice(0, 3)]).toEqual([0, 0, 0]);
    for (let c = 0; c < 3; c++) expect(mean![3 + c]).toBeCloseTo((x[12 + c]! + x[15 + c]!) / 2, 12);
    same!.forEach((value, i) => expect(value).toBeCloseTo(x[i]! - mean![(i < 12 ? 0 : 3) + (i % 3)]!, 12));
  });
});
