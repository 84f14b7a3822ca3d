/** @file Recognises kernels that are contractions, and says what they contract as matrices.
 *
 *      out[batch, rows, columns] = f(sum over depth of a[batch, rows, depth] · b[batch, columns, depth], …)
 *
 *  An index belongs to `batch` if both factors move with it (or neither), to `rows` if only a does, to `columns` if only b
 *  does, to `depth` if it is summed over. Each group may be several axes that do not merge into one, with any strides:
 *  transposed operands, heads, grouped heads and sums over several labels are all the same thing here. b is the factor that
 *  moves along the last output axis, so that columns are stored as vectors.
 *
 *  f may be anything elementwise (a bias, a residual, an activation, a mask): it becomes the `rest`, a kernel over the
 *  product's result. Not recognised: factors that are computed, indices that are looked up, and products too small to gain. */

import { strides } from "../../../ir/types.ts";
import { ExprPool } from "../expr-pool.ts";
import { divide, flatLinear, rangeOf, remainder } from "../index-expr.ts";
import type { Expr, Kernel, KernelInput, Loop } from "../kernel.ts";
import { childrenOf, schedule } from "../schedule.ts";
import { LONG, SHORT } from "./gemm.ts";
import type { Tile } from "./gemm.ts";

/** One index: how many values, and how many elements each tensor moves for one step. */
export interface Axis {
  readonly extent: number;
  readonly a: number;
  readonly b: number;
  readonly out: number;
}

export type OutputGroup = "batch" | "rows" | "columns";

/** Axes are outermost first in every group; a group without axes is one index. */
export interface Product extends Readonly<Record<OutputGroup | "depth", readonly Axis[]>> {
  /** The factors: kernel inputs, and the element where each starts. */
  readonly a: number;
  readonly b: number;
  readonly aStart: number;
  readonly bStart: number;
  readonly tile: Tile;
  /** What can be computed apart from each other, `together` of them at a time (the last of each batch may be fewer): columns where
   *  there are more of them and nothing remains to be done with whole rows. The other factor is packed for every piece. */
  readonly split: "rows" | "columns";
  /** So many of one batch, in all batches. */
  readonly items: number;
}

/** A line of the cache. */
const COLUMNS = 16;

/** Rows or columns in an item. */
export const together = ({ split, tile }: Cut): number => (split === "rows" ? tile.rows : COLUMNS);

type Cut = Omit<Product, "items">;

/** Items in one batch. */
export const itemsPerBatch = (product: Cut): number => Math.ceil(countOf(product[product.split]) / together(product));

export const withItems = (product: Cut): Product => ({ ...product, items: countOf(product.batch) * itemsPerBatch(product) });

export interface ProductKernel {
  readonly product: Product;
  /** What remains to be done on the result: a kernel whose outermost axis is a line of it (batch and row as one number), and
   *  whose last input is the product, of which it reads the element that it replaces. Null: nothing. */
  readonly rest: Kernel | null;
}

export const countOf = (axes: readonly Axis[]): number => axes.reduce((product, axis) => product * axis.extent, 1);

/** Fewer multiplications are not worth copying operands for. */
const SMALLEST = 4096;

export const productOf = (kernel: Kernel): ProductKernel | null => {
  const pool = new ExprPool();
  const { loops, at } = pool.loops(kernel.axes);
  const graph = pool.adopt(kernel.body, new Map(kernel.axes.map((axis, i) => [axis.name, at[i] ?? pool.constant(0)])));
  const [sum, ...others] = loopsOf(graph);
  if (sum?.kind !== "reduce" || !others.every((other) => isSame(pool, sum, other)) || sum.fn !== "sum" || sum.body.kind !== "binary" || sum.body.fn !== "mul") return null;
  const { left, right } = sum.body;
  if (left.kind !== "load" || right.kind !== "load") return null;
  const found = contraction(pool, loops, sum.loops, kernel.inputs, left, right);
  if (found === null || !pays(found.product)) return null;
  if (graph === sum) return { product: splitByColumns(found.product), rest: null };
  const own = pool.load(kernel.inputs.length, at);
  return { product: found.product, rest: restOf(pool, kernel, graph, new Map([sum, ...others].map((each) => [each, own])), linesOf(pool, found)) };
};

const splitByColumns = (product: Product): Product => {
  if (countOf(product.columns) <= countOf(product.rows)) return product;
  return withItems({ ...product, split: "columns" });
};

/** Copying both factors costs about as much as this many rows or columns. */
const pays = ({ batch, rows, columns, depth }: Product): boolean => {
  const [m, n, k] = [countOf(rows), countOf(columns), countOf(depth)];
  return m > 1 && n > 2 && k > 1 && countOf(batch) * m * n * k >= SMALLEST;
};

const loopsOf = (root: Expr): readonly Expr[] => {
  const found = new Set<Expr>();
  const seen = new Set<Expr>();
  const visit = (expr: Expr): void => {
    if (seen.has(expr)) return;
    seen.add(expr);
    if (expr.kind === "reduce" || expr.kind === "walk" || expr.kind === "fold") found.add(expr);
    childrenOf(expr).forEach(visit);
  };
  visit(root);
  return [...found];
};

/** Equal but for the names of the loops: branches of a choice each have their own. */
const isSame = (pool: ExprPool, sum: Expr & { readonly kind: "reduce" }, other: Expr): boolean => {
  if (other.kind !== "reduce" || other.fn !== sum.fn || other.loops.length !== sum.loops.length) return false;
  if (!other.loops.every(({ extent }, i) => extent === sum.loops[i]?.extent)) return false;
  const names = new Map(other.loops.map(({ name }, i) => [name, pool.variable(sum.loops[i]?.name ?? name)]));
  const rename = (expr: Expr): Expr => (expr.kind === "var" ? (names.get(expr.name) ?? expr) : pool.map(expr, rename));
  return rename(other.body) === sum.body;
};

interface Lines {
  readonly axes: readonly Loop[];
  /** The output's own indices. */
  readonly values: ReadonlyMap<string, Expr>;
}

/** One axis for batch and rows, then those of the columns. */
const linesOf = (pool: ExprPool, { product, outer, groupOf, values }: Contraction): Lines => {
  const extent = countOf(product.batch) * countOf(product.rows);
  const name = pool.declare("line", extent, outer[0]?.of.name);
  const columns = outer.filter((index) => groupOf(index) === "columns");
  const parts = new Map<Expr, Expr>();
  let below = extent;
  for (const index of [...outer.filter((each) => groupOf(each) === "batch"), ...outer.filter((each) => groupOf(each) === "rows")]) {
    below /= index.extent;
    parts.set(index.variable, remainder(pool, divide(pool, pool.variable(name), below), index.extent));
  }
  const put = (expr: Expr): Expr => (expr.kind === "var" ? (parts.get(expr) ?? expr) : pool.map(expr, put));
  const known = outer.map(({ of }): [string, Expr] => [of.name, put(values.get(of.name) ?? pool.variable(of.name))]);
  return { axes: [{ name, extent }, ...columns.map(({ variable, extent: count }) => ({ name: variable.kind === "var" ? variable.name : "", extent: count }))], values: new Map(known) };
};

const restOf = (pool: ExprPool, kernel: Kernel, graph: Expr, done: Map<Expr, Expr>, { axes, values }: Lines): Kernel => {
  const place = (expr: Expr): Expr => (expr.kind === "var" ? (values.get(expr.name) ?? expr) : pool.map(expr, place));
  const visit = (expr: Expr): Expr => {
    const known = done.get(expr) ?? (expr.kind === "var" ? place(expr) : pool.map(expr, visit));
    pool.suggest(known, pool.suggestion(expr));
    done.set(expr, known);
    return known;
  };
  done.forEach((own, sum) => done.set(sum, place(own)));
  const product: KernelInput = { name: pool.declare("product"), shape: kernel.axes.map((axis) => axis.extent), dtype: "f32" };
  return { ...kernel, inputs: [...kernel.inputs, product], axes, body: schedule(pool, visit(graph), axes) };
};

/** Columns of a tile are neighbours in the result. */
const tileOf = (columns: readonly Axis[]): Tile => ((columns.at(-1)?.extent ?? 1) % LONG.columns === 0 ? LONG : SHORT);

type Load = Expr & { readonly kind: "load" };

/** An index variable, or a part of one: the model's D is heads times width where an operand was reshaped. */
interface Index {
  readonly variable: Expr;
  readonly extent: number;
  readonly of: Loop;
  /** Elements of the output that one step of it moves; 0 for what is summed over. */
  readonly out: number;
}

interface Contraction {
  readonly product: Product;
  /** Indices of the output, outermost first, and which group each belongs to. */
  readonly outer: readonly Index[];
  readonly groupOf: (index: Index) => OutputGroup;
  /** Loops that are two indices, in terms of those. */
  readonly values: ReadonlyMap<string, Expr>;
}

const contraction = (
  pool: ExprPool, axes: readonly Loop[], summed: readonly Loop[], inputs: readonly KernelInput[], left: Load, right: Load,
): Contraction | null => {
  const values = new Map<string, Expr>();
  const steps = strides(axes.map((axis) => axis.extent));
  const outer = axes.flatMap((loop, i) => partsOf(pool, loop, steps[i] ?? 0, [left, right], values));
  const inner = summed.flatMap((loop) => partsOf(pool, loop, 0, [left, right], values));
  const all = [...outer, ...inner];
  const [first, second] = [left, right].map((load) => placeOf(pool, load, inputs, values, all));
  const last = outer.at(-1);
  if (first === undefined || second === undefined || first === null || second === null || last === undefined) return null;
  const swap = step(first, last) !== 0 && step(second, last) === 0;
  const [a, b] = swap ? [second, first] : [first, second];
  const axisOf = (index: Index): Axis => ({ extent: index.extent, a: step(a, index), b: step(b, index), out: index.out });
  const groupOf = (index: Index): OutputGroup =>
    (step(a, index) === 0) === (step(b, index) === 0) ? "batch" : step(a, index) === 0 ? "columns" : "rows";
  const group = (name: OutputGroup): readonly Axis[] => merge(outer.filter((index) => groupOf(index) === name).map(axisOf));
  const factors = { a: (swap ? right : left).input, b: (swap ? left : right).input, aStart: a.start, bStart: b.start };
  const groups = { batch: group("batch"), rows: group("rows"), columns: group("columns"), depth: merge(inner.map(axisOf)) };
  return { product: withItems({ ...factors, ...groups, tile: tileOf(groups.columns), split: "rows" }), outer, groupOf, values };
};

/** A loop whose index is taken apart as floor(i / n) and i mod n is two: i = n · high + low. */
const partsOf = (pool: ExprPool, loop: Loop, out: number, loads: readonly Load[], values: Map<string, Expr>): readonly Index[] => {
  const divisors = new Set<number>();
  const visit = (expr: Expr): void => {
    if (expr.kind === "binary" && (expr.fn === "idiv" || expr.fn === "mod") && expr.left.kind === "var" && expr.left.name === loop.name && expr.right.kind === "const")
      divisors.add(expr.right.value);
    childrenOf(expr).forEach(visit);
  };
  loads.forEach((load) => load.at.forEach(visit));
  const [width] = divisors;
  if (width === undefined || divisors.size > 1 || loop.extent % width !== 0)
    return [{ variable: pool.variable(loop.name), extent: loop.extent, of: loop, out }];
  const { at: [high = pool.constant(0), low = pool.constant(0)] } = pool.loops([{ name: `${loop.name}_high`, extent: loop.extent / width }, { name: `${loop.name}_low`, extent: width }]);
  values.set(loop.name, pool.binary("add", pool.binary("mul", high, pool.constant(width)), low));
  const parts = [{ variable: high, extent: loop.extent / width, of: loop, out: out * width }, { variable: low, extent: width, of: loop, out }];
  return parts.filter((part) => part.extent > 1);
};

interface Place {
  readonly start: number;
  readonly terms: ReadonlyMap<Expr, number>;
}

const step = (place: Place, index: Index): number => place.terms.get(index.variable) ?? 0;

/** The load's place as a linear form of the indices; null where it is none, or where only a guard keeps it within bounds. */
const placeOf = (pool: ExprPool, load: Load, inputs: readonly KernelInput[], values: ReadonlyMap<string, Expr>, indices: readonly Index[]): Place | null => {
  const shape = inputs[load.input]?.shape ?? [];
  const put = (expr: Expr): Expr => (expr.kind === "var" ? (values.get(expr.name) ?? expr) : pool.map(expr, put));
  const at = load.at.map(put);
  const within = at.every((index, i) => {
    const { low, high } = rangeOf(pool, index);
    return low >= 0 && high < (shape[i] ?? 0);
  });
  const { constant, terms } = flatLinear(pool, at, strides(shape));
  const known = new Set(indices.map((index) => index.variable));
  return within && [...terms.keys()].every((atom) => known.has(atom)) ? { start: constant, terms } : null;
};

/** Neighbours that every tensor walks through together are one axis. */
const merge = (axes: readonly Axis[]): readonly Axis[] =>
  axes.reduce<readonly Axis[]>((merged, axis) => {
    const before = merged.at(-1);
    const together = before !== undefined && (["a", "b", "out"] as const).every((tensor) => before[tensor] === axis.extent * axis[tensor]);
    return together ? [...merged.slice(0, -1), { ...axis, extent: before.extent * axis.extent }] : [...merged, axis];
  }, []);
