/** @file What stands where nothing of its kind can stand: values without a use, closing brackets without an opening one, text
 *  between declarations. */

import type { CstNode, IToken } from "chevrotain";
import { childrenInOrder, report, spanOf, tokens } from "./cst.ts";
import type { BuildContext } from "./cst.ts";
import { foreignWord } from "./slips.ts";

/** Where lines begin something new; see `Grammar`. */
export interface FileContext extends BuildContext {
  readonly fresh: ReadonlySet<IToken>;
}

/** A value that nothing is done with; or the rest of a line above, which the writer thought would go on. */
export const reportExpression = (ctx: FileContext, expression: CstNode): void => {
  const first = leftmost(expression);
  const span = spanOf(ctx, expression);
  if (first !== undefined && ctx.fresh.has(first) && BOUND.has(first.image)) return reportBound(ctx, first);
  const foreign = first === undefined ? null : foreignWord(first);
  if (first !== undefined && foreign !== null)
    return report(ctx, spanOf(ctx, first), "SQ0109", foreign.message, foreign.label, { hint: foreign.hint });
  report(ctx, span, "SQ0113", "nothing is done with this value", "not a statement", {
    hint: "give it a name with `let y = …`, or `return` it",
  });
};

const BOUND: ReadonlySet<string> = new Set(["(", "[", "-"]);

const reportBound = (ctx: FileContext, first: IToken): void =>
  report(ctx, spanOf(ctx, first), "SQ0117", `a line that begins with \`${first.image}\` does not continue the line above`, "begins something new", {
    hint: first.image === "-" ? "end the line above with `-`" : `put the \`${first.image}\` on the line above`,
  });

const leftmost = (element: CstNode | IToken): IToken | undefined => {
  if (!("children" in element)) return element;
  const [first] = childrenInOrder(element);
  return first === undefined ? undefined : leftmost(first);
};

const CLOSING: ReadonlySet<string> = new Set([")", "]", "}"]);

export const reportJunk = (ctx: FileContext, written: IToken): void => {
  const span = spanOf(ctx, written);
  if (written.image === "[" && ctx.fresh.has(written)) return reportBound(ctx, written);
  if (CLOSING.has(written.image))
    return report(ctx, span, "SQ0115", `\`${written.image}\` closes nothing`, "no opening bracket belongs to this", { hint: "remove it, or add the opening one" });
  if (written.image === ",")
    return report(ctx, span, "SQ0101", "expected a statement, found `,`", "nothing can continue here", { hint: "put several values in parentheses: `(a, b)`" });
  report(ctx, span, "SQ0101", `expected a statement, found \`${written.image}\``, "no statement begins like this");
};

const STATEMENT_WORDS: ReadonlySet<string> = new Set(["param", "let", "repeat", "return"]);

/** Text between declarations: one message, about its beginning. */
export const reportStray = (ctx: FileContext, stray: CstNode): void => {
  const [first, second] = tokens(stray, "Loose");
  if (first === undefined) return;
  const span = spanOf(ctx, first);
  const foreign = foreignWord(first);
  if (foreign !== null) return report(ctx, span, "SQ0109", foreign.message, foreign.label, { hint: foreign.hint });
  if (ctx.fresh.has(first) && first.image !== "{" && BOUND.has(first.image)) return reportBound(ctx, first);
  if (CLOSING.has(first.image))
    return report(ctx, span, "SQ0115", `\`${first.image}\` closes nothing`, "no opening bracket belongs to this", { hint: "remove it, or add the opening one" });
  if (STATEMENT_WORDS.has(first.image) || second?.image === "=")
    return report(ctx, span, "SQ0114", "a statement stands outside of a body", "expected a declaration", {
      hint: second?.image === "=" ? "a named size is a `dim`; other statements stand in the body of a layer, fn, model or loss" : "move it into the body of a layer, fn, model or loss",
    });
  report(ctx, span, "SQ0101", `expected a declaration, found \`${first.image}\``, "no declaration begins like this", {
    notes: ["declarations begin with import, dim, fn, layer, model, loss, backward or optimizer"],
  });
};
