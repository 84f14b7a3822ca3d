/** @file The three forms of a diagnostic: frames for people, lines for tools, commands for GitHub. */

import { describe, expect, test } from "vitest";
import { CODES, diagnostic, explain } from "../../ir/codes.ts";
import type { Diagnostic, Label } from "../../ir/diagnostic.ts";
import { renderDiagnostics } from "../../ir/render.ts";
import type { RenderOptions } from "../../ir/render.ts";
import { cells } from "../../ir/source-text.ts";
import { parse } from "../../compiler/syntax/parse.ts";

const FILE = "m.sq";

/** A label on the first occurrence of `part`. */
const at = (source: string, part: string, text: string): Label => {
  const start = source.indexOf(part);
  return { span: { file: FILE, start, end: start + part.length }, text };
};

const rendered = (source: string, d: Diagnostic, options: Partial<RenderOptions> = {}): string =>
  renderDiagnostics([d], { sourceOf: (file) => (file === FILE ? { text: source } : null), ...options });

describe("frames", () => {
  test("several labels, notes and help", () => {
    const source = "let a = 1\nlet b = a\n\n\nreturn a + bb\n";
    const d = diagnostic("SQ0301", "no", { labels: [at(source, "+", "here"), at(source, "bb", "right"), at(source, "a + ", "all"), at(source, "b =", "bound")], notes: ["one\ntwo"], hint: "do" });
    expect(rendered(source, d)).toBe(
      [
        "error[SQ0301]: no",
        "  --> m.sq:5:10",
        "   |",
        " 2 | let b = a",
        "   |     --- bound",
        "...",
        " 5 | return a + bb",
        "   |        --^---",
        "   |        | | right",
        "   |        | here",
        "   |        all",
        "   |",
        "   = note: one",
        "           two",
        "   = help: do",
        "",
      ].join("\n"),
    );
  });

  test("a label over several lines", () => {
    const source = "f(\n  x,\n  y\n)\n";
    const d = diagnostic("SQ0301", "no", { labels: [at(source, "f(\n  x,\n  y\n)", "the call")] });
    expect(rendered(source, d)).toContain(" 1 | f(\n   | ^^\n...\n 4 | )\n   | ^ the call");
  });

  test("tabs and wide characters keep the mark below what it marks", () => {
    const source = 'let\ty = "全角" $';
    const lines = rendered(source, diagnostic("SQ0103", "no", { labels: [at(source, "$", "this")] })).split("\n");
    const [code, mark] = [lines[3] ?? "", lines[4] ?? ""];
    expect(cells(code.slice(0, code.indexOf("$")))).toBe(cells(mark.slice(0, mark.indexOf("^"))));
    expect(code).not.toContain("\t");
  });

  test("a very long line is cut around the mark", () => {
    const source = `${"x".repeat(500_000)}$${"y".repeat(400_000)}`;
    const lines = rendered(source, diagnostic("SQ0103", "no", { labels: [at(source, "$", "this")] }), { width: 80 }).split("\n");
    expect(Math.max(...lines.map(cells))).toBeLessThanOrEqual(80);
    expect(lines[3]?.indexOf("$")).toBe(lines[4]?.indexOf("^"));
  });

  test("control characters never reach the terminal", () => {
    const source = "let \u001b[31mx = $\u202e";
    expect(rendered(source, diagnostic("SQ0103", "no", { labels: [at(source, "$", "")] }))).not.toMatch(/[\u001b\u202e]/);
  });

  test("the end of a file without a last newline, a file that is gone, no place at all", () => {
    const end: Label = { span: { file: FILE, start: 5, end: 5 }, text: "here" };
    expect(rendered("dim A", diagnostic("SQ0101", "no", { labels: [end] }))).toContain(" 1 | dim A\n   |      ^ here");
    const gone: Label = { span: { file: "gone.sq", start: 5, end: 6 }, text: "here" };
    expect(rendered("", diagnostic("SQ0101", "no", { labels: [gone] }))).toBe("error[SQ0101]: no\n  --> gone.sq\n");
    expect(rendered("", diagnostic("SQ0001", "no"))).toBe("error[SQ0001]: no\n");
  });

  test("colours only where they were given", () => {
    const paint = (name: string) => (text: string) => `<${name}>${text}</>`;
    const colors = { red: paint("red"), yellow: paint("yellow"), cyan: paint("cyan"), blue: paint("blue"), bold: (text: string) => text };
    const source = "a b";
    const d = diagnostic("SQ0205", "no", { severity: "warning", labels: [at(source, "b", "this")] });
    expect(rendered(source, d, { colors })).toContain("<yellow>warning[SQ0205]</>: no");
    expect(rendered(source, d, { colors })).toContain("<yellow>^</> <yellow>this</>");
    expect(rendered(source, d)).not.toContain("<");
  });
});

describe("for tools", () => {
  const source = "a\r\nb: c\n";
  const d = diagnostic("SQ0301", "50% of, it: no", { labels: [at(source, "c", "one"), at(source, "a", "two")], notes: ["n"], hint: "h\nk" });

  test("one JSON object a line, with places", () => {
    const text = rendered(source, d, { format: "json" });
    expect(text.trimEnd().split("\n")).toHaveLength(1);
    expect(JSON.parse(text)).toEqual({
      schema: 1, code: "SQ0301", severity: "error", message: "50% of, it: no", file: FILE, line: 2, column: 4, endLine: 2, endColumn: 5,
      labels: [{ text: "one", file: FILE, line: 2, column: 4, endLine: 2, endColumn: 5 }, { text: "two", file: FILE, line: 1, column: 1, endLine: 1, endColumn: 2 }],
      notes: ["n"], hint: "h\nk",
    });
    expect(JSON.parse(rendered("", diagnostic("SQ0001", "no"), { format: "json" }))).toMatchObject({ file: null, line: null, column: null, labels: [], hint: null });
  });

  test("GitHub commands escape what would end them", () => {
    expect(rendered(source, d, { format: "github" })).toBe("::error file=m.sq,line=2,endLine=2,col=4,endColumn=5,title=SQ0301::50%25 of, it: no%0Aone%0An%0Ahelp: h%0Ak\n");
    const odd = diagnostic("SQ0301", "no", { severity: "note", labels: [{ span: { file: "a,b:c%.sq", start: 0, end: 0 }, text: "" }] });
    expect(rendered("", odd, { format: "github" })).toBe("::notice file=a%2Cb%3Ac%25.sq,line=1,endLine=1,col=1,endColumn=1,title=SQ0301::no\n");
  });
});

describe("the catalogue", () => {
  test.each(Object.keys(CODES))("%s has a page", (code) => {
    const page = explain(code) ?? "";
    expect(page.startsWith(`${code}: `)).toBe(true);
    expect(page).toMatch(/Wrong:\n\n {4}\S[^]*Right:\n\n {4}\S/);
  });

  test("codes are sorted, and found however they are written", () => {
    expect(Object.keys(CODES)).toEqual(Object.keys(CODES).toSorted());
    expect(explain("sq0301")).toBe(explain("SQ0301"));
    expect(explain("301")).toBe(explain("SQ0301"));
    expect(explain("SQ9999")).toBe(null);
    expect(explain("constructor")).toBe(null);
  });

  const inBody = (text: string): string => `fn f(x) {\n${text}\n}`;
  const found = (text: string) => parse(text, "t.sq").diagnostics.map((d) => d.code);
  const examples = Object.entries(CODES).filter(([code, { bad }]) => code.startsWith("SQ01") && !/subquad|…/.test(bad));

  test.each(examples)("the examples of %s do what they say", (code, { bad, good }) => {
    expect([...found(bad), ...found(inBody(bad))]).toContain(code);
    expect([found(good), found(inBody(good))].some((codes) => codes.length === 0)).toBe(true);
  });
});
