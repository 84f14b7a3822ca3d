/** @file The formatter: the layout, and its three promises: same meaning, same comments, twice is once. */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { format, FORMAT_WIDTH } from "../../compiler/format.ts";
import { lexer } from "../../compiler/syntax/tokens.ts";
import { parse } from "../../compiler/syntax/parse.ts";
import { EVERYTHING, modelFiles, withoutSpans } from "./samples.ts";

const keepsItsPromises = (text: string): void => {
  const once = format(text, "t.sq");
  expect(once.diagnostics).toEqual([]);
  const [before, after] = [parse(text, "t.sq"), parse(once.text, "t.sq")];
  expect(after.diagnostics).toEqual([]);
  expect(withoutSpans(after.ast)).toEqual(withoutSpans({ ...before.ast }));
  const comments = (p: typeof before) => p.comments.map((c) => c.image.trimEnd()).sort();
  expect(comments(after)).toEqual(comments(before));
  expect(format(once.text, "t.sq").text).toBe(once.text);
};

describe("promises", () => {
  test.each([{ file: "everything", text: EVERYTHING }, ...modelFiles()])("$file", ({ text }) => keepsItsPromises(text));

  test("whatever the white space and wherever the comments", () => {
    const { tokens } = lexer.tokenize(EVERYTHING);
    const lines = new Set(tokens.map((token) => token.startLine));
    // New white space inside the lines, comments at their ends and between them, blank lines; line beginnings stay.
    const blanks = fc.array(fc.constantFrom(" ", "  ", "\t"), { minLength: tokens.length, maxLength: tokens.length });
    const ends = fc.array(fc.constantFrom("\n", "\n\n\n", " // c\n", "\n// own\n", "\n\n  // a\n\n// b\n"), { minLength: lines.size, maxLength: lines.size });
    fc.assert(
      fc.property(blanks, ends, (gaps, breaks) => {
        let at = 0;
        const text = tokens.map((token, i) => {
          const next = tokens[i + 1];
          const ends = next === undefined || next.startLine !== token.startLine;
          return token.image + (ends ? (breaks[at++] ?? "\n") : (gaps[i] ?? " "));
        });
        keepsItsPromises(text.join(""));
      }),
      { numRuns: 60 },
    );
  });

  test("comments behind every fourth token survive", () => {
    const { tokens } = lexer.tokenize(EVERYTHING);
    let tried = 0;
    for (const token of tokens.filter((_, i) => i % 4 === 0)) {
      const end = (token.endOffset ?? 0) + 1;
      for (const comment of [" // here\n", "\n// above\n"]) {
        const text = EVERYTHING.slice(0, end) + comment + EVERYTHING.slice(end);
        if (parse(text, "t.sq").diagnostics.length > 0) continue; // the new line ended something
        keepsItsPromises(text);
        tried++;
      }
    }
    expect(tried).toBeGreaterThan(80);
  });
});

describe("layout", () => {
  test.each([
    ["dim A=1   // one\ndim LONG=2 // two", "dim A = 1     // one\ndim LONG = 2  // two\n"],
    ["fn f( x,y )=x [ 0 , 1 : 2 ] ** - 2", "fn f(x, y) = x[0, 1:2] ** -2\n"],
    ["fn f(x){return x}\nfn g(x){\nreturn(x,1)}", "fn f(x) { return x }\n\nfn g(x) {\n  return (x, 1)\n}\n"],
    ["backward{Block . * . A:exact A.0#1 :exact **:sus( c:2 )}", "backward {\n  Block.*.A: exact\n  A.0#1: exact\n  **: sus(c: 2)\n}\n"],
    ["fn f(x) {\n\n  let y = x\n\n\n  return y\n\n}", "fn f(x) {\n  let y = x\n\n  return y\n}\n"],
    ['import{A,B,}from"x.sq"', 'import { A, B, } from "x.sq"\n'],
    ["// only\n\n// comments\ndim A = 1", "// only\n\n// comments\ndim A = 1\n"],
    ["dim A = f(1, 2,)", "dim A = f(1, 2)\n"],
  ])("%j", (text, expected) => expect(format(text, "t.sq").text).toBe(expected));

  test("lines longer than the width are broken at brackets, then behind operators", () => {
    const names = Array.from({ length: 12 }, (_, i) => `argument${i}`).join(", ");
    const call = format(`fn f(x) = combine(${names})`, "t.sq").text;
    expect(call.split("\n").slice(0, 3)).toEqual(["fn f(x) = combine(", "  argument0,", "  argument1,"]);
    const sum = format(`fn f(x) = ${names.replaceAll(", ", " + ")}`, "t.sq").text;
    expect(sum.split("\n")[1]).toBe("  argument1 +");
    for (const line of [...call.split("\n"), ...sum.split("\n")]) expect(line.length).toBeLessThanOrEqual(FORMAT_WIDTH);
    keepsItsPromises(call);
    keepsItsPromises(sum);
  });

  test("a file with syntax errors is left alone", () => {
    const text = "dim A   = \nfn f(x)=x";
    const { text: after, diagnostics } = format(text, "t.sq");
    expect(after).toBe(text);
    expect(diagnostics.map((d) => d.code)).toEqual(["SQ0116"]);
  });
});
