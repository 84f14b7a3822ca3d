/** @file Cross-entropy of a distribution given by logits against a class, and its gradient.
 *
 *  z = x - max x,  nll = log(sum exp z) - z[target], and 0 where the target is the ignored class. A target that is no
 *  class at all (and not ignored) picks 0 for z[target]; the host refuses such targets before anything runs. */

import * as attr from "../attrs.ts";
import type { Builder } from "../builder.ts";
import type { CostContext, Data, EvaluateContext, Op, TensorType, Value } from "../core.ts";
import { defineOp, violates } from "../core.ts";
import * as poly from "../poly.ts";
import { at, empty } from "../tensor-data.ts";
import { describe, named, sameShape, volume } from "../types.ts";
import { expOf, minus, over, times } from "./arithmetic.ts";
import { iota } from "./constant.ts";
import { log } from "./elementwise.ts";
import { broadcastAlong, full, maxAndBack, sumAndBack, sumOver, without, zeros } from "./helpers.ts";
import { inferThree, inferTwo, spelled } from "./infer.ts";
import type { Inferred } from "./infer.ts";
import { compare, convert, select } from "./logic.ts";

interface Ignore {
  /** The class whose rows count nothing; null for none. */
  readonly ignore: number | null;
}

const codecs: Op<readonly Value[], Ignore>["attrs"] = { ignore: attr.optional(attr.i64) };

/** C1  logits are f32 of rank 1 or more    C2  targets are i32, of the shape of logits without the last axis
 *  C3  `ignore` is an integer */
const inferLoss = (logits: TensorType, targets: TensorType, { ignore }: Ignore): Inferred => {
  if (logits.dtype !== "f32" || logits.shape.length === 0) return violates("C1", `logits are ${describe(logits)}`);
  const row = without(logits, [logits.shape.length - 1]);
  if (targets.dtype !== "i32" || !sameShape(targets, row))
    return violates("C2", `targets are ${describe(targets)}, expected ${describe({ ...row, dtype: "i32" })}`);
  return ignore === null || Number.isInteger(ignore) ? [spelled(row, targets)] : violates("C3", `ignore is ${ignore}`);
};

interface Row {
  readonly index: number;
  /** Where it starts in the logits. */
  readonly start: number;
  readonly target: number;
  readonly top: number;
  readonly total: number;
}

const read = (x: Data, i: number): number => x[i] ?? Number.NaN;

const classesOf = (ctx: EvaluateContext<Ignore>): number => at(ctx.operandTypes, 0).shape.at(-1) ?? 0;

/** Visits every row that is not ignored. */
const forEachRow = (ctx: EvaluateContext<Ignore>, visit: (row: Row) => void): void => {
  const [logits, targets] = [at(ctx.operands, 0), at(ctx.operands, 1)];
  const classes = classesOf(ctx);
  targets.forEach((target, index) => {
    if (target === ctx.attrs.ignore) return;
    const start = index * classes;
    let top = Number.NEGATIVE_INFINITY;
    let total = 0;
    for (let c = 0; c < classes; c++) top = Math.max(top, read(logits, start + c));
    for (let c = 0; c < classes; c++) total += Math.exp(read(logits, start + c) - top);
    visit({ index, start, target, top, total });
  });
};

/** Ignored rows are counted as the others: a cost does not depend on a tensor's contents. */
const cost =
  (perLogit: number, perRow: number) =>
  ({ operandTypes }: CostContext<Ignore>) =>
    poly.add(poly.scale(volume(at(operandTypes, 0)), perLogit), poly.scale(volume(at(operandTypes, 1)), perRow));

/** 1 at the target's class, everywhere else 0: the i1 shape of the logits. */
const isTarget = (b: Builder, logits: Value, targets: Value): Value => {
  const last = logits.type.shape.length - 1;
  const type: TensorType = { ...logits.type, dtype: "i32" };
  return b.one(compare, [b.one(iota, [], { axis: last, type }), broadcastAlong(b, targets, type, [last])], { direction: "eq" });
};

/** x, but 0 in the rows whose target is ignored. */
const unlessIgnored = (b: Builder, x: Value, targets: Value, { ignore }: Ignore): Value => {
  if (ignore === null) return x;
  const ignored = b.one(compare, [targets, full(b, ignore, targets.type)], { direction: "eq" });
  return b.one(select, [ignored, zeros(b, x.type), x], {});
};

const logits = { type: named("f32", [["B", 2], ["T", 3], ["V", 5]]), elements: "normal" } as const;
const targets = { type: named("i32", [["B", 2], ["T", 3]]), elements: "index", below: 5 } as const;
const ct = { type: named("f32", [["B", 2], ["T", 3]]), elements: "normal" } as const;
const oneRow = { type: named("f32", [["V", 4]]), elements: "normal" } as const;
const oneTarget = { type: named("i32", []), elements: "index", below: 4 } as const;

export const crossEntropy: Op<[logits: Value, targets: Value], Ignore> = defineOp({
  mnemonic: "cross_entropy",
  summary: "negative log-likelihood of each row's target class under softmax(logits)",
  operands: ["logits", "targets"],
  results: ["nll"],
  attrs: codecs,
  infer: inferTwo(inferLoss),
  evaluate: (ctx) => {
    const x = at(ctx.operands, 0);
    const nll = empty(at(ctx.resultTypes, 0));
    const classes = classesOf(ctx);
    forEachRow(ctx, ({ index, start, target, top, total }) => {
      const picked = target >= 0 && target < classes ? read(x, start + target) - top : 0;
      nll[index] = Math.log(total) - picked;
    });
    ctx.tally.flops += nll.length * (5 * classes + 2);
    return [nll];
  },
  vjp: ({ b, operands: [x, classes], attrs, cotangents: [d] }) => [
    d ? b.one(crossEntropyVjp, [x, classes, d], attrs) : null,
    null,
  ],
  expand: (b, [x, classes], attrs) => {
    const last = x.type.shape.length - 1;
    const z = minus(b, x, maxAndBack(b, x, [last]));
    const logTotal = b.one(log, [sumOver(b, expOf(b, z), [last])], {});
    const picked = sumOver(b, b.one(select, [isTarget(b, x, classes), z, zeros(b, z.type)], {}), [last]);
    return [unlessIgnored(b, minus(b, logTotal, picked), classes, attrs)];
  },
  flops: cost(5, 2),
  examples: [
    { operands: [logits, targets], attrs: { ignore: null } },
    { operands: [logits, targets], attrs: { ignore: 2 } },
    { operands: [oneRow, oneTarget], attrs: { ignore: null } },
  ],
});

/** dx = ct * (softmax(x) - onehot(target)), 0 in ignored rows */
export const crossEntropyVjp: Op<[logits: Value, targets: Value, ct: Value], Ignore> = defineOp({
  mnemonic: "cross_entropy_vjp",
  summary: "gradient of cross_entropy with respect to the logits",
  operands: ["logits", "targets", "ct"],
  results: ["d_logits"],
  attrs: codecs,
  infer: inferThree((x, classes, d, attrs) => {
    const row = inferLoss(x, classes, attrs);
    if ("constraint" in row) return row;
    const expected = at(row, 0);
    return d.dtype === "f32" && sameShape(d, expected)
      ? [x]
      : violates("C4", `the cotangent is ${describe(d)}, expected ${describe(expected)}`);
  }),
  evaluate: (ctx) => {
    const [x, d] = [at(ctx.operands, 0), at(ctx.operands, 2)];
    const dx = empty(at(ctx.resultTypes, 0));
    const classes = classesOf(ctx);
    forEachRow(ctx, ({ index, start, target, top, total }) => {
      for (let c = 0; c < classes; c++) {
        const p = Math.exp(read(x, start + c) - top) / total;
        dx[start + c] = (p - (c === target ? 1 : 0)) * read(d, index);
      }
    });
    ctx.tally.flops += 7 * dx.length;
    return [dx];
  },
  vjp: "by-expansion",
  expand: (b, [x, classes, d], attrs) => {
    const last = x.type.shape.length - 1;
    const e = expOf(b, minus(b, x, maxAndBack(b, x, [last])));
    const p = over(b, e, sumAndBack(b, e, [last]));
    const onehot = b.one(convert, [isTarget(b, x, classes)], { to: "f32" });
    const weight = broadcastAlong(b, unlessIgnored(b, d, classes, attrs), x.type, [last]);
    return [times(b, minus(b, p, onehot), weight)];
  },
  flops: cost(7, 0),
  examples: [
    { operands: [logits, targets, ct], attrs: { ignore: null } },
    { operands: [logits, targets, ct], attrs: { ignore: 2 } },
    { operands: [oneRow, oneTarget, { type: named("f32", []), elements: "normal" }], attrs: { ignore: null } },
  ],
});
