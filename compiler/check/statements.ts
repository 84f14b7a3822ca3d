/** @file Bodies: statements run in order, in the frame of the layer or function they belong to. */

import type { Span } from "../../ir/span.ts";
import type { Block, Expr, Name, ParamGroup, Statement } from "../syntax/ast.ts";
import type { Binding, Context } from "./context.ts";
import { printType } from "./dims.ts";
import { evaluate } from "./expressions.ts";
import { initialiser } from "./initialisers.ts";
import type { Written } from "./operators.ts";
import { ERROR } from "./program.ts";
import type { Value } from "./program.ts";
import { describeValue } from "./shapes.ts";
import { asSize, DTYPES, typeOf } from "./types.ts";

/** What a body returns, and where that is written. A body that does not return was reported by the pass over names. */
export const runBody = (ctx: Context, body: Block | Expr): Written => {
  if (body.kind !== "block") return { value: evaluate(ctx, body), span: body.span };
  return runBlock(ctx, body) ?? { value: ERROR, span: body.span };
};

const runBlock = (ctx: Context, block: Block): Written | null => {
  for (const statement of block.statements) {
    ctx.spend(statement.span);
    const result = runStatement(ctx, statement);
    if (result !== null) return result;
  }
  return null;
};

const runStatement = (ctx: Context, statement: Statement): Written | null => {
  switch (statement.kind) {
    case "param":
      declareParameters(ctx, statement.groups, statement.init);
      return null;
    case "let":
      bindNames(ctx, statement.names, statement.value);
      return null;
    case "assign":
      reassign(ctx, statement.name, statement.value);
      return null;
    case "repeat":
      repeat(ctx, statement.count, statement.body);
      return null;
    case "return":
      return { value: evaluate(ctx, statement.value), span: statement.value.span };
  }
};

const declareParameters = (ctx: Context, groups: readonly ParamGroup[], init: Expr | null): void => {
  const inside = ctx.frame.decl.kind === "layer" || ctx.frame.decl.kind === "model";
  const start = init === null ? DEFAULT_INITIALISER : initialiser(ctx, init);
  for (const group of groups) {
    const type = typeOf(ctx, group.type);
    if (group.type.dtype !== "float")
      ctx.error("SQ0306", `a parameter is float, not ${group.type.dtype}`, group.type.span, { hint: "only floats can be trained" });
    for (const name of group.names) {
      const good = inside && type !== null && start !== null && group.type.dtype === "float";
      declare(ctx, name, good ? parameterNode(ctx, name, type, start) : ERROR);
    }
  }
};

/** What a parameter without `~` starts as. */
const DEFAULT_INITIALISER = "normal(std: 0.02)";

const parameterNode = (ctx: Context, name: Name, type: NonNullable<ReturnType<typeof typeOf>>, init: string): Value => {
  const path = ctx.frame.path === "" ? name.text : `${ctx.frame.path}.${name.text}`;
  const known = ctx.parameterNodes.get(path);
  if (known !== undefined) return { kind: "tensor", node: known };
  const node = ctx.emit({ kind: "parameter", name: path, init }, [], { ...type, dtype: DTYPES.float }, name.span);
  ctx.parameterNodes.set(path, node);
  if (!ctx.shared.parameters.has(path)) ctx.shared.parameters.set(path, { name: path, type: node.type, init, span: name.span });
  return { kind: "tensor", node };
};

const declare = (ctx: Context, name: Name, value: Value): void => {
  ctx.frame.scopes.at(-1)?.set(name.text, { value, span: name.span, shown: name.span });
  ctx.name(value, name.text, name.span);
};

const bindNames = (ctx: Context, names: readonly Name[], expr: Expr): void => {
  const value = evaluate(ctx, expr);
  const [only, ...more] = names;
  if (only !== undefined && more.length === 0) return declare(ctx, only, value);
  const items = value.kind === "tuple" ? value.items : [];
  if (value.kind !== "error" && items.length !== names.length)
    ctx.error("SQ0321", `${names.length} names for ${value.kind === "tuple" ? `${items.length} values` : describeValue(value)}`, expr.span);
  const usable = items.length === names.length;
  names.forEach((name, i) => declare(ctx, name, usable ? (items[i] ?? ERROR) : ERROR));
};

const reassign = (ctx: Context, name: Name, expr: Expr): void => {
  const value = evaluate(ctx, expr);
  const index = ctx.frame.scopes.findLastIndex((scope) => scope.has(name.text));
  const scope = ctx.frame.scopes[index];
  const before = scope?.get(name.text);
  if (scope === undefined || before === undefined) return;
  const carried = index < ctx.frame.scopes.length - 1;
  const good = !carried || keepsType(ctx, before, value, expr.span, name.text);
  scope.set(name.text, { value: good ? value : ERROR, span: before.span, shown: name.span });
  ctx.name(value, name.text, name.span);
};

/** In a loop the next round begins with what this one assigned. */
const keepsType = (ctx: Context, before: Binding, after: Value, span: Span, name: string): boolean => {
  if (before.value.kind === "error" || after.kind === "error") return true;
  if (before.value.kind !== "tensor" || after.kind !== "tensor") return before.value.kind === after.kind;
  const [was, is] = [before.value.node.type, after.node.type];
  if (was.dtype === is.dtype && was.dims.length === is.dims.length && was.dims.every((axis, i) => ctx.dims.same(axis, is.dims[i] ?? axis)))
    return true;
  ctx.error("SQ0320", `\`${name}\` is ${printType(was)} before the round and ${printType(is)} after it`, span, {
    labels: [{ span: before.span, text: `\`${name}\` is ${printType(was)}` }],
  });
  return false;
};

const repeat = (ctx: Context, count: Expr, body: Block): void => {
  const size = asSize(ctx, { value: evaluate(ctx, count), span: count.span });
  const rounds = size === null ? 1 : ctx.dims.valueOf(size);
  for (let i = 0; i < (Number.isNaN(rounds) ? 1 : rounds) && !ctx.exhausted; i++) {
    ctx.frame.scopes.push(new Map());
    runBlock(ctx, body);
    ctx.frame.scopes.pop();
  }
};
