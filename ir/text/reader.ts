/** @file The parser's hands: look at the current token, take it, or complain about it with a span. */

import { diagnostic } from "../codes.ts";
import type { Diagnostic } from "../diagnostic.ts";
import type { Span } from "../span.ts";
import { Lexer } from "./lexer.ts";
import { unquote } from "./literal.ts";

export type TextCode = "SQ0401" | "SQ0402" | "SQ0403" | "SQ0405" | "SQ0407" | "SQ0410";

/** One mistake in the text; thrown to the nearest place that can go on, and collected there. */
export class TextError extends Error {
  readonly diagnostic: Diagnostic;

  constructor(diagnostic: Diagnostic) {
    super(diagnostic.message);
    this.name = "TextError";
    this.diagnostic = diagnostic;
  }
}

export class Reader extends Lexer {
  readonly file: string;

  constructor(text: string, file: string) {
    super(text);
    this.file = file;
  }

  spanFrom(start: number): Span {
    return { file: this.file, start, end: Math.max(this.previousEnd, start) };
  }

  get span(): Span {
    return { file: this.file, start: this.start, end: this.end };
  }

  fail(code: TextCode, message: string, span: Span = this.span, text = ""): never {
    throw new TextError(diagnostic(code, message, { labels: [{ span, text }] }));
  }

  /** `expected X, found Y`: after the last token where the line ends there, else at the current one. */
  expected(what: string): never {
    if (this.kind !== "end" && !this.startsLine()) return this.expectedHere(what);
    const after = { file: this.file, start: this.previousEnd, end: this.previousEnd };
    return this.fail("SQ0401", `expected ${what}, found the end of the ${this.kind === "end" ? "text" : "line"}`, after);
  }

  /** The same at the current token, which may start a line. */
  expectedHere(what: string): never {
    if (this.kind === "end") return this.expected(what);
    return this.fail("SQ0401", `expected ${what}, found \`${this.text.slice(this.start, this.end)}\``);
  }

  isPunct(text: string): boolean {
    return this.kind === "punct" && this.value === text;
  }

  isWord(text: string): boolean {
    return this.kind === "word" && this.value === text;
  }

  acceptPunct(text: string): boolean {
    if (!this.isPunct(text)) return false;
    this.next();
    return true;
  }

  acceptWord(text: string): boolean {
    if (!this.isWord(text)) return false;
    this.next();
    return true;
  }

  expectPunct(text: string): void {
    if (!this.acceptPunct(text)) this.expected(`\`${text}\``);
  }

  expectWord(text: string): void {
    if (!this.acceptWord(text)) this.expected(`\`${text}\``);
  }

  /** Takes a token of the kind and returns its text. */
  take(kind: "value" | "alias" | "hash" | "number" | "word", what: string): string {
    if (this.kind !== kind) this.expected(what);
    const text = this.value;
    this.next();
    return text;
  }

  /** Takes a string literal (or a symbol) and returns the text it denotes. */
  takeText(kind: "string" | "symbol", what: string): string {
    if (this.kind !== kind) this.expected(what);
    const text = unquote(this.value);
    if (text === null) this.fail("SQ0401", "unknown escape in a string literal");
    this.next();
    return text;
  }

  takeInteger(what: string): number {
    const text = this.kind === "number" ? this.value : "";
    if (!/^\d+$/.test(text)) this.expected(what);
    this.next();
    return Number(text);
  }

  /** `item, item, …` up to and including `close`. */
  list<T>(close: string, item: () => T): T[] {
    const items: T[] = [];
    if (this.acceptPunct(close)) return items;
    do items.push(item());
    while (this.acceptPunct(","));
    if (!this.acceptPunct(close)) this.expected(`\`,\` or \`${close}\``);
    return items;
  }
}
