/** @file A use of a layer, function or model: its arguments are bound, its types matched, its body elaborated. */

import type { Span } from "../../ir/span.ts";
import type { Arg, FnDecl, IndexItem, LayerDecl, ModelDecl, ParamDecl } from "../syntax/ast.ts";
import { assign } from "./arguments.ts";
import type { Assigned, Given } from "./arguments.ts";
import type { Binding, Context, Frame } from "./context.ts";
import { evaluate } from "./expressions.ts";
import { ERROR } from "./program.ts";
import type { Value } from "./program.ts";
import type { Definition } from "./sources.ts";
import { runBody } from "./statements.ts";
import { bindExplicitDims, checkResult, matchArguments } from "./types.ts";
import type { TypedArgument } from "./types.ts";
import { callsIn } from "./walk.ts";

export const callDefinition = (
  ctx: Context,
  definition: Definition,
  dims: readonly IndexItem[],
  args: readonly Arg[],
  nameSpan: Span,
  span: Span,
): Value => {
  const { decl, unit } = definition;
  const allowed = mayUse(ctx.frame, decl);
  // Source order counts where a use is written, so the number is drawn before the arguments are looked at.
  const path = allowed ? pathOf(ctx.frame, decl) : "";
  const given = args.map((arg): Given => ({ arg, value: evaluate(ctx, arg.value) }));
  const explicit = bindExplicitDims(ctx, decl, dims, nameSpan);
  const formals = decl.params.map((param) => ({ name: param.name.text, optional: param.fallback !== null }));
  const callee = { name: decl.name.text, formals, rest: false, open: false, declared: decl.name.span };
  const assigned = assign(ctx, callee, given, nameSpan);
  ctx.shared.visited.add(decl);
  ctx.spend(nameSpan);
  if (!allowed || assigned === null || explicit === null || ctx.exhausted) return ERROR;
  if (given.some(({ value }) => value.kind === "error") || isActive(ctx.frame, decl)) return ERROR;
  const frame = frameFor(decl, unit, path, { frame: ctx.frame, span });
  for (const [name, dim] of explicit) frame.dims.set(name, dim);
  const result = inFrame(ctx, frame, () => elaborate(ctx, decl, assigned, nameSpan));
  if (result.kind === "tensor" && !ctx.suggested.has(result.node)) ctx.suggested.set(result.node, snakeCase(decl.name.text));
  return result;
};

const elaborate = (ctx: Context, decl: LayerDecl | FnDecl | ModelDecl, assigned: Assigned, at: Span): Value => {
  const bound = decl.params.map((param): TypedArgument => {
    const entry = assigned.named.get(param.name.text);
    if (entry !== undefined) return { param, value: entry.value, span: entry.arg.value.span };
    return { param, value: param.fallback === null ? ERROR : evaluate(ctx, param.fallback), span: param.span };
  });
  if (!matchArguments(ctx, decl, bound, at)) return ERROR;
  for (const { param, value } of bound) bindParam(ctx, param, value);
  const result = runBody(ctx, decl.body);
  return checkResult(ctx, decl, result);
};

const bindParam = (ctx: Context, param: ParamDecl, value: Value): void => {
  const scope = ctx.frame.scopes[0] ?? new Map<string, Binding>();
  scope.set(param.name.text, { value, span: param.name.span, shown: param.type === null ? null : param.span });
  if (param.type !== null) ctx.bind(value, param.name.text, param.span);
};

/** Layers belong to layers and the model; the model is used by the loss. Others were reported by the pass over names. */
const mayUse = (frame: Frame, decl: LayerDecl | FnDecl | ModelDecl): boolean => {
  if (decl.kind === "fn") return true;
  return decl.kind === "layer" ? frame.decl.kind === "layer" || frame.decl.kind === "model" : frame.decl.kind === "loss";
};

const isActive = (start: Frame, decl: object): boolean => {
  for (let frame: Frame | null = start; frame !== null; frame = frame.caller?.frame ?? null) if (frame.decl === decl) return true;
  return false;
};

const pathOf = (frame: Frame, decl: LayerDecl | FnDecl | ModelDecl): string => {
  if (decl.kind === "model") return "";
  if (decl.kind === "fn") return frame.path;
  const name = decl.name.text;
  const used = frame.counters.get(name);
  if (used !== undefined) frame.counters.set(name, used + 1);
  return [frame.path, name, used].filter((part) => part !== "" && part !== undefined).join(".");
};

/** A fresh frame. Layers that its body uses more than once, or in a loop, are counted. */
export const frameFor = (decl: Frame["decl"], unit: Frame["unit"], path: string, caller: Frame["caller"]): Frame => {
  const counters = new Map<string, number>();
  const seen = new Set<string>();
  for (const { name, repeated } of callsIn(decl)) {
    if (repeated || seen.has(name)) counters.set(name, 0);
    seen.add(name);
  }
  return { decl, unit, path, scopes: [new Map()], dims: new Map(), lead: null, counters, caller };
};

export const inFrame = <T>(ctx: Context, frame: Frame, body: () => T): T => {
  const outer = ctx.frame;
  ctx.frame = frame;
  try {
    return body();
  } finally {
    ctx.frame = outer;
  }
};

const snakeCase = (name: string): string => name.replace(/(?<=[a-z0-9])(?=[A-Z])/g, "_").toLowerCase();
