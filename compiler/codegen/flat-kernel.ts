/** @file A kernel as flat-array backends want it: every tensor one row-major array, at most three output axes, and no
 *  integer division left.
 *
 *  Neighbouring axes that every load walks through together become one (an elementwise kernel is then one loop over
 *  plain indices); so do neighbouring loops of a reduction. Index arithmetic is simplified again after each step. */

import { strides } from "../../ir/types.ts";
import { divide, flatLinear, linearOf, rangeOf, remainder, toExpr } from "./index-expr.ts";
import type { Expr, Kernel, KernelInput, Loop } from "./kernel.ts";
import { ExprPool } from "./expr-pool.ts";
import { childrenOf, schedule } from "./schedule.ts";

export interface FlatKernel {
  readonly pool: ExprPool;
  readonly inputs: readonly KernelInput[];
  /** Outermost first; at most three. */
  readonly axes: readonly Loop[];
  /** Loads have one index, reductions one loop; no idiv and no mod. */
  readonly body: Expr;
}

/** One axis counts no further than this: float32 indices, and the launch limits of GPUs. */
const AXIS_LIMIT = 2 ** 22;
const MAX_AXES = 3;

/** The graph of a kernel after merging, before it is fitted to threads: any number of axes, divisions as they were. */
export const mergedGraph = (kernel: Kernel): FlatKernel => {
  const pool = new ExprPool();
  const inputs = kernel.inputs.map((input) => ({ ...input, name: pool.declare(input.name) }));
  const { loops: axes, at } = pool.loops(kernel.axes);
  const graph = pool.adopt(kernel.body, new Map(kernel.axes.map((axis, i) => [axis.name, at[i] ?? pool.constant(0)])));
  return { pool, inputs, ...mergeAxes(pool, { axes, body: flattenLoads(pool, graph, kernel.inputs) }) };
};

export const flattenKernel = (kernel: Kernel): FlatKernel => {
  const { pool, inputs, ...merged } = mergedGraph(kernel);
  const { axes, body } = fitAxes(pool, merged);
  const plain = nestLoops(pool, withoutDivision(pool, body));
  return { pool, inputs, axes, body: schedule(pool, plain, axes) };
};

/** Rebuilds a graph bottom-up; `change` sees every node over its rebuilt children. What replaces a node keeps its name. */
const rewrite = (pool: ExprPool, root: Expr, change: (rebuilt: Expr) => Expr): Expr => {
  const done = new Map<Expr, Expr>();
  const visit = (expr: Expr): Expr => {
    const known = done.get(expr);
    if (known !== undefined) return known;
    const fresh = change(pool.map(expr, visit));
    pool.suggest(fresh, pool.suggestion(expr));
    done.set(expr, fresh);
    return fresh;
  };
  return visit(root);
};

const flattenLoads = (pool: ExprPool, root: Expr, inputs: readonly KernelInput[]): Expr => {
  const steps = inputs.map((input) => strides(input.shape));
  return rewrite(pool, root, (e) =>
    e.kind === "load" ? pool.load(e.input, [toExpr(pool, flatLinear(pool, e.at, steps[e.input] ?? []))]) : e,
  );
};

interface Body {
  readonly axes: readonly Loop[];
  readonly body: Expr;
}

/** Puts expressions for variables; loads are simplified, `loops` may replace the loops of a reduction. */
const substitute = (pool: ExprPool, root: Expr, values: ReadonlyMap<string, Expr>, loops: (own: readonly Loop[]) => readonly Loop[]): Expr =>
  rewrite(pool, root, (e) => {
    if (e.kind === "var") return values.get(e.name) ?? e;
    if (e.kind === "load") return pool.load(e.input, e.at.map((index) => toExpr(pool, flatLinear(pool, [index], [1]))));
    return e.kind === "reduce" ? pool.reduce(e.fn, loops(e.loops), e.body) : e;
  });

/** How every load depends on the variables that appear in nothing but linear load indices. */
const loadCoefficients = (pool: ExprPool, root: Expr): { readonly rows: readonly ReadonlyMap<string, number>[]; readonly others: ReadonlySet<string> } => {
  const rows: Map<string, number>[] = [];
  const others = new Set<string>();
  const seen = new Set<Expr>();
  const visit = (expr: Expr): void => {
    if (seen.has(expr)) return;
    seen.add(expr);
    if (expr.kind === "var") others.add(expr.name);
    if (expr.kind !== "load") return childrenOf(expr).forEach(visit);
    const row = new Map<string, number>();
    for (const index of expr.at)
      for (const [atom, coefficient] of linearOf(pool, index).terms) {
        if (atom.kind === "var") row.set(atom.name, coefficient);
        else visit(atom);
      }
    rows.push(row);
  };
  visit(root);
  return { rows, others };
};

const mergeAxes = (pool: ExprPool, { axes, body }: Body): Body => {
  const { rows, others } = loadCoefficients(pool, body);
  const walkTogether = (outer: Loop, inner: Loop): boolean =>
    !others.has(outer.name) && !others.has(inner.name) && outer.extent * inner.extent <= AXIS_LIMIT &&
    rows.every((row) => (row.get(outer.name) ?? 0) === inner.extent * (row.get(inner.name) ?? 0));
  const values = new Map<string, Expr>();
  const merged = new Map<readonly Loop[], readonly Loop[]>();
  const merge = (loops: readonly Loop[]): readonly Loop[] => {
    const known = merged.get(loops);
    if (known !== undefined) return known;
    const groups: Loop[][] = [];
    for (const loop of loops) {
      const group = groups.at(-1);
      const together = group?.reduce((product, l) => product * l.extent, loop.extent) ?? 0;
      if (group !== undefined && together <= AXIS_LIMIT && walkTogether(lastOf(group), loop)) group.push(loop);
      else groups.push([loop]);
    }
    const result = groups.map((group) => mergeGroup(pool, group, values));
    merged.set(loops, result);
    return result;
  };
  const outer = merge(axes);
  forEachReduction(body, (loops) => void merge(loops));
  return { axes: outer, body: substitute(pool, body, values, merge) };
};

const lastOf = (group: readonly Loop[]): Loop => group[group.length - 1] ?? { name: "", extent: 1 };

/** One loop for a group: its members become quotients and remainders of the new index. */
const mergeGroup = (pool: ExprPool, group: readonly Loop[], values: Map<string, Expr>): Loop => {
  const [first] = group;
  if (first === undefined || group.length === 1) return first ?? { name: "", extent: 1 };
  const extent = group.reduce((product, loop) => product * loop.extent, 1);
  const short = group.every((loop) => loop.name.length === 1);
  const name = pool.declare(group.map((loop) => loop.name).join(short ? "" : "_"), extent, first.name);
  let rest = pool.variable(name);
  for (const loop of [...group].reverse()) {
    values.set(loop.name, remainder(pool, rest, loop.extent));
    rest = divide(pool, rest, loop.extent);
  }
  return { name, extent };
};

const forEachReduction = (root: Expr, visit: (loops: readonly Loop[]) => void): void => {
  const seen = new Set<Expr>();
  const walk = (expr: Expr): void => {
    if (seen.has(expr)) return;
    seen.add(expr);
    if (expr.kind === "reduce") visit(expr.loops);
    childrenOf(expr).forEach(walk);
  };
  walk(root);
};

/** Threads have three coordinates: all axes before the last two share one. */
const fitAxes = (pool: ExprPool, merged: Body): Body => joinOuter(pool, merged, merged.axes.length + 1 - MAX_AXES);

/** The first `count` axes as one, whatever the loads are. */
export const joinOuter = (pool: ExprPool, { axes, body }: Body, count: number): Body => {
  if (count <= 1) return { axes, body };
  const values = new Map<string, Expr>();
  const outer = mergeGroup(pool, axes.slice(0, count), values);
  return { axes: [outer, ...axes.slice(count)], body: substitute(pool, body, values, (own) => own) };
};

/** A reduction over several loops as one inside the other: what only depends on the outer loop can then be hoisted. */
export const nestLoops = (pool: ExprPool, root: Expr): Expr =>
  rewrite(pool, root, (e) =>
    e.kind === "reduce" ? e.loops.reduceRight<Expr>((body, loop) => pool.reduce(e.fn, [loop], body), e.body) : e,
  );

const withoutDivision = (pool: ExprPool, root: Expr): Expr =>
  rewrite(pool, root, (e) => {
    if (e.kind !== "binary" || (e.fn !== "idiv" && e.fn !== "mod")) return e;
    const quotient = exactQuotient(pool, e.left, e.right);
    return e.fn === "idiv" ? quotient : pool.binary("sub", e.left, pool.binary("mul", quotient, e.right));
  });

/** Below this, (a + 1/2) / n is further from an integer than a division that is off by 2.5 units in the last place. */
const DIVISION_SAFE_BELOW = 2 ** 20;

/** floor(a / n) of whole numbers in float32, where a GPU's division may be off by 2.5 units in the last place.
 *  A power of two is multiplied by its exact inverse. Small a: floor((a + 1/2) / n). Otherwise that, off by 3 at most (by 1
 *  for large n), corrected by the quotient of the remainder, and by its sign and size. */
const exactQuotient = (pool: ExprPool, a: Expr, n: Expr): Expr => {
  if (n.kind === "const" && Number.isInteger(Math.log2(n.value))) return pool.unary("floor", pool.binary("mul", a, pool.constant(1 / n.value)));
  const near = nearQuotient(pool, a, n);
  const { low, high } = rangeOf(pool, a);
  if (low >= 0 && high < DIVISION_SAFE_BELOW) return near;
  const restOf = (quotient: Expr): Expr => pool.binary("sub", a, pool.binary("mul", quotient, n));
  const nearer = pool.binary("add", near, nearQuotient(pool, restOf(near), n));
  const rest = restOf(nearer);
  const lower = pool.binary("sub", nearer, pool.binary("lt", rest, pool.constant(0)));
  return pool.binary("add", lower, pool.binary("ge", rest, n));
};

/** floor((a + 1/2) / n) */
const nearQuotient = (pool: ExprPool, a: Expr, n: Expr): Expr =>
  pool.unary("floor", pool.binary("div", pool.binary("add", a, pool.constant(0.5)), n));
