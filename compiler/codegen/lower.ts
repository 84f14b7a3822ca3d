/** @file The lowering table: how one element of each kernel-stage op's result is computed from elements of its operands.
 *
 *  Total over the ops without an expansion (a test compares the table with the registry). An entry sees its operands only
 *  through accessors, so it does not know whether an operand is a buffer or an operation computed in place. */

import type { AnyOp, Op, TensorType, Value } from "../../ir/core.ts";
import { InternalError } from "../../ir/diagnostic.ts";
import { parseEinsum } from "../../ir/ops/einsum-spec.ts";
import * as sq from "../../ir/ops/index.ts";
import { strides } from "../../ir/types.ts";
import { compareIndex, divide, flatten, offset, remainder } from "./index-expr.ts";
import type { BinaryFn, Expr, Loop, UnaryFn } from "./kernel.ts";
import type { ExprPool } from "./expr-pool.ts";
import { monomialTable, productTable, weightTable } from "./lower-monomials.ts";
import { randomAtElement, randomElement } from "./lower-random.ts";
import { systematicElement } from "./lower-sample.ts";
import { lowerBound, mergeRuns, segmentSum } from "./lower-runs.ts";
import { takeAlong, takeRows } from "./lower-take.ts";

/** The element of an operand at an index for every axis. */
export type Access = (at: readonly Expr[]) => Expr;

export interface LowerContext<A> {
  readonly pool: ExprPool;
  readonly attrs: A;
  readonly operands: readonly Access[];
  readonly operandTypes: readonly TensorType[];
  readonly type: TensorType;
  readonly at: readonly Expr[];
}

export type Lowering<A> = (ctx: LowerContext<A>) => Expr;

type Entry = readonly [op: AnyOp, lowering: Lowering<object>];

const entry = <O extends readonly Value[], A extends object>(op: Op<O, A>, lowering: Lowering<A>): Entry => [
  op,
  lowering as Lowering<object>,
];

const operand = <A>(ctx: LowerContext<A>, i: number): Access => item(ctx.operands, i);
const typeOf = <A>(ctx: LowerContext<A>, i: number): TensorType => item(ctx.operandTypes, i);

const item = <T>(list: readonly T[], i: number): T => {
  const found = list[i];
  if (found === undefined) throw new InternalError(`item ${i} of ${list.length}`);
  return found;
};

const unary = (fn: UnaryFn): Lowering<object> => (ctx) => ctx.pool.unary(fn, operand(ctx, 0)(ctx.at));

const binary = (fn: BinaryFn): Lowering<object> => (ctx) =>
  ctx.pool.binary(fn, operand(ctx, 0)(ctx.at), operand(ctx, 1)(ctx.at));

const reduction = (fn: "sum" | "max"): Lowering<{ readonly axes: readonly number[] }> => (ctx) => {
  const { pool, at, attrs } = ctx;
  const shape = typeOf(ctx, 0).shape;
  const { loops, at: inner } = pool.loops(attrs.axes.map((axis) => ({ name: loopName(typeOf(ctx, 0), axis), extent: item(shape, axis) })));
  let outer = 0;
  const index = shape.map((_, axis) => {
    const reduced = attrs.axes.indexOf(axis);
    return reduced >= 0 ? item(inner, reduced) : item(at, outer++);
  });
  return pool.reduce(fn, loops, operand(ctx, 0)(index));
};

/** `t` for an axis spelled T; `i`, `j`, … for one without a name of its own. */
export const loopName = (type: TensorType, axis: number): string => {
  const names = [...(type.dims[axis]?.terms.keys() ?? [])];
  const [name = ""] = names;
  return names.length === 1 && /^[A-Za-z]\w*$/.test(name) ? name.toLowerCase() : ("ijklmn"[axis] ?? "i");
};

const broadcast: Lowering<{ readonly axes: readonly number[] }> = (ctx) =>
  operand(ctx, 0)(typeOf(ctx, 0).shape.map((size, i) => (size === 1 ? ctx.pool.constant(0) : item(ctx.at, item(ctx.attrs.axes, i)))));

/** Index k of the operand = floor(flat / stride_k) mod size_k. */
const reshape: Lowering<object> = (ctx) => operand(ctx, 0)(delinearize(ctx.pool, flatten(ctx.pool, ctx.at, strides(ctx.type.shape)), typeOf(ctx, 0).shape));

export const delinearize = (pool: ExprPool, flat: Expr, shape: readonly number[]): readonly Expr[] => {
  const step = strides(shape);
  const first = shape.findIndex((size) => size !== 1);
  return shape.map((size, i) => {
    if (size === 1) return pool.constant(0);
    const quotient = divide(pool, flat, item(step, i));
    return i === first ? quotient : remainder(pool, quotient, size);
  });
};

const slice: Lowering<{ readonly starts: readonly number[] }> = (ctx) =>
  operand(ctx, 0)(ctx.at.map((index, axis) => offset(ctx.pool, index, item(ctx.attrs.starts, axis))));

/** Row i of the slice is row start + i of the operand. */
const dynamicSlice: Lowering<{ readonly axis: number }> = (ctx) => {
  const { pool, attrs } = ctx;
  const start = operand(ctx, 1)([]);
  return operand(ctx, 0)(ctx.at.map((index, axis) => (axis === attrs.axis ? pool.binary("add", start, index) : index)));
};

const dynamicUpdateSlice: Lowering<{ readonly axis: number }> = (ctx) => {
  const { pool, at, attrs } = ctx;
  const row = pool.binary("sub", item(at, attrs.axis), operand(ctx, 2)([]));
  const update = operand(ctx, 1)(at.map((index, axis) => (axis === attrs.axis ? row : index)));
  const size = pool.constant(item(typeOf(ctx, 1).shape, attrs.axis));
  const inside = pool.binary("and", pool.binary("ge", row, pool.constant(0)), pool.binary("lt", row, size));
  return pool.select(inside, update, operand(ctx, 0)(at));
};

const pad: Lowering<{ readonly low: readonly number[] }> = (ctx) => {
  const { pool } = ctx;
  const index = ctx.at.map((i, axis) => offset(pool, i, -item(ctx.attrs.low, axis)));
  const inside = index.reduce((all: Expr, i, axis) => {
    const bounds = [compareIndex(pool, "ge", i, 0), compareIndex(pool, "lt", i, item(typeOf(ctx, 0).shape, axis))];
    return bounds.reduce((a, b) => both(pool, a, b), all);
  }, pool.constant(1));
  return inside.kind === "const" && inside.value === 0 ? pool.constant(0) : pool.select(inside, operand(ctx, 0)(index), pool.constant(0));
};

const both = (pool: ExprPool, a: Expr, b: Expr): Expr =>
  a.kind === "const" ? (a.value === 0 ? a : b) : b.kind === "const" ? (b.value === 0 ? b : a) : pool.binary("and", a, b);

const concat: Lowering<{ readonly axis: number }> = (ctx) => {
  const { pool, at, attrs } = ctx;
  const along = item(at, attrs.axis);
  const piece = (i: number, start: number): Expr => {
    const read = (): Expr => operand(ctx, i)(at.map((index, axis) => (axis === attrs.axis ? offset(pool, index, -start) : index)));
    if (i === ctx.operands.length - 1) return read();
    const end = start + item(typeOf(ctx, i).shape, attrs.axis);
    const here = compareIndex(pool, "lt", along, end);
    if (here.kind === "const") return here.value === 1 ? read() : piece(i + 1, end);
    return pool.select(here, read(), piece(i + 1, end));
  };
  return piece(0, 0);
};

const gather: Lowering<object> = (ctx) => {
  const rank = typeOf(ctx, 1).shape.length;
  return operand(ctx, 0)([operand(ctx, 1)(ctx.at.slice(0, rank)), ...ctx.at.slice(rank)]);
};

/** The smallest token with a property is minus the largest of -t; n (there is none) becomes -1. */
const firstToken = (pool: ExprPool, n: number, holds: (t: Expr) => Expr): Expr => {
  const { loops, at: [t = pool.constant(0)] } = pool.loops([{ name: "t", extent: n }]);
  const candidate = pool.select(holds(t), pool.unary("neg", t), pool.constant(-n));
  const first = pool.unary("neg", pool.reduce("max", loops, candidate));
  return pool.select(pool.binary("lt", first, pool.constant(n)), first, pool.constant(-1));
};

/** Element `t` of a tensor read in row-major order. */
const flatAccess = <A>(ctx: LowerContext<A>, i: number, t: Expr): Expr =>
  operand(ctx, i)(delinearize(ctx.pool, t, typeOf(ctx, i).shape));

const count = (type: TensorType): number => type.shape.reduce((product, size) => product * size, 1);

const bucketHeads: Lowering<object> = (ctx) =>
  firstToken(ctx.pool, count(typeOf(ctx, 0)), (t) => ctx.pool.binary("eq", flatAccess(ctx, 0, t), item(ctx.at, 0)));

const bucketNext: Lowering<object> = (ctx) => {
  const { pool } = ctx;
  const here = item(ctx.at, 0);
  const own = flatAccess(ctx, 0, here);
  return firstToken(pool, count(typeOf(ctx, 0)), (t) =>
    pool.binary("and", pool.binary("gt", t, here), pool.binary("eq", flatAccess(ctx, 0, t), own)),
  );
};

const bucketSum: Lowering<object> = (ctx) => {
  const { pool } = ctx;
  const [row, ...rest] = ctx.at;
  const cursor = pool.declare("token");
  const token = pool.variable(cursor);
  const head = operand(ctx, 0)([row ?? pool.constant(0)]);
  return pool.walk(cursor, head, operand(ctx, 1)([token]), count(typeOf(ctx, 1)), operand(ctx, 2)([token, ...rest]));
};

const einsum: Lowering<{ readonly spec: string }> = (ctx) => {
  const { pool } = ctx;
  const spec = parseEinsum(ctx.attrs.spec);
  if ("constraint" in spec) throw new InternalError(spec.message);
  const index = new Map<string, Expr>(spec.result.map((label, i) => [label, item(ctx.at, i)]));
  const extent = (label: string): number => item(typeOf(ctx, 0).shape, spec.a.indexOf(label));
  const { loops, at } = pool.loops(spec.contracted.map((label): Loop => ({ name: label.toLowerCase(), extent: extent(label) })));
  spec.contracted.forEach((label, i) => index.set(label, item(at, i)));
  const [a, b] = [spec.a, spec.b].map((labels, i) => operand(ctx, i)(labels.map((label) => index.get(label) ?? pool.constant(0))));
  return pool.reduce("sum", loops, pool.binary("mul", a ?? pool.constant(1), b ?? pool.constant(1)));
};

/** Conversion to integers drops the fraction. */
const convert: Lowering<object> = (ctx) => {
  const { pool } = ctx;
  const x = operand(ctx, 0)(ctx.at);
  const [from, to] = [typeOf(ctx, 0).dtype, ctx.type.dtype];
  if (to === "i1") return from === "i1" ? x : pool.binary("ne", x, pool.constant(0));
  if (from !== "f32" || to !== "i32") return x;
  const up = pool.unary("neg", pool.unary("floor", pool.unary("neg", x)));
  return pool.select(pool.binary("lt", x, pool.constant(0)), up, pool.unary("floor", x));
};

const UNARY_OPS: readonly (readonly [AnyOp, UnaryFn])[] = [
  [sq.neg, "neg"], [sq.exp, "exp"], [sq.log, "log"], [sq.sqrt, "sqrt"], [sq.rsqrt, "rsqrt"], [sq.tanh, "tanh"],
  [sq.erf, "erf"], [sq.logistic, "logistic"], [sq.sin, "sin"], [sq.cos, "cos"], [sq.abs, "abs"], [sq.sign, "sign"],
  [sq.floor, "floor"], [sq.not, "not"],
];

const BINARY_OPS: readonly (readonly [AnyOp, BinaryFn])[] = [
  [sq.add, "add"], [sq.sub, "sub"], [sq.mul, "mul"], [sq.div, "div"], [sq.max, "max"], [sq.min, "min"],
  [sq.pow, "pow"], [sq.idiv, "idiv"], [sq.mod, "mod"], [sq.and, "and"], [sq.or, "or"],
];

export const LOWERINGS: ReadonlyMap<AnyOp, Lowering<object>> = new Map<AnyOp, Lowering<object>>([
  ...UNARY_OPS.map(([op, fn]): Entry => [op, unary(fn)]),
  ...BINARY_OPS.map(([op, fn]): Entry => [op, binary(fn)]),
  entry(sq.compare, (ctx) => binary(ctx.attrs.direction)(ctx)),
  entry(sq.select, (ctx) => ctx.pool.select(operand(ctx, 0)(ctx.at), operand(ctx, 1)(ctx.at), operand(ctx, 2)(ctx.at))),
  entry(sq.convert, convert),
  entry(sq.constant, (ctx) => ctx.pool.constant(ctx.attrs.value)),
  entry(sq.iota, (ctx) => item(ctx.at, ctx.attrs.axis)),
  entry(sq.reduceSum, reduction("sum")),
  entry(sq.reduceMax, reduction("max")),
  entry(sq.broadcast, broadcast),
  entry(sq.reshape, reshape),
  entry(sq.transpose, (ctx) => operand(ctx, 0)(ctx.attrs.perm.map((_, axis) => item(ctx.at, ctx.attrs.perm.indexOf(axis))))),
  entry(sq.slice, slice),
  entry(sq.pad, pad),
  entry(sq.barrier, (ctx) => operand(ctx, 0)(ctx.at)),
  entry(sq.dynamicSlice, dynamicSlice),
  entry(sq.dynamicUpdateSlice, dynamicUpdateSlice),
  entry(sq.concat, concat),
  entry(sq.gather, gather),
  entry(sq.bucketHeads, bucketHeads),
  entry(sq.bucketNext, bucketNext),
  entry(sq.bucketSum, bucketSum),
  entry(sq.takeRows, takeRows),
  entry(sq.takeAlong, takeAlong),
  entry(sq.mergeRuns, mergeRuns),
  entry(sq.lowerBound, lowerBound),
  entry(sq.segmentSum, segmentSum),
  entry(sq.einsum, einsum),
  entry(sq.randomUniform, randomElement),
  entry(sq.randomAt, randomAtElement),
  entry(sq.systematic, systematicElement),
  entry(sq.monomials, monomialTable),
  entry(sq.monomialProducts, productTable),
  entry(sq.monomialWeights, weightTable),
]);
