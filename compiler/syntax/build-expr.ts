/** @file Expressions from the concrete syntax tree: precedences, arguments, indices, numbers. */

import type { CstNode, IToken } from "chevrotain";
import type { Arg, BinaryOperator, Expr, IndexItem } from "./ast.ts";
import { childrenInOrder, cover, nameOf, node, nodes, report, requireCommas, spanOf, startOf, token, tokens } from "./cst.ts";
import type { BuildContext } from "./cst.ts";
import { stringValue } from "./slips.ts";

/** Deeper trees are refused, so that every walk over a tree may recurse. */
const MAX_DEPTH = 400;

/** How tightly each operator binds; `not` and unary `-` stand among them. `**` groups to the right, the others to the left. */
export const BINDING: Readonly<Record<BinaryOperator | "not" | "negate", number>> = {
  or: 1,
  and: 2,
  not: 3,
  "==": 4, "!=": 4, "<": 4, "<=": 4, ">": 4, ">=": 4,
  "+": 5, "-": 5,
  "*": 6, "/": 6, "@": 6,
  negate: 7,
  "**": 8,
};
const COMPARISON = 4;
const POWER = 8;

const isBinary = (text: string): text is BinaryOperator => text in BINDING && text !== "not" && text !== "negate";

const depths = new WeakMap<Expr, number>();

/** Records how deep `expr` is above `children`; too deep becomes an error node, reported where it first happens. */
const measured = (ctx: BuildContext, expr: Expr, children: readonly Expr[]): Expr => {
  const depth = 1 + Math.max(0, ...children.map((child) => depths.get(child) ?? 0));
  if (depth > MAX_DEPTH) {
    report(ctx, expr.span, "SQ0110", "this expression is nested too deeply", `more than ${MAX_DEPTH} operations inside each other`, {
      hint: "give parts of it names with `let`",
    });
    return { kind: "error", span: expr.span };
  }
  depths.set(expr, depth);
  return expr;
};

/** One operator waiting for its right side. */
interface Pending {
  readonly token: IToken;
  readonly prefix: boolean;
  readonly binding: number;
}

/** Operator precedence over a flat row of operands, with an explicit stack. */
export const buildExpr = (ctx: BuildContext, expression: CstNode | undefined): Expr => {
  if (expression === undefined) return { kind: "error", span: { file: ctx.file, start: 0, end: 0 } };
  const values: Expr[] = [];
  const waiting: Pending[] = [];
  for (const element of childrenInOrder(expression)) {
    if ("children" in element) {
      waiting.push(...prefixes(element));
      values.push(buildOperand(ctx, element));
    } else {
      const binding = isBinary(operatorOf(element)) ? BINDING[operatorOf(element) as BinaryOperator] : COMPARISON;
      reduceWhile(ctx, values, waiting, (top) => top.binding > binding || (top.binding === binding && binding !== POWER), element);
      waiting.push({ token: element, prefix: false, binding });
    }
  }
  reduceWhile(ctx, values, waiting, () => true, null);
  return values.at(-1) ?? { kind: "error", span: spanOf(ctx, expression) };
};

const prefixes = (operand: CstNode): readonly Pending[] =>
  [...tokens(operand, "Minus"), ...tokens(operand, "Word_not")]
    .sort((a, b) => startOf(a) - startOf(b))
    .map((written) => ({ token: written, prefix: true, binding: written.tokenType.name === "Minus" ? BINDING.negate : BINDING.not }));

/** The operator that a token means: its own spelling, or the word that its slip stands for. */
const operatorOf = (written: IToken): string => {
  const label = written.tokenType.LABEL ?? "";
  return label.replaceAll("`", "");
};

const reduceWhile = (ctx: BuildContext, values: Expr[], waiting: Pending[], goOn: (top: Pending) => boolean, next: IToken | null): void => {
  for (let top = waiting.at(-1); top !== undefined && goOn(top); top = waiting.at(-1)) {
    waiting.pop();
    const right = values.pop();
    const left = top.prefix ? undefined : values.pop();
    if (right === undefined || (!top.prefix && left === undefined)) return;
    if (next !== null && !top.prefix && top.binding === COMPARISON && BINDING[operatorOf(next) as BinaryOperator] === COMPARISON)
      report(ctx, spanOf(ctx, next), "SQ0118", "comparisons do not chain", "a second comparison", {
        labels: [{ span: spanOf(ctx, top.token), text: "the first one" }],
        hint: "join two comparisons with `and`",
      });
    values.push(left === undefined ? unary(ctx, top.token, right) : binary(ctx, left, top.token, right));
  }
};

const unary = (ctx: BuildContext, written: IToken, operand: Expr): Expr => {
  const operator = written.tokenType.name === "Minus" ? "-" : "not";
  return measured(ctx, { kind: "unary", operator, operand, span: cover(spanOf(ctx, written), operand.span) }, [operand]);
};

const binary = (ctx: BuildContext, left: Expr, written: IToken, right: Expr): Expr => {
  const operator = operatorOf(written);
  const span = cover(left.span, right.span);
  if (!isBinary(operator)) return { kind: "error", span };
  return measured(ctx, { kind: "binary", operator, operatorSpan: spanOf(ctx, written), left, right, span }, [left, right]);
};

const buildOperand = (ctx: BuildContext, operand: CstNode): Expr => {
  let expr = buildAtom(ctx, node(operand, "atom"), operand);
  for (const suffix of childrenInOrder(operand)) {
    if (!("children" in suffix) || suffix.name === "atom") continue;
    const span = cover(expr.span, spanOf(ctx, suffix));
    if (suffix.name === "args") {
      const args = buildArgs(ctx, suffix);
      expr = measured(ctx, { kind: "call", callee: expr, args, span }, [expr, ...args.map((arg) => arg.value)]);
    } else if (suffix.name === "indices") {
      const items = nodes(suffix, "indexItem").map((item) => buildIndexItem(ctx, item));
      requireCommas(ctx, suffix, nodes(suffix, "indexItem"));
      const inner = items.flatMap((item) => (item.kind === "at" ? [item.value] : [item.start, item.limit].filter((e) => e !== null)));
      expr = measured(ctx, { kind: "index", base: expr, items, span }, [expr, ...inner]);
    } else {
      const name = token(suffix, "Name");
      expr = name === undefined ? { kind: "error", span } : measured(ctx, { kind: "member", base: expr, name: nameOf(ctx, name), span }, [expr]);
    }
  }
  return expr;
};

const buildAtom = (ctx: BuildContext, atom: CstNode | undefined, operand: CstNode): Expr => {
  const paren = atom === undefined ? undefined : node(atom, "paren");
  if (paren !== undefined) return buildParen(ctx, paren);
  const [written] = atom === undefined ? [] : childrenInOrder(atom);
  if (written === undefined || "children" in written) return { kind: "error", span: spanOf(ctx, operand) };
  const span = spanOf(ctx, written);
  if (atom !== undefined && token(atom, "Number") !== undefined) return numberExpr(ctx, written);
  if (atom !== undefined && token(atom, "String") !== undefined) return { kind: "string", value: stringValue(written), span };
  if (written.image === "true" || written.image === "false") return { kind: "bool", value: written.image === "true", span };
  return { kind: "name", text: written.image, span };
};

const NUMBER = /^\d+(?:_\d+)*(?:\.\d+(?:_\d+)*)?(?:[eE][+-]?\d+)?$/;

const numberExpr = (ctx: BuildContext, written: IToken): Expr => {
  const span = spanOf(ctx, written);
  const value = NUMBER.test(written.image) ? Number(written.image.replaceAll("_", "")) : Number.NaN;
  if (Number.isFinite(value)) return { kind: "number", value, text: written.image, span };
  const huge = value === Number.POSITIVE_INFINITY;
  report(ctx, span, "SQ0111", huge ? `\`${written.image}\` is too large` : `\`${written.image}\` is not a number`, huge ? "beyond the range of float64" : "malformed", {
    hint: huge ? undefined : "numbers look like 512, 1_000, 0.02 or 3e-4",
  });
  return { kind: "error", span };
};

/** `(x)` is x; `(a, b)` and `(a,)` are tuples. */
const buildParen = (ctx: BuildContext, paren: CstNode): Expr => {
  const parts = nodes(paren, "expression");
  const items = parts.map((part) => buildExpr(ctx, part));
  const span = spanOf(ctx, paren);
  const [only] = items;
  if (only !== undefined && items.length === 1 && tokens(paren, "Comma").length === 0) {
    const expr: Expr = { ...only, span };
    depths.set(expr, depths.get(only) ?? 1);
    return expr;
  }
  if (only === undefined) {
    report(ctx, span, "SQ0116", "empty parentheses are not a value", "an expression is missing inside");
    return { kind: "error", span };
  }
  requireCommas(ctx, paren, parts);
  return measured(ctx, { kind: "tuple", items, span }, items);
};

export const buildArgs = (ctx: BuildContext, args: CstNode | undefined): readonly Arg[] => {
  if (args === undefined) return [];
  requireCommas(ctx, args, nodes(args, "arg"));
  let named: IToken | undefined;
  return nodes(args, "arg").map((arg) => {
    const name = token(arg, "Name");
    if (name === undefined && named !== undefined)
      report(ctx, spanOf(ctx, arg), "SQ0211", "a positional argument after a named one", "give this a name, or put it first", {
        labels: [{ span: spanOf(ctx, named), text: "named from here on" }],
      });
    named ??= name;
    const equals = token(arg, "Equals");
    if (equals !== undefined)
      report(ctx, spanOf(ctx, equals), "SQ0107", "a named argument is written with `:`", "`:` belongs here", {
        hint: `write \`${name?.image ?? "name"}: …\``,
      });
    return { name: name === undefined ? null : nameOf(ctx, name), value: buildExpr(ctx, node(arg, "expression")), span: spanOf(ctx, arg) };
  });
};

const buildIndexItem = (ctx: BuildContext, item: CstNode): IndexItem => {
  const span = spanOf(ctx, item);
  const value = node(item, "expression");
  const rest = node(item, "sliceRest");
  const start = value === undefined ? null : buildExpr(ctx, value);
  if (rest === undefined) return { kind: "at", value: start ?? { kind: "error", span }, span };
  const limit = node(rest, "expression");
  return { kind: "slice", start, limit: limit === undefined ? null : buildExpr(ctx, limit), span };
};
