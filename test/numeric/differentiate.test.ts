/** @file The pass `differentiate` against central differences: every op on its examples, composed functions, and twice. */

import { describe, expect, test } from "vitest";
import { Builder } from "../../ir/builder.ts";
import type { Data, Func, Param, TensorType, Value } from "../../ir/core.ts";
import { interpret } from "../../ir/interpret.ts";
import * as sq from "../../ir/ops/index.ts";
import { isFloat, named, scalar } from "../../ir/types.ts";
import { verify } from "../../ir/verify.ts";
import { gradientOf } from "../../passes/differentiate.ts";
import { casesOf, ESTIMATED, exampleData, resultTypesOf, source } from "./support.ts";
import type { Case } from "./support.ts";

const STEP = 1e-4;

type Inputs = ReadonlyMap<string, Data>;

interface Problem {
  readonly func: Func;
  readonly inputs: Inputs;
}

const valueOf = (func: Func, inputs: Inputs, name: string): Data => interpret(func, inputs).results.get(name) ?? new Float64Array();

const isParameter = ({ value }: Param): boolean => isFloat(value.type);

/** Central difference of fourth order of the (scalar) result `name` along a direction of one input. */
const slope = (func: Func, inputs: Inputs, name: string, of: string, direction: Data): number => {
  const x = inputs.get(of) ?? new Float64Array();
  const at = (h: number): number =>
    valueOf(func, new Map([...inputs, [of, x.map((value, i) => value + h * (direction[i] ?? 0))]]), name)[0] ?? Number.NaN;
  return (8 * (at(STEP) - at(-STEP)) - (at(2 * STEP) - at(-2 * STEP))) / (12 * STEP);
};

const DIRECTIONS = 3;

/** Every gradient against slopes along random directions, relative to the gradient's length. */
const expectGradient = ({ func, inputs }: Problem, grad: Func, tolerance: number): void => {
  expect(verify({ name: "m", dims: new Map(), attrs: {}, funcs: [grad] }, "gradient")).toEqual([]);
  const [result] = func.results;
  const gradients = interpret(grad, inputs).results;
  for (const { name, value } of func.params.filter(isParameter)) {
    const gradient = gradients.get(`grad.${name}`) ?? new Float64Array();
    for (let k = 0; k < DIRECTIONS; k++) {
      const drawn = exampleData({ type: value.type, elements: "normal" }, source(31 * k + 5));
      const direction = drawn.map((x) => x / Math.hypot(...drawn));
      const along = gradient.reduce((sum, g, i) => sum + g * (direction[i] ?? 0), 0);
      const difference = Math.abs(along - slope(func, inputs, result?.name ?? "", name, direction));
      expect(difference / Math.max(Math.hypot(...gradient), 1e-3), name).toBeLessThan(tolerance);
    }
  }
};

/** Appends the sum over `values` of <value, weights>; weights are numbers that no gradient is wanted of. */
const weightedSum = (b: Builder, values: readonly Value[], weights: (type: TensorType) => Value): Value =>
  values
    .map((value) => {
      const product = b.one(sq.mul, [value, weights(value.type)], {});
      const axes = value.type.shape.map((_, axis) => axis);
      return axes.length === 0 ? product : b.one(sq.reduceSum, [product], { axes });
    })
    .reduce((x, y) => b.one(sq.add, [x, y], {}));

/** Weights that differ from element to element, and have no gradient: sin(index + 1), made of integers. */
const fixedWeights = (b: Builder, type: TensorType): Value => {
  const count = type.shape.reduce((n, size) => n * size, 1);
  const index = b.one(sq.iota, [], { axis: 0, type: { dtype: "i32", shape: [count], dims: named("i32", [["N", count]]).dims } });
  const angle = b.one(sq.convert, [b.one(sq.add, [index, b.one(sq.constant, [], { value: 1, type: index.type })], {})], { to: "f32" });
  return b.one(sq.reshape, [b.one(sq.sin, [angle], {})], { type });
};

const scalarOf = (func: Func): Func => {
  const b = new Builder();
  for (const operation of func.ops) b.keep(operation);
  const floats = func.results.map(({ value }) => value).filter(({ type }) => isFloat(type));
  return { ...func, results: [{ name: "sum", value: weightedSum(b, floats, (type) => fixedWeights(b, type)) }], ops: b.ops };
};

const problemOf = ({ op, example }: Case): Problem => {
  const uniform = source(7);
  const inputs = new Map<string, Data>();
  const params = example.operands.map((operand, i): Param => {
    inputs.set(`x${i}`, exampleData(operand, uniform, i));
    return { name: `x${i}`, value: { name: `x${i}`, type: operand.type }, role: "input", init: "" };
  });
  const b = new Builder();
  const results = b.all(op, params.map(({ value }) => value), example.attrs);
  const func: Func = { name: "f", params, ops: b.ops, results: results.map((value, i) => ({ name: `r${i}`, value })) };
  return { func: scalarOf(func), inputs };
};

const CASES = sq.OPS.filter((op) => op.vjp !== "inactive" && !ESTIMATED.includes(op.mnemonic))
  .flatMap(casesOf)
  .filter((c) => c.example.operands.some(({ type }) => isFloat(type)) && resultTypesOf(c).some(isFloat))
  .map((c): [string, Case] => [c.label, c]);

describe.each(CASES)("%s", (_, c) => {
  test("first derivative", () => {
    const problem = problemOf(c);
    expectGradient(problem, gradientOf(problem.func, "grad"), 1e-6);
  });

  test("second derivative", () => {
    const problem = problemOf(c);
    const grad = gradientOf(problem.func, "grad");
    const first = scalarOf({ ...grad, results: grad.results.slice(1) });
    expectGradient({ func: first, inputs: problem.inputs }, gradientOf(first, "second"), 1e-5);
  });
});

const composed = (
  types: Readonly<Record<string, TensorType>>,
  body: (b: Builder, x: (name: string) => Value) => Value,
): Problem => {
  const inputs = new Map<string, Data>();
  const params = Object.entries(types).map(([name, type], i): Param => {
    inputs.set(name, exampleData({ type, elements: type.dtype === "f32" ? "normal" : "index", below: 3 }, source(i + 3)));
    return { name, value: { name, type }, role: "input", init: "" };
  });
  const b = new Builder();
  const loss = body(b, (name) => params.find((param) => param.name === name)?.value as Value);
  return { func: { name: "loss", params, ops: b.ops, results: [{ name: "loss", value: loss }] }, inputs };
};

const TD = named("f32", [["T", 4], ["D", 3]]);
const DV = named("f32", [["D", 3], ["V", 5]]);
const VD = named("f32", [["V", 3], ["D", 3]]);
const IDS = named("i32", [["T", 4]]);

const COMPOSED: Record<string, Problem> = {
  "a value used three times": composed({ x: TD }, (b, x) => {
    const cube = b.one(sq.mul, [b.one(sq.mul, [x("x"), x("x")], {}), x("x")], {});
    return b.one(sq.reduceSum, [b.one(sq.add, [cube, x("x")], {})], { axes: [0, 1] });
  }),
  "layer norm and a tied table": composed({ table: VD, ids: IDS }, (b, x) => {
    const h = b.one(sq.gather, [x("table"), x("ids")], {});
    const mean = b.one(sq.broadcast, [b.one(sq.reduceSum, [h], { axes: [1] })], { axes: [0], type: TD });
    const third = b.one(sq.constant, [], { value: 1 / 3, type: TD });
    const centred = b.one(sq.sub, [h, b.one(sq.mul, [mean, third], {})], {});
    const square = b.one(sq.reduceSum, [b.one(sq.mul, [centred, centred], {})], { axes: [1] });
    const scale = b.one(sq.rsqrt, [b.one(sq.add, [square, b.one(sq.constant, [], { value: 0.1, type: square.type })], {})], {});
    const normed = b.one(sq.mul, [centred, b.one(sq.broadcast, [scale], { axes: [0], type: TD })], {});
    const logits = b.one(sq.einsum, [normed, x("table")], { spec: "t d, v d -> t v" });
    return b.one(sq.reduceSum, [b.one(sq.crossEntropy, [logits, x("ids")], { ignore: null })], { axes: [0] });
  }),
  "a two-layer net": composed({ x: TD, w: DV }, (b, x) => {
    const h = b.one(sq.tanh, [b.one(sq.einsum, [x("x"), x("w")], { spec: "t d, d v -> t v" })], {});
    const p = b.one(sq.softmax, [h], { axis: 1 });
    return b.one(sq.reduceSum, [b.one(sq.mul, [p, h], {})], { axes: [0, 1] });
  }),
};

describe.each(Object.entries(COMPOSED))("%s", (_, problem) => {
  test("first derivative", () => expectGradient(problem, gradientOf(problem.func, "grad"), 1e-7));

  test("second derivative", () => {
    const grad = gradientOf(problem.func, "grad");
    const first = scalarOf({ ...grad, results: grad.results.slice(1) });
    expectGradient({ func: first, inputs: problem.inputs }, gradientOf(first, "second"), 1e-6);
  });
});

test("what the loss does not depend on has gradient zero; integers have none", () => {
  const { func, inputs } = composed({ x: TD, unused: DV, ids: IDS }, (b, x) => b.one(sq.reduceSum, [x("x")], { axes: [0, 1] }));
  const grad = gradientOf(func, "grad");
  expect(grad.results.map(({ name }) => name)).toEqual(["loss", "grad.x", "grad.unused"]);
  expect(valueOf(grad, inputs, "grad.unused")).toEqual(new Float64Array(15));
  expect(valueOf(grad, inputs, "grad.x")).toEqual(new Float64Array(12).fill(1));
});

test("a rule is used, not derived: a cotangent doubled on purpose comes out doubled", () => {
  const doubled = { ...sq.neg, vjp: ({ b, cotangents: [ct] }: Parameters<Exclude<typeof sq.neg.vjp, string>>[0]): [Value | null] => [ct ? b.one(sq.add, [ct, ct], {}) : null] };
  const x: Value = { name: "x", type: scalar("f32") };
  const b = new Builder();
  const y = b.one(doubled, [x], {});
  const func: Func = { name: "f", params: [{ name: "x", value: x, role: "input", init: "" }], ops: b.ops, results: [{ name: "y", value: y }] };
  expect(valueOf(gradientOf(func, "grad"), new Map([["x", Float64Array.of(3)]]), "grad.x")).toEqual(Float64Array.of(2));
});

test("the backward pass belongs to the layers it comes from, and is named after them", () => {
  const x: Value = { name: "x", type: TD };
  const b = new Builder();
  const h = b.at({ path: "Block.1", loc: { kind: "file", file: "a.sq", line: 3, column: 1 } }, () => b.one(sq.exp, [x], {}, "h"));
  const y = b.one(sq.reduceSum, [b.one(sq.mul, [h, h], {})], { axes: [0, 1] }, "y");
  const func: Func = { name: "f", params: [{ name: "x", value: x, role: "input", init: "" }], ops: b.ops, results: [{ name: "y", value: y }] };
  const last = gradientOf(func, "grad").ops.at(-1);
  expect(last?.path).toBe("Block.1");
  expect(last?.results[0]?.name).toBe("d_x");
  expect(last?.loc).toEqual({ kind: "fused", by: "differentiate", from: [{ kind: "file", file: "a.sq", line: 3, column: 1 }] });
});
