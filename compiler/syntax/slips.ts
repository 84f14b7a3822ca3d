/** @file Slips below the grammar: characters, quotes, comments and words of other languages. The lexer lets them through as
 *  what was meant; here each is reported, with what to write instead. */

import { tokenMatcher } from "chevrotain";
import type { ILexingError, IToken } from "chevrotain";
import { diagnostic } from "../../ir/codes.ts";
import type { Code } from "../../ir/codes.ts";
import type { Diagnostic } from "../../ir/diagnostic.ts";
import type { Span } from "../../ir/span.ts";
import * as t from "./tokens.ts";

const spanAt = (file: string, start: number, length: number): Span => ({ file, start, end: start + length });

const spanOfToken = (file: string, token: IToken): Span => spanAt(file, token.startOffset, token.image.length);

const slip = (file: string, token: IToken, code: Code, message: string, label: string, hint?: string): Diagnostic =>
  diagnostic(code, message, { labels: [{ span: spanOfToken(file, token), text: label }], hint });

/** One message for all of a kind: somebody who ends lines with `;` does it on every line. */
const once = (file: string, tokens: readonly IToken[], code: Code, message: string, label: string, hint: string): readonly Diagnostic[] => {
  const [head, ...rest] = tokens;
  if (head === undefined) return [];
  const notes = rest.length === 0 ? [] : [`${rest.length} more of the same in this file`];
  return [diagnostic(code, message, { labels: [{ span: spanOfToken(file, head), text: label }], notes, hint })];
};

/** Reports on the token groups that the grammar never sees. */
export const groupSlips = (file: string, groups: Readonly<Record<string, IToken[] | undefined>>): readonly Diagnostic[] => [
  ...once(file, groups["semicolons"] ?? [], "SQ0108", "statements do not end with `;`", "remove this", "leave the `;` out: each statement begins with its own word"),
  ...once(file, groups["hashComments"] ?? [], "SQ0106", "`#` does not begin a comment", "not a comment here", "write `//`"),
  ...once(file, groups["blockComments"] ?? [], "SQ0106", "there are no `/* … */` comments", "not a comment here", "begin each line of the comment with `//`"),
  ...once(file, groups["oddBlanks"] ?? [], "SQ0105", "an invisible character that is not a plain blank", "here", "replace it by a plain space"),
];

/** Reports on tokens that were read as something they are not. */
export const tokenSlips = (file: string, tokens: readonly IToken[]): readonly Diagnostic[] =>
  tokens.flatMap((token) => {
    if (tokenMatcher(token, t.StringToken)) return stringSlips(file, token);
    const meant = SIGNS.get(token.image);
    if (meant !== undefined)
      return [slip(file, token, "SQ0109", `\`${token.image}\` is written \`${meant}\` here`, "a sign of another language", `write \`${meant}\``)];
    if (/^[\x20-\x7e]*$/.test(token.image)) return [];
    const label = token.tokenType.LABEL?.replaceAll("`", "") ?? "";
    return [slip(file, token, "SQ0105", `\`${token.image}\` only looks like \`${label}\``, `${codePoint(token.image)}, not the ASCII character`, `write \`${label}\``)];
  });

const SIGNS: ReadonlyMap<string, string> = new Map([
  ["&&", "and"],
  ["&", "and"],
  ["||", "or"],
  ["|", "or"],
  ["!", "not"],
  ["¬", "not"],
  ["=>", "->"],
  ["===", "=="],
  ["!==", "!="],
]);

const stringSlips = (file: string, token: IToken): readonly Diagnostic[] => {
  if (token.tokenType === t.UnclosedString)
    return [slip(file, token, "SQ0104", "this string is not closed", "the line ends inside the string", 'add `"` where the string ends')];
  if (token.tokenType === t.OtherQuotes) {
    const typographic = /[^\x20-\x7e]/.test(token.image[0] ?? "");
    const message = typographic ? "typographic quotes do not make a string" : 'strings stand in double quotes `"`';
    return [slip(file, token, "SQ0105", message, "not a string here", `write "${token.image.slice(1, -1)}"`)];
  }
  const bad = /\\[^"\\nt]/.exec(token.image.replaceAll("\\\\", "__"));
  if (bad === null) return [];
  const span = spanAt(file, token.startOffset + bad.index, bad[0].length);
  const label = { span, text: "no such escape" };
  return [diagnostic("SQ0121", `unknown escape \`${bad[0]}\` in a string`, { labels: [label], hint: 'write `\\\\` for a backslash; paths use `/`' })];
};

/** The value of a string token: quotes off, escapes resolved. */
export const stringValue = (token: IToken): string => {
  const body = token.tokenType === t.UnclosedString ? token.image.slice(1) : token.image.slice(1, -1);
  return body.replace(/\\(.)/g, (_, escaped: string) => (escaped === "n" ? "\n" : escaped === "t" ? "\t" : escaped));
};

const codePoint = (text: string): string => `U+${(text.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;

/** Characters that no token begins with; each kind is reported once. */
export const characterErrors = (file: string, text: string, errors: readonly ILexingError[]): readonly Diagnostic[] => {
  const kinds = new Map<string, ILexingError[]>();
  for (const error of errors) {
    const image = text.slice(error.offset, error.offset + error.length);
    const same = kinds.get(image);
    if (same === undefined) kinds.set(image, [error]);
    else same.push(error);
  }
  return [...kinds].flatMap(([image, [head, ...rest]]) => (head === undefined ? [] : [characterError(file, image, head, rest.length)]));
};

const characterError = (file: string, image: string, error: ILexingError, more: number): Diagnostic => {
  const shown = image.length > 20 ? `${image.slice(0, 19)}…` : image;
  const letters = /\p{L}/u.test(image);
  const message = letters ? `names use ASCII letters only, not \`${shown}\`` : `unexpected character \`${shown}\``;
  return diagnostic("SQ0103", message, {
    labels: [{ span: spanAt(file, error.offset, error.length), text: `${/[^\x20-\x7e]/.test(image) ? `${codePoint(image)} is ` : ""}not used by the language` }],
    notes: more === 0 ? [] : [`${more} more of the same in this file`],
    hint: CHARACTER_HINTS.get(image) ?? (letters ? "spell the name with a–z: `alpha`, `sigma`" : undefined),
  });
};

const CHARACTER_HINTS: ReadonlyMap<string, string> = new Map([
  ["%", "there is no remainder operator"],
  ["^", "powers are written `**`"],
  ["?", "a choice between values is `where(condition, a, b)`"],
  ["'", 'strings stand in double quotes `"`'],
  ["$", "dimensions and names are written without a `$`"],
]);

/** Words that begin something in Python, JavaScript, Rust or Julia and nothing here, with the word to use. */
const FOREIGN: ReadonlyMap<string, string> = new Map([
  ["def", "functions are written `fn f(x) = …`, modules with parameters `layer F(x: [B, D]) -> [B, D] { … }`"],
  ["function", "functions are written `fn f(x) = …`"],
  ["func", "functions are written `fn f(x) = …`"],
  ["lambda", "functions are written `fn f(x) = …` and have a name"],
  ["class", "a module with parameters is a `layer`"],
  ["struct", "a module with parameters is a `layer`"],
  ["module", "a module with parameters is a `layer`"],
  ["const", "a named size is a `dim`; a named value in a body is a `let`"],
  ["var", "a named value is a `let`"],
  ["for", "a fixed number of repetitions is `repeat N { x = Block(x) }`"],
  ["while", "a fixed number of repetitions is `repeat N { x = Block(x) }`; there is no loop with a condition"],
  ["if", "a choice between values is `where(condition, a, b)`"],
  ["else", "a choice between values is `where(condition, a, b)`"],
  ["elif", "a choice between values is `where(condition, a, b)`"],
  ["self", "a parameter or layer is used by its own name, without `self`"],
  ["this", "a parameter or layer is used by its own name, without `this`"],
  ["use", "files are joined with `import \"file.sq\"`"],
  ["include", "files are joined with `import \"file.sq\"`"],
  ["export", "every declaration of a file can be imported; there is no `export`"],
]);

/** What to say when a syntax error stands at, or just behind, a word of another language. */
export const foreignWord = (token: IToken): { readonly message: string; readonly label: string; readonly hint: string } | null => {
  const hint = token.tokenType === t.NameToken ? FOREIGN.get(token.image) : undefined;
  return hint === undefined ? null : { message: `\`${token.image}\` is a word of another language`, label: "not a word here", hint };
};

export const keywordAsName = (file: string, token: IToken): Diagnostic =>
  slip(file, token, "SQ0112", `\`${token.image}\` is a keyword and cannot be a name`, "a name was expected here", `choose another name, for example \`${token.image}_\``);

/** Keywords written where only a name can stand (`let model = 3`, `dim: 4`) become names, and are reported. */
export const keywordSlips = (file: string, tokens: readonly IToken[]): readonly Diagnostic[] =>
  tokens.flatMap((token, i) => {
    const next = tokens[i + 1];
    if (next === undefined || !t.isBeginningWord(token)) return [];
    const ends = next.tokenType === t.RightBrace && t.isDeclarationWord(token);
    if (!ends && !followsName(next)) return [];
    token.tokenType = t.NameToken;
    token.tokenTypeIdx = t.NameToken.tokenTypeIdx ?? token.tokenTypeIdx;
    return [keywordAsName(file, token)];
  });

const followsName = (token: IToken): boolean =>
  t.AFTER_NAMES.has(token.tokenType) || (tokenMatcher(token, t.BinaryOperatorToken) && token.tokenType !== t.Minus);
