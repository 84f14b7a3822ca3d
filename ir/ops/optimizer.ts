/** @file Optimizer updates of one parameter: `sgd` (momentum) and `adamw`. Their state starts at zero.
 *  Constraints: C0 operand count, C1 parameter, gradient and state are f32 of one shape, C2 scalars are f32,
 *  C3 attributes in range. */

import * as attr from "../attrs.ts";
import type { Builder } from "../builder.ts";
import type { CostContext, Data, ExampleOperand, Op, TensorType, Value, Violation } from "../core.ts";
import { defineOp, violates } from "../core.ts";
import * as poly from "../poly.ts";
import type { Poly } from "../poly.ts";
import { at } from "../tensor-data.ts";
import { describe, named, sameShape, scalar, volume } from "../types.ts";
import { minus, over, plus, times } from "./arithmetic.ts";
import { sqrt, tanh } from "./elementwise.ts";
import { broadcastTo, full } from "./helpers.ts";
import type { Inferred } from "./infer.ts";

/** `tensors` operands like the first, then `scalars` scalars; the results are the tensors but the gradient. */
const inferUpdate = (operands: readonly TensorType[], tensors: number, scalars: number, bad: Violation | null): Inferred => {
  if (operands.length !== tensors + scalars)
    return violates("C0", `takes ${tensors + scalars} operands, given ${operands.length}`);
  const p = at(operands, 0);
  const odd = operands.slice(0, tensors).find((x) => x.dtype !== "f32" || !sameShape(x, p));
  if (odd !== undefined) return violates("C1", `the parameter is ${describe(p)}, one of the others ${describe(odd)}`);
  const wide = operands.slice(tensors).find((x) => x.dtype !== "f32" || x.shape.length > 0);
  if (wide !== undefined) return violates("C2", `expected a scalar f32[], given ${describe(wide)}`);
  return bad ?? Array.from({ length: tensors - 1 }, () => p);
};

const read = (x: Data, i: number): number => x[i] ?? Number.NaN;

const perElement = (operandTypes: readonly TensorType[], count: number, once: number): Poly =>
  poly.add(poly.scale(volume(at(operandTypes, 0)), count), poly.constant(once));

export interface SgdAttrs {
  readonly momentum: number;
  readonly weight_decay: number;
  readonly nesterov: boolean;
}

const sgdFlops = ({ weight_decay, nesterov }: SgdAttrs): number => 4 + (weight_decay === 0 ? 0 : 2) + (nesterov ? 2 : 0);

const weights = named("f32", [["D", 3], ["F", 4]]);
const normal = (type: TensorType): ExampleOperand => ({ type, elements: "normal" });
const positive = (type: TensorType): ExampleOperand => ({ type, elements: "positive" });
const sgdOperands = [normal(weights), normal(weights), normal(weights), positive(scalar("f32"))];

/** g' = g + weight_decay p,  m' = momentum m + g',  p' = p - lr (nesterov ? g' + momentum m' : m') */
export const sgd: Op<[p: Value, g: Value, m: Value, lr: Value], SgdAttrs> = defineOp({
  mnemonic: "sgd",
  summary: "one step of stochastic gradient descent with momentum",
  operands: ["p", "g", "m", "lr"],
  results: ["p_new", "m_new"],
  attrs: { momentum: attr.f64, weight_decay: attr.withDefault(attr.f64, 0), nesterov: attr.flag },
  infer: (operands, { momentum }) =>
    inferUpdate(operands, 3, 1, momentum >= 0 && momentum < 1 ? null : violates("C3", `momentum ${momentum} is not in [0, 1)`)),
  evaluate: ({ operands, attrs, tally }) => {
    const [p, g, m] = [at(operands, 0), at(operands, 1), at(operands, 2)];
    const lr = read(at(operands, 3), 0);
    const { momentum, weight_decay: decay, nesterov } = attrs;
    const decayed = g.map((gi, i) => gi + decay * read(p, i));
    const velocity = m.map((mi, i) => momentum * mi + read(decayed, i));
    const moved = p.map((pi, i) => {
      const direction = nesterov ? read(decayed, i) + momentum * read(velocity, i) : read(velocity, i);
      return pi - lr * direction;
    });
    tally.flops += p.length * sgdFlops(attrs);
    return [moved, velocity];
  },
  vjp: "inactive",
  expand: (b, [p, g, m, lr], { momentum, weight_decay: decay, nesterov }) => {
    const decayed = decay === 0 ? g : plus(b, g, times(b, p, full(b, decay, p.type)));
    const factor = full(b, momentum, p.type);
    const velocity = plus(b, times(b, m, factor), decayed);
    const direction = nesterov ? plus(b, decayed, times(b, velocity, factor)) : velocity;
    return [minus(b, p, times(b, direction, broadcastTo(b, lr, p.type))), velocity];
  },
  flops: ({ operandTypes, attrs }) => perElement(operandTypes, sgdFlops(attrs), 0),
  examples: [
    { operands: sgdOperands, attrs: { momentum: 0.9, weight_decay: 0, nesterov: false } },
    { operands: sgdOperands, attrs: { momentum: 0, weight_decay: 0.01, nesterov: false } },
    { operands: sgdOperands, attrs: { momentum: 0.9, weight_decay: 0.1, nesterov: true } },
  ],
});

export interface AdamwAttrs {
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weight_decay: number;
}

const ADAMW_PER_ELEMENT = 14;
const ADAMW_ONCE = 10;

const adamwFlops = ({ operandTypes, attrs }: CostContext<AdamwAttrs>): Poly =>
  perElement(operandTypes, ADAMW_PER_ELEMENT + (attrs.weight_decay === 0 ? 0 : 2), ADAMW_ONCE);

/** 1 - beta^t = 2 u / (1 + u) with u = tanh(-t log(beta) / 2): no cancellation in float32, where 1 - 0.999 has lost four
 *  digits. Past 50 the tanh is 1, which keeps beta = 0 finite. */
const biasCorrection = (b: Builder, beta: number, step: Value): Value => {
  const u = b.one(tanh, [times(b, step, full(b, Math.min(50, -Math.log(beta) / 2), step.type))], {});
  return over(b, times(b, u, full(b, 2, u.type)), plus(b, u, full(b, 1, u.type)));
};

/** beta x + (1 - beta) y */
const average = (b: Builder, beta: number, x: Value, y: Value): Value =>
  plus(b, times(b, x, full(b, beta, x.type)), times(b, y, full(b, 1 - beta, y.type)));

const adamwRange = ({ beta1, beta2, eps }: AdamwAttrs): Violation | null => {
  const outside = [beta1, beta2].find((beta) => !(beta >= 0 && beta < 1));
  if (outside !== undefined) return violates("C3", `beta ${outside} is not in [0, 1)`);
  return eps > 0 ? null : violates("C3", `eps ${eps} is not positive`);
};

const adamwOperands = [
  normal(weights), normal(weights), normal(weights), positive(weights), positive(scalar("f32")), positive(scalar("f32")),
];

/** m' = beta1 m + (1 - beta1) g,  v' = beta2 v + (1 - beta2) g^2,
 *  p' = p - lr (m' / (1 - beta1^t) / (sqrt(v' / (1 - beta2^t)) + eps) + weight_decay p),  t = step, counted from 1.
 *  Loshchilov & Hutter, "Decoupled weight decay regularization". */
export const adamw: Op<[p: Value, g: Value, m: Value, v: Value, lr: Value, step: Value], AdamwAttrs> = defineOp({
  mnemonic: "adamw",
  summary: "one step of Adam with decoupled weight decay and bias correction",
  operands: ["p", "g", "m", "v", "lr", "step"],
  results: ["p_new", "m_new", "v_new"],
  attrs: { beta1: attr.f64, beta2: attr.f64, eps: attr.f64, weight_decay: attr.withDefault(attr.f64, 0) },
  infer: (operands, attrs) => inferUpdate(operands, 4, 2, adamwRange(attrs)),
  evaluate: ({ operands, attrs, tally }) => {
    const [p, g, m, v] = [at(operands, 0), at(operands, 1), at(operands, 2), at(operands, 3)];
    const [lr, step] = [read(at(operands, 4), 0), read(at(operands, 5), 0)];
    const { beta1, beta2, eps, weight_decay: decay } = attrs;
    const mean = m.map((mi, i) => beta1 * mi + (1 - beta1) * read(g, i));
    const square = v.map((vi, i) => beta2 * vi + (1 - beta2) * read(g, i) ** 2);
    const [correct1, correct2] = [1 - beta1 ** step, 1 - beta2 ** step];
    const moved = p.map((pi, i) => {
      const direction = read(mean, i) / correct1 / (Math.sqrt(read(square, i) / correct2) + eps);
      return pi - lr * (direction + decay * pi);
    });
    tally.flops += p.length * (ADAMW_PER_ELEMENT + (decay === 0 ? 0 : 2)) + ADAMW_ONCE;
    return [moved, mean, square];
  },
  vjp: "inactive",
  expand: (b, [p, g, m, v, lr, step], { beta1, beta2, eps, weight_decay: decay }) => {
    const mean = average(b, beta1, m, g);
    const square = average(b, beta2, v, times(b, g, g));
    const meanNow = over(b, mean, broadcastTo(b, biasCorrection(b, beta1, step), p.type));
    const squareNow = over(b, square, broadcastTo(b, biasCorrection(b, beta2, step), p.type));
    const direction = over(b, meanNow, plus(b, b.one(sqrt, [squareNow], {}), full(b, eps, p.type)));
    const decayed = decay === 0 ? direction : plus(b, direction, times(b, p, full(b, decay, p.type)));
    return [minus(b, p, times(b, decayed, broadcastTo(b, lr, p.type))), mean, square];
  },
  flops: adamwFlops,
  examples: [
    { operands: adamwOperands, attrs: { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0 } },
    { operands: adamwOperands, attrs: { beta1: 0.9, beta2: 0.95, eps: 1e-6, weight_decay: 0.1 } },
    { operands: adamwOperands, attrs: { beta1: 0, beta2: 0.5, eps: 1e-3, weight_decay: 0 } },
  ],
});
