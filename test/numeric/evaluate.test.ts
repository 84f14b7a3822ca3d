/** @file Reference evaluation against a second, naive statement of every kernel-stage op; and the interpreter around it. */

import { describe, expect, it } from "vitest";
import type { Data } from "../../ir/core.ts";
import { erf as erfOf } from "../../ir/erf.ts";
import { evaluateOp, interpret } from "../../ir/interpret.ts";
import { multiply } from "../../ir/matmul.ts";
import { add, exp, gather, max, mul, OPS, opByName, sub } from "../../ir/ops/index.ts";
import { elements, named, tensor } from "../../ir/types.ts";
import { indices, NAIVE } from "./naive.ts";
import { reverse } from "./reverse.ts";
import { casesOf, dataOf, makeFunc, namedInputs, relativeError, resultTypesOf, source, typesOf } from "./support.ts";

/** What has no naive form: its values are the generator's, held by golden values and statistics in random.test.ts. */
const ELSEWHERE = ["random_uniform", "random_at"];

const KERNEL_OPS = OPS.filter((op) => op.expand === null && !ELSEWHERE.includes(op.mnemonic));

it("the registry holds every mnemonic once", () => {
  expect(new Set(OPS.map((op) => op.mnemonic)).size).toBe(OPS.length);
  for (const op of OPS) expect(opByName(op.mnemonic)).toBe(op);
  expect(opByName("no_such_op")).toBeUndefined();
});

it("every kernel-stage op has a naive form, and every naive form an op", () => {
  expect(Object.keys(NAIVE).toSorted()).toEqual(KERNEL_OPS.map((op) => op.mnemonic).toSorted());
});

describe.each(KERNEL_OPS.map((op) => [op.mnemonic, op] as const))("%s", (mnemonic, op) => {
  it.each(casesOf(op).map((c, i) => [i, c] as const))("is what its naive form says on example %i", (_i, c) => {
    const types = typesOf(c.example);
    const [type] = resultTypesOf(c);
    for (const seed of [1, 2, 3]) {
      const data = dataOf(c.example, seed);
      const [result] = evaluateOp(op, data, types, [type!], c.example.attrs).results;
      expect(result!.length).toBe(elements(type!));
      const tensors = data.map((x, i) => ({ data: x, type: types[i]! }));
      const element = (index: readonly number[]): number => NAIVE[mnemonic]!(tensors, index, c.example.attrs as never);
      const expected = Float64Array.from(indices(type!.shape), element);
      expect(relativeError(result!, expected)).toBeLessThan(1e-12);
    }
  });
});

it("a tie of max halves the gradient", () => {
  const x = tensor("f32", [3]);
  const func = makeFunc([x, x, x], (b, [p, q, ct]) => {
    const y = makeFunc([], (inner) => [inner.one(max, [p!, q!], {})]);
    return reverse(b, y.ops, [[y.results[0]!.value, ct!]], [p!, q!]).map((gradient) => gradient!);
  });
  const inputs = [Float64Array.of(1, 2, 3), Float64Array.of(2, 2, 2), Float64Array.of(5, 6, 7)];
  const { results } = interpret(func, namedInputs(inputs));
  expect([...results.values()].map((g) => [...g])).toEqual([[0, 3, 7], [5, 3, 0]]);
});

describe("interpret", () => {
  const x = named("f32", [["T", 2]]);
  const func = makeFunc([x, x], (b, [p, q]) => {
    const sum = b.one(add, [p!, q!], {});
    return [b.one(mul, [sum, sum], {}), p!, b.one(exp, [b.one(sub, [q!, q!], {})], {})];
  });

  it("gives results by name, parameters among them, and counts", () => {
    const seen: string[] = [];
    const inputs = namedInputs([Float64Array.of(1, 2), Float64Array.of(3, 5)]);
    const { results, flops, bytes } = interpret(func, inputs, { onOp: ({ op }) => seen.push(op.mnemonic) });
    const lists: [string, Data][] = [...results];
    expect(lists.map(([name, data]) => [name, ...data])).toEqual([["r0", 16, 49], ["r1", 1, 2], ["r2", 1, 1]]);
    expect(seen).toEqual(["add", "mul", "sub", "exp"]);
    expect([flops, bytes]).toEqual([8, 4 * (6 + 6 + 6 + 4)]);
  });

  it("refuses missing and misshapen inputs by name", () => {
    expect(() => interpret(func, namedInputs([Float64Array.of(1, 2)]))).toThrow('input "p1" is missing (f32[T=2])');
    expect(() => interpret(func, namedInputs([Float64Array.of(1), Float64Array.of(1, 2)]))).toThrow(
      'input "p0" has 1 elements; f32[T=2] has 2',
    );
  });

  it("refuses an index outside the table", () => {
    const types = [tensor("f32", [3]), tensor("i32", [2])];
    const lookup = makeFunc(types, (b, [table, ids]) => [b.one(gather, [table!, ids!], {})]);
    const inputs = namedInputs([Float64Array.of(1, 2, 3), Float64Array.of(0, 3)]);
    expect(() => interpret(lookup, inputs)).toThrow("index 3 into a table of 3 rows");
  });
});

it("erf meets known values to the last places", () => {
  // Abramowitz & Stegun, table 7.1, with more places.
  const known: Readonly<Record<string, number>> = {
    0: 0, 0.5: 0.5204998778130465, 1: 0.8427007929497149, 2: 0.9953222650189527, 3: 0.9999779095030014,
  };
  for (const [at, value] of Object.entries(known).map(([key, value]) => [Number(key), value] as const)) {
    expect(Math.abs(erfOf(at) - value)).toBeLessThan(4e-16);
    expect(Math.abs(erfOf(-at) + value)).toBeLessThan(4e-16);
  }
  expect(erfOf(30)).toBe(1);
  expect(erfOf(Number.NaN)).toBeNaN();
  expect(Math.abs(erfOf(2.5 - 1e-12) - erfOf(2.5 + 1e-12))).toBeLessThan(1e-14);
});

it.each([[1, 1, 1, 1], [2, 3, 1, 9], [1, 1, 6, 65], [3, 5, 7, 67], [1, 2, 3, 130], [2, 4, 4, 64]] as const)(
  "the product of %i times %i x %i, over %i terms, is the sum of products",
  (batch, m, n, k) => {
    const uniform = source(3);
    const [a, b] = [batch * m * k, batch * k * n].map((length) => Float64Array.from({ length }, () => uniform() - 0.5));
    const product = Float64Array.from(indices([batch, m, n]), ([z, i, j]) =>
      Array.from({ length: k }, (_, l) => a![(z! * m + i!) * k + l]! * b![(z! * k + l) * n + j!]!).reduce((x, y) => x + y, 0),
    );
    expect(relativeError(multiply(a!, b!, { batch, m, n, k }), product)).toBeLessThan(1e-13);
  },
);
