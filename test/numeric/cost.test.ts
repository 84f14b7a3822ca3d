/** @file The cost polynomials against counts taken while evaluating, for every op; and of a whole function. */

import { expect, it } from "vitest";
import { Builder } from "../../ir/builder.ts";
import type { TensorType } from "../../ir/core.ts";
import { bytesOfOperation, costOf, costOfFunc } from "../../ir/cost.ts";
import { evaluateOp, interpret } from "../../ir/interpret.ts";
import { add, einsum, gather, reduceSum, tanh } from "../../ir/ops/index.ts";
import * as poly from "../../ir/poly.ts";
import { elements, named } from "../../ir/types.ts";
import { CASES, dataOf, environment, makeFunc, namedInputs, resultTypesOf, typesOf } from "./support.ts";

it.each(CASES.map((c) => [c.label, c] as const))("the polynomials of %s give what evaluation counts", (_, c) => {
  const operands = typesOf(c.example);
  const types = resultTypesOf(c);
  const { flops } = evaluateOp(c.op, dataOf(c.example), operands, types, c.example.attrs);
  const env = environment([...operands, ...types]);
  const [operation] = makeFunc(operands, (b, params) => b.all(c.op, params, c.example.attrs)).ops;
  const cost = costOf(operation!);
  expect(poly.evaluate(cost.flops, env)).toBe(flops);
  expect(poly.evaluate(cost.bytes, env)).toBe(bytesOfOperation(operation!));
  const count = (all: readonly TensorType[]): number => all.reduce((sum, type) => sum + elements(type), 0);
  if (c.op.bytes === undefined) expect(bytesOfOperation(operation!)).toBe(4 * (count(operands) + count(types)));
});

it("the cost of a function is a polynomial in the model's dims that the interpreter's counts agree with", () => {
  const [table, ids] = [named("f32", [["V", 5], ["D", 4]]), named("i32", [["T", 3]])];
  const func = makeFunc([table, ids], (b, [w, i]) => {
    const x = b.one(gather, [w!, i!], {});
    const logits = b.one(einsum, [b.one(tanh, [x], {}), w!], { spec: "t d, v d -> t v" });
    return [b.one(reduceSum, [b.one(add, [logits, logits], {})], { axes: [0, 1] })];
  });
  const cost = costOfFunc(func);
  expect(poly.print(cost.flops)).toBe("2*D*T*V + D*T + 2*T*V");
  expect(poly.print(cost.bytes)).toBe("16*D*T + 8*D*V + 20*T*V + 4*T + 4");
  expect([...cost.byOp].map(([name, { count, flops }]) => `${name} ${count} ${poly.print(flops)}`)).toEqual([
    "gather 1 0", "tanh 1 D*T", "einsum 1 2*D*T*V", "add 1 T*V", "reduce_sum 1 T*V",
  ]);
  const env = environment([table, ids]);
  const counted = interpret(func, namedInputs([new Float64Array(20).fill(0.1), Float64Array.of(0, 4, 2)]));
  expect(counted.flops).toBe(poly.evaluate(cost.flops, env));
  expect(counted.bytes).toBe(poly.evaluate(cost.bytes, env));
});

it("costs twenty thousand operations within two seconds", () => {
  const x = { type: named("f32", [["B", 1], ["T", 512], ["D", 768]]), name: "x" };
  const b = new Builder();
  let y = b.one(tanh, [x], {});
  for (let i = 0; i < 20_000; i++) y = b.one(add, [x, y], {});
  const start = performance.now();
  const cost = costOfFunc({ name: "deep", params: [], ops: b.ops, results: [] });
  expect(poly.print(cost.flops)).toBe("20001*B*D*T");
  expect(performance.now() - start).toBeLessThan(2_000);
});
