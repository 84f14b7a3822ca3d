/** @file Tokens of the textual form, one at a time: MLIR's, as far as straight-line functions need them. */

export type TokenKind =
  | "value" // %h, text "h"
  | "alias" // !BxT, text "BxT"
  | "hash" // #loc3 or the #1 of %0#1, text "loc3"
  | "symbol" // @loss, text "loss"; of @"a b" the literal's body
  | "string" // text is the literal's body, escapes unresolved
  | "number" // 12, 1.5e-3, 0x7FF0
  | "word" // func.func, tensor, f32
  | "punct" // one character, or ->
  | "bad" // an unterminated string or a character MLIR does not know
  | "end";

const SPACE = /(?:[ \t\r\n]+|\/\/[^\n]*)*/y;
const SUFFIX = /\d+|[A-Za-z$._-][\w$.-]*/y;
const WORD = /[A-Za-z_][\w$.]*/y;
const NUMBER = /0x[0-9A-Fa-f]+|\d+(?:\.\d*(?:[eE][-+]?\d+)?)?/y;
const STRING = /"((?:[^"\\\n]|\\.)*)"/y;

const SIGILS: Readonly<Record<string, TokenKind>> = { "%": "value", "!": "alias", "#": "hash" };

/** The current token is in the fields; `next` advances. */
export class Lexer {
  readonly text: string;
  kind: TokenKind = "end";
  /** The token without its sigil or quotes. */
  value = "";
  start = 0;
  end = 0;
  /** End of the token before this one: where something that is missing should have been. */
  previousEnd = 0;

  constructor(text: string) {
    this.text = text;
    this.next();
  }

  next(): void {
    this.previousEnd = this.end;
    SPACE.lastIndex = this.end;
    SPACE.test(this.text);
    this.#scan(SPACE.lastIndex);
  }

  /** Continues at `offset`. */
  seek(offset: number): void {
    this.end = offset;
    this.next();
  }

  /** Is the current token the first of its line? */
  startsLine(): boolean {
    return this.text.lastIndexOf("\n", this.start) >= this.previousEnd || this.previousEnd === 0;
  }

  #scan(at: number): void {
    this.start = at;
    const c = this.text[at];
    if (c === undefined) return this.#set("end", "", at);
    const sigil = SIGILS[c];
    if (sigil !== undefined) return this.#match(SUFFIX, sigil, at + 1);
    if (c === "@") return this.text[at + 1] === '"' ? this.#string("symbol", at + 1) : this.#match(WORD, "symbol", at + 1);
    if (c === '"') return this.#string("string", at);
    if (c >= "0" && c <= "9") return this.#match(NUMBER, "number", at);
    if ((c >= "a" && c <= "z") || (c >= "A" && c <= "Z") || c === "_") return this.#match(WORD, "word", at);
    if (c === "-" && this.text[at + 1] === ">") return this.#set("punct", "->", at + 2);
    return this.#set("(){}[]<>,:=-".includes(c) ? "punct" : "bad", c, at + 1);
  }

  #match(pattern: RegExp, kind: TokenKind, at: number): void {
    pattern.lastIndex = at;
    if (!pattern.test(this.text)) return this.#set("bad", this.text.slice(this.start, at), Math.max(at, this.start + 1));
    this.#set(kind, this.text.slice(at, pattern.lastIndex), pattern.lastIndex);
  }

  #string(kind: TokenKind, at: number): void {
    STRING.lastIndex = at;
    const match = STRING.exec(this.text);
    if (match !== null) return this.#set(kind, match[1] ?? "", STRING.lastIndex);
    const lineEnd = this.text.indexOf("\n", at);
    this.#set("bad", '"', lineEnd < 0 ? this.text.length : lineEnd);
  }

  #set(kind: TokenKind, value: string, end: number): void {
    this.kind = kind;
    this.value = value;
    this.end = end;
  }
}
