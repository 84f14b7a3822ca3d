/** @file Arithmetic element by element: y[i] = f(x[i]) and y[i] = f(a[i], b[i]). Nothing broadcasts implicitly, so the
 *  operands of a binary op have one type. Constraints: C0 operand count, C1 dtype, C2 operands agree. */

import type { Builder } from "../builder.ts";
import type { CostContext, DType, EvaluateContext, Example, ExampleOperand, Op, Value, VjpRule } from "../core.ts";
import { defineOp, violates } from "../core.ts";
import { erf as erfOf } from "../erf.ts";
import * as poly from "../poly.ts";
import type { Poly } from "../poly.ts";
import { named, volume } from "../types.ts";
import { mapOne, mapTwo } from "../tensor-data.ts";
import { expOf, minus, over, times } from "./arithmetic.ts";
import { full, scaleBy } from "./helpers.ts";
import { inferOne, inferTwo, mustAgree, spelled } from "./infer.ts";
import type { NoAttrs } from "./infer.ts";
import { compare, select } from "./logic.ts";

type Unary = Op<[x: Value], NoAttrs>;
type Binary = Op<[a: Value, b: Value], NoAttrs>;
type Elements = ExampleOperand["elements"];

/** One operation an element where the elements are floats; integers are index arithmetic and count nothing. */
const perElement = ({ operandTypes: [x] }: CostContext<NoAttrs>): Poly => (x?.dtype === "f32" ? volume(x) : poly.ZERO);

const tallied = (ctx: EvaluateContext<NoAttrs>): EvaluateContext<NoAttrs> => {
  const [x] = ctx.operands;
  if (x !== undefined && ctx.operandTypes[0]?.dtype === "f32") ctx.tally.flops += x.length;
  return ctx;
};

const exampleOf = (count: number, elements: Elements, dtype: DType): Example<NoAttrs> => {
  const below = elements === "index" ? { below: 9 } : {};
  const operand = { type: named(dtype, [["B", 3], ["T", 4]]), elements, ...below };
  return { operands: new Array<ExampleOperand>(count).fill(operand), attrs: {} };
};

interface Spec {
  readonly mnemonic: string;
  readonly summary: string;
  readonly dtypes?: readonly DType[];
  readonly elements?: Elements;
  readonly examples?: readonly Example<NoAttrs>[];
}

const examplesOf = (count: number, dtypes: readonly DType[], elements: Elements): readonly Example<NoAttrs>[] =>
  dtypes.map((dtype) => exampleOf(count, dtype === "i32" ? "index" : elements, dtype));

const unary = (
  { mnemonic, summary, dtypes = ["f32"], elements = "normal" }: Spec,
  f: (x: number) => number,
  vjp: VjpRule<[x: Value], NoAttrs> | "inactive",
): Unary =>
  defineOp<Unary>({
    mnemonic,
    summary,
    operands: ["x"],
    results: ["y"],
    attrs: {},
    infer: inferOne((x) =>
      dtypes.includes(x.dtype) ? [x] : violates("C1", `takes ${dtypes.join(" or ")} elements, given ${x.dtype}`),
    ),
    evaluate: (ctx) => [mapOne(tallied(ctx), f)],
    vjp,
    expand: null,
    flops: perElement,
    examples: examplesOf(1, dtypes, elements),
  });

const binary = (
  { mnemonic, summary, dtypes = ["f32", "i32"], elements = "normal", examples }: Spec,
  f: (a: number, b: number) => number,
  vjp: VjpRule<[a: Value, b: Value], NoAttrs> | "inactive",
): Binary =>
  defineOp<Binary>({
    mnemonic,
    summary,
    operands: ["a", "b"],
    results: ["y"],
    attrs: {},
    infer: inferTwo((a, b) => {
      if (!dtypes.includes(a.dtype)) return violates("C1", `takes ${dtypes.join(" or ")} elements, given ${a.dtype}`);
      return mustAgree("C2", a, b) ?? [spelled(a, b)];
    }),
    evaluate: (ctx) => [mapTwo(tallied(ctx), f)],
    vjp,
    expand: null,
    flops: perElement,
    examples: examples ?? examplesOf(2, dtypes, elements),
  });

/** A rule for y = f(x): the body builds the one contribution. */
const along =
  (rule: (b: Builder, ct: Value, x: Value, y: Value) => Value): VjpRule<[x: Value], NoAttrs> =>
  ({ b, cotangents: [ct], operands: [x], results: [y] }) => [ct && y ? rule(b, ct, x, y) : null];

interface BinaryCase {
  readonly b: Builder;
  readonly ct: Value;
  readonly x: Value;
  readonly z: Value;
  readonly y: Value;
}

type Contribution = (c: BinaryCase) => Value;

/** A rule for y = f(x, z): one body an operand, run only where it is wanted. */
const alongBoth =
  (forX: Contribution, forZ: Contribution): VjpRule<[a: Value, b: Value], NoAttrs> =>
  ({ b, cotangents: [ct], operands: [x, z], results: [y], wanted: [wantX, wantZ] }) => {
    if (!ct || !y) return [null, null];
    const c: BinaryCase = { b, ct, x, z, y };
    return [wantX ? forX(c) : null, wantZ ? forZ(c) : null];
  };

const negative = (b: Builder, x: Value): Value => b.one(neg, [x], {});

export const neg: Unary = unary({ mnemonic: "neg", summary: "-x", dtypes: ["f32", "i32"] }, (x) => -x,
  along((b, ct) => negative(b, ct)));

/** d exp(x) = exp(x) */
export const exp: Unary = unary({ mnemonic: "exp", summary: "e to the x" }, Math.exp,
  along((b, ct, _x, y) => times(b, ct, y)));

/** d log(x) = 1 / x */
export const log: Unary = unary({ mnemonic: "log", summary: "natural logarithm", elements: "positive" }, Math.log,
  along((b, ct, x) => over(b, ct, x)));

/** d sqrt(x) = 1 / (2 sqrt(x)) */
export const sqrt: Unary = unary({ mnemonic: "sqrt", summary: "square root", elements: "positive" }, Math.sqrt,
  along((b, ct, _x, y) => over(b, scaleBy(b, ct, 0.5), y)));

/** d x^(-1/2) = -1/2 x^(-3/2) */
export const rsqrt: Unary = unary(
  { mnemonic: "rsqrt", summary: "1 / sqrt(x)", elements: "positive" },
  (x) => 1 / Math.sqrt(x),
  along((b, ct, _x, y) => times(b, scaleBy(b, ct, -0.5), times(b, y, times(b, y, y)))),
);

/** d tanh(x) = 1 - tanh(x)^2 */
export const tanh: Unary = unary({ mnemonic: "tanh", summary: "hyperbolic tangent" }, Math.tanh,
  along((b, ct, _x, y) => minus(b, ct, times(b, ct, times(b, y, y)))));

/** d erf(x) = 2/sqrt(pi) exp(-x^2) */
export const erf: Unary = unary({ mnemonic: "erf", summary: "Gauss error function" }, erfOf,
  along((b, ct, x) => times(b, scaleBy(b, ct, 2 / Math.sqrt(Math.PI)), expOf(b, negative(b, times(b, x, x))))));

/** d s(x) = s (1 - s) */
export const logistic: Unary = unary({ mnemonic: "logistic", summary: "1 / (1 + exp(-x))" }, (x) => 1 / (1 + Math.exp(-x)),
  along((b, ct, _x, y) => times(b, ct, minus(b, y, times(b, y, y)))));

export const sin: Unary = unary({ mnemonic: "sin", summary: "sine" }, Math.sin,
  along((b, ct, x) => times(b, ct, b.one(cos, [x], {}))));

export const cos: Unary = unary({ mnemonic: "cos", summary: "cosine" }, Math.cos,
  along((b, ct, x) => negative(b, times(b, ct, b.one(sin, [x], {})))));

/** d |x| = sign(x); 0 at 0 */
export const abs: Unary = unary({ mnemonic: "abs", summary: "absolute value", dtypes: ["f32", "i32"] }, Math.abs,
  along((b, ct, x) => times(b, ct, b.one(sign, [x], {}))));

/** Flat almost everywhere. */
export const sign: Unary = unary({ mnemonic: "sign", summary: "-1, 0 or 1", dtypes: ["f32", "i32"] }, Math.sign, "inactive");

/** Flat almost everywhere. */
export const floor: Unary = unary({ mnemonic: "floor", summary: "largest integer not above x" }, Math.floor, "inactive");

export const add: Binary = binary({ mnemonic: "add", summary: "a + b" }, (a, b) => a + b,
  alongBoth(({ ct }) => ct, ({ ct }) => ct));

export const sub: Binary = binary({ mnemonic: "sub", summary: "a - b" }, (a, b) => a - b,
  alongBoth(({ ct }) => ct, ({ b, ct }) => negative(b, ct)));

export const mul: Binary = binary({ mnemonic: "mul", summary: "a b" }, (a, b) => a * b,
  alongBoth(({ b, ct, z }) => times(b, ct, z), ({ b, ct, x }) => times(b, ct, x)));

/** y = a / b:  da = ct / b,  db = -ct y / b */
export const div: Binary = binary(
  { mnemonic: "div", summary: "a / b", dtypes: ["f32"], elements: "positive" },
  (a, b) => a / b,
  alongBoth(({ b, ct, z }) => over(b, ct, z), ({ b, ct, z, y }) => negative(b, over(b, times(b, ct, y), z))),
);

/** y = a^b:  da = ct b a^(b-1),  db = ct y log(a), taken as 0 where a <= 0 (the power is not a function of b there). */
export const pow: Binary = binary(
  { mnemonic: "pow", summary: "a to the b", dtypes: ["f32"], elements: "positive" },
  Math.pow,
  alongBoth(
    ({ b, ct, x, z }) => times(b, times(b, ct, z), b.one(pow, [x, minus(b, z, full(b, 1, z.type))], {})),
    ({ b, ct, x, y }) => {
      const positive = b.one(compare, [x, full(b, 0, x.type)], { direction: "gt" });
      const base = b.one(select, [positive, x, full(b, 1, x.type)], {});
      return times(b, times(b, ct, y), b.one(log, [base], {}));
    },
  ),
);

/** The cotangent where x wins, half of it on a tie, none where it loses. */
const share =
  (direction: "gt" | "lt", side: "x" | "z"): Contribution =>
  ({ b, ct, x, z }) => {
    const pair: [Value, Value] = side === "x" ? [x, z] : [z, x];
    const tie = b.one(compare, pair, { direction: "eq" });
    const rest = b.one(select, [tie, scaleBy(b, ct, 0.5), full(b, 0, ct.type)], {});
    return b.one(select, [b.one(compare, pair, { direction }), ct, rest], {});
  };

export const max: Binary = binary(
  { mnemonic: "max", summary: "the larger; a tie halves the gradient", elements: "distinct" },
  Math.max,
  alongBoth(share("gt", "x"), share("gt", "z")),
);

export const min: Binary = binary(
  { mnemonic: "min", summary: "the smaller; a tie halves the gradient", elements: "distinct" },
  Math.min,
  alongBoth(share("lt", "x"), share("lt", "z")),
);

const division: readonly Example<NoAttrs>[] = [
  {
    operands: [
      { type: named("i32", [["T", 6]]), elements: "index", values: [0, 1, 7, 12, 300, 4095] },
      { type: named("i32", [["T", 6]]), elements: "index", values: [3, 1, 8, 4, 7, 16] },
    ],
    attrs: {},
  },
];

/** Operands are non-negative, the divisor is not 0. */
export const idiv: Binary = binary(
  { mnemonic: "idiv", summary: "floor(a / b) of non-negative integers", dtypes: ["i32"], examples: division },
  (a, b) => Math.floor(a / b),
  "inactive",
);

/** Operands are non-negative, the divisor is not 0. */
export const mod: Binary = binary(
  { mnemonic: "mod", summary: "a - b floor(a / b) of non-negative integers", dtypes: ["i32"], examples: division },
  (a, b) => a % b,
  "inactive",
);
