/** @file Expressions to values, one function per kind of expression. */

import type { Arg, Expr } from "../syntax/ast.ts";
import { builtinByName } from "./builtins/index.ts";
import { bindArguments, BuiltinCall } from "./builtins/call.ts";
import { callDefinition } from "./calls.ts";
import type { Context } from "./context.ts";
import { indexTensor, transposeLast } from "./indexing.ts";
import { number } from "./numbers.ts";
import { binary, unary } from "./operators.ts";
import { ERROR } from "./program.ts";
import type { Value } from "./program.ts";
import { describeValue } from "./shapes.ts";
import { lookupDefinition } from "./sources.ts";

export const evaluate = (ctx: Context, expr: Expr): Value => {
  switch (expr.kind) {
    case "number":
      return number(expr.value);
    case "string":
    case "bool":
      return { kind: expr.kind, value: expr.value } as Value;
    case "name":
      return evaluateName(ctx, expr.text);
    case "tuple":
      return { kind: "tuple", items: expr.items.map((item) => evaluate(ctx, item)) };
    case "unary":
      return unary(ctx, expr.operator, { value: evaluate(ctx, expr.operand), span: expr.operand.span }, expr.span);
    case "binary": {
      const left = { value: evaluate(ctx, expr.left), span: expr.left.span };
      const right = { value: evaluate(ctx, expr.right), span: expr.right.span };
      return binary(ctx, expr.operator, expr.operatorSpan, left, right, expr.span);
    }
    case "call":
      return evaluateCall(ctx, expr);
    case "index":
      return evaluateIndex(ctx, expr);
    case "member":
      return evaluateMember(ctx, expr);
    case "error":
      return ERROR;
  }
};

const MASKS: Readonly<Record<string, Value>> = {
  none: { kind: "mask", parts: [] },
  causal: { kind: "mask", parts: [{ kind: "causal" }] },
};

/** Locals, then dim parameters, then dims, then masks. Unknown names were reported by the pass over names. */
const evaluateName = (ctx: Context, name: string): Value => {
  const local = ctx.lookup(name);
  if (local !== undefined) return local.value;
  const parameter = ctx.frame.dims.get(name);
  if (parameter !== undefined) return number(ctx.dims.valueOf(parameter.axis), parameter.axis);
  const dim = ctx.dims.symbol(name);
  if (dim !== undefined) return number(ctx.dims.valueOf(dim), dim);
  return MASKS[name] ?? ERROR;
};

type Call = Expr & { readonly kind: "call" };

const evaluateCall = (ctx: Context, expr: Call): Value => {
  const { callee } = expr;
  const named = callee.kind === "index" ? callee.base : callee;
  if (named.kind !== "name") {
    evaluateArgs(ctx, expr.args);
    return ERROR;
  }
  const definition = lookupDefinition(ctx.shared.program, ctx.frame.unit, named.text);
  if (definition !== undefined) {
    const dims = callee.kind === "index" ? callee.items : [];
    return callDefinition(ctx, definition, dims, expr.args, named.span, expr.span);
  }
  const builtin = callee.kind === "name" ? builtinByName(callee.text) : undefined;
  const args = evaluateArgs(ctx, expr.args);
  if (builtin === undefined) return ERROR;
  const bound = bindArguments(ctx, builtin, args, named.span);
  if (bound === null || args.some(({ value }) => value.kind === "error")) return ERROR;
  return builtin.check(ctx, new BuiltinCall(ctx, builtin, bound, named.span, expr.span));
};

const evaluateArgs = (ctx: Context, args: readonly Arg[]): { readonly arg: Arg; readonly value: Value }[] =>
  args.map((arg) => ({ arg, value: evaluate(ctx, arg.value) }));

const evaluateIndex = (ctx: Context, expr: Expr & { kind: "index" }): Value => {
  const base = evaluate(ctx, expr.base);
  if (base.kind === "error") {
    for (const item of expr.items) if (item.kind === "at") evaluate(ctx, item.value);
    return ERROR;
  }
  if (base.kind !== "tensor") return ctx.error("SQ0206", `only a tensor can be indexed, not ${describeValue(base)}`, expr.base.span);
  const items = expr.items.map((item) =>
    item.kind === "at"
      ? { kind: "at" as const, value: evaluate(ctx, item.value), span: item.span }
      : {
          kind: "slice" as const,
          start: item.start === null ? null : { value: evaluate(ctx, item.start), span: item.start.span },
          limit: item.limit === null ? null : { value: evaluate(ctx, item.limit), span: item.limit.span },
          span: item.span,
        },
  );
  return indexTensor(ctx, { node: base.node, span: expr.base.span }, items, expr.span);
};

const evaluateMember = (ctx: Context, expr: Expr & { kind: "member" }): Value => {
  const base = evaluate(ctx, expr.base);
  if (base.kind === "error") return ERROR;
  if (expr.name.text !== "T")
    return ctx.error("SQ0213", `there is no \`.${expr.name.text}\``, expr.name.span, { hint: "`.T` swaps the last two axes" });
  if (base.kind !== "tensor") return ctx.error("SQ0206", `only a tensor can be transposed, not ${describeValue(base)}`, expr.base.span);
  return transposeLast(ctx, { node: base.node, span: expr.base.span }, expr.span);
};
