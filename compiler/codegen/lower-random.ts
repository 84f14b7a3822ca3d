/** @file `random_uniform` as kernel arithmetic: the generator of `ir/random.ts` run on expressions instead of numbers. */

import { draw, highAxes, UNIT } from "../../ir/random.ts";
import type { Arithmetic, Words } from "../../ir/random.ts";
import { strides } from "../../ir/types.ts";
import { flatten } from "./index-expr.ts";
import type { Expr } from "./kernel.ts";
import type { ExprPool } from "./expr-pool.ts";
import type { Lowering } from "./lower.ts";

const arithmetic = (pool: ExprPool): Arithmetic<Expr> => ({
  constant: (value) => pool.constant(value),
  add: (a, b) => pool.binary("add", a, b),
  mul: (a, b) => pool.binary("mul", a, b),
  mod: (a, divisor) => pool.binary("mod", a, pool.constant(divisor)),
  idiv: (a, divisor) => pool.binary("idiv", a, pool.constant(divisor)),
  share: (value, body) => body(value),
});

export const randomElement: Lowering<{ readonly site: number }> = ({ pool, attrs, operands: [key], type, at }) => {
  const word = (i: number): Expr => (key === undefined ? pool.constant(0) : key([pool.constant(i)]));
  const words: Words<Expr> = [word(0), word(1), word(2), word(3)];
  const split = highAxes(type.shape);
  const index = (from: number, to: number): Expr => flatten(pool, at.slice(from, to), strides(type.shape.slice(from, to)));
  const drawn = draw(arithmetic(pool), words, attrs.site, index(0, split), index(split, at.length));
  return pool.binary("mul", drawn, pool.constant(UNIT));
};
