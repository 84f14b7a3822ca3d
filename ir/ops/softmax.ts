/** @file Softmax and its logarithm along one axis, and their gradients, which stay whole until `decompose`.
 *  Constraints: C0 operand count, C1 f32, C2 axis, C3 the operands agree. */

import * as attr from "../attrs.ts";
import type { CostContext, Data, EvaluateContext, Op, TensorType, Value } from "../core.ts";
import { defineOp, violates } from "../core.ts";
import * as poly from "../poly.ts";
import { at, empty } from "../tensor-data.ts";
import { named, volume } from "../types.ts";
import { expOf, minus, over, times } from "./arithmetic.ts";
import { log } from "./elementwise.ts";
import { broadcastAlong, maxAndBack, sumAndBack, sumOver, without } from "./helpers.ts";
import { inferOne, inferTwo, mustAgree, spelled } from "./infer.ts";
import type { Inferred } from "./infer.ts";

interface Axis {
  readonly axis: number;
}

type AlongAxis = Op<[x: Value], Axis>;
type Gradient = Op<[y: Value, ct: Value], Axis>;

const inferAlong = (x: TensorType, { axis }: Axis): Inferred => {
  if (x.dtype !== "f32") return violates("C1", `takes f32 elements, given ${x.dtype}`);
  return x.shape[axis] === undefined ? violates("C2", `axis ${axis} of a tensor of rank ${x.shape.length}`) : [x];
};

const inferGradient = (y: TensorType, ct: TensorType, attrs: Axis): Inferred =>
  mustAgree("C3", y, ct) ?? inferAlong(spelled(y, ct), attrs);

/** One line along the axis: element n of it lies at `start + n * step`. */
interface Line {
  readonly start: number;
  readonly step: number;
  readonly size: number;
}

/** Fills a result line by line; `body` returns the value of element n of the line. */
const byLine = (ctx: EvaluateContext<Axis>, body: (line: Line) => (at: number) => number): readonly [Data] => {
  const type = at(ctx.resultTypes, 0);
  const size = at(type.shape, ctx.attrs.axis);
  const step = type.shape.slice(ctx.attrs.axis + 1).reduce((product, n) => product * n, 1);
  const out = empty(type);
  for (let outer = 0; outer < out.length; outer += size * step)
    for (let start = outer; start < outer + step; start++) {
      const value = body({ start, step, size });
      for (let n = 0, i = start; n < size; n++, i += step) out[i] = value(i);
    }
  return [out];
};

const fold = ({ start, step, size }: Line, from: number, f: (sum: number, at: number) => number): number => {
  let sum = from;
  for (let n = 0, i = start; n < size; n++, i += step) sum = f(sum, i);
  return sum;
};

const read = (x: Data, i: number): number => x[i] ?? Number.NaN;

/** The maximum of a line and the sum of exp(x - maximum). */
const normaliser = (x: Data, line: Line): { readonly top: number; readonly total: number } => {
  const top = fold(line, Number.NEGATIVE_INFINITY, (most, i) => Math.max(most, read(x, i)));
  return { top, total: fold(line, 0, (sum, i) => sum + Math.exp(read(x, i) - top)) };
};

const cost =
  (perElement: number, perLine: number) =>
  ({ operandTypes, attrs: { axis } }: CostContext<Axis>) => {
    const x = at(operandTypes, 0);
    return poly.add(poly.scale(volume(x), perElement), poly.scale(volume(without(x, [axis])), perLine));
  };

const bth = named("f32", [["B", 2], ["T", 4], ["H", 3]]);

const examples = (operands: number) =>
  [0, 1, 2].map((axis) => ({
    operands: Array.from({ length: operands }, () => ({ type: bth, elements: "normal" as const })),
    attrs: { axis },
  }));

/** p = exp(x - max x) / sum exp(x - max x) */
export const softmax: AlongAxis = defineOp({
  mnemonic: "softmax",
  summary: "the exponential along an axis, normalised to sum to 1",
  operands: ["x"],
  results: ["p"],
  attrs: { axis: attr.i64 },
  infer: inferOne(inferAlong),
  evaluate: (ctx) => {
    const x = at(ctx.operands, 0);
    return byLine(ctx, (line) => {
      const { top, total } = normaliser(x, line);
      ctx.tally.flops += 5 * line.size;
      return (i) => Math.exp(read(x, i) - top) / total;
    });
  },
  vjp: ({ b, results: [p], attrs, cotangents: [ct] }) => [p && ct ? b.one(softmaxVjp, [p, ct], attrs) : null],
  expand: (b, [x], { axis }) => {
    const e = expOf(b, minus(b, x, maxAndBack(b, x, [axis])));
    return [over(b, e, sumAndBack(b, e, [axis]))];
  },
  flops: cost(5, 0),
  examples: examples(1),
});

/** dx = p * (ct - sum(p * ct)) */
export const softmaxVjp: Gradient = defineOp({
  mnemonic: "softmax_vjp",
  summary: "gradient of softmax, from its result p",
  operands: ["p", "ct"],
  results: ["dx"],
  attrs: { axis: attr.i64 },
  infer: inferTwo(inferGradient),
  evaluate: (ctx) => {
    const [p, ct] = [at(ctx.operands, 0), at(ctx.operands, 1)];
    return byLine(ctx, (line) => {
      const mean = fold(line, 0, (sum, i) => sum + read(p, i) * read(ct, i));
      ctx.tally.flops += 4 * line.size;
      return (i) => read(p, i) * (read(ct, i) - mean);
    });
  },
  vjp: "by-expansion",
  expand: (b, [p, ct], { axis }) => [times(b, p, minus(b, ct, sumAndBack(b, times(b, p, ct), [axis])))],
  flops: cost(4, 0),
  examples: examples(2),
});

/** y = (x - max x) - log sum exp(x - max x) */
export const logSoftmax: AlongAxis = defineOp({
  mnemonic: "log_softmax",
  summary: "the logarithm of softmax",
  operands: ["x"],
  results: ["y"],
  attrs: { axis: attr.i64 },
  infer: inferOne(inferAlong),
  evaluate: (ctx) => {
    const x = at(ctx.operands, 0);
    return byLine(ctx, (line) => {
      const { top, total } = normaliser(x, line);
      const logTotal = Math.log(total);
      ctx.tally.flops += 5 * line.size + 1;
      return (i) => read(x, i) - top - logTotal;
    });
  },
  vjp: ({ b, results: [y], attrs, cotangents: [ct] }) => [y && ct ? b.one(logSoftmaxVjp, [y, ct], attrs) : null],
  expand: (b, [x], { axis }) => {
    const shifted = minus(b, x, maxAndBack(b, x, [axis]));
    const logTotal = b.one(log, [sumOver(b, expOf(b, shifted), [axis])], {});
    return [minus(b, shifted, broadcastAlong(b, logTotal, x.type, [axis]))];
  },
  flops: cost(5, 1),
  examples: examples(1),
});

/** dx = ct - exp(y) * sum(ct) */
export const logSoftmaxVjp: Gradient = defineOp({
  mnemonic: "log_softmax_vjp",
  summary: "gradient of log_softmax, from its result y",
  operands: ["y", "ct"],
  results: ["dx"],
  attrs: { axis: attr.i64 },
  infer: inferTwo(inferGradient),
  evaluate: (ctx) => {
    const [y, ct] = [at(ctx.operands, 0), at(ctx.operands, 1)];
    return byLine(ctx, (line) => {
      const total = fold(line, 0, (sum, i) => sum + read(ct, i));
      ctx.tally.flops += 4 * line.size;
      return (i) => read(ct, i) - Math.exp(read(y, i)) * total;
    });
  },
  vjp: "by-expansion",
  expand: (b, [y, ct], { axis }) => [minus(b, ct, times(b, expOf(b, y), sumAndBack(b, ct, [axis])))],
  flops: cost(4, 0),
  examples: examples(2),
});
