/** @file Declared types against values: dim parameters are found by matching, everything else must be the same. */

import * as poly from "../../ir/poly.ts";
import type { Poly } from "../../ir/poly.ts";
import type { DType, TensorType } from "../../ir/core.ts";
import type { Span } from "../../ir/span.ts";
import type { Expr, FnDecl, IndexItem, LayerDecl, ModelDecl, Name, ParamDecl, TypeExpr } from "../syntax/ast.ts";
import { inFrame } from "./calls.ts";
import type { Context } from "./context.ts";
import { MAX_ELEMENTS, printAxis, printType } from "./dims.ts";
import { evaluate } from "./expressions.ts";
import type { Details } from "./report.ts";
import type { Written } from "./operators.ts";
import { ERROR } from "./program.ts";
import type { Value } from "./program.ts";
import { describeValue } from "./shapes.ts";

type Callable = LayerDecl | FnDecl | ModelDecl;

export const DTYPES: { readonly [D in TypeExpr["dtype"]]: DType } = { float: "f32", int: "i32", bool: "i1" };

const dimParamsOf = (decl: Callable): readonly Name[] => (decl.kind === "model" ? [] : decl.dimParams);

/** A value as the size of an axis: a polynomial in dims that is a positive whole number. Null after an error. */
export const asSize = (ctx: Context, { value, span }: Written): Poly | null => {
  if (value.kind === "error") return null;
  if (value.kind !== "number") {
    const known = value.kind === "tensor" ? "SQ0318" : "SQ0206";
    ctx.error(known, `a size is made of numbers and dims, not ${describeValue(value)}`, span);
    return null;
  }
  const { dim, value: size } = value;
  if (dim === null) {
    ctx.error("SQ0310", "this is not a polynomial in dims, so it cannot be the size of an axis", span, {
      hint: "give it a name with `dim`, and use that",
    });
    return null;
  }
  if (Number.isNaN(size)) return dim;
  if (!Number.isInteger(size) || size < 1) {
    const written = ctx.frame.unit.text.slice(span.start, span.end);
    ctx.error("SQ0310", `a positive whole number is needed here; \`${written}\` is ${Number(size.toPrecision(6))}`, span, {
      labels: ctx.dimLabels([dim]),
    });
    return null;
  }
  if (size >= MAX_ELEMENTS) {
    ctx.error("SQ0311", `the size ${printAxis(dim)} = ${size} is 2^31 or more`, span, { labels: ctx.dimLabels([dim]) });
    return null;
  }
  return dim;
};

const axisOf = (ctx: Context, expr: Expr): Poly | null => asSize(ctx, { value: evaluate(ctx, expr), span: expr.span });

/** A type without `...` in the current frame; null after an error. */
export const typeOf = (ctx: Context, type: TypeExpr): TensorType | null => {
  const axes = (type.axes ?? []).map((axis) => axisOf(ctx, axis));
  const lead = type.ellipsis ? (ctx.frame.lead ?? []) : [];
  return axes.every((axis) => axis !== null) ? ctx.dims.type(DTYPES[type.dtype], [...lead, ...axes]) : null;
};

type DimBindings = ReadonlyMap<string, { readonly axis: Poly; readonly span: Span }>;

/** `Linear[D, 4 * D]`: evaluated where it is written. Null after an error. */
export const bindExplicitDims = (ctx: Context, decl: Callable, items: readonly IndexItem[], at: Span): DimBindings | null => {
  const names = dimParamsOf(decl);
  if (items.length === 0) return new Map();
  if (items.length !== names.length) {
    const takes = names.length === 0 ? "takes no dim arguments" : `takes ${names.length}: ${names.map((n) => n.text).join(", ")}`;
    ctx.error("SQ0224", `\`${decl.name.text}\` ${takes}, not ${items.length}`, at, {
      labels: [{ span: decl.name.span, text: "declared here" }],
    });
    return null;
  }
  const bound = new Map<string, { axis: Poly; span: Span }>();
  for (const [i, item] of items.entries()) {
    const axis = item.kind === "at" ? axisOf(ctx, item.value) : null;
    if (item.kind === "slice") ctx.error("SQ0206", "a dim argument is a size, not a slice", item.span);
    const name = names[i]?.text;
    if (axis !== null && name !== undefined) bound.set(name, { axis, span: item.span });
  }
  return bound.size === items.length ? bound : null;
};

export interface TypedArgument {
  readonly param: ParamDecl;
  readonly value: Value;
  readonly span: Span;
}

/** Binds the dim parameters that the arguments show, then compares every argument with its type. Runs in the frame of the
 *  callee; complaints are about the caller. */
export const matchArguments = (ctx: Context, decl: Callable, args: readonly TypedArgument[], at: Span): boolean => {
  for (const arg of args) bindFrom(ctx, decl, arg);
  for (const name of dimParamsOf(decl)) {
    if (ctx.frame.dims.has(name.text)) continue;
    complain(ctx, "SQ0317", `\`${name.text}\` of \`${decl.name.text}\` cannot be found from the arguments`, at, {
      labels: [{ span: name.span, text: "this dim" }],
      hint: `write it: \`${decl.name.text}[${dimParamsOf(decl).map((n) => n.text).join(", ")}](…)\``,
    });
    return false;
  }
  return args.every((arg) => matches(ctx, decl, arg));
};

/** An axis that is just the name of a dim parameter binds it, the first time it is met; `...` binds the leading axes. */
const bindFrom = (ctx: Context, decl: Callable, { param, value, span }: TypedArgument): void => {
  const { type } = param;
  if (type?.axes == null || value.kind !== "tensor") return;
  const { dims } = value.node.type;
  const lead = dims.length - type.axes.length;
  if (lead < 0 || (lead > 0 && !type.ellipsis)) return;
  if (type.ellipsis) ctx.frame.lead ??= dims.slice(0, lead);
  const open = new Set(dimParamsOf(decl).map((name) => name.text));
  for (const [i, expr] of type.axes.entries()) {
    const axis = dims[lead + i];
    if (expr.kind === "name" && axis !== undefined && open.has(expr.text) && !ctx.frame.dims.has(expr.text))
      ctx.frame.dims.set(expr.text, { axis, span });
  }
};

const complain = (ctx: Context, ...args: Parameters<Context["error"]>): void => {
  inFrame(ctx, ctx.frame.caller?.frame ?? ctx.frame, () => ctx.error(...args));
};

const matches = (ctx: Context, decl: Callable, { param, value, span }: TypedArgument): boolean => {
  if (param.type === null) return true;
  const wanted = typeOf(ctx, param.type);
  if (wanted === null || value.kind === "error") return false;
  const what = `the argument \`${param.name.text}\` of \`${decl.name.text}\``;
  if (value.kind !== "tensor") {
    if (wanted.dims.length === 0 && fitsScalar(value, wanted.dtype)) return true;
    complain(ctx, "SQ0322", `${what} is ${printType(wanted)}, not ${describeValue(value)}`, span, {
      labels: [{ span: param.span, text: "declared here" }],
    });
    return false;
  }
  const given = value.node.type;
  const wrong = difference(ctx, given, wanted);
  if (wrong === null) return true;
  const bindings = [...ctx.frame.dims].map(([name, { axis }]) => `${name} of \`${decl.name.text}\` is ${printAxis(axis)} here`);
  complain(ctx, wrong.code === "SQ0301" ? "SQ0322" : wrong.code, `${what} is ${declared(param.type, wanted)}, not ${printType(given)}`, span, {
    ...wrong.details,
    labels: [{ span: param.span, text: "declared here" }, ...ctx.operandLabels([{ node: value.node, span }]).slice(1), ...(wrong.details.labels ?? [])],
    notes: [...bindings, ...(wrong.details.notes ?? [])],
  });
  return false;
};

const declared = (type: TypeExpr, wanted: TensorType): string =>
  type.ellipsis ? printType(wanted).replace("[", "[..., ").replace("..., ]", "...]") : printType(wanted);

const fitsScalar = (value: Value, dtype: DType): boolean =>
  (value.kind === "number" && (dtype === "f32" || (dtype === "i32" && Number.isInteger(value.value)))) || (value.kind === "bool" && dtype === "i1");

interface Difference {
  readonly code: "SQ0301" | "SQ0306" | "SQ0323";
  readonly details: Details;
}

/** How a given type differs from the wanted one; null where it does not. */
export const difference = (ctx: Context, given: TensorType, wanted: TensorType): Difference | null => {
  if (given.dtype !== wanted.dtype) return { code: "SQ0306", details: { here: `this is ${printType(given)}`, ...conversion(given.dtype, wanted.dtype) } };
  if (given.dims.length !== wanted.dims.length)
    return { code: "SQ0301", details: { here: `this has ${count(given.dims.length)}, not ${wanted.dims.length}` } };
  const i = given.dims.findIndex((axis, k) => !ctx.dims.same(axis, wanted.dims[k] ?? poly.ZERO));
  const [have, want] = [given.dims[i], wanted.dims[i]];
  if (have === undefined || want === undefined) return null;
  const labels = ctx.dimLabels([have, want]);
  const [h, w] = [ctx.dims.valueOf(have), ctx.dims.valueOf(want)];
  if (h !== w) return { code: "SQ0301", details: { here: `axis ${i} is ${printAxis(have)} = ${h}, and should be ${printAxis(want)} = ${w}`, labels } };
  const here = `${printAxis(have)} and ${printAxis(want)} are both ${h} at these sizes, but only by accident`;
  return { code: "SQ0323", details: { here, labels, hint: "use the same dim in both places, or derive one from the other" } };
};

const conversion = (from: DType, to: DType): { readonly hint?: string } => {
  if (to === "f32") return { hint: from === "i32" ? "look it up in a table (`embed[ids]`), or convert it with `float(…)`" : "convert it with `float(…)`" };
  return to === "i32" ? { hint: "convert it with `int(…)`" } : { hint: "compare it: `x > 0`" };
};

const count = (n: number): string => (n === 0 ? "no axes" : n === 1 ? "one axis" : `${n} axes`);

/** The value a body returned against the declared result. */
export const checkResult = (ctx: Context, decl: Callable, result: Written): Value => {
  if (decl.result === null || result.value.kind === "error") return result.value;
  const wanted = typeOf(ctx, decl.result);
  if (wanted === null) return ERROR;
  const labels = [{ span: decl.result.span, text: "declared here" }];
  if (result.value.kind !== "tensor") {
    if (wanted.dims.length === 0 && fitsScalar(result.value, wanted.dtype)) return result.value;
    return ctx.error("SQ0312", `\`${decl.name.text}\` returns ${describeValue(result.value)}, not ${printType(wanted)}`, result.span, { labels });
  }
  const wrong = difference(ctx, result.value.node.type, wanted);
  if (wrong === null) return result.value;
  const origin = ctx.operandLabels([{ node: result.value.node, span: result.span }]).slice(1);
  return ctx.error(
    wrong.code === "SQ0323" ? wrong.code : "SQ0312",
    `\`${decl.name.text}\` returns ${printType(result.value.node.type)}, not ${printType(wanted)}`,
    result.span,
    { ...wrong.details, labels: [...labels, ...origin, ...(wrong.details.labels ?? [])] },
  );
};
