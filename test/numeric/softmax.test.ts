/** @file Softmax, its logarithm and cross-entropy against their definitions, and where exp would overflow. */

import { describe, expect, it } from "vitest";
import type { AnyOp, Data, TensorType } from "../../ir/core.ts";
import { isViolation } from "../../ir/core.ts";
import { evaluateOp, interpret } from "../../ir/interpret.ts";
import { crossEntropy, crossEntropyVjp, logSoftmax, logSoftmaxVjp, softmax, softmaxVjp } from "../../ir/ops/index.ts";
import { tensor } from "../../ir/types.ts";
import { makeFunc, namedInputs } from "./support.ts";

const infer = (op: AnyOp, types: readonly TensorType[], attrs: object): readonly TensorType[] => {
  const found = op.infer(types, attrs);
  if (isViolation(found)) throw new Error(found.message);
  return found;
};

/** The one result, evaluated and expanded, which must agree to the last digits. */
const both = (op: AnyOp, types: readonly TensorType[], data: readonly Data[], attrs: object): readonly number[] => {
  const [whole] = evaluateOp(op, data, types, infer(op, types, attrs), attrs).results;
  const func = makeFunc(types, (b, params) => op.expand?.(b, params, attrs) ?? []);
  const [part] = [...interpret(func, namedInputs(data)).results.values()];
  whole!.forEach((x, i) => expect(part![i]).toBeCloseTo(x, 13));
  return [...whole!];
};

const x23 = tensor("f32", [2, 3]);
const data = Float64Array.of(0, Math.log(2), Math.log(5), 1000, 1000, -1000);

describe("softmax", () => {
  it("is the share of exp(x), also where exp(x) overflows", () => {
    const p = both(softmax, [x23], [data], { axis: 1 });
    [1 / 8, 2 / 8, 5 / 8, 0.5, 0.5, 0].forEach((want, i) => expect(p[i]).toBeCloseTo(want, 14));
  });

  it("normalises along the axis it is given", () => {
    const p = both(softmax, [x23], [Float64Array.of(0, 1, 2, Math.log(3), 1, 2)], { axis: 0 });
    [1 / 4, 1 / 2, 1 / 2, 3 / 4, 1 / 2, 1 / 2].forEach((want, i) => expect(p[i]).toBeCloseTo(want, 14));
  });

  it("has a finite logarithm", () => {
    const y = both(logSoftmax, [x23], [data], { axis: 1 });
    [Math.log(1 / 8), Math.log(2 / 8), Math.log(5 / 8), -Math.log(2), -Math.log(2), -2000 - Math.log(2)].forEach((want, i) =>
      expect(y[i]).toBeCloseTo(want, 12),
    );
  });
});

describe("cross-entropy", () => {
  const targets = tensor("i32", [2]);

  it("is -log softmax of the target", () => {
    const nll = both(crossEntropy, [x23, targets], [data, Float64Array.of(1, 2)], { ignore: null });
    expect(nll[0]).toBeCloseTo(Math.log(4), 14);
    expect(nll[1]).toBeCloseTo(2000 + Math.log(2), 12);
  });

  it("is 0 with gradient 0 where the target is ignored, whether that is a class or not", () => {
    for (const ignore of [2, -100]) {
      const classes = Float64Array.of(1, ignore);
      const nll = both(crossEntropy, [x23, targets], [data, classes], { ignore });
      expect(nll[0]).toBeCloseTo(Math.log(4), 14);
      expect(nll[1]).toBe(0);
      const dx = both(crossEntropyVjp, [x23, targets, tensor("f32", [2])], [data, classes, Float64Array.of(8, 8)], { ignore });
      [1, -6, 5, 0, 0, 0].forEach((want, i) => expect(dx[i]).toBeCloseTo(want, 13));
    }
  });
});

describe("constraints", () => {
  const [ints, row] = [tensor("i32", [2, 3]), tensor("f32", [2])];
  const none = { ignore: null };

  it.each<readonly [string, AnyOp, readonly TensorType[], object]>([
    ["C0", softmax, [x23, x23], { axis: 0 }],
    ["C1", softmax, [ints], { axis: 0 }],
    ["C2", logSoftmax, [x23], { axis: 2 }],
    ["C2", softmax, [x23], { axis: -1 }],
    ["C3", softmaxVjp, [x23, tensor("f32", [3, 2])], { axis: 0 }],
    ["C1", logSoftmaxVjp, [ints, ints], { axis: 0 }],
    ["C0", crossEntropy, [x23], none],
    ["C1", crossEntropy, [ints, tensor("i32", [2])], none],
    ["C1", crossEntropy, [tensor("f32", []), tensor("i32", [])], none],
    ["C2", crossEntropy, [x23, row], none],
    ["C2", crossEntropy, [x23, tensor("i32", [3])], none],
    ["C3", crossEntropy, [x23, tensor("i32", [2])], { ignore: 0.5 }],
    ["C4", crossEntropyVjp, [x23, tensor("i32", [2]), x23], none],
  ])("%s is refused", (label, op, types, attrs) => {
    const found = op.infer(types, attrs);
    expect(isViolation(found) && found.constraint).toBe(label);
  });
});
