/** @file Walks over syntax trees: what an expression is made of, and which names a body calls. */

import type { Block, Declaration, Expr, Statement } from "../syntax/ast.ts";

export const childrenOf = (expr: Expr): readonly Expr[] => {
  switch (expr.kind) {
    case "tuple":
      return expr.items;
    case "unary":
      return [expr.operand];
    case "binary":
      return [expr.left, expr.right];
    case "call":
      return [expr.callee, ...expr.args.map((arg) => arg.value)];
    case "index":
      return [
        expr.base,
        ...expr.items.flatMap((item) => (item.kind === "at" ? [item.value] : [item.start, item.limit].filter((e) => e !== null))),
      ];
    case "member":
      return [expr.base];
    default:
      return [];
  }
};

/** The expressions a statement holds itself; those in the body of a `repeat` not included. */
export const expressionsOf = (statement: Statement): readonly Expr[] => {
  switch (statement.kind) {
    case "param":
      return [...statement.groups.flatMap((group) => group.type.axes ?? []), ...(statement.init === null ? [] : [statement.init])];
    case "repeat":
      return [statement.count];
    default:
      return [statement.value];
  }
};

export interface Use {
  readonly name: string;
  readonly span: Expr["span"];
  readonly repeated: boolean;
}

const collectCalls = (expr: Expr, repeated: boolean, into: Use[]): void => {
  if (expr.kind === "call") {
    const callee = expr.callee.kind === "index" ? expr.callee.base : expr.callee;
    if (callee.kind === "name") into.push({ name: callee.text, span: callee.span, repeated });
  }
  for (const child of childrenOf(expr)) collectCalls(child, repeated, into);
};

const collectBlock = (block: Block, repeated: boolean, into: Use[]): void => {
  for (const statement of block.statements) {
    for (const expr of expressionsOf(statement)) collectCalls(expr, repeated, into);
    if (statement.kind === "repeat") collectBlock(statement.body, true, into);
  }
};

const cache = new WeakMap<Declaration, readonly Use[]>();

/** Every call in the body of a declaration, in source order. */
export const callsIn = (decl: Declaration): readonly Use[] => {
  const known = cache.get(decl);
  if (known !== undefined) return known;
  const calls: Use[] = [];
  if ("params" in decl) for (const param of decl.params) if (param.fallback !== null) collectCalls(param.fallback, false, calls);
  if ("body" in decl) {
    if (decl.body.kind === "block") collectBlock(decl.body, false, calls);
    else collectCalls(decl.body, false, calls);
  }
  cache.set(decl, calls);
  return calls;
};
