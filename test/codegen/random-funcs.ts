/** @file Random functions at the kernel stage, with random decisions about what is inline: input for property tests. */

import fc from "fast-check";
import type { Builder } from "../../ir/builder.ts";
import type { Func, Operation, TensorType, Value } from "../../ir/core.ts";
import * as sq from "../../ir/ops/index.ts";
import { elements, rank, sameShape, tensor, withDType } from "../../ir/types.ts";
import { makeFunc } from "../numeric/support.ts";

/** A choice: what to build and from which values, as numbers that are reduced to what there is. */
export interface Choice {
  readonly make: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly inline: boolean;
}

export const choices: fc.Arbitrary<readonly Choice[]> = fc.array(
  fc.record({ make: fc.nat(1000), a: fc.nat(1000), b: fc.nat(1000), c: fc.nat(1000), inline: fc.boolean() }),
  { minLength: 2, maxLength: 14 },
);

const PARAMS: readonly TensorType[] = [tensor("f32", [2, 3, 4]), tensor("f32", [3, 4]), tensor("f32", [4]), tensor("i32", [2, 3])];

interface Pick {
  readonly b: Builder;
  readonly x: Value;
  /** A value of x's shape, perhaps x itself. */
  readonly y: Value;
  readonly n: number;
  readonly ids: Value;
}

const axisOf = ({ x, n }: Pick): number => n % Math.max(1, rank(x.type));

const shapes = (count: number): readonly (readonly number[])[] =>
  [[count], [1, count], ...[2, 3, 4].flatMap((d) => (count % d === 0 ? [[d, count / d], [count / d, d]] : []))];

const alongAxis = (p: Pick, width: number, by: readonly number[]): readonly number[] =>
  p.x.type.shape.map((_, axis) => (axis === axisOf(p) ? (by[0] ?? width) : width));

/** Bounded functions and movements only, so that no chain of them leaves the range where float32 agrees. */
const MAKERS: readonly ((p: Pick) => Value)[] = [
  ({ b, x }) => b.one(sq.tanh, [x], {}),
  ({ b, x }) => b.one(sq.logistic, [x], {}),
  ({ b, x }) => b.one(sq.erf, [x], {}),
  ({ b, x, y }) => b.one(sq.mul, [b.one(sq.tanh, [x], {}), b.one(sq.tanh, [y], {})], {}),
  ({ b, x, y }) => b.one(sq.sub, [x, y], {}),
  ({ b, x, y }) => b.one(sq.max, [x, y], {}),
  ({ b, x, y }) => b.one(sq.select, [b.one(sq.compare, [x, y], { direction: "lt" }), y, x], {}),
  ({ b, x }) => {
    if (rank(x.type) === 0) return x;
    const i = b.one(sq.iota, [], { axis: 0, type: withDType(x.type, "i32") });
    const two = b.one(sq.constant, [], { value: 2, type: i.type });
    const odd = b.one(sq.compare, [b.one(sq.mod, [i, two], {}), two], { direction: "ne" });
    const parity = b.one(sq.select, [odd, b.one(sq.idiv, [i, two], {}), i], {});
    return b.one(sq.add, [x, b.one(sq.convert, [parity], { to: "f32" })], {});
  },
  (p) => p.b.one(sq.reduceSum, [p.b.one(sq.tanh, [p.x], {})], { axes: rank(p.x.type) === 0 ? [] : [axisOf(p)] }),
  (p) => p.b.one(sq.reduceMax, [p.x], { axes: rank(p.x.type) === 0 ? [] : [axisOf(p)] }),
  ({ b, x, n }) => b.one(sq.reshape, [x], { type: tensor("f32", shapes(elements(x.type))[n % shapes(elements(x.type)).length] ?? []) }),
  ({ b, x }) => b.one(sq.transpose, [x], { perm: x.type.shape.map((_, i) => rank(x.type) - 1 - i) }),
  (p) => {
    const size = p.x.type.shape[axisOf(p)] ?? 1;
    return p.b.one(sq.slice, [p.x], { starts: alongAxis(p, 0, [size > 1 ? 1 : 0]), limits: p.x.type.shape });
  },
  (p) => p.b.one(sq.pad, [p.x], { low: alongAxis(p, 0, [1]), high: alongAxis(p, 0, [p.n % 2]) }),
  (p) => (rank(p.x.type) === 0 ? p.x : p.b.one(sq.concat, [p.x, p.y], { axis: axisOf(p) })),
  ({ b, x }) => b.one(sq.broadcast, [x], { axes: x.type.shape.map((_, i) => i + 1), type: tensor("f32", [2, ...x.type.shape]) }),
  ({ b, x, ids }) => ((x.type.shape[0] ?? 0) < 2 ? x : b.one(sq.gather, [x, ids], {})),
  ({ b, x }) => {
    if (rank(x.type) !== 2) return x;
    const product = b.one(sq.einsum, [x, b.one(sq.tanh, [x], {})], { spec: "i k, j k -> i j" });
    return b.one(sq.tanh, [product], {});
  },
];

/** Tensors larger than this end a chain: only small ones are cheap to check. */
const LARGEST = 400;

/** A function whose results are its last two values; operations are inline as the choices say, where that is allowed. */
export const randomFunc = (made: readonly Choice[]): Func => {
  let chosen: readonly (readonly [Operation, boolean])[] = [];
  const func = makeFunc(PARAMS, (b, params) => {
    const ids = params[3] as Value;
    const values = params.slice(0, 3);
    const marks: (readonly [Operation, boolean])[] = [];
    for (const choice of made) {
      const x = values[choice.a % values.length] as Value;
      const like = values.filter((v) => sameShape(v.type, x.type));
      const before = b.ops.length;
      const value = MAKERS[choice.make % MAKERS.length]?.({ b, x, y: like[choice.b % like.length] as Value, n: choice.c, ids });
      if (value !== undefined && elements(value.type) <= LARGEST && rank(value.type) <= 5 && !values.includes(value)) values.push(value);
      b.ops.slice(before).forEach((operation, i) => marks.push([operation, (choice.inline ? 1 : 0) !== (i === 0 ? 0 : 1)]));
    }
    chosen = marks;
    return values.slice(-2);
  });
  const results = new Set(func.results.map((result) => result.value));
  const inline = new Map(chosen);
  const ops = func.ops.map((operation) => ({ ...operation, inline: inline.get(operation) === true && !operation.results.some((v) => results.has(v)) }));
  return { ...func, ops };
};

/** Numbers for its parameters; the indices are below 2, the smallest table it gathers from. */
export const randomData = (uniform: () => number): readonly Float64Array[] =>
  PARAMS.map((type) => Float64Array.from({ length: elements(type) }, () => Math.fround(type.dtype === "i32" ? Math.floor(uniform() * 2) : uniform() * 3 - 1.5)));
