/** @file The words of the language. Beside the right spelling, a token's pattern also takes the slips that people make
 *  (typographic quotes, `&&`, `#` comments): they are parsed as what was meant, and `slips.ts` reports each of them. */

import { createToken, Lexer } from "chevrotain";
import type { IToken, TokenType } from "chevrotain";

/** Anything that cannot begin a declaration: what is skipped at the outside of a file. */
export const Loose = createToken({ name: "Loose", pattern: Lexer.NA });
/** Anything that can begin neither a declaration nor a statement nor an expression. */
export const Junk = createToken({ name: "Junk", pattern: Lexer.NA, categories: Loose });
export const BinaryOperatorToken = createToken({ name: "BinaryOperatorToken", pattern: Lexer.NA });

/** Newlines inside would make a name span lines; every name is ASCII. */
export const NameToken = createToken({ name: "Name", label: "a name", pattern: /[A-Za-z_]\w*/, categories: Loose });

const word = (text: string, categories: TokenType[], extra: { readonly signs?: RegExp } = {}): TokenType[] => {
  const type = createToken({ name: `Word_${text}`, label: `\`${text}\``, pattern: new RegExp(text), longer_alt: NameToken, categories });
  if (extra.signs === undefined) return [type];
  return [type, createToken({ name: `Sign_${text}`, label: `\`${text}\``, pattern: extra.signs, categories: [type, ...categories] })];
};

const first = (types: readonly TokenType[]): TokenType => {
  const [type] = types;
  if (type === undefined) throw new Error("a word has at least one token type");
  return type;
};

const declarations = ["import", "dim", "layer", "fn", "model", "loss", "backward", "optimizer"] as const;
const statements = ["param", "let", "repeat", "return"] as const;

const declarationTokens = declarations.map((text) => first(word(text, [])));
const statementTokens = statements.map((text) => first(word(text, [Loose])));

export const [ImportWord, DimWord, LayerWord, FnWord, ModelWord, LossWord, BackwardWord, OptimizerWord] = declarationTokens as [
  TokenType, TokenType, TokenType, TokenType, TokenType, TokenType, TokenType, TokenType,
];
export const [ParamWord, LetWord, RepeatWord, ReturnWord] = statementTokens as [TokenType, TokenType, TokenType, TokenType];

/** `from` is a word in imports only; everywhere else it is a name. */
export const FromWord = createToken({ name: "From", label: "`from`", pattern: /from/, longer_alt: NameToken, categories: NameToken });

const orTokens = word("or", [Junk, BinaryOperatorToken], { signs: /\|\|?/ });
const andTokens = word("and", [Junk, BinaryOperatorToken], { signs: /&&?/ });
const notTokens = word("not", [Loose], { signs: /!|¬/ });
export const OrWord = first(orTokens);
export const AndWord = first(andTokens);
export const NotWord = first(notTokens);
export const TrueWord = first(word("true", [Loose]));
export const FalseWord = first(word("false", [Loose]));

const sign = (name: string, text: string, pattern: RegExp, categories: TokenType[]): TokenType =>
  createToken({ name, label: `\`${text}\``, pattern, categories });

const operator = (name: string, text: string, pattern: RegExp): TokenType => sign(name, text, pattern, [Junk, BinaryOperatorToken]);

export const Ellipsis = sign("Ellipsis", "...", /\.\.\.|…/, [Junk]);
export const Arrow = sign("Arrow", "->", /->|=>|→|⇒/, [Junk]);
export const Equal = operator("Equal", "==", /===?/);
export const NotEqual = operator("NotEqual", "!=", /!==?|≠/);
export const LessEqual = operator("LessEqual", "<=", /<=|≤/);
export const GreaterEqual = operator("GreaterEqual", ">=", />=|≥/);
export const Less = operator("Less", "<", /</);
export const Greater = operator("Greater", ">", />/);
export const Power = operator("Power", "**", /\*\*/);
export const Star = operator("Star", "*", /[*×·∗]/);
export const Slash = operator("Slash", "/", /[/÷]/);
export const At = operator("At", "@", /@/);
export const Plus = operator("Plus", "+", /\+/);
export const Minus = sign("Minus", "-", /[-−–—]/, [Loose, BinaryOperatorToken]);
export const Equals = sign("Equals", "=", /[=＝]/, [Junk]);
export const Colon = sign("Colon", ":", /[:：]/, [Junk]);
export const Tilde = sign("Tilde", "~", /[~∼]/, [Junk]);
export const Comma = sign("Comma", ",", /[,，]/, [Junk]);
export const Dot = sign("Dot", ".", /\./, [Junk]);
export const LeftParen = sign("LeftParen", "(", /[(（]/, [Loose]);
export const RightParen = sign("RightParen", ")", /[)）]/, [Junk]);
export const LeftBracket = sign("LeftBracket", "[", /\[/, [Junk]);
export const RightBracket = sign("RightBracket", "]", /\]/, [Junk]);
export const LeftBrace = sign("LeftBrace", "{", /\{/, [Loose]);
export const RightBrace = sign("RightBrace", "}", /\}/, [Loose]);

/** What closes each opening bracket. */
export const PARTNERS: ReadonlyMap<TokenType, TokenType> = new Map([
  [LeftParen, RightParen],
  [LeftBracket, RightBracket],
  [LeftBrace, RightBrace],
]);
export const CLOSING: ReadonlySet<TokenType> = new Set(PARTNERS.values());

/** What can follow a name and no keyword that begins a declaration or a statement. */
export const AFTER_NAMES: ReadonlySet<TokenType> = new Set([Equals, Colon, Comma, Dot, RightParen, RightBracket]);

/** Everything that begins like a number; `numberValue` in `build-expr.ts` says which of them are numbers. */
export const NumberToken = createToken({ name: "Number", label: "a number", pattern: /\d(?:[eE][+-](?=\d)|\.(?=\d)|\w)*/, categories: Loose });

export const StringToken = createToken({ name: "String", label: "a string", pattern: /"(?:[^"\\\n\r]|\\[^\n\r])*"/, line_breaks: false, categories: Loose });
export const OtherQuotes = createToken({
  name: "OtherQuotes",
  pattern: /[“”„«‘’'`](?:[^“”„«»‘’'`"\n\r])*[“”„»‘’'`"]/,
  line_breaks: false,
  start_chars_hint: ["“", "”", "„", "«", "‘", "’", "'", "`"],
  categories: [StringToken, Loose],
});
export const UnclosedString = createToken({ name: "UnclosedString", pattern: /"(?:[^"\\\n\r]|\\[^\n\r])*\\?/, line_breaks: false, categories: [StringToken, Loose] });

// Groups are kept beside the token stream: the grammar never sees them.
const Blank = createToken({ name: "Blank", pattern: /[ \t\f\v\n\r]+/, group: Lexer.SKIPPED, line_breaks: true });
const OddBlank = createToken({ name: "OddBlank", pattern: /[\u00A0\u1680\u2000-\u200D\u2028\u2029\u202F\u205F\u2060\u3000\uFEFF]+/, group: "oddBlanks", line_breaks: true });
const Comment = createToken({ name: "Comment", pattern: /\/\/[^\n\r]*/, group: "comments", line_breaks: false });
/** The `#1` of a site pattern such as `Block.*.Attention#1`; what else begins with `#` was meant as a comment. */
export const SiteNumber = createToken({
  name: "SiteNumber",
  label: "the number of a site",
  pattern: { exec: (text: string, offset: number) => siteNumberAt(text, offset) },
  start_chars_hint: ["#"],
  line_breaks: false,
  categories: Junk,
});

const SITE_NUMBER = /(?<=[\w*×·∗])#\d+(?=[ \t]*[.:=：＝])/y;

const siteNumberAt = (text: string, offset: number): RegExpExecArray | null => {
  SITE_NUMBER.lastIndex = offset;
  return SITE_NUMBER.exec(text);
};

const HashComment = createToken({ name: "HashComment", pattern: /#[^\n\r]*/, group: "hashComments", line_breaks: false });
const BlockComment = createToken({ name: "BlockComment", pattern: /\/\*(?:[^*]|\*(?!\/))*(?:\*\/)?/, group: "blockComments", line_breaks: true });
const Semicolon = createToken({ name: "Semicolon", pattern: /[;；]/, group: "semicolons" });

/** Longer spellings before their beginnings. */
export const TOKENS: TokenType[] = [
  Blank, OddBlank, Comment, SiteNumber, HashComment, BlockComment, Semicolon,
  ...declarationTokens, ...statementTokens, FromWord, ...orTokens, NotEqual, ...andTokens, ...notTokens, TrueWord, FalseWord,
  NumberToken, StringToken, UnclosedString, OtherQuotes,
  Ellipsis, Arrow, Equal, LessEqual, GreaterEqual, Less, Greater, Power, Star, Slash, At, Plus, Minus,
  Equals, Colon, Tilde, Comma, Dot, LeftParen, RightParen, LeftBracket, RightBracket, LeftBrace, RightBrace,
  NameToken, Loose, Junk, BinaryOperatorToken,
];

export const lexer = new Lexer(TOKENS, { positionTracking: "full", ensureOptimizations: false, deferDefinitionErrorsHandling: false });

/** `let`, `model`, `and`: the words that cannot be names. */
export const KEYWORDS: ReadonlySet<string> = new Set([...declarations, ...statements, "and", "or", "not", "true", "false"]);

export const isDeclarationWord = (token: IToken): boolean => declarationTokens.includes(token.tokenType);

/** Does the token begin a declaration or a statement? */
export const isBeginningWord = (token: IToken): boolean => isDeclarationWord(token) || statementTokens.includes(token.tokenType);
