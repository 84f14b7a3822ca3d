/** @file `systematic` as kernel arithmetic: two loops that carry one number each. The first keeps the last chunk whose sum is
 *  below the threshold. The second starts with that sum, adds the chunk up, and turns into -(j + 1) at the index j that
 *  reaches the threshold: sums are not negative, so the sign tells the two apart. */

import type { Expr } from "./kernel.ts";
import type { ExprPool } from "./expr-pool.ts";
import type { Access, LowerContext, Lowering } from "./lower.ts";

interface Search {
  readonly pool: ExprPool;
  /** p of the row at an index, and the sum before a chunk. */
  readonly p: (j: Expr) => Expr;
  readonly before: (chunk: Expr) => Expr;
  readonly threshold: Expr;
  readonly size: number;
  readonly width: number;
  readonly chunks: number;
}

/** The last chunk whose sum is below the threshold. */
const findChunk = ({ pool, before, threshold, chunks }: Search): Expr => {
  if (chunks === 1) return pool.constant(0);
  const found = pool.declare("chunk");
  const loop = { name: pool.declare("c", chunks), extent: chunks };
  const c = pool.variable(loop.name);
  return pool.fold(found, pool.constant(0), loop, pool.select(pool.binary("lt", before(c), threshold), c, pool.variable(found)));
};

/** The elements of a chunk: index j = chunk width + i, and p_j, 0 behind the end of the row. */
const inChunk = ({ pool, p, size, width }: Search, chunk: Expr, i: Expr): { readonly j: Expr; readonly x: Expr } => {
  const j = pool.binary("add", pool.binary("mul", chunk, pool.constant(width)), i);
  const whole = size % width === 0;
  return { j, x: whole ? p(j) : pool.select(pool.binary("lt", j, pool.constant(size)), p(j), pool.constant(0)) };
};

/** -(j + 1) of the first j of the chunk whose sum reaches the threshold; the sum of the chunk where none does. */
const searchChunk = (search: Search, chunk: Expr): Expr => {
  const { pool, threshold, width } = search;
  const name = pool.declare("sum");
  const loop = { name: pool.declare("j", width), extent: width };
  const sum = pool.variable(name);
  const { j, x } = inChunk(search, chunk, pool.variable(loop.name));
  const next = pool.binary("add", sum, x);
  const found = pool.unary("neg", pool.binary("add", j, pool.constant(1)));
  const step = pool.select(pool.binary("ge", next, threshold), found, next);
  return pool.fold(name, search.before(chunk), loop, pool.select(pool.binary("lt", sum, pool.constant(0)), sum, step));
};

/** The last j of the chunk with p > 0, or -1. */
const lastOf = (search: Search, chunk: Expr): Expr => {
  const { pool, width } = search;
  const { loops, at: [i = pool.constant(0)] } = pool.loops([{ name: "j", extent: width }]);
  const { j, x } = inChunk(search, chunk, i);
  return pool.reduce("max", loops, pool.select(pool.binary("gt", x, pool.constant(0)), j, pool.constant(-1)));
};

const searchOf = ({ pool, operands, operandTypes: [p, prefix], attrs: { width }, at }: LowerContext<{ readonly width: number }>): Search => {
  const row = at.slice(0, -1);
  const slot = at.at(-1) ?? pool.constant(0);
  const read = (i: number): Access => operands[i] ?? (() => pool.constant(0));
  return {
    pool,
    p: (j) => read(0)([...row, j]),
    before: (chunk) => read(1)([...row, chunk]),
    threshold: pool.binary("sub", pool.binary("add", slot, pool.constant(1)), read(2)(row)),
    size: p?.shape.at(-1) ?? 0,
    width,
    chunks: prefix?.shape.at(-1) ?? 0,
  };
};

export const systematicElement: Lowering<{ readonly width: number }> = (ctx) => {
  const search = searchOf(ctx);
  const { pool, chunks } = search;
  const none = pool.constant(-1);
  const chunk = findChunk(search);
  const result = searchChunk(search, chunk);
  const found = pool.binary("sub", pool.unary("neg", result), pool.constant(1));
  const inner = chunks === 1 ? none
    : pool.select(pool.binary("eq", chunk, pool.constant(chunks - 1)), none, lastOf(search, chunk));
  return pool.select(pool.binary("lt", result, pool.constant(0)), found, inner);
};
