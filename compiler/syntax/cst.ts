/** @file Reading chevrotain's concrete syntax tree with types: children by name, tokens that were really written, spans. */

import type { CstNode, IToken } from "chevrotain";
import { diagnostic } from "../../ir/codes.ts";
import type { Code, DiagnosticDetails } from "../../ir/codes.ts";
import type { Diagnostic } from "../../ir/diagnostic.ts";
import type { Span } from "../../ir/span.ts";
import type { Name } from "./ast.ts";

/** What building the tree of one file needs and collects. */
export interface BuildContext {
  readonly file: string;
  readonly diagnostics: Diagnostic[];
}

export const report = (ctx: BuildContext, span: Span, code: Code, message: string, label: string, details: DiagnosticDetails = {}): void => {
  ctx.diagnostics.push(diagnostic(code, message, { ...details, labels: [{ span, text: label }, ...(details.labels ?? [])] }));
};

const isNode = (element: CstNode | IToken): element is CstNode => "children" in element;

/** Tokens that the parser's recovery made up carry NaN offsets; they were never written. */
const isReal = (token: IToken): boolean => token.isInsertedInRecovery !== true && !Number.isNaN(token.startOffset);

export const nodes = (node: CstNode, name: string): readonly CstNode[] => (node.children[name] ?? []).filter(isNode);

export const node = (parent: CstNode, name: string): CstNode | undefined => nodes(parent, name)[0];

export const tokens = (parent: CstNode, name: string): readonly IToken[] =>
  (parent.children[name] ?? []).filter((child): child is IToken => !isNode(child) && isReal(child));

export const token = (parent: CstNode, name: string): IToken | undefined => tokens(parent, name)[0];

/** Every direct child, in source order. */
export const childrenInOrder = (parent: CstNode): readonly (CstNode | IToken)[] =>
  Object.values(parent.children)
    .flat()
    .filter((child) => (isNode(child) ? Number.isFinite(startOf(child)) : isReal(child)))
    .sort((a, b) => startOf(a) - startOf(b));

export const startOf = (element: CstNode | IToken): number =>
  isNode(element) ? (element.location?.startOffset ?? Number.NaN) : element.startOffset;

const endOf = (element: CstNode | IToken): number =>
  (isNode(element) ? (element.location?.endOffset ?? Number.NaN) : (element.endOffset ?? element.startOffset)) + 1;

/** The span of what was written; an empty one at 0 for a rule that recovery abandoned before its first token. */
export const spanOf = (ctx: BuildContext, element: CstNode | IToken): Span => {
  const start = startOf(element);
  const end = endOf(element);
  return Number.isFinite(start) && Number.isFinite(end) ? { file: ctx.file, start, end } : { file: ctx.file, start: 0, end: 0 };
};

export const cover = (a: Span, b: Span): Span => ({ file: a.file, start: Math.min(a.start, b.start), end: Math.max(a.end, b.end) });

export const nameOf = (ctx: BuildContext, written: IToken): Name => ({ text: written.image, span: spanOf(ctx, written) });

/** Lists are parsed with optional commas; where one was forgotten between two items, say so once. */
export const requireCommas = (ctx: BuildContext, parent: CstNode, items: readonly (CstNode | IToken)[]): void => {
  const commas = tokens(parent, "Comma").map((comma) => comma.startOffset);
  for (let i = 0; i + 1 < items.length; i++) {
    const [left, right] = [items[i], items[i + 1]];
    if (left === undefined || right === undefined) continue;
    const [from, to] = [endOf(left), startOf(right)];
    if (!Number.isFinite(from) || !Number.isFinite(to) || commas.some((at) => at >= from && at < to)) continue;
    const span = spanOf(ctx, right);
    report(ctx, span, "SQ0101", "a comma is missing between two items of a list", "expected `,` before this", {
      hint: "separate the items of a list with commas",
    });
    return;
  }
};
