/** @file Random functions of kernel-stage ops, for properties that every function must have. */

import fc from "fast-check";
import { Builder } from "../../ir/builder.ts";
import type { Data, Func, Module, Value } from "../../ir/core.ts";
import * as sq from "../../ir/ops/index.ts";
import { tensor } from "../../ir/types.ts";
import { exampleData, source } from "../numeric/support.ts";

const SQUARE = tensor("f32", [4, 4]);
const ROW = tensor("f32", [4]);

/** One step of a function: what to do, and to which earlier values. */
export interface Choice {
  readonly what: number;
  readonly first: number;
  readonly second: number;
}

const choice = fc.record({ what: fc.nat(11), first: fc.nat(1000), second: fc.nat(1000) });

export interface RandomFunc {
  readonly func: Func;
  readonly inputs: ReadonlyMap<string, Data>;
}

/** Functions of 1 to 40 operations on [4, 4] and [4], with 1 to 4 results. */
export const randomFuncs: fc.Arbitrary<RandomFunc> = fc
  .record({ choices: fc.array(choice, { minLength: 1, maxLength: 40 }), results: fc.array(fc.nat(1000), { minLength: 1, maxLength: 4 }) })
  .map(({ choices, results }) => build(choices, results));

const build = (choices: readonly Choice[], wanted: readonly number[]): RandomFunc => {
  const params: Value[] = [{ name: "a", type: SQUARE }, { name: "b", type: SQUARE }, { name: "r", type: ROW }];
  const b = new Builder();
  const [squares, rows] = [params.slice(0, 2), params.slice(2)];
  for (const one of choices) {
    const made = apply(b, one, squares, rows);
    (made.type.shape.length === 2 ? squares : rows).push(made);
  }
  const all = [...squares, ...rows];
  const values = [...new Set(wanted.map((i) => all[all.length - 1 - (i % all.length)] as Value))];
  const func: Func = {
    name: "f",
    params: params.map((value) => ({ value, name: value.name, role: "input", init: "" })),
    ops: b.ops,
    results: values.map((value, i) => ({ name: `y${i}`, value })),
  };
  const inputs = new Map(params.map(({ name, type }, i) => [name, exampleData({ type, elements: "normal" }, source(i + 1))]));
  return { func, inputs };
};

/** Values stay near 1: squares are squashed, products are averaged. */
const apply = (b: Builder, { what, first, second }: Choice, squares: readonly Value[], rows: readonly Value[]): Value => {
  const x = squares[first % squares.length] as Value;
  const y = squares[second % squares.length] as Value;
  const r = rows[second % rows.length] as Value;
  const steps: readonly (() => Value)[] = [
    () => b.one(sq.add, [x, y], {}),
    () => b.one(sq.tanh, [b.one(sq.mul, [x, y], {})], {}),
    () => b.one(sq.tanh, [x], {}),
    () => b.one(sq.transpose, [x], { perm: [1, 0] }),
    () => b.one(sq.tanh, [b.one(sq.einsum, [x, y], { spec: "i j, j k -> i k" })], {}),
    () => b.one(sq.tanh, [b.one(sq.reduceSum, [x], { axes: [first % 2] })], {}),
    () => b.one(sq.reduceMax, [x], { axes: [1] }),
    () => b.one(sq.broadcast, [r], { axes: [first % 2], type: SQUARE }),
    () => b.one(sq.reshape, [b.one(sq.reshape, [x], { type: tensor("f32", [16]) })], { type: SQUARE }),
    () => b.one(sq.slice, [b.one(sq.concat, [x, y], { axis: 0 })], { starts: [2, 0], limits: [6, 4] }),
    () => b.one(sq.select, [b.one(sq.compare, [x, y], { direction: "lt" }), x, y], {}),
    () => b.one(sq.tanh, [b.one(sq.add, [r, r], {})], {}),
  ];
  return (steps[what] as () => Value)();
};

export const moduleOf = (func: Func): Module => ({ name: "m", dims: new Map(), attrs: {}, funcs: [func] });

