/** @file The verifier on modules that no text can spell (values are the same when they are the same object), and how its
 *  errors are shown. */

import { describe, expect, it } from "vitest";
import type { AnyOp, Func, Module, Operation, Value } from "../../ir/core.ts";
import { OPS, add, exp, reduceSum } from "../../ir/ops/index.ts";
import { STAGES } from "../../ir/stages.ts";
import { UNKNOWN } from "../../ir/span.ts";
import { tensor } from "../../ir/types.ts";
import { describeError, printErrors, verify } from "../../ir/verify.ts";

const value = (name: string): Value => ({ type: tensor("f32", [2]), name });

const apply = (op: AnyOp, operands: readonly Value[], result: Value, attrs: object = {}): Operation => ({
  op, operands, attrs, results: [result], path: "", loc: UNKNOWN, inline: false,
});

const x = value("x");
const y = value("y");

const func = (ops: readonly Operation[], result: Value): Func => ({
  name: "f",
  params: [{ value: x, name: "x", role: "input", init: "" }],
  ops,
  results: [{ value: result, name: "result" }],
});

const moduleOf = (...funcs: readonly Func[]): Module => ({ name: "m", dims: new Map(), funcs, attrs: {} });

const messages = (...funcs: readonly Func[]): string[] =>
  verify(moduleOf(...funcs), "gradient").map((error) => `${error.code} ${describeError(error)}`);

describe("the verifier", () => {
  it("accepts what is right", () => {
    expect(messages(func([apply(exp, [x], y)], y))).toEqual([]);
  });

  it("wants every value defined once", () => {
    expect(messages(func([apply(exp, [x], y), apply(exp, [x], y)], y))).toEqual(["SQ0403 @f %y sq.exp: value %y is defined twice"]);
    expect(messages(func([apply(exp, [x], x)], x))).toEqual(["SQ0403 @f %x sq.exp: value %x is defined twice"]);
  });

  it("wants every value defined before it is used, by identity and not by name", () => {
    const impostor = value("x");
    expect(messages(func([apply(add, [x, impostor], y)], y))).toEqual([
      "SQ0403 @f %y sq.add: operand %x is not defined before it is used",
    ]);
    const z = value("z");
    expect(messages(func([apply(exp, [y], z), apply(exp, [x], y)], z)).length).toBe(1);
    expect(messages(func([], y))).toEqual(["SQ0410 @f: result result is a value that is not defined"]);
  });

  it("wants values of one function only", () => {
    const first = func([apply(exp, [x], y)], y);
    const second: Func = { name: "g", params: [], ops: [], results: [{ value: y, name: "y" }] };
    expect(messages(first, second)).toEqual(["SQ0410 @g: result y is a value that is not defined"]);
  });

  it("wants attributes that their codecs accept", () => {
    const scalar: Value = { type: tensor("f32", []), name: "s" };
    const sum = (attrs: object): string[] => messages(func([apply(reduceSum, [x], scalar, attrs)], scalar));
    expect(sum({ axes: [0] })).toEqual([]);
    expect(sum({ axes: [0], more: 1 })).toEqual(["SQ0407 @f %s sq.reduce_sum: sq.reduce_sum has no attribute more"]);
    expect(sum({ axes: [0.5] })[0]).toBe("SQ0407 @f %s sq.reduce_sum: attribute axes is not an array; each item an integer");
  });

  it("wants names of functions to differ", () => {
    const one = func([], x);
    expect(messages(one, one)).toContain("SQ0410 @f: two functions are called @f");
  });

  it("collects, and prints each error under its operation", () => {
    const z = value("z");
    const broken = func([apply(exp, [z], y), apply(add, [x], value("w"))], value("r"));
    expect(`\n${printErrors(verify(moduleOf(broken), "gradient"))}`).toMatchInlineSnapshot(`
      "
      func.func @f(%x: tensor<2xf32> {sq.name = "x", sq.role = "input"}) -> (tensor<2xf32> {sq.name = "result"}) {
          ^ SQ0410: result result is a value that is not defined
        %y = "sq.exp"(%z) : (tensor<2xf32>) -> tensor<2xf32>
          ^ SQ0403: operand %z is not defined before it is used
        %w = "sq.add"(%x) : (tensor<2xf32>) -> tensor<2xf32>
          ^ SQ0404: C0: takes two operands, given 1
        return %r : tensor<2xf32>
      }
      "
    `);
  });
});

describe("stages", () => {
  it("follow from the records", () => {
    for (const op of OPS) {
      expect(STAGES.gradient.has(op)).toBe(true);
      expect(STAGES.kernel.has(op)).toBe(op.expand === null);
    }
    const outside = OPS.filter((op) => !STAGES.model.has(op)).map((op) => op.mnemonic);
    expect(outside).toMatchInlineSnapshot(`
      [
        "features_vjp",
        "softmax_vjp",
        "log_softmax_vjp",
        "cross_entropy_vjp",
        "attention_vjp",
        "attention_vjp_sampled",
        "attention_vjp_lowrank",
        "sgd",
        "adamw",
      ]
    `);
  });
});
