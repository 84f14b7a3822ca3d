/** @file Masks: where attention may look. Query i and key j of N queries and M keys are aligned at their ends. */

import { MASKED_SCORE } from "../../../ir/ops/attention-mask.ts";
import * as poly from "../../../ir/poly.ts";
import type { Poly } from "../../../ir/poly.ts";
import type { Context } from "../context.ts";
import { maskParts } from "../operators.ts";
import { ERROR } from "../program.ts";
import type { Mask, Node, Value } from "../program.ts";
import { broadcastAxes, disagree, isConflict } from "../shapes.ts";
import type { Operand } from "../shapes.ts";
import type { Builtin, BuiltinCall } from "./call.ts";

const windowMask: Builtin = {
  name: "window",
  signature: "window(width)",
  summary: "A mask: the key itself and the `width - 1` before it. It is causal.",
  check: (ctx, call) => {
    const width = call.number("width", 0);
    if (width === null) return ERROR;
    if (!Number.isNaN(width) && (!Number.isInteger(width) || width < 1))
      return ctx.error("SQ0319", `a window is a positive whole number of tokens, not ${width}`, call.written("width")?.span ?? call.at);
    return { kind: "mask", parts: [{ kind: "window", width }] };
  },
};

const padding: Builtin = {
  name: "padding",
  signature: "padding(lengths)",
  summary: "A mask: of each sequence of the batch only the first `lengths[b]` keys. `lengths` is int[B].",
  check: (_ctx, call) => {
    const lengths = call.operand("lengths", "i32");
    return lengths === null ? ERROR : { kind: "mask", parts: [{ kind: "padding", lengths: lengths.node }] };
  },
};

/** [N, M] ints: the index along `axis` at every place. */
const indices = (call: BuiltinCall, axes: readonly Poly[], axis: number): Node => call.emit({ kind: "iota", axis }, [], "i32", axes);

/** bool[N, M]: j <= i + (M - N), and for a window j > i + (M - N) - w. */
const band = (ctx: Context, call: BuiltinCall, axes: readonly Poly[], mask: Mask & { kind: "causal" | "window" }): Node => {
  const [n, m] = axes.map((axis) => ctx.dims.valueOf(axis));
  const shift = (m ?? 0) - (n ?? 0);
  const [rows, j] = [indices(call, axes, 0), indices(call, axes, 1)];
  const shifted = (by: number): Node =>
    by === 0 ? rows : call.emit({ kind: "binary", op: "add" }, [rows, ctx.constant(by, "i32", call.span)], "i32", axes);
  const causal = call.emit({ kind: "compare", direction: "ge" }, [shifted(shift), j], "i1", axes);
  if (mask.kind === "causal") return causal;
  const near = call.emit({ kind: "compare", direction: "lt" }, [shifted(shift - mask.width), j], "i1", axes);
  return call.emit({ kind: "binary", op: "and" }, [causal, near], "i1", axes);
};

/** bool[B, 1, …, 1, M]: j < lengths[b]; null after an error. */
const paddingOf = (ctx: Context, call: BuiltinCall, scores: Operand, lengths: Node): Node | null => {
  const { dims } = scores.node.type;
  const lead = lengths.type.dims;
  const wrong = lead.findIndex((axis, i) => i >= dims.length - 2 || !ctx.dims.same(axis, dims[i] ?? poly.ZERO));
  if (wrong >= 0) {
    disagree(ctx, "`padding`", call.at, { left: lead[wrong] ?? poly.ONE, right: dims[wrong] ?? poly.ONE }, [{ node: lengths, span: call.at }, scores]);
    return null;
  }
  const keys = dims.at(-1) ?? poly.ONE;
  const ones = [...lead, ...dims.slice(lead.length, -1).map(() => poly.ONE), poly.ONE];
  const limits = call.emit({ kind: "reshape" }, [lengths], "i32", ones);
  const j = call.emit({ kind: "iota", axis: 0 }, [], "i32", [keys]);
  return call.emit({ kind: "compare", direction: "lt" }, [j, limits], "i1", [...ones.slice(0, -1), keys]);
};

/** One part of a mask as a bool tensor that broadcasts to the scores; null after an error. */
const partFor = (ctx: Context, call: BuiltinCall, scores: Operand, part: Mask): Node | null => {
  if (part.kind === "tensor") return part.node;
  if (part.kind === "padding") return paddingOf(ctx, call, scores, part.lengths);
  return band(ctx, call, scores.node.type.dims.slice(-2), part);
};

const mask: Builtin = {
  name: "mask",
  signature: "mask(scores, where)",
  summary: "Attention scores [..., N, M] with -1e30 wherever the mask forbids to look.",
  check: (ctx, call): Value => {
    const scores = call.operand("scores");
    const given = call.written("where");
    const parts = given === null ? null : maskParts(ctx, given);
    if (scores === null || given === null || parts === null) return ERROR;
    const { dims } = scores.node.type;
    if (dims.length < 2) return ctx.error("SQ0302", "`mask` needs scores with two axes or more, [..., N, M]", scores.span);
    let node = scores.node;
    for (const part of parts) {
      const allowed = partFor(ctx, call, scores, part);
      if (allowed === null) return ERROR;
      const joined = broadcastAxes(ctx, dims, allowed.type.dims);
      const operands = [scores, { node: allowed, span: given.span }];
      if (isConflict(joined)) return disagree(ctx, "`mask`", call.at, joined, operands);
      if (joined.length > dims.length) return ctx.error("SQ0302", "the mask has more axes than the scores", given.span, { labels: ctx.operandLabels(operands) });
      node = call.emit({ kind: "select" }, [allowed, node, ctx.constant(MASKED_SCORE, "f32", call.span)], "f32", joined);
    }
    return { kind: "tensor", node };
  },
};

export const MASKS: readonly Builtin[] = [windowMask, padding, mask];
