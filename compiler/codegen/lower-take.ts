/** @file Loads at slots: guarded by the slot's being filled, so that no kernel reads at index -1. */

import type { Expr } from "./kernel.ts";
import { divide } from "./index-expr.ts";
import type { LowerContext, Lowering } from "./lower.ts";

type Context = LowerContext<object>;

const zero = ({ pool }: Context): Expr => pool.constant(0);

/** x[where(id)], 0 for an empty slot. */
const guarded = (ctx: Context, slot: readonly Expr[], where: (id: Expr) => readonly Expr[]): Expr => {
  const { pool, operands: [x, ids] } = ctx;
  if (x === undefined || ids === undefined) return zero(ctx);
  const id = ids(slot);
  return pool.select(pool.binary("lt", id, zero(ctx)), zero(ctx), x(where(id)));
};

export const takeRows: Lowering<object> = (ctx) => {
  const { pool, at, operandTypes: [x, ids] } = ctx;
  const [batch = zero(ctx), head = zero(ctx)] = at;
  const group = (ids?.shape[1] ?? 1) / (x?.shape[1] ?? 1);
  return guarded(ctx, at.slice(0, 4), (id) => [batch, divide(pool, head, group), id, at[4] ?? zero(ctx)]);
};

export const takeAlong: Lowering<object> = (ctx) => guarded(ctx, ctx.at, (id) => [...ctx.at.slice(0, -1), id]);
