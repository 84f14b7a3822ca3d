/** @file Index arithmetic by brute force: a simplified expression has the value of the original at every index. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { evaluateKernel } from "../../compiler/codegen/evaluate-kernel.ts";
import { ExprPool } from "../../compiler/codegen/expr-pool.ts";
import { divide, flatten, rangeOf, remainder, simplify } from "../../compiler/codegen/index-expr.ts";
import type { Expr, Loop } from "../../compiler/codegen/kernel.ts";
import { delinearize } from "../../compiler/codegen/lower.ts";
import { strides } from "../../ir/types.ts";

const LOOPS: readonly Loop[] = [{ name: "i", extent: 3 }, { name: "j", extent: 4 }, { name: "k", extent: 6 }];

/** The values of an expression at every point of the loops, in row-major order. */
const values = (axes: readonly Loop[], body: Expr): readonly number[] => [
  ...evaluateKernel({ name: "test", inputs: [], axes, dtype: "i32", body }, []),
];

type Shape =
  | { readonly kind: "var"; readonly at: number }
  | { readonly kind: "const"; readonly value: number }
  | { readonly kind: "add"; readonly a: Shape; readonly b: Shape }
  | { readonly kind: "scale" | "idiv" | "mod"; readonly a: Shape; readonly by: number };

const { shape } = fc.letrec<{ shape: Shape }>((tie) => ({
  shape: fc.oneof(
    { maxDepth: 5, depthSize: "medium" },
    fc.record({ kind: fc.constant("var" as const), at: fc.nat(2) }),
    fc.record({ kind: fc.constant("const" as const), value: fc.nat(9) }),
    fc.record({ kind: fc.constant("add" as const), a: tie("shape"), b: tie("shape") }),
    fc.record({ kind: fc.constantFrom("scale" as const, "idiv" as const, "mod" as const), a: tie("shape"), by: fc.integer({ min: 1, max: 12 }) }),
  ),
}));

const build = (pool: ExprPool, at: readonly Expr[], s: Shape): Expr => {
  switch (s.kind) {
    case "var":
      return at[s.at] ?? pool.constant(0);
    case "const":
      return pool.constant(s.value);
    case "add":
      return pool.binary("add", build(pool, at, s.a), build(pool, at, s.b));
    default:
      return pool.binary(s.kind === "scale" ? "mul" : s.kind, build(pool, at, s.a), pool.constant(s.by));
  }
};

/** Operations an element costs. */
const size = (e: Expr): number => (e.kind === "binary" ? 1 + size(e.left) + size(e.right) : e.kind === "unary" ? 1 + size(e.arg) : 0);

describe("simplify", () => {
  it("keeps the value at every index, and knows its range", () => {
    fc.assert(
      fc.property(shape, (s) => {
        const pool = new ExprPool();
        const { loops, at } = pool.loops(LOOPS);
        const original = build(pool, at, s);
        const found = values(loops, simplify(pool, original));
        expect(found).toEqual(values(loops, original));
        const { low, high } = rangeOf(pool, original);
        expect(Math.min(...found)).toBeGreaterThanOrEqual(low);
        expect(Math.max(...found)).toBeLessThanOrEqual(high);
      }),
      { numRuns: 1000 },
    );
  });

  it("handles differences: floor and mod of negative numbers are those of mathematics", () => {
    const pool = new ExprPool();
    const { loops, at } = pool.loops(LOOPS);
    const [i, j, k] = at as [Expr, Expr, Expr];
    const difference = pool.binary("sub", pool.binary("mul", i, pool.constant(5)), pool.binary("add", pool.binary("mul", j, pool.constant(4)), k));
    for (const n of [2, 3, 4, 8]) {
      const raw = (fn: "idiv" | "mod"): Expr => pool.binary(fn, difference, pool.constant(n));
      expect(values(loops, divide(pool, difference, n))).toEqual(values(loops, raw("idiv")));
      expect(values(loops, remainder(pool, difference, n))).toEqual(values(loops, raw("mod")));
    }
  });
});

describe("reshape", () => {
  const factorisations: readonly (readonly number[])[] = [[72], [3, 24], [24, 3], [3, 4, 6], [12, 6], [2, 36], [8, 9], [2, 3, 12], [1, 72, 1], [9, 4, 2]];

  it.each(factorisations.flatMap((from) => factorisations.map((to) => [from, to] as const)))("[%s] to [%s] and back is the identity", (from, to) => {
    const pool = new ExprPool();
    const { at } = pool.loops(from.map((extent, i) => ({ name: `i${i}`, extent })));
    const there = delinearize(pool, flatten(pool, at, strides(from)), to);
    const back = delinearize(pool, flatten(pool, there, strides(to)), from);
    expect(back).toEqual(at);
  });

  it("costs nothing where axes only split or join", () => {
    const pool = new ExprPool();
    const { at } = pool.loops(LOOPS);
    const [joined, last] = delinearize(pool, flatten(pool, at, [24, 6, 1]), [12, 6]) as [Expr, Expr];
    expect(last).toBe(at[2]);
    expect(size(joined)).toBe(2);
  });
});
