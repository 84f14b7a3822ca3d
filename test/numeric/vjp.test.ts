/** @file Every derivative rule of the registry against central differences of the reference evaluation; then the rules'
 *  own derivatives, by differentiating twice. */

import { describe, expect, it } from "vitest";
import type { Builder } from "../../ir/builder.ts";
import type { Data, Func, TensorType, Value } from "../../ir/core.ts";
import { interpret } from "../../ir/interpret.ts";
import { add, neg, OPS } from "../../ir/ops/index.ts";
import { full } from "../../ir/ops/helpers.ts";
import { sameType } from "../../ir/types.ts";
import { reverse } from "./reverse.ts";
import { casesOf, dataOf, exampleData, makeFunc, namedInputs, relativeError } from "./support.ts";
import { ESTIMATED, resultTypesOf, source, typesOf } from "./support.ts";
import type { Case } from "./support.ts";

const TOLERANCE = 1e-6;
const STEP = 1e-3;

const DIFFERENTIABLE = OPS.filter((op) => op.vjp !== "inactive" && !ESTIMATED.includes(op.mnemonic));

const isFloat = (type: TensorType): boolean => type.dtype === "f32";
const indicesWhere = <T>(items: readonly T[], holds: (item: T) => boolean): readonly number[] =>
  items.flatMap((item, i) => (holds(item) ? [i] : []));

/** One cotangent at a time, and all together. */
const cotangentSets = (types: readonly TensorType[]): readonly (readonly number[])[] => {
  const floats = indicesWhere(types, isFloat);
  return floats.length > 1 ? [...floats.map((i) => [i]), floats] : [floats];
};

/** operands, cotangents -> gradients of the float operands of one op. */
const gradientFunc = (c: Case, given: readonly number[], only: readonly number[]): Func => {
  const operands = typesOf(c.example);
  const results = resultTypesOf(c);
  return makeFunc([...operands, ...given.map((i) => results[i]!)], (b, params) => {
    const xs = params.slice(0, operands.length);
    const ys = makeOp(c, xs);
    const seeds = given.map((i, j): [Value, Value] => [ys.results[i]!, params[operands.length + j]!]);
    return orZero(b, reverse(b, ys.ops, seeds, only.map((i) => xs[i]!)), only.map((i) => operands[i]!));
  });
};

const makeOp = ({ op, example }: Case, operands: readonly Value[]): { ops: Func["ops"]; results: readonly Value[] } => {
  const func = makeFunc([], (b) => b.all(op, operands, example.attrs));
  return { ops: func.ops, results: func.results.map(({ value }) => value) };
};

const orZero = (b: Builder, gradients: readonly (Value | null)[], types: readonly TensorType[]): readonly Value[] =>
  gradients.map((gradient, i) => {
    if (gradient !== null) expect(sameType(gradient.type, types[i]!)).toBe(true);
    return gradient ?? full(b, 0, types[i]!);
  });

const inner = (a: Data, b: Data): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);

const run = (func: Func, data: readonly Data[]): readonly Data[] => [...interpret(func, namedInputs(data)).results.values()];

/** Central differences of fourth order of sum over given results of <ct, r>, with respect to parameter `which`. */
const numericGradient = (func: Func, data: readonly Data[], which: number, cts: ReadonlyMap<number, Data>): Data => {
  const objective = (x: Data): number => {
    const results = run(func, data.map((own, i) => (i === which ? x : own)));
    return [...cts].reduce((sum, [i, ct]) => sum + inner(ct, results[i]!), 0);
  };
  return data[which]!.map((_, e) => {
    const shifted = (by: number): number => objective(data[which]!.map((x, i) => (i === e ? x + by : x)));
    return (8 * (shifted(STEP) - shifted(-STEP)) - (shifted(2 * STEP) - shifted(-2 * STEP))) / (12 * STEP);
  });
};

const randomLike = (types: readonly TensorType[], seed: number): readonly Data[] => {
  const uniform = source(seed);
  return types.map((type) => exampleData({ type, elements: "normal" }, uniform));
};

const checkOnce = (c: Case, given: readonly number[]): void => {
  const operands = typesOf(c.example);
  const only = indicesWhere(operands, isFloat);
  const data = dataOf(c.example);
  const cts = randomLike(given.map((i) => resultTypesOf(c)[i]!), 7);
  const forward = makeFunc(operands, (b, params) => b.all(c.op, params, c.example.attrs));
  const gradients = run(gradientFunc(c, given, only), [...data, ...cts]);
  only.forEach((which, j) => {
    const numeric = numericGradient(forward, data, which, new Map(given.map((i, k) => [i, cts[k]!])));
    const where = `${c.label}: operand ${which}, cotangents of results ${given.join()}`;
    expect(relativeError(gradients[j]!, numeric), where).toBeLessThan(TOLERANCE);
  });
};

/** The gradient as a function of operands and cotangents is differentiated again, with random second cotangents. */
const checkTwice = (c: Case): void => {
  const operands = typesOf(c.example);
  const only = indicesWhere(operands, isFloat);
  const given = indicesWhere(resultTypesOf(c), isFloat);
  const first = gradientFunc(c, given, only);
  const types = first.params.map(({ value }) => value.type);
  const wrt = indicesWhere(types, isFloat);
  const data = [...dataOf(c.example), ...randomLike(given.map((i) => resultTypesOf(c)[i]!), 7)];
  const cts = randomLike(only.map((i) => operands[i]!), 11);
  const second = makeFunc([...types, ...only.map((i) => operands[i]!)], (b, params) => {
    const own = new Map(first.params.map(({ value }, i) => [value, params[i]!]));
    const ops = rebased(first, own);
    const seeds = first.results.map(({ value }, i): [Value, Value] => [own.get(value) ?? value, params[types.length + i]!]);
    return orZero(b, reverse(b, ops, seeds, wrt.map((i) => params[i]!)), wrt.map((i) => types[i]!));
  });
  const gradients = run(second, [...data, ...cts]);
  wrt.forEach((which, j) => {
    const numeric = numericGradient(first, data, which, new Map(cts.map((ct, i) => [i, ct])));
    const error = relativeError(gradients[j]!, numeric);
    expect(error, `${c.label}: second derivative, operand ${which}`).toBeLessThan(TOLERANCE);
  });
};

/** The operations of `func` over other parameters. */
const rebased = (func: Func, own: ReadonlyMap<Value, Value>): Func["ops"] =>
  func.ops.map((operation) => ({ ...operation, operands: operation.operands.map((value) => own.get(value) ?? value) }));

describe.each(DIFFERENTIABLE.map((op) => [op.mnemonic, op] as const))("the gradient of %s", (_, op) => {
  it.each(casesOf(op).map((c, i) => [i, c] as const))("is that of central differences on example %i", (_i, c) => {
    for (const given of cotangentSets(resultTypesOf(c))) checkOnce(c, given);
  });

  it.each(casesOf(op).map((c, i) => [i, c] as const))("can be differentiated again on example %i", (_i, c) => checkTwice(c));
});

it("a wrong rule would be noticed", () => {
  const doubled: Case["op"]["vjp"] = ({ b, cotangents: [ct] }) => [b.one(add, [ct!, ct!], {})];
  const [example] = casesOf(neg);
  expect(() => checkOnce({ ...example!, op: { ...neg, vjp: doubled } }, [0])).toThrow("expected");
});

it("is stated for every op: no op without examples", () => {
  expect(OPS.filter((op) => op.examples.length === 0).map((op) => op.mnemonic)).toEqual([]);
});
