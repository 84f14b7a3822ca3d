/** @file What is known when compiling is computed when compiling. A constant is one number everywhere, so every rule works
 *  on one element, in float64: fewer roundings than a kernel would make. */

import type { Builder } from "../../ir/builder.ts";
import type { AnyOp, Operation, TensorType, Value } from "../../ir/core.ts";
import { evaluateOp } from "../../ir/interpret.ts";
import { bind, on, value } from "../../ir/pattern.ts";
import {
  abs, add, and, broadcast, compare, constant, convert, cos, div, erf, exp, floor, gather, idiv, log, logistic, max, min,
  mod, mul, neg, not, or, pad, pow, reduceMax, reduceSum, reshape, rsqrt, select, sign, sin, slice, sqrt, sub, tanh,
  transpose,
} from "../../ir/ops/index.ts";
import { elements, named, scalar } from "../../ir/types.ts";
import { exact } from "../rewrite.ts";
import type { Rule } from "../rewrite.ts";

const c = bind("c", on(constant));
const d = bind("d", on(constant));
const e = bind("e", on(constant));

const F = named("f32", [["B", 2], ["T", 3]]);
const I = named("i32", [["B", 2], ["T", 3]]);
const I1 = named("i1", [["B", 2], ["T", 3]]);

const splat = (b: Builder, number: number, type: TensorType): Value => b.one(constant, [], { value: number, type });

const numberOf = (operation: unknown): number => (operation as Operation & { attrs: { value: number } }).attrs.value;

/** One element of the result. */
const folded = (root: Operation, operands: readonly unknown[]): number => {
  const data = operands.map((operand) => Float64Array.of(numberOf(operand)));
  const operandTypes = root.operands.map((operand) => scalar(operand.type.dtype));
  const resultTypes = root.results.map((result) => scalar(result.type.dtype));
  return evaluateOp(root.op, data, operandTypes, resultTypes, root.attrs).results[0]?.[0] ?? Number.NaN;
};

/** Only numbers that a kernel's text can hold. */
const isNumber = (root: Operation, operands: readonly unknown[]): boolean => Number.isFinite(folded(root, operands));

const result = (b: Builder, root: Operation, operands: readonly unknown[]): Value =>
  splat(b, folded(root, operands), root.results[0]?.type ?? F);

const law = (op: AnyOp, count: number): string => `${op.mnemonic} of ${count} known number${count > 1 ? "s" : ""} is a known number`;

type Unary = typeof neg;
type Binary = typeof add;

const unaryRule = (op: Unary, type: TensorType, sample: number): Rule =>
  exact({
    name: `fold-${op.mnemonic}`, law: law(op, 1), match: on(op, c),
    where: (m) => isNumber(m.root, [m.c]), rewrite: (b, m) => result(b, m.root, [m.c]),
    example: (b) => b.one(op, [splat(b, sample, type)], {}),
  });

const binaryRule = (op: Binary, type: TensorType): Rule =>
  exact({
    name: `fold-${op.mnemonic}`, law: law(op, 2), match: on(op, c, d),
    where: (m) => isNumber(m.root, [m.c, m.d]), rewrite: (b, m) => result(b, m.root, [m.c, m.d]),
    example: (b) => b.one(op, [splat(b, 1, type), splat(b, type.dtype === "i1" ? 0 : 3, type)], {}),
  });

const FOLDS: readonly Rule[] = [
  ...[neg, exp, log, sqrt, rsqrt, tanh, erf, logistic, sin, cos, abs, sign, floor].map((op) => unaryRule(op, F, 1.5)),
  unaryRule(not, I1, 1),
  ...[add, sub, mul, max, min, div, pow].map((op) => binaryRule(op, F)),
  ...[idiv, mod].map((op) => binaryRule(op, I)),
  ...[and, or].map((op) => binaryRule(op, I1)),
  exact({
    name: "fold-compare", law: law(compare, 2), match: on(compare, c, d),
    rewrite: (b, m) => result(b, m.root, [m.c, m.d]),
    example: (b) => b.one(compare, [splat(b, 1, F), splat(b, 2, F)], { direction: "lt" }),
  }),
  exact({
    name: "fold-select", law: law(select, 3), match: on(select, c, d, e),
    rewrite: (b, m) => result(b, m.root, [m.c, m.d, m.e]),
    example: (b) => b.one(select, [splat(b, 1, I1), splat(b, 2, F), splat(b, 3, F)], {}),
  }),
  exact({
    name: "fold-convert", law: law(convert, 1), match: on(convert, c), where: (m) => isNumber(m.root, [m.c]),
    rewrite: (b, m) => result(b, m.root, [m.c]),
    example: (b) => b.one(convert, [splat(b, 2.5, F)], { to: "i32" }),
  }),
];

/** Moving equal numbers about leaves the same number everywhere. */
const spread = (b: Builder, root: Operation, known: unknown): Value => splat(b, numberOf(known), root.results[0]?.type ?? F);

const MOVES: readonly Rule[] = [
  exact({
    name: "broadcast-constant", law: "broadcast(c) = c", match: on(broadcast, c), rewrite: (b, m) => spread(b, m.root, m.c),
    example: (b) => b.one(broadcast, [splat(b, 2, scalar("f32"))], { axes: [], type: F }),
  }),
  exact({
    name: "reshape-constant", law: "reshape(c) = c", match: on(reshape, c), rewrite: (b, m) => spread(b, m.root, m.c),
    example: (b) => b.one(reshape, [splat(b, 2, F)], { type: named("f32", [["N", 6]]) }),
  }),
  exact({
    name: "transpose-constant", law: "transpose(c) = c", match: on(transpose, c), rewrite: (b, m) => spread(b, m.root, m.c),
    example: (b) => b.one(transpose, [splat(b, 2, F)], { perm: [1, 0] }),
  }),
  exact({
    name: "slice-constant", law: "slice(c) = c", match: on(slice, c), rewrite: (b, m) => spread(b, m.root, m.c),
    example: (b) => b.one(slice, [splat(b, 2, F)], { starts: [0, 1], limits: [2, 2] }),
  }),
  exact({
    name: "gather-constant", law: "gather(c, ids) = c", match: on(gather, c, value("ids")),
    rewrite: (b, m) => spread(b, m.root, m.c),
    example: (b, input) => b.one(gather, [splat(b, 2, F), input(named("i32", [["S", 4]]), "index", 2)], {}),
  }),
  exact({
    name: "pad-zero-constant", law: "pad(0) = 0", match: on(pad, c), where: (m) => m.c.attrs.value === 0,
    rewrite: (b, m) => spread(b, m.root, m.c),
    example: (b) => b.one(pad, [splat(b, 0, F)], { low: [1, 0], high: [0, 2] }),
  }),
  exact({
    name: "sum-constant", law: "sum of n times c = n · c", match: on(reduceSum, c),
    rewrite: (b, m) => {
      const [x, y] = [m.root.operands[0]?.type ?? F, m.root.results[0]?.type ?? F];
      return splat(b, (m.c.attrs.value * elements(x)) / Math.max(elements(y), 1), y);
    },
    example: (b) => b.one(reduceSum, [splat(b, 2, F)], { axes: [1] }),
  }),
  exact({
    name: "max-constant", law: "max of c = c", match: on(reduceMax, c), rewrite: (b, m) => spread(b, m.root, m.c),
    example: (b) => b.one(reduceMax, [splat(b, 2, F)], { axes: [0] }),
  }),
];

export const CONSTANTS: readonly Rule[] = [...FOLDS, ...MOVES];
