/** @file `a @ b`: the last axis of `a` against the last but one of `b` (its only axis, if it has one); axes before those
 *  broadcast. It becomes an einsum whose labels come from the dims. */

import * as poly from "../../ir/poly.ts";
import type { Poly } from "../../ir/poly.ts";
import type { Span } from "../../ir/span.ts";
import type { Context } from "./context.ts";
import type { Node, Value } from "./program.ts";
import { broadcastAxes, disagree, isConflict } from "./shapes.ts";
import type { Operand } from "./shapes.ts";

/** Fresh labels for axes: `T` gives `t`, a second one `t1`; an axis without a name `i`. */
export class Labels {
  readonly #used = new Set<string>();

  fresh(axis: Poly): string {
    const spelled = poly.print(axis).toLowerCase();
    const base = /^[a-z][a-z0-9_]*$/.test(spelled) ? spelled : "i";
    let label = base;
    for (let n = 1; this.#used.has(label); n++) label = `${base}${n}`;
    this.#used.add(label);
    return label;
  }
}

export const matmul = (ctx: Context, at: Span, a: Operand, b: Operand, span: Span): Value => {
  const [left, right] = [a.node.type, b.node.type];
  if (left.dtype !== "f32")
    return ctx.error("SQ0306", "`@` is for floats", at, { labels: ctx.operandLabels([a, b]), hint: "convert with `float(…)`" });
  const [inner, other] = [left.dims.at(-1), right.dims.at(right.dims.length > 1 ? -2 : -1)];
  if (inner === undefined || other === undefined)
    return ctx.error("SQ0302", "`@` needs an axis to sum over", at, {
      here: "one side is a scalar: multiply with `*`",
      labels: ctx.operandLabels([a, b]),
    });
  if (!ctx.dims.same(inner, other)) return disagree(ctx, "`@`", at, { left: inner, right: other }, [a, b], "SQ0303");
  const batch = broadcastAxes(ctx, left.dims.slice(0, -2), right.dims.slice(0, -2));
  if (isConflict(batch)) return disagree(ctx, "`@`", at, batch, [a, b]);
  return contract(ctx, a.node, b.node, batch, span);
};

const contract = (ctx: Context, a: Node, b: Node, batch: readonly Poly[], span: Span): Value => {
  const labels = new Labels();
  const batchLabels = batch.map((axis) => labels.fresh(axis));
  const rows = a.type.dims.slice(0, -1).slice(-1);
  const columns = b.type.dims.length > 1 ? b.type.dims.slice(-1) : [];
  const rowLabels = rows.map((axis) => labels.fresh(axis));
  const innerLabel = labels.fresh(a.type.dims.at(-1) ?? poly.ONE);
  const columnLabels = columns.map((axis) => labels.fresh(axis));
  const left = squeezed(ctx, a, batch, batchLabels, span);
  const right = squeezed(ctx, b, batch, batchLabels, span);
  const inputs = [
    [...left.batch, ...rowLabels, innerLabel],
    [...right.batch, innerLabel, ...columnLabels],
  ];
  const output = [...batchLabels, ...rowLabels, ...columnLabels];
  const type = ctx.dims.type("f32", [...batch, ...rows, ...columns]);
  return ctx.tensor({ kind: "einsum", inputs, output }, [left.node, right.node], type, span);
};

/** The operand without the leading axes of size 1 that the other side stretches, and the labels of those it keeps. */
const squeezed = (ctx: Context, node: Node, batch: readonly Poly[], labels: readonly string[], span: Span): { node: Node; batch: string[] } => {
  const { dims } = node.type;
  const lead = Math.max(0, dims.length - 2);
  const offset = batch.length - lead;
  const stretched = (i: number): boolean => i < lead && poly.equal(dims[i] ?? poly.ZERO, poly.ONE) && !poly.equal(batch[offset + i] ?? poly.ONE, poly.ONE);
  const kept = dims.map((_, i) => i).filter((i) => !stretched(i));
  const keptLabels = kept.filter((i) => i < lead).map((i) => labels[offset + i] ?? "");
  if (kept.length === dims.length) return { node, batch: keptLabels };
  const type = ctx.dims.type("f32", kept.map((i) => dims[i] ?? poly.ONE));
  return { node: ctx.emit({ kind: "reshape" }, [node], type, span), batch: keptLabels };
};
