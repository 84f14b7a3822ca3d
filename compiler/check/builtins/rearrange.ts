/** @file `rearrange(x, "b t (h k) -> b h t k", h: H)`: splits, permutes and merges axes. */

import * as poly from "../../../ir/poly.ts";
import type { Poly } from "../../../ir/poly.ts";
import type { Context } from "../context.ts";
import { printAxis, printType } from "../dims.ts";
import { ERROR } from "../program.ts";
import type { Value } from "../program.ts";
import type { Operand } from "../shapes.ts";
import { asSize } from "../types.ts";
import type { Builtin, BuiltinCall } from "./call.ts";
import { LEADING, parseRearrange } from "./patterns.ts";
import type { RearrangePattern } from "./patterns.ts";

const check = (ctx: Context, call: BuiltinCall): Value => {
  const x = call.anyOperand("x");
  const text = call.text("pattern");
  if (x === null || text === null) return ERROR;
  const at = call.written("pattern")?.span ?? call.at;
  const pattern = parseRearrange(text);
  if (typeof pattern === "string") return ctx.error("SQ0304", pattern, at);
  const sizes = givenSizes(ctx, call, pattern);
  if (sizes === null) return ERROR;
  const full = expandLeading(pattern, x, sizes);
  if (full === null)
    return ctx.error("SQ0302", `the pattern has ${pattern.left.length} axes, ${printType(x.node.type)} has ${x.node.type.dims.length}`, at, {
      labels: ctx.operandLabels([x]),
    });
  return split(ctx, call, full, x, sizes) ? build(ctx, call, full, x, sizes) : ERROR;
};

/** `h: H`, for labels of the pattern. Null after an error. */
const givenSizes = (ctx: Context, call: BuiltinCall, pattern: RearrangePattern): Map<string, Poly> | null => {
  const sizes = new Map<string, Poly>();
  for (const [label, written] of call.extra) {
    if (!pattern.left.some((axis) => axis.includes(label))) {
      ctx.error("SQ0207", `the pattern has no label \`${label}\``, written.span);
      return null;
    }
    const size = asSize(ctx, written);
    if (size === null) return null;
    sizes.set(label, size);
  }
  return sizes;
};

/** The pattern with a label for every axis that `...` stands for; null where the number of axes is wrong. */
const expandLeading = (pattern: RearrangePattern, x: Operand, sizes: Map<string, Poly>): RearrangePattern | null => {
  const { dims } = x.node.type;
  const open = pattern.left[0]?.[0] === LEADING;
  const lead = dims.length - pattern.left.length + (open ? 1 : 0);
  if (lead < 0 || (lead > 0 && !open)) return null;
  const labels = dims.slice(0, open ? lead : 0).map((_, i) => `...${i}`);
  labels.forEach((label, i) => sizes.set(label, dims[i] ?? poly.ONE));
  const fill = (side: readonly (readonly string[])[]): readonly (readonly string[])[] =>
    side.flatMap((axis) => {
      if (axis.length === 1 && axis[0] === LEADING) return labels.map((label) => [label]);
      return [axis.flatMap((label) => (label === LEADING ? labels : [label]))];
    });
  return { left: fill(pattern.left), right: fill(pattern.right) };
};

/** Finds the size of every label on the left; one of a group may be left open. */
const split = (ctx: Context, call: BuiltinCall, pattern: RearrangePattern, x: Operand, sizes: Map<string, Poly>): boolean => {
  const at = call.written("pattern")?.span ?? call.at;
  return pattern.left.every((labels, i) => {
    const axis = x.node.type.dims[i] ?? poly.ONE;
    const unknown = labels.filter((label) => !sizes.has(label));
    const known = poly.mul(...labels.flatMap((label) => sizes.get(label) ?? []));
    const [label, ...more] = unknown;
    if (more.length > 0) {
      ctx.error("SQ0304", `the sizes of ${unknown.map((l) => `\`${l}\``).join(" and ")} are not known`, at, {
        hint: `give all but one by name: \`${label ?? ""}: …\``,
      });
      return false;
    }
    if (label !== undefined) {
      const rest = ctx.dims.divide(axis, known);
      const size = rest === null ? Number.NaN : ctx.dims.valueOf(rest);
      if (rest !== null && (Number.isNaN(size) || (Number.isInteger(size) && size > 0))) return sizes.set(label, rest) !== undefined;
      return mismatch(ctx, call, x, `${printAxis(axis)} cannot be divided by ${printAxis(known)}`, [axis, known]);
    }
    return ctx.dims.same(known, axis) || mismatch(ctx, call, x, `axis ${i} is ${printAxis(axis)}, not ${printAxis(known)}`, [axis, known]);
  });
};

const mismatch = (ctx: Context, call: BuiltinCall, x: Operand, message: string, axes: readonly Poly[]): false => {
  const [a, b] = axes.map((axis) => ctx.dims.valueOf(axis));
  const accident = a === b;
  ctx.error(accident ? "SQ0323" : "SQ0305", `\`rearrange\`: ${message}`, call.written("pattern")?.span ?? call.at, {
    here: accident ? `both are ${a} at these sizes, but only by accident` : `${a} against ${b}`,
    labels: [...ctx.operandLabels([x]), ...ctx.dimLabels(axes)],
  });
  return false;
};

const build = (ctx: Context, call: BuiltinCall, pattern: RearrangePattern, x: Operand, sizes: ReadonlyMap<string, Poly>): Value => {
  const { dtype } = x.node.type;
  const sizeOf = (label: string): Poly => sizes.get(label) ?? poly.ONE;
  const [from, to] = [pattern.left.flat(), pattern.right.flat()];
  const splitAxes = from.map(sizeOf);
  const perm = to.map((label) => from.indexOf(label));
  const merged = pattern.right.map((labels) => (labels.length === 1 ? sizeOf(labels[0] ?? "") : ctx.dims.spell(poly.mul(...labels.map(sizeOf)))));
  let node = x.node;
  const plain = pattern.left.every((labels) => labels.length === 1);
  if (!plain) node = call.emit({ kind: "reshape" }, [node], dtype, splitAxes);
  if (perm.some((axis, i) => axis !== i)) node = call.emit({ kind: "transpose", perm }, [node], dtype, perm.map((i) => splitAxes[i] ?? poly.ONE));
  if (pattern.right.every((labels) => labels.length === 1)) return { kind: "tensor", node };
  return call.result({ kind: "reshape" }, [node], dtype, merged);
};

export const REARRANGE: Builtin = {
  name: "rearrange",
  signature: "rearrange(x, pattern, size: ...)",
  summary:
    'Splits, permutes and merges axes: `rearrange(x, "b t (h k) -> b h t k", h: H)`. `1` is an axis of size one, a leading `...` any axes.',
  check,
};
