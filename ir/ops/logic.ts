/** @file Truth values and types, element by element: not, and, or, compare, select, convert. None of them is floating-point
 *  arithmetic, so none counts operations. Constraints: C0 operand count, C1 dtype, C2 operands agree. */

import * as attr from "../attrs.ts";
import type { DType, ExampleOperand, Op, TensorType, Value } from "../core.ts";
import { defineOp, violates } from "../core.ts";
import * as poly from "../poly.ts";
import { at, mapOne, mapTwo } from "../tensor-data.ts";
import { named, withDType } from "../types.ts";
import { full } from "./helpers.ts";
import { inferOne, inferThree, inferTwo, mustAgree, mustHaveShape, spelled } from "./infer.ts";
import type { NoAttrs } from "./infer.ts";

const f32 = named("f32", [["B", 3], ["T", 4]]);
const real: ExampleOperand = { type: f32, elements: "normal" };
const small: ExampleOperand = { type: withDType(f32, "i32"), elements: "index", below: 3 };
const bool: ExampleOperand = { type: withDType(f32, "i1"), elements: "bool" };

const wantsBool = (x: TensorType): string => `takes i1 elements, given ${x.dtype}`;

export const not: Op<[x: Value], NoAttrs> = defineOp({
  mnemonic: "not",
  summary: "1 where x is 0",
  operands: ["x"],
  results: ["y"],
  attrs: {},
  infer: inferOne((x) => (x.dtype === "i1" ? [x] : violates("C1", wantsBool(x)))),
  evaluate: (ctx) => [mapOne(ctx, (x) => 1 - x)],
  vjp: "inactive",
  expand: null,
  flops: () => poly.ZERO,
  examples: [{ operands: [bool], attrs: {} }],
});

type Connective = Op<[a: Value, b: Value], NoAttrs>;

const connective = (mnemonic: string, summary: string, f: (a: number, b: number) => number): Connective =>
  defineOp<Connective>({
    mnemonic,
    summary,
    operands: ["a", "b"],
    results: ["y"],
    attrs: {},
    infer: inferTwo((a, b) =>
      a.dtype === "i1" ? (mustAgree("C2", a, b) ?? [spelled(a, b)]) : violates("C1", wantsBool(a)),
    ),
    evaluate: (ctx) => [mapTwo(ctx, f)],
    vjp: "inactive",
    expand: null,
    flops: () => poly.ZERO,
    examples: [{ operands: [bool, bool], attrs: {} }],
  });

export const and: Connective = connective("and", "1 where both are 1", (a, b) => a * b);
export const or: Connective = connective("or", "1 where either is 1", (a, b) => Math.max(a, b));

/** What `compare` can ask. */
export type Direction = "eq" | "ne" | "lt" | "le" | "gt" | "ge";

const HOLDS: Readonly<Record<Direction, (a: number, b: number) => boolean>> = {
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  lt: (a, b) => a < b,
  le: (a, b) => a <= b,
  gt: (a, b) => a > b,
  ge: (a, b) => a >= b,
};

export const compare: Op<[a: Value, b: Value], { readonly direction: Direction }> = defineOp({
  mnemonic: "compare",
  summary: "1 where a stands in the given relation to b",
  operands: ["a", "b"],
  results: ["y"],
  attrs: { direction: attr.oneOf("eq", "ne", "lt", "le", "gt", "ge") },
  infer: inferTwo((a, b) =>
    a.dtype === "i1"
      ? violates("C1", "takes f32 or i32 elements, given i1")
      : (mustAgree("C2", a, b) ?? [withDType(spelled(a, b), "i1")]),
  ),
  evaluate: (ctx) => {
    const holds = HOLDS[ctx.attrs.direction];
    return [mapTwo(ctx, (a, b) => (holds(a, b) ? 1 : 0))];
  },
  vjp: "inactive",
  expand: null,
  flops: () => poly.ZERO,
  examples: (["eq", "ne", "lt", "le", "gt", "ge"] as const).flatMap((direction) => [
    { operands: [small, small], attrs: { direction } },
    { operands: [real, real], attrs: { direction } },
  ]),
});

/** y = cond ? a : b.   da = cond ? ct : 0,  db = cond ? 0 : ct
 *  C1  cond is i1    C2  cond has the shape of a and b    C3  a and b have one type */
export const select: Op<[cond: Value, a: Value, b: Value], NoAttrs> = defineOp({
  mnemonic: "select",
  summary: "a where cond is 1, b where it is 0",
  operands: ["cond", "a", "b"],
  results: ["y"],
  attrs: {},
  infer: inferThree((cond, a, b) => {
    if (cond.dtype !== "i1") return violates("C1", `the condition must be i1, given ${cond.dtype}`);
    return mustHaveShape("C2", cond, a) ?? mustAgree("C3", a, b) ?? [spelled(spelled(a, b), cond)];
  }),
  evaluate: ({ operands }) => {
    const [cond, a, b] = [at(operands, 0), at(operands, 1), at(operands, 2)];
    return [cond.map((chosen, i) => (chosen !== 0 ? a : b)[i] ?? Number.NaN)];
  },
  vjp: ({ b, cotangents: [ct], operands: [cond], wanted }) => {
    if (!ct) return [null, null, null];
    const zero = full(b, 0, ct.type);
    return [
      null,
      wanted[1] ? b.one(select, [cond, ct, zero], {}) : null,
      wanted[2] ? b.one(select, [cond, zero, ct], {}) : null,
    ];
  },
  expand: null,
  flops: () => poly.ZERO,
  examples: [
    { operands: [bool, real, real], attrs: {} },
    { operands: [bool, small, small], attrs: {} },
  ],
});

/** f32 to i32 rounds toward zero; i1 becomes 0 or 1.   C1  `to` is f32 or i32 (a truth value is made by `compare`) */
export const convert: Op<[x: Value], { readonly to: DType }> = defineOp({
  mnemonic: "convert",
  summary: "the same numbers in another dtype; f32 to i32 rounds toward zero",
  operands: ["x"],
  results: ["y"],
  attrs: { to: attr.dtype },
  infer: inferOne((x, { to }) =>
    to === "i1" ? violates("C1", "cannot convert to i1; compare instead") : [withDType(x, to)],
  ),
  evaluate: (ctx) => [mapOne(ctx, ctx.attrs.to === "i32" ? Math.trunc : (x) => x)],
  vjp: ({ cotangents: [ct], operands: [x] }) => [ct && x.type.dtype === "f32" && ct.type.dtype === "f32" ? ct : null],
  expand: null,
  flops: () => poly.ZERO,
  examples: [
    { operands: [real], attrs: { to: "i32" } },
    { operands: [real], attrs: { to: "f32" } },
    { operands: [small], attrs: { to: "f32" } },
    { operands: [bool], attrs: { to: "f32" } },
    { operands: [bool], attrs: { to: "i32" } },
  ],
});
