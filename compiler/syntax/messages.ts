/** @file What the parser says about a syntax error, in plain words: what was found, what could have stood there, and, where
 *  the slip is a common one, what was probably meant. */

import { EOF, tokenLabel, tokenMatcher } from "chevrotain";
import type { IParserErrorMessageProvider, IRecognitionException, IToken, TokenType } from "chevrotain";
import { diagnostic } from "../../ir/codes.ts";
import type { Diagnostic, Label } from "../../ir/diagnostic.ts";
import type { Span } from "../../ir/span.ts";
import { foreignWord, keywordAsName } from "./slips.ts";
import * as t from "./tokens.ts";

/** What each rule is called when none of its alternatives fits. */
const RULE_WORDS: Readonly<Record<string, string>> = {
  file: "a declaration",
  importDecl: 'a path in quotes, or `{ names } from "path"`',
  dimDecl: "a value",
  paramGroup: "`:` and a shape",
  type: "a type such as `[B, T]`, `int[B]` or `float`",
  axes: "a dimension",
  backwardRule: "`:` and a policy",
  segment: "a site such as `Block.*.SelfAttention`",
  body: "`=` and an expression, or a body in braces",
  statement: "a statement",
  paramStatement: "`~` and an initialiser",
  letStatement: "`=` and a value",
  operand: "an expression",
  atom: "an expression",
  arg: "an argument",
  indexItem: "an index or a slice",
};

/** Chevrotain asks for a message; ours is only the expectation, and `syntaxDiagnostic` builds the rest from the tokens. */
export const expectations: IParserErrorMessageProvider = {
  buildMismatchTokenMessage: ({ expected }) => tokenLabel(expected),
  buildNotAllInputParsedMessage: () => "a declaration",
  buildNoViableAltMessage: ({ ruleName }) => RULE_WORDS[ruleName] ?? "something else",
  buildEarlyExitMessage: ({ ruleName }) => RULE_WORDS[ruleName] ?? "something else",
};

const CLOSERS: ReadonlyMap<string, { readonly open: TokenType; readonly close: TokenType }> = new Map([
  ["`)`", { open: t.LeftParen, close: t.RightParen }],
  ["`]`", { open: t.LeftBracket, close: t.RightBracket }],
  ["`}`", { open: t.LeftBrace, close: t.RightBrace }],
]);

/** How a token reads in a sentence. */
export const found = (token: IToken): string => {
  if (token.tokenType === EOF) return "the end of the file";
  if (tokenMatcher(token, t.StringToken)) return "a string";
  if (token.tokenType === t.NumberToken) return `the number \`${clip(token.image)}\``;
  if (t.KEYWORDS.has(token.image)) return `the keyword \`${token.image}\``;
  return `\`${clip(token.image)}\``;
};

const clip = (image: string): string => (image.length > 30 ? `${image.slice(0, 29)}…` : image);

interface Place {
  readonly file: string;
  readonly text: string;
  readonly tokens: readonly IToken[];
}

/** Where to point: at the offending token, or, at the end of the file, just behind the last one. */
const pointAt = (place: Place, token: IToken): Span => {
  if (token.tokenType !== EOF && !Number.isNaN(token.startOffset))
    return { file: place.file, start: token.startOffset, end: (token.endOffset ?? token.startOffset) + 1 };
  return behind(place, place.tokens.at(-1));
};

const behind = (place: Place, token: IToken | undefined): Span => {
  const at = token === undefined ? 0 : (token.endOffset ?? token.startOffset) + 1;
  return { file: place.file, start: at, end: at };
};

/** The innermost bracket of this kind that is open where `before` stands. */
const openerOf = (place: Place, before: IToken, kinds: { readonly open: TokenType; readonly close: TokenType }): IToken | undefined => {
  let depth = 0;
  const end = before.tokenType === EOF ? place.tokens.length : place.tokens.indexOf(before);
  for (let i = end - 1; i >= 0; i--) {
    const token = place.tokens[i];
    if (token?.tokenType === kinds.close) depth++;
    else if (token?.tokenType === kinds.open && depth-- === 0) return token;
  }
  return undefined;
};

/** The diagnostic of one of chevrotain's errors. */
export const syntaxDiagnostic = (place: Place, error: IRecognitionException): Diagnostic => {
  const token = error.token;
  const expected = error.message;
  const kinds = CLOSERS.get(expected);
  const opener = kinds === undefined ? undefined : openerOf(place, token, kinds);
  const previous = previousToken(place, token);
  const span = pointAt(place, token);
  const foreign = foreignWord(token) ?? (previous === undefined ? null : foreignWord(previous));
  if (foreign !== null) {
    const culprit = foreignWord(token) === null && previous !== undefined ? previous : token;
    return diagnostic("SQ0109", foreign.message, { labels: [{ span: pointAt(place, culprit), text: foreign.label }], hint: foreign.hint });
  }
  if (kinds !== undefined && opener !== undefined && !closedLater(place, opener))
    return unclosed(place, token, opener, expected);
  if (t.KEYWORDS.has(token.image) && expected === "a name") return keywordAsName(place.file, token);
  if (expected === "an expression" || expected === "an argument") return missingExpression(place, token, previous, span);
  if (token.tokenType === t.Comma && kinds !== undefined)
    return diagnostic("SQ0116", "an item is missing before `,`", { labels: [{ span, text: "nothing stands before this" }] });
  const wanted = kinds !== undefined && expected !== "`}`" ? `\`,\` or ${expected}` : expected;
  return diagnostic("SQ0101", `expected ${wanted}, found ${found(token)}`, {
    labels: [{ span, text: `expected ${wanted}` }, ...after(place, previous, token)],
    hint: hintFor(expected, token, previous),
  });
};

/** Does the partner of `opener` stand further on, before a closing bracket of another kind or a new statement? */
const closedLater = (place: Place, opener: IToken): boolean => {
  const open: string[] = [];
  for (let i = place.tokens.indexOf(opener); i < place.tokens.length; i++) {
    const token = place.tokens[i];
    if (token === undefined || t.isBeginningWord(token)) return false;
    if (t.PARTNERS.has(token.tokenType)) open.push(t.PARTNERS.get(token.tokenType)?.name ?? "");
    else if (t.CLOSING.has(token.tokenType) && open.pop() !== token.tokenType.name) return false;
    if (open.length === 0) return true;
  }
  return false;
};

const previousToken = (place: Place, token: IToken): IToken | undefined =>
  token.tokenType === EOF ? place.tokens.at(-1) : place.tokens[place.tokens.indexOf(token) - 1];

const unclosed = (place: Place, token: IToken, opener: IToken, expected: string): Diagnostic => {
  const labels: Label[] = [
    { span: pointAt(place, opener), text: `this \`${opener.image}\` is never closed` },
    { span: pointAt(place, token), text: `expected ${expected} before ${found(token)}` },
  ];
  return diagnostic("SQ0102", `\`${opener.image}\` is not closed`, { labels, hint: `add ${expected}` });
};

const NO_LISTS = "there are no list values: give the items one after another, or as a tuple `(a, b)`";

const missingExpression = (place: Place, token: IToken, previous: IToken | undefined, span: Span): Diagnostic => {
  const repeated = previous !== undefined && token.tokenType === t.Equals && tokenMatcher(previous, t.BinaryOperatorToken);
  const hint = repeated
    ? `there is no \`${previous.image}=\`: write \`x = x ${previous.image} …\``
    : token.tokenType === t.LeftBracket
      ? NO_LISTS
      : undefined;
  return diagnostic("SQ0116", `expected an expression, found ${found(token)}`, {
    labels: [{ span, text: "an expression is missing before this" }, ...after(place, previous, token)],
    hint,
  });
};

/** The label that says where an error that shows on a later line began. */
export const AFTER = "after this";

/** Names what came before when it stands on another line, where the reader would otherwise not look. */
const after = (place: Place, previous: IToken | undefined, token: IToken): readonly Label[] =>
  previous !== undefined && (token.tokenType === EOF || previous.endLine !== token.startLine)
    ? [{ span: pointAt(place, previous), text: AFTER }]
    : [];

const hintFor = (expected: string, token: IToken, previous: IToken | undefined): string | undefined => {
  if (expected === "`{`" && token.tokenType === t.Colon) return "a body stands in braces: `{ … }`";
  if (expected.startsWith("`:` and a shape")) return "a parameter needs a shape: `param w: [D, D] ~ normal(std: 0.02)`";
  if (expected === "`(`" && previous?.tokenType === t.NameToken) return "arguments stand in parentheses, also when there are none: `()`";
  if (expected === "`)`" && token.tokenType === t.LeftBracket) return NO_LISTS;
  if (expected === "a name" && token.tokenType === t.NumberToken) return "a name cannot begin with a digit";
  if (expected.startsWith("a type")) return "types are `[B, T, D]` (floats), `int[B, T]`, `bool[B, T]`, `float`, `int` and `bool`";
  return undefined;
};
