/** @file From text to syntax tree. Never throws and never hangs, whatever the text: every complaint is a diagnostic, and
 *  the tree holds what could be understood. */

import type { ILexingResult, IToken } from "chevrotain";
import { diagnostic } from "../../ir/codes.ts";
import type { Diagnostic } from "../../ir/diagnostic.ts";
import { sourceText } from "../../ir/source-text.ts";
import type { Span } from "../../ir/span.ts";
import type { SourceFile } from "./ast.ts";
import { buildFile } from "./build-ast.ts";
import { Grammar } from "./grammar.ts";
import { AFTER, syntaxDiagnostic } from "./messages.ts";
import { characterErrors, groupSlips, keywordSlips, tokenSlips } from "./slips.ts";
import { isBeginningWord, lexer } from "./tokens.ts";

/** Files are refused above this many characters. */
export const MAX_FILE_LENGTH = 1_000_000;
/** Brackets may be nested this deep. */
export const MAX_NESTING = 200;
/** After this many errors the rest of a file is not listed. */
const MAX_ERRORS = 20;
/** Of the parser's errors only the first are looked into: most of them follow from others and are dropped. */
const MAX_EXPLAINED = 500;

export interface ParseResult {
  readonly ast: SourceFile;
  /** In source order. */
  readonly diagnostics: readonly Diagnostic[];
  /** Every token of the grammar, for the formatter. */
  readonly tokens: readonly IToken[];
  /** Every `//` comment. */
  readonly comments: readonly IToken[];
}

const grammar = new Grammar();

export const parse = (source: string, file: string): ParseResult => {
  // A byte-order mark is white space that nobody sees; offsets stay those of the text as given.
  const text = source.startsWith("\uFEFF") ? ` ${source.slice(1)}` : source;
  const refused = refusal(text, file);
  const empty: SourceFile = { file, declarations: [], span: { file, start: 0, end: text.length } };
  if (refused !== null) return { ast: empty, diagnostics: [refused], tokens: [], comments: [] };
  const lexed = lexer.tokenize(text);
  const comments = lexed.groups["comments"] ?? [];
  const lexical = lexicalDiagnostics(lexed, text, file);
  const deep = tooDeep(lexed.tokens, file);
  if (deep !== null) return { ast: empty, diagnostics: capped([...lexical, deep], file), tokens: lexed.tokens, comments };
  const { ast, soft, hard } = parseTokens(lexed.tokens, text, file);
  const diagnostics = capped(withoutCascades([...lexical, ...soft], hard, text), file);
  if (ast.declarations.length > 0 || diagnostics.length > 0) return { ast, diagnostics, tokens: lexed.tokens, comments };
  return { ast, diagnostics: [nothingDeclared(file, comments.length)], tokens: lexed.tokens, comments };
};

const parseTokens = (tokens: IToken[], text: string, file: string) => {
  const fresh = freshTokens(tokens);
  grammar.load(tokens, fresh);
  const cst = grammar.file();
  const place = { file, text, tokens };
  const hard = grammar.errors.slice(0, MAX_EXPLAINED).map((error) => syntaxDiagnostic(place, error));
  grammar.load([], new Set());
  const soft: Diagnostic[] = [];
  const ast = buildFile({ file, diagnostics: soft, fresh }, cst, text.length);
  return { ast, soft, hard };
};

const nothingDeclared = (file: string, comments: number): Diagnostic =>
  diagnostic("SQ0004", comments === 0 ? `${file} is empty` : `${file} holds only comments`, {
    hint: "`subquad new DIR` writes a model to start from",
  });

/** Why a text is not worth lexing at all. */
const refusal = (text: string, file: string): Diagnostic | null => {
  if (text.length > MAX_FILE_LENGTH)
    return diagnostic("SQ0003", `${file} has ${text.length} characters; at most ${MAX_FILE_LENGTH} are accepted`);
  const nul = text.indexOf("\0");
  const control = nul >= 0 ? nul : text.search(/[\x01-\x08\x0e-\x1f\x7f]/);
  if (control >= 0) {
    const code = (text.codePointAt(control) ?? 0).toString(16).padStart(2, "0");
    return diagnostic("SQ0002", `${file} is not a text file`, { notes: [`it holds the control character 0x${code} at offset ${control}`] });
  }
  const damaged = text.split("\uFFFD").length - 1;
  if (damaged > 0) return diagnostic("SQ0002", `${file} is not UTF-8 text`, { notes: [`${damaged} bytes could not be decoded`] });
  return null;
};

const lexicalDiagnostics = (lexed: ILexingResult, text: string, file: string): readonly Diagnostic[] => [
  ...characterErrors(file, text, lexed.errors),
  ...groupSlips(file, lexed.groups),
  ...tokenSlips(file, lexed.tokens),
  ...keywordSlips(file, lexed.tokens),
];

const OPENERS = new Set(["(", "[", "{", "（"]);
const CLOSERS = new Set([")", "]", "}", "）"]);

/** Tokens that begin a line while no `(` or `[` is open in the innermost braces, and words that begin a statement there. */
const freshTokens = (tokens: readonly IToken[]): ReadonlySet<IToken> => {
  const fresh = new Set<IToken>();
  const depths = [0];
  let line = 0;
  for (const token of tokens) {
    const depth = depths.at(-1) ?? 0;
    const startsLine = (token.startLine ?? 0) > line;
    if (startsLine && (depth === 0 || isBeginningWord(token))) fresh.add(token);
    line = token.endLine ?? line;
    // A statement begins: whatever bracket was open has been forgotten.
    if (startsLine && isBeginningWord(token)) depths[depths.length - 1] = 0;
    if (token.image === "{") depths.push(0);
    else if (token.image === "}") depths.length = Math.max(1, depths.length - 1);
    else if (OPENERS.has(token.image)) depths[depths.length - 1] = depth + 1;
    else if (CLOSERS.has(token.image)) depths[depths.length - 1] = Math.max(0, depth - 1);
  }
  return fresh;
};

const tooDeep = (tokens: readonly IToken[], file: string): Diagnostic | null => {
  let depth = 0;
  for (const token of tokens) {
    if (OPENERS.has(token.image)) depth++;
    else if (CLOSERS.has(token.image)) depth--;
    if (depth > MAX_NESTING) {
      const span: Span = { file, start: token.startOffset, end: token.startOffset + 1 };
      const labels = [{ span, text: `bracket number ${depth} inside each other` }];
      return diagnostic("SQ0110", `brackets are nested more than ${MAX_NESTING} deep`, { labels, hint: "give parts of the expression names with `let`" });
    }
  }
  return null;
};

const startOf = (d: Diagnostic): number => d.labels[0]?.span.start ?? 0;

/** The parser's errors are kept only where nothing was wrong before on the same line: the rest follow from it. */
const withoutCascades = (soft: readonly Diagnostic[], hard: readonly Diagnostic[], text: string): readonly Diagnostic[] => {
  const { position } = sourceText("", text);
  // A value without a use on a line that does not parse is only the part that did.
  const broken = new Set(hard.map((d) => position(startOf(d)).line));
  const sound = soft.filter((d) => d.code !== "SQ0113" || !broken.has(position(startOf(d)).line));
  const all = [...sound.map((d) => ({ d, hard: false })), ...hard.map((d) => ({ d, hard: true }))].sort(
    (a, b) => startOf(a.d) - startOf(b.d) || Number(b.hard) - Number(a.hard),
  );
  const kept: Diagnostic[] = [];
  let last = -1;
  for (const { d, hard: cascades } of all) {
    const { line } = position(startOf(d));
    const began = d.labels.find((label) => label.text === AFTER);
    if (!(cascades || FOLLOWS.has(d.code)) || line !== last) kept.push(d);
    last = began === undefined ? line : position(began.span.start).line;
  }
  return kept;
};

/** Codes of the tree builder that often only follow from an error before them. */
const FOLLOWS: ReadonlySet<string> = new Set(["SQ0101", "SQ0113", "SQ0114", "SQ0115", "SQ0116"]);

const capped = (diagnostics: readonly Diagnostic[], file: string): readonly Diagnostic[] => {
  const sorted = [...diagnostics].sort((a, b) => startOf(a) - startOf(b));
  if (sorted.length <= MAX_ERRORS) return sorted;
  return [
    ...sorted.slice(0, MAX_ERRORS),
    diagnostic("SQ0122", `at least ${sorted.length - MAX_ERRORS} more syntax errors in ${file} are not listed`, { severity: "note" }),
  ];
};
