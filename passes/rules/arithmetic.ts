/** @file Exact identities of arithmetic. Floats: no rounding may be added or moved, so there is no reassociation and no
 *  x·0 = 0 (infinities); the sign of a zero is not kept, as GPUs do not keep it either. */

import type { Value } from "../../ir/core.ts";
import { bind, on, value } from "../../ir/pattern.ts";
import type { Matched } from "../../ir/pattern.ts";
import {
  abs, add, and, constant, convert, div, max, min, mul, neg, not, or, select, sub,
} from "../../ir/ops/index.ts";
import { named } from "../../ir/types.ts";
import { exact } from "../rewrite.ts";
import type { Rule } from "../rewrite.ts";

const x = value("x");
const y = value("y");
const z = value("z");
const c = bind("c", on(constant));

interface Captured {
  readonly c: Matched<{ readonly value: number }>;
}

const is =
  (wanted: number) =>
  ({ c: { attrs } }: Captured): boolean =>
    attrs.value === wanted;

const F = named("f32", [["B", 2], ["T", 3]]);
const I1 = named("i1", [["B", 2], ["T", 3]]);

const keepX = (_: unknown, m: { readonly x: Value }): Value => m.x;

export const ARITHMETIC: readonly Rule[] = [
  exact({
    name: "mul-one", law: "x · 1 = x", match: on(mul, x, c), where: is(1), rewrite: keepX,
    example: (b, input) => b.one(mul, [input(F), b.one(constant, [], { value: 1, type: F })], {}),
  }),
  exact({
    name: "one-mul", law: "1 · x = x", match: on(mul, c, x), where: is(1), rewrite: keepX,
    example: (b, input) => b.one(mul, [b.one(constant, [], { value: 1, type: F }), input(F)], {}),
  }),
  exact({
    name: "mul-minus-one", law: "x · (-1) = -x", match: on(mul, x, c), where: is(-1),
    rewrite: (b, m) => b.one(neg, [m.x], {}),
    example: (b, input) => b.one(mul, [input(F), b.one(constant, [], { value: -1, type: F })], {}),
  }),
  exact({
    name: "add-zero", law: "x + 0 = x", match: on(add, x, c), where: is(0), rewrite: keepX,
    example: (b, input) => b.one(add, [input(F), b.one(constant, [], { value: 0, type: F })], {}),
  }),
  exact({
    name: "zero-add", law: "0 + x = x", match: on(add, c, x), where: is(0), rewrite: keepX,
    example: (b, input) => b.one(add, [b.one(constant, [], { value: 0, type: F }), input(F)], {}),
  }),
  exact({
    name: "sub-zero", law: "x - 0 = x", match: on(sub, x, c), where: is(0), rewrite: keepX,
    example: (b, input) => b.one(sub, [input(F), b.one(constant, [], { value: 0, type: F })], {}),
  }),
  exact({
    name: "zero-sub", law: "0 - x = -x", match: on(sub, c, x), where: is(0),
    rewrite: (b, m) => b.one(neg, [m.x], {}),
    example: (b, input) => b.one(sub, [b.one(constant, [], { value: 0, type: F }), input(F)], {}),
  }),
  exact({
    name: "div-one", law: "x / 1 = x", match: on(div, x, c), where: is(1), rewrite: keepX,
    example: (b, input) => b.one(div, [input(F), b.one(constant, [], { value: 1, type: F })], {}),
  }),
  exact({
    name: "div-power-of-two", law: "x / 2^n = x · 2^-n", match: on(div, x, c),
    where: ({ c: { attrs } }) => isPowerOfTwo(attrs.value) && attrs.value !== 1,
    rewrite: (b, m) => b.one(mul, [m.x, b.one(constant, [], { value: 1 / m.c.attrs.value, type: m.x.type })], {}),
    example: (b, input) => b.one(div, [input(F), b.one(constant, [], { value: 8, type: F })], {}),
  }),
  exact({
    name: "neg-neg", law: "-(-x) = x", match: on(neg, on(neg, x)), rewrite: keepX,
    example: (b, input) => b.one(neg, [b.one(neg, [input(F)], {})], {}),
  }),
  exact({
    name: "add-neg", law: "x + (-y) = x - y", match: on(add, x, on(neg, y)),
    rewrite: (b, m) => b.one(sub, [m.x, m.y], {}),
    example: (b, input) => b.one(add, [input(F), b.one(neg, [input(F)], {})], {}),
  }),
  exact({
    name: "neg-add", law: "(-x) + y = y - x", match: on(add, on(neg, x), y),
    rewrite: (b, m) => b.one(sub, [m.y, m.x], {}),
    example: (b, input) => b.one(add, [b.one(neg, [input(F)], {}), input(F)], {}),
  }),
  exact({
    name: "sub-neg", law: "x - (-y) = x + y", match: on(sub, x, on(neg, y)),
    rewrite: (b, m) => b.one(add, [m.x, m.y], {}),
    example: (b, input) => b.one(sub, [input(F), b.one(neg, [input(F)], {})], {}),
  }),
  exact({
    name: "neg-mul-neg", law: "(-x) · (-y) = x · y", match: on(mul, on(neg, x), on(neg, y)),
    rewrite: (b, m) => b.one(mul, [m.x, m.y], {}),
    example: (b, input) => b.one(mul, [b.one(neg, [input(F)], {}), b.one(neg, [input(F)], {})], {}),
  }),
  exact({
    name: "abs-neg", law: "|-x| = |x|", match: on(abs, on(neg, x)),
    rewrite: (b, m) => b.one(abs, [m.x], {}),
    example: (b, input) => b.one(abs, [b.one(neg, [input(F)], {})], {}),
  }),
  exact({
    name: "max-same", law: "max(x, x) = x", match: on(max, x, x), rewrite: keepX,
    example: (b, input) => {
      const a = input(F);
      return b.one(max, [a, a], {});
    },
  }),
  exact({
    name: "min-same", law: "min(x, x) = x", match: on(min, x, x), rewrite: keepX,
    example: (b, input) => {
      const a = input(F);
      return b.one(min, [a, a], {});
    },
  }),
  exact({
    name: "convert-same", law: "convert(x, its own type) = x", match: on(convert, x),
    where: ({ x: { type }, root }) => type.dtype === root.attrs.to, rewrite: keepX,
    example: (b, input) => b.one(convert, [input(F)], { to: "f32" }),
  }),
  exact({
    name: "convert-mark", law: "convert(convert(m: i1, i32), f32) = convert(m, f32)",
    match: on(convert, on(convert, x)),
    where: ({ x: { type }, root }) => type.dtype === "i1" && root.attrs.to !== "i1",
    rewrite: (b, m) => b.one(convert, [m.x], { to: m.root.attrs.to }),
    example: (b, input) => b.one(convert, [b.one(convert, [input(I1, "bool")], { to: "i32" })], { to: "f32" }),
  }),
];

const isPowerOfTwo = (n: number): boolean => Number.isFinite(n) && n !== 0 && Math.abs(Math.log2(Math.abs(n))) < 100 && Number.isInteger(Math.log2(Math.abs(n)));

const TRUTH = (b: Parameters<Rule["example"]>[0], value: 0 | 1): Value => b.one(constant, [], { value, type: I1 });

export const LOGIC: readonly Rule[] = [
  exact({
    name: "not-not", law: "!!x = x", match: on(not, on(not, x)), rewrite: keepX,
    example: (b, input) => b.one(not, [b.one(not, [input(I1, "bool")], {})], {}),
  }),
  exact({
    name: "and-true", law: "x & true = x", match: on(and, x, c), where: is(1), rewrite: keepX,
    example: (b, input) => b.one(and, [input(I1, "bool"), TRUTH(b, 1)], {}),
  }),
  exact({
    name: "true-and", law: "true & x = x", match: on(and, c, x), where: is(1), rewrite: keepX,
    example: (b, input) => b.one(and, [TRUTH(b, 1), input(I1, "bool")], {}),
  }),
  exact({
    name: "and-same", law: "x & x = x", match: on(and, x, x), rewrite: keepX,
    example: (b, input) => {
      const a = input(I1, "bool");
      return b.one(and, [a, a], {});
    },
  }),
  exact({
    name: "or-false", law: "x | false = x", match: on(or, x, c), where: is(0), rewrite: keepX,
    example: (b, input) => b.one(or, [input(I1, "bool"), TRUTH(b, 0)], {}),
  }),
  exact({
    name: "false-or", law: "false | x = x", match: on(or, c, x), where: is(0), rewrite: keepX,
    example: (b, input) => b.one(or, [TRUTH(b, 0), input(I1, "bool")], {}),
  }),
  exact({
    name: "select-known", law: "true ? x : y = x;  false ? x : y = y", match: on(select, c, x, y),
    rewrite: (_, m) => (m.c.attrs.value === 1 ? m.x : m.y),
    example: (b, input) => b.one(select, [TRUTH(b, 0), input(F), input(F)], {}),
  }),
  exact({
    name: "select-same", law: "c ? x : x = x", match: on(select, z, x, x), rewrite: keepX,
    example: (b, input) => {
      const a = input(F);
      return b.one(select, [input(I1, "bool"), a, a], {});
    },
  }),
  exact({
    name: "select-not", law: "!c ? x : y = c ? y : x", match: on(select, on(not, z), x, y),
    rewrite: (b, m) => b.one(select, [m.z, m.y, m.x], {}),
    example: (b, input) => b.one(select, [b.one(not, [input(I1, "bool")], {}), input(F), input(F)], {}),
  }),
];

