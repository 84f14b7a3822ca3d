/** @file Optimizer updates against three steps worked out by hand (forty decimal digits, from the papers' formulas). */

import { describe, expect, it } from "vitest";
import type { AnyOp, Data, TensorType } from "../../ir/core.ts";
import { isViolation } from "../../ir/core.ts";
import { evaluateOp, interpret } from "../../ir/interpret.ts";
import { adamw, sgd } from "../../ir/ops/index.ts";
import { scalar, tensor } from "../../ir/types.ts";
import { makeFunc, namedInputs } from "./support.ts";

const weight = tensor("f32", [1]);

/** One step of `op` on a parameter of one element: p, state and scalars in, p and state out. */
type Step = (op: AnyOp, attrs: object, operands: readonly number[], scalars: number) => readonly number[];

const typesOf = (count: number, scalars: number): readonly TensorType[] =>
  Array.from({ length: count }, (_, i) => (i < count - scalars ? weight : scalar("f32")));

const first = (all: readonly Data[]): readonly number[] => all.map((x) => x[0]!);

const whole: Step = (op, attrs, operands, scalars) => {
  const types = typesOf(operands.length, scalars);
  const results = op.infer(types, attrs);
  if (isViolation(results)) throw new Error(results.message);
  return first(evaluateOp(op, operands.map((x) => Float64Array.of(x)), types, results, attrs).results);
};

const expanded: Step = (op, attrs, operands, scalars) => {
  const func = makeFunc(typesOf(operands.length, scalars), (b, params) => op.expand?.(b, params, attrs) ?? []);
  return first([...interpret(func, namedInputs(operands.map((x) => Float64Array.of(x)))).results.values()]);
};

const expectClose = (got: readonly number[], want: readonly number[]): void =>
  want.forEach((x, i) => expect(got[i]).toBeCloseTo(x, 13));

describe.each([["evaluated", whole], ["expanded", expanded]] as const)("%s", (_, step) => {
  it.each([
    // Gradients 2, -1, 0.5 from p = 1 with lr 0.1 and momentum 0.5. Rows: p, m.
    ["momentum", { momentum: 0.5, weight_decay: 0, nesterov: false }, [[0.8, 2], [0.8, 0], [0.75, 0.5]]],
    ["weight decay", { momentum: 0.5, weight_decay: 0.2, nesterov: false }, [[0.78, 2.2], [0.7544, 0.256], [0.676512, 0.77888]]],
    ["Nesterov", { momentum: 0.5, weight_decay: 0.2, nesterov: true }, [[0.67, 2.2], [0.7449, 0.234], [0.641703, 0.76598]]],
  ] as const)("sgd with %s takes the steps worked out by hand", (_name, attrs, rows) => {
    let [p, m] = [1, 0];
    [2, -1, 0.5].forEach((g, i) => {
      [p = Number.NaN, m = Number.NaN] = step(sgd, attrs, [p, g, m, 0.1], 1);
      expectClose([p, m], rows[i]!);
    });
  });

  it.each([
    [
      "defaults and decay",
      { start: 0.5, lr: 0.01, gradients: [0.1, -0.3, 0.2] },
      { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.1 },
      [[0.4895000009999999, 0.01, 0.00001], [0.49395239911100658, -0.021, 0.00009999], [0.49327056977648248, 0.0011, 0.00013989001]],
    ],
    [
      "a large epsilon",
      { start: -2, lr: 0.1, gradients: [4, 1, -0.5] },
      { beta1: 0.8, beta2: 0.5, eps: 0.001, weight_decay: 0 },
      [[-2.0999750062484379, 0.8, 8], [-2.1951940676709606, 0.84, 4.5], [-2.2662965723410777, 0.572, 2.375]],
    ],
  ] as const)("adamw with %s takes the steps worked out by hand", (_name, { start, lr, gradients }, attrs, rows) => {
    let [p, m, v]: number[] = [start, 0, 0];
    gradients.forEach((g, i) => {
      [p, m, v] = step(adamw, attrs, [p!, g, m!, v!, lr, i + 1], 2);
      expectClose([p!, m!, v!], rows[i]!);
    });
  });
});

it("keeps adamw's first step exact to float32 when every operation rounds to float32", () => {
  const attrs = { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0 };
  const operands = [0, 0.3, 0, 0, 1, 1].map(Math.fround);
  const op: AnyOp = adamw;
  const func = makeFunc(typesOf(6, 2), (b, params) => op.expand?.(b, params, attrs) ?? []);
  const round = (x: Data): void => x.forEach((value, i) => (x[i] = Math.fround(value)));
  const inputs = namedInputs(operands.map((x) => Float64Array.of(x)));
  const { results } = interpret(func, inputs, { onOp: (_, made) => made.forEach(round) });
  // From zero state the first update is lr * sign(g), whatever the betas: 1 - 0.999 in float32 would be off by 5e-5.
  expect(Math.abs(results.get("r0")![0]! + 1)).toBeLessThan(1e-6);
});

describe("constraints", () => {
  const adam = { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0 };
  const plain = { momentum: 0.9, weight_decay: 0, nesterov: false };
  const [w, s] = [tensor("f32", [2, 3]), scalar("f32")];

  it.each<readonly [string, AnyOp, readonly TensorType[], object]>([
    ["C0", sgd, [w, w, w], plain],
    ["C0", adamw, [w, w, w, s, s], adam],
    ["C1", sgd, [w, tensor("f32", [3, 2]), w, s], plain],
    ["C1", adamw, [w, w, w, tensor("i32", [2, 3]), s, s], adam],
    ["C2", sgd, [w, w, w, w], plain],
    ["C2", adamw, [w, w, w, w, s, scalar("i32")], adam],
    ["C3", sgd, [w, w, w, s], { ...plain, momentum: 1 }],
    ["C3", adamw, [w, w, w, w, s, s], { ...adam, beta2: 1 }],
    ["C3", adamw, [w, w, w, w, s, s], { ...adam, eps: 0 }],
  ])("%s is refused", (label, op, types, attrs) => {
    const found = op.infer(types, attrs);
    expect(isViolation(found) && found.constraint).toBe(label);
  });
});
