/** @file Declarations and statements from the concrete syntax tree. Parts that recovery left out make their declaration
 *  disappear (its error is reported already); everything else is kept, so that checking can go on. */

import type { CstNode, IToken } from "chevrotain";
import type { Block, Declaration, Expr, Name, ParamDecl, ParamGroup, SourceFile, Statement, TypeExpr } from "./ast.ts";
import type { BackwardRule, ImportDecl } from "./ast.ts";
import { buildArgs, buildExpr } from "./build-expr.ts";
import { childrenInOrder, nameOf, node, nodes, report, requireCommas, spanOf, token, tokens } from "./cst.ts";
import { stringValue } from "./slips.ts";
import { reportExpression, reportJunk, reportStray } from "./strays.ts";
import type { FileContext } from "./strays.ts";

export const buildFile = (ctx: FileContext, file: CstNode, length: number): SourceFile => {
  const declarations = childrenInOrder(file).flatMap((child) => {
    if (!("children" in child)) return [];
    if (child.name === "stray") {
      reportStray(ctx, child);
      return [];
    }
    const built = BUILDERS[child.name]?.(ctx, child) ?? null;
    return built === null ? [] : [built];
  });
  return { file: ctx.file, declarations, span: { file: ctx.file, start: 0, end: length } };
};

type DeclarationBuilder = (ctx: FileContext, node: CstNode) => Declaration | null;

const BUILDERS: Readonly<Record<string, DeclarationBuilder>> = {
  importDecl: (ctx, cst) => buildImport(ctx, cst),

  dimDecl: (ctx, cst) => {
    const name = token(cst, "Name");
    if (name === undefined) return null;
    signSlip(ctx, token(cst, "Colon"), "=", "a value is given with `=`");
    const value = node(cst, "expression");
    if (value !== undefined && token(cst, "Colon") === undefined && token(cst, "Equals") === undefined)
      report(ctx, spanOf(ctx, value), "SQ0101", `expected \`=\` before the value of \`${name.image}\``, "expected `=` before this", {
        hint: `write \`dim ${name.image} = …\``,
      });
    return { kind: "dim", name: nameOf(ctx, name), value: value === undefined ? null : buildExpr(ctx, value), span: spanOf(ctx, cst) };
  },

  layerDecl: (ctx, cst) => {
    const name = token(cst, "Name");
    if (name === undefined) return null;
    return { kind: "layer", name: nameOf(ctx, name), ...buildSignature(ctx, cst), body: bodyInBraces(ctx, cst, "a layer"), span: spanOf(ctx, cst) };
  },

  fnDecl: (ctx, cst) => {
    const name = token(cst, "Name");
    if (name === undefined) return null;
    return { kind: "fn", name: nameOf(ctx, name), ...buildSignature(ctx, cst), body: buildBody(ctx, cst), span: spanOf(ctx, cst) };
  },

  modelDecl: (ctx, cst) => {
    const name = token(cst, "Name");
    if (name === undefined) return null;
    const { params, result, dimParams } = buildSignature(ctx, cst);
    noDimParams(ctx, dimParams, "a model");
    return { kind: "model", name: nameOf(ctx, name), params, result, body: bodyInBraces(ctx, cst, "a model"), span: spanOf(ctx, cst) };
  },

  lossDecl: (ctx, cst) => {
    const { params, dimParams } = buildSignature(ctx, cst);
    noDimParams(ctx, dimParams, "a loss");
    return { kind: "loss", params, body: buildBody(ctx, cst), span: spanOf(ctx, cst) };
  },

  backwardDecl: (ctx, cst) => ({
    kind: "backward",
    rules: nodes(cst, "backwardRule").flatMap((rule) => buildRule(ctx, rule)),
    span: spanOf(ctx, cst),
  }),

  optimizerDecl: (ctx, cst) => {
    const name = token(cst, "Name");
    if (name === undefined) return null;
    return { kind: "optimizer", name: nameOf(ctx, name), args: buildArgs(ctx, node(cst, "args")), span: spanOf(ctx, cst) };
  },
};

const buildImport = (ctx: FileContext, cst: CstNode): ImportDecl | null => {
  const path = token(cst, "String");
  if (path === undefined) return null;
  const names = node(cst, "names");
  const from = { text: stringValue(path), span: spanOf(ctx, path) };
  const listed = token(cst, "LeftBrace") === undefined ? null : buildNames(ctx, names);
  return { kind: "import", names: listed, from, span: spanOf(ctx, cst) };
};

const buildNames = (ctx: FileContext, names: CstNode | undefined): readonly Name[] => {
  if (names === undefined) return [];
  requireCommas(ctx, names, tokens(names, "Name"));
  return tokens(names, "Name").map((name) => nameOf(ctx, name));
};

const noDimParams = (ctx: FileContext, dimParams: readonly Name[], what: string): void => {
  const [first] = dimParams;
  if (first === undefined) return;
  report(ctx, first.span, "SQ0101", `${what} takes no dim arguments`, "not possible here", {
    hint: "its dims are the `dim`s of the file, set with `--dim`",
  });
};

interface Signature {
  readonly dimParams: readonly Name[];
  readonly params: readonly ParamDecl[];
  readonly result: TypeExpr | null;
}

const buildSignature = (ctx: FileContext, cst: CstNode): Signature => {
  const signature = node(cst, "signature");
  if (signature === undefined) return { dimParams: [], params: [], result: null };
  const formals = nodes(signature, "formal");
  requireCommas(ctx, signature, formals);
  const params = formals.flatMap((formal) => {
    const name = token(formal, "Name");
    if (name === undefined) return [];
    const type = node(formal, "type");
    const fallback = node(formal, "expression");
    return [{
      name: nameOf(ctx, name),
      type: type === undefined ? null : buildType(ctx, type),
      fallback: fallback === undefined ? null : buildExpr(ctx, fallback),
      span: spanOf(ctx, formal),
    }];
  });
  const result = node(signature, "type");
  return { dimParams: buildNames(ctx, node(signature, "names")), params, result: result === undefined ? null : buildType(ctx, result) };
};

const DTYPES: ReadonlyMap<string, TypeExpr["dtype"]> = new Map([["float", "float"], ["int", "int"], ["bool", "bool"]]);

const buildType = (ctx: FileContext, cst: CstNode): TypeExpr => {
  const written = token(cst, "Name");
  const dtype = written === undefined ? "float" : DTYPES.get(written.image);
  if (written !== undefined && dtype === undefined)
    report(ctx, spanOf(ctx, written), "SQ0120", `unknown type \`${written.image}\``, "not a type", {
      hint: "types are `[B, T]` (floats), `int[B, T]`, `bool[B, T]`, and the scalars `float`, `int` and `bool`",
    });
  const axes = node(cst, "axes");
  const span = spanOf(ctx, cst);
  if (axes === undefined) return { dtype: dtype ?? "float", axes: null, ellipsis: false, span };
  const items = childrenInOrder(axes).filter((child) => "children" in child || child.tokenType.name === "Ellipsis");
  requireCommas(ctx, axes, items);
  items.forEach((item, i) => {
    if (!("children" in item) && i > 0) report(ctx, spanOf(ctx, item), "SQ0119", "`...` stands only first in a type", "not possible here");
  });
  const ellipsis = tokens(axes, "Ellipsis").length > 0;
  return { dtype: dtype ?? "float", axes: nodes(axes, "expression").map((axis) => buildExpr(ctx, axis)), ellipsis, span };
};

const buildRule = (ctx: FileContext, cst: CstNode): readonly BackwardRule[] => {
  const pattern = node(cst, "pattern");
  const policy = token(cst, "Name");
  if (pattern === undefined || policy === undefined) return [];
  signSlip(ctx, token(cst, "Equals"), ":", "a policy is given with `:`");
  const text = nodes(pattern, "segment").map((segment) => childrenInOrder(segment).map((part) => ("children" in part ? "" : part.image)).join("")).join(".");
  const args = buildArgs(ctx, node(cst, "args"));
  return [{ pattern: { text, span: spanOf(ctx, pattern) }, policy: nameOf(ctx, policy), args, span: spanOf(ctx, cst) }];
};

const buildBody = (ctx: FileContext, cst: CstNode): Block | Expr => {
  const body = node(cst, "body");
  const block = body === undefined ? undefined : node(body, "block");
  if (block !== undefined) return buildBlock(ctx, block);
  if (body === undefined) return { kind: "error", span: spanOf(ctx, cst) };
  signSlip(ctx, token(body, "Colon"), "=", "a value is given with `=`");
  return buildExpr(ctx, node(body, "expression"));
};

/** Layers and models have braces; `= value` is read as `{ return value }`. */
const bodyInBraces = (ctx: FileContext, cst: CstNode, what: string): Block => {
  const body = buildBody(ctx, cst);
  if (body.kind === "block") return body;
  const written = node(cst, "body");
  const sign = written === undefined ? undefined : token(written, "Equals");
  if (sign !== undefined)
    report(ctx, spanOf(ctx, sign), "SQ0101", `expected \`{\`: ${what} has a body in braces`, "only `fn` and `loss` may be written with `=`", {
      hint: "write `{ return … }`",
    });
  return { kind: "block", statements: [{ kind: "return", value: body, span: body.span }], span: body.span };
};

const buildBlock = (ctx: FileContext, block: CstNode): Block => ({
  kind: "block",
  statements: nodes(block, "statement").flatMap((statement) => buildStatement(ctx, statement)),
  span: spanOf(ctx, block),
});

const buildStatement = (ctx: FileContext, statement: CstNode): readonly Statement[] => {
  const [child] = childrenInOrder(statement);
  if (child === undefined) return [];
  const span = spanOf(ctx, child);
  if (!("children" in child)) {
    reportJunk(ctx, child);
    return [];
  }
  const value = (): Expr => buildExpr(ctx, node(child, "expression"));
  const name = token(child, "Name");
  switch (child.name) {
    case "paramStatement":
      return buildParam(ctx, child);
    case "letStatement":
      signSlip(ctx, token(child, "Colon"), "=", "a value is given with `=`");
      return name === undefined ? [] : [{ kind: "let", names: tokens(child, "Name").map((written) => nameOf(ctx, written)), value: value(), span }];
    case "assignment":
      return name === undefined ? [] : [{ kind: "assign", name: nameOf(ctx, name), value: value(), span }];
    case "repeatStatement": {
      const block = node(child, "block");
      return block === undefined ? [] : [{ kind: "repeat", count: value(), body: buildBlock(ctx, block), span }];
    }
    case "returnStatement":
      return [{ kind: "return", value: value(), span }];
    case "block":
      report(ctx, { ...span, end: span.start + 1 }, "SQ0101", "braces that belong to nothing", "a block stands after `repeat N` or a declaration");
      return buildBlock(ctx, child).statements;
    default:
      reportExpression(ctx, child);
      return [];
  }
};

const buildParam = (ctx: FileContext, cst: CstNode): readonly Statement[] => {
  const groups: ParamGroup[] = nodes(cst, "paramGroup").flatMap((group) => {
    const type = node(group, "type");
    const names = tokens(group, "Name").map((name) => nameOf(ctx, name));
    signSlip(ctx, token(group, "Equals"), ":", "the shape of a parameter is given with `:`");
    return type === undefined || names.length === 0 ? [] : [{ names, type: buildType(ctx, type), span: spanOf(ctx, group) }];
  });
  signSlip(ctx, token(cst, "Equals"), "~", "how a parameter starts is given with `~`");
  const init = node(cst, "expression");
  return [{ kind: "param", groups, init: init === undefined ? null : buildExpr(ctx, init), span: spanOf(ctx, cst) }];
};

const signSlip = (ctx: FileContext, written: IToken | undefined, meant: string, message: string): void => {
  if (written === undefined) return;
  report(ctx, spanOf(ctx, written), "SQ0107", message, `\`${meant}\` belongs here`, { hint: `write \`${meant}\` instead of \`${written.image}\`` });
};
