/** @file Cross-entropy and dropout: what cannot be said in the language without them. */

import * as poly from "../../../ir/poly.ts";
import type { Context } from "../context.ts";
import { printType } from "../dims.ts";
import { ERROR } from "../program.ts";
import type { Node, Value } from "../program.ts";
import { disagree } from "../shapes.ts";
import type { Builtin, BuiltinCall } from "./call.ts";

/** sum(nll) / max(1, number of targets that count). */
const meanOverCounted = (ctx: Context, call: BuiltinCall, nll: Node, targets: Node, ignore: number): Value => {
  const axes = nll.type.dims;
  const every = axes.map((_, i) => i);
  const counts = call.emit({ kind: "compare", direction: "ne" }, [targets, ctx.constant(ignore, "i32", call.span)], "i1", axes);
  const ones = call.emit({ kind: "convert" }, [counts], "f32", axes);
  const sumOf = (x: Node): Node => (every.length === 0 ? x : call.emit({ kind: "reduce", op: "sum", axes: every }, [x], "f32", []));
  const count = call.emit({ kind: "binary", op: "max" }, [sumOf(ones), ctx.constant(1, "f32", call.span)], "f32", []);
  return call.result({ kind: "binary", op: "div" }, [sumOf(nll), count], "f32", []);
};

const meanOverAll = (ctx: Context, call: BuiltinCall, nll: Node): Value => {
  const every = nll.type.dims.map((_, i) => i);
  if (every.length === 0) return { kind: "tensor", node: nll };
  const size = nll.type.shape.reduce((product, n) => product * n, 1);
  const sum = call.emit({ kind: "reduce", op: "sum", axes: every }, [nll], "f32", []);
  return call.result({ kind: "binary", op: "mul" }, [sum, ctx.constant(1 / size, "f32", call.span)], "f32", []);
};

const crossEntropy: Builtin = {
  name: "cross_entropy",
  signature: "cross_entropy(logits, targets, ignore?)",
  summary:
    "The mean of -log softmax(logits)[target] over the targets. logits [..., V], targets int[...]; with `ignore: -1`, targets of -1 do not count.",
  check: (ctx, call) => {
    const [logits, targets] = [call.operand("logits"), call.operand("targets", "i32")];
    const ignore = call.has("ignore") ? call.number("ignore", 0) : undefined;
    if (logits === null || targets === null || ignore === null) return ERROR;
    if (ignore !== undefined && !Number.isInteger(ignore))
      return ctx.error("SQ0319", `\`ignore\` is a target, a whole number, not ${ignore}`, call.written("ignore")?.span ?? call.at);
    const lead = logits.node.type.dims.slice(0, -1);
    const given = targets.node.type.dims;
    if (logits.node.type.dims.length === 0 || given.length !== lead.length)
      return ctx.error("SQ0302", "`cross_entropy` needs one target for every row of logits", call.at, {
        here: `logits ${printType(logits.node.type)} need targets ${printType(ctx.dims.type("i32", lead))}`,
        labels: ctx.operandLabels([logits, targets]),
      });
    const wrong = given.findIndex((axis, i) => !ctx.dims.same(axis, lead[i] ?? poly.ZERO));
    const [left, right] = [lead[wrong], given[wrong]];
    if (left !== undefined && right !== undefined) return disagree(ctx, "`cross_entropy`", call.at, { left, right }, [logits, targets]);
    const nll = call.emit({ kind: "cross_entropy", ignore: ignore ?? null }, [logits.node, targets.node], "f32", lead);
    return ignore === undefined ? meanOverAll(ctx, call, nll) : meanOverCounted(ctx, call, nll, targets.node, ignore);
  },
};

const dropout: Builtin = {
  name: "dropout",
  signature: "dropout(x, rate)",
  summary: "In training, zero with probability `rate`, else x / (1 - rate); x itself otherwise.",
  check: (ctx, call) => {
    const x = call.operand("x");
    const rate = call.number("rate", 0);
    if (x === null || rate === null) return ERROR;
    if (!(rate >= 0 && rate < 1)) return ctx.error("SQ0319", `the rate of \`dropout\` is in [0, 1), not ${rate}`, call.written("rate")?.span ?? call.at);
    if (rate === 0) return { kind: "tensor", node: x.node };
    ctx.usesDropout = true;
    if (!ctx.training) return { kind: "tensor", node: x.node };
    return call.result({ kind: "dropout", rate }, [x.node], "f32", x.node.type.dims);
  },
};

export const LOSSES: readonly Builtin[] = [crossEntropy, dropout];
