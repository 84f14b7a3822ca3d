/** @file `random_uniform` and `random_at` as kernel arithmetic: the generator of `ir/random.ts` run on expressions instead of numbers. */

import { draw, highAxes, UNIT } from "../../ir/random.ts";
import type { Arithmetic, Words } from "../../ir/random.ts";
import { strides } from "../../ir/types.ts";
import { flatten } from "./index-expr.ts";
import type { Expr } from "./kernel.ts";
import type { ExprPool } from "./expr-pool.ts";
import type { LowerContext, Lowering } from "./lower.ts";

const arithmetic = (pool: ExprPool): Arithmetic<Expr> => ({
  constant: (value) => pool.constant(value),
  add: (a, b) => pool.binary("add", a, b),
  mul: (a, b) => pool.binary("mul", a, b),
  mod: (a, divisor) => pool.binary("mod", a, pool.constant(divisor)),
  idiv: (a, divisor) => pool.binary("idiv", a, pool.constant(divisor)),
  share: (value, body) => body(value),
});

const keyWords = ({ pool, operands: [key] }: LowerContext<object>): Words<Expr> => {
  const word = (i: number): Expr => (key === undefined ? pool.constant(0) : key([pool.constant(i)]));
  return [word(0), word(1), word(2), word(3)];
};

export const randomElement: Lowering<{ readonly site: number }> = (ctx) => {
  const { pool, attrs, type, at } = ctx;
  const split = highAxes(type.shape);
  const index = (from: number, to: number): Expr => flatten(pool, at.slice(from, to), strides(type.shape.slice(from, to)));
  const drawn = draw(arithmetic(pool), keyWords(ctx), attrs.site, index(0, split), index(split, at.length));
  return pool.binary("mul", drawn, pool.constant(UNIT));
};

export const randomAtElement: Lowering<{ readonly site: number }> = (ctx) => {
  const { pool, attrs, at } = ctx;
  const counter = (i: number): Expr => ctx.operands[i]?.(at) ?? pool.constant(0);
  return pool.binary("mul", draw(arithmetic(pool), keyWords(ctx), attrs.site, counter(1), counter(2)), pool.constant(UNIT));
};
