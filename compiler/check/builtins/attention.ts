/** @file `attention(q, k, v, mask: …, bias: …, scale: …, dropout: …)`: softmax attention, kept whole down to the IR.
 *
 *  q [..., H, N, K], k [..., G, M, K], v [..., G, M, E] give [..., H, N, E]. G divides H: query head h looks at key head
 *  floor(h / (H / G)). Without a heads axis ([N, K]) or without leading axes the same with 1. */

import * as poly from "../../../ir/poly.ts";
import { countersFit } from "../../../ir/ops/attention-dropout.ts";
import type { Poly } from "../../../ir/poly.ts";
import type { Context } from "../context.ts";
import { printAxis, printSize, printType } from "../dims.ts";
import { maskParts } from "../operators.ts";
import { ERROR } from "../program.ts";
import type { Extra, Form, Mask, Node, Value } from "../program.ts";
import { broadcastAxes, disagree, isConflict } from "../shapes.ts";
import type { Operand } from "../shapes.ts";
import type { Builtin, BuiltinCall } from "./call.ts";

type Operands = readonly [q: Operand, k: Operand, v: Operand];

/** Two axes that must be the same; `true` where they are. */
const agree = (ctx: Context, call: BuiltinCall, what: string, left: Poly | undefined, right: Poly | undefined, operands: readonly Operand[]): boolean => {
  if (left === undefined || right === undefined || ctx.dims.same(left, right)) return true;
  disagree(ctx, `\`attention\`, ${what}`, call.at, { left, right }, operands, "SQ0314");
  return false;
};

/** G divides H. The same heads need no proof beyond their spelling; groups are a matter of numbers. */
const headsFit = (ctx: Context, call: BuiltinCall, [q, k]: Operands): boolean => {
  const [h, g] = [q.node.type.dims.at(-3), k.node.type.dims.at(-3)];
  if (h === undefined || g === undefined) return true;
  const [heads, groups] = [ctx.dims.valueOf(h), ctx.dims.valueOf(g)];
  if (ctx.dims.same(h, g) || Number.isNaN(heads / groups) || heads % groups === 0) return true;
  ctx.error("SQ0314", `\`attention\`: ${heads} query heads cannot share ${groups} key heads evenly`, call.at, {
    here: `${printSize(heads, h)} is no multiple of ${printSize(groups, g)}`,
    labels: [...ctx.operandLabels([q, k]), ...ctx.dimLabels([h, g])],
  });
  return false;
};

const operandsFit = (ctx: Context, call: BuiltinCall, operands: Operands): boolean => {
  const [q, k, v] = operands;
  const [a, b, c] = [q.node.type.dims, k.node.type.dims, v.node.type.dims];
  for (const operand of operands) {
    const rank = operand.node.type.dims.length;
    if (rank >= 2 && rank === a.length) continue;
    ctx.error("SQ0302", "`attention` takes q, k and v with the same number of axes, two or more", operand.span, {
      here: `this is ${printType(operand.node.type)}`,
      labels: ctx.operandLabels(operands.filter((other) => other !== operand)),
    });
    return false;
  }
  return (
    agree(ctx, call, "the widths of q and k", a.at(-1), b.at(-1), [q, k]) &&
    agree(ctx, call, "the number of keys and values", b.at(-2), c.at(-2), [k, v]) &&
    agree(ctx, call, "the heads of k and v", b.at(-3), c.at(-3), [k, v]) &&
    a.slice(0, -3).every((axis, i) => agree(ctx, call, `axis ${i} of q and k`, axis, b[i], [q, k]) && agree(ctx, call, `axis ${i} of q and v`, axis, c[i], [q, v])) &&
    headsFit(ctx, call, operands)
  );
};

interface Masking {
  readonly causal: boolean;
  readonly window: number;
  readonly lengths: Node | null;
  readonly mask: Node | null;
}

const UNMASKED: Masking = { causal: false, window: 0, lengths: null, mask: null };

/** Several bands are the narrowest; several bool tensors are joined. Null after an error. */
const combine = (ctx: Context, call: BuiltinCall, parts: readonly Mask[], at: Operand["span"]): Masking | null => {
  let masking = UNMASKED;
  for (const part of parts) {
    if (part.kind === "causal") masking = { ...masking, causal: true };
    else if (part.kind === "window")
      masking = { ...masking, causal: true, window: masking.window === 0 ? part.width : Math.min(masking.window, part.width) };
    else if (part.kind === "tensor") {
      const mask = masking.mask === null ? part.node : bothHold(ctx, call, masking.mask, part.node, at);
      if (mask === null) return null;
      masking = { ...masking, mask };
    } else if (masking.lengths === null) masking = { ...masking, lengths: part.lengths };
    else {
      ctx.error("SQ0313", "`padding` occurs twice in one mask", at);
      return null;
    }
  }
  return masking;
};

const bothHold = (ctx: Context, call: BuiltinCall, a: Node, b: Node, span: Operand["span"]): Node | null => {
  const axes = broadcastAxes(ctx, a.type.dims, b.type.dims);
  if (!isConflict(axes)) return call.emit({ kind: "binary", op: "and" }, [a, b], "i1", axes);
  disagree(ctx, "masks", call.at, axes, [{ node: a, span }, { node: b, span }]);
  return null;
};

/** A mask or bias must broadcast to the scores [..., H, N, M]. */
const fitsScores = (ctx: Context, call: BuiltinCall, what: string, operand: Operand, [q, k]: Operands): boolean => {
  const scores = [...q.node.type.dims.slice(0, -1), k.node.type.dims.at(-2) ?? poly.ONE];
  const joined = broadcastAxes(ctx, scores, operand.node.type.dims);
  if (isConflict(joined)) {
    disagree(ctx, `the ${what} of \`attention\` and its scores [${scores.map(printAxis).join(", ")}]`, call.at, joined, [operand], "SQ0314");
    return false;
  }
  if (joined.every((axis, i) => scores.length === joined.length && ctx.dims.same(axis, scores[i] ?? poly.ZERO))) return true;
  ctx.error("SQ0314", `the ${what} is larger than the scores [${scores.map(printAxis).join(", ")}]`, operand.span, { labels: ctx.operandLabels([operand]) });
  return false;
};

const lengthsFit = (ctx: Context, call: BuiltinCall, lengths: Operand, [q]: Operands): boolean => {
  const { dims } = q.node.type;
  const lead = dims.length > 3 ? dims.slice(0, -3) : dims.slice(0, -2);
  const given = lengths.node.type.dims;
  if (given.length === lead.length) return given.every((axis, i) => agree(ctx, call, "the batch of `padding`", axis, lead[i], [lengths, q]));
  ctx.error("SQ0314", `\`padding\` needs one length for every sequence: int[${lead.map(printAxis).join(", ")}]`, lengths.span, {
    here: `this is ${printType(lengths.node.type)}`,
  });
  return false;
};

/** The rate that holds here: 0 where this is not training. Null after an error. */
const dropoutOf = (ctx: Context, call: BuiltinCall, [q, k]: Operands): number | null => {
  const rate = call.number("dropout", 0);
  if (rate === null || rate === 0) return rate;
  const span = call.written("dropout")?.span ?? call.at;
  if (!(rate > 0 && rate < 1)) {
    ctx.error("SQ0319", `the dropout of \`attention\` is in [0, 1), not ${rate}`, span);
    return null;
  }
  const { shape } = q.node.type;
  const [N = 1, M = 1] = [shape.at(-2), k.node.type.shape.at(-2)];
  const heads = shape.slice(0, -2).reduce((product, size) => product * size, 1);
  if (!countersFit({ B: 1, H: heads, N, M })) {
    ctx.error("SQ0319", `\`attention\` of ${heads} heads with ${N} x ${M} pairs each has too many weights to drop`, span, {
      hint: "use smaller batches, or `dropout(…)` on the result",
    });
    return null;
  }
  ctx.usesDropout = true;
  return ctx.training ? rate : 0;
};

const check = (ctx: Context, call: BuiltinCall): Value => {
  const [q, k, v] = [call.operand("q"), call.operand("k"), call.operand("v")];
  if (q === null || k === null || v === null) return ERROR;
  const operands: Operands = [q, k, v];
  const given = call.written("mask");
  const parts = given === null ? [] : maskParts(ctx, given);
  const at = given?.span ?? call.at;
  const masking = parts === null ? null : combine(ctx, call, parts, at);
  const bias = call.has("bias") ? call.operand("bias") : undefined;
  const scale = call.number("scale", 1 / Math.sqrt(q.node.type.shape.at(-1) ?? 1));
  if (masking === null || bias === null || scale === null || !operandsFit(ctx, call, operands)) return ERROR;
  const { lengths, mask, causal, window } = masking;
  if (lengths !== null && !lengthsFit(ctx, call, { node: lengths, span: at }, operands)) return ERROR;
  if (mask !== null && !fitsScores(ctx, call, "mask", { node: mask, span: at }, operands)) return ERROR;
  if (bias !== undefined && !fitsScores(ctx, call, "bias", bias, operands)) return ERROR;
  const all: readonly (readonly [Extra, Node | undefined | null])[] = [["lengths", lengths], ["mask", mask], ["bias", bias?.node]];
  const extras = all.flatMap(([name, node]) => (node == null ? [] : [{ name, node }]));
  const nodes = [q.node, k.node, v.node, ...extras.map(({ node }) => node)];
  const axes = [...q.node.type.dims.slice(0, -1), v.node.type.dims.at(-1) ?? poly.ONE];
  const dropout = dropoutOf(ctx, call, operands);
  if (dropout === null) return ERROR;
  const form: Form = { kind: "attention", causal, window, scale, dropout, extras: extras.map(({ name }) => name) };
  return call.result(form, nodes, "f32", axes);
};

export const ATTENTION: Builtin = {
  name: "attention",
  signature: "attention(q, k, v, mask = none, bias?, scale?, dropout = 0)",
  summary:
    "softmax(scale * q @ k.T + bias) @ v over the keys the mask allows. q [..., H, N, K], k [..., G, M, K], v [..., G, M, E]; scale is " +
    "1 / sqrt(K) unless given; mask: none, causal, window(w), padding(lengths), a bool tensor, or several in a tuple; dropout: in training, the " +
    "probability that a weight is dropped.",
  check,
};
