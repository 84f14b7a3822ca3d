/** @file After a mistake the parser goes on: later mistakes are found, good parts are kept, and no text makes it fail. */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parse } from "../../compiler/syntax/parse.ts";
import { renderDiagnostics } from "../../ir/render.ts";
import { EVERYTHING } from "./samples.ts";

const codes = (text: string) => parse(text, "t.sq").diagnostics.map((d) => d.code);

describe("several mistakes in one run", () => {
  test("one message for each of five", () => {
    const text = "dim T 512\nfn f(x) = x +\nlayer F(x: [T]) -> [T] {\n  let y = f(x, mask = none)\n  let z = (y\n  return y $ z\n}\n";
    expect(codes(text)).toEqual(["SQ0101", "SQ0116", "SQ0107", "SQ0102", "SQ0103"]);
  });

  test("statements before and after a bad one are kept", () => {
    const { ast } = parse("fn f(x) {\n  let a = x\n  let b = * 3\n  let c = a\n  return c\n}", "t.sq");
    const [fn] = ast.declarations;
    expect(fn?.kind === "fn" && fn.body.kind === "block" ? fn.body.statements.map((s) => s.kind) : []).toEqual(["let", "let", "let", "return"]);
  });

  test("declarations after a missing `}` are kept", () => {
    const { ast, diagnostics } = parse("fn f(x) {\n  return x\n\nfn g(x) = x\n", "t.sq");
    expect(diagnostics.map((d) => d.code)).toEqual(["SQ0102"]);
    expect(ast.declarations.map((d) => d.kind)).toEqual(["fn", "fn"]);
  });

  test("a kind of slip that is made on every line is reported once", () => {
    expect(codes("dim A = 1; # one\ndim B = 2; # two\ndim C = 3;\n")).toEqual(["SQ0108", "SQ0106"]);
  });

  test("after twenty the rest is counted", () => {
    const found = codes(Array.from({ length: 40 }, (_, i) => `dim D${i} ${i}`).join("\n"));
    expect(found).toHaveLength(21);
    expect(found.at(-1)).toBe("SQ0122");
  });
});

describe("limits", () => {
  test("brackets, blocks and operators nested too deeply", () => {
    expect(codes(`dim X = ${"(".repeat(201)}1${")".repeat(201)}`)).toEqual(["SQ0110"]);
    expect(codes(`dim X = ${"(".repeat(200)}1${")".repeat(200)}`)).toEqual([]);
    expect(codes(`dim X = ${"-".repeat(500)}1`)).toContain("SQ0110");
    expect(codes(`dim X = ${"1 ** ".repeat(500)}1`)).toContain("SQ0110");
    expect(codes(`fn f(x) { ${"repeat 2 { ".repeat(250)} ${"}".repeat(251)}`)).toEqual(["SQ0110"]);
  });

  test("a long chain of terms is no nesting of brackets, but has a limit too", () => {
    expect(codes(`dim X = 1${" + 1".repeat(300)}`)).toEqual([]);
    expect(codes(`dim X = 1${" + 1".repeat(100_000)}`)).toContain("SQ0110");
  });

  test("large, binary, damaged and empty files", () => {
    expect(codes("x".repeat(1_000_001))).toEqual(["SQ0003"]);
    expect(codes("dim A = 1\0")).toEqual(["SQ0002"]);
    expect(codes("dim A = 1 \uFFFD")).toEqual(["SQ0002"]);
    expect(codes("")).toEqual(["SQ0004"]);
    expect(codes(" \n\t")).toEqual(["SQ0004"]);
    expect(codes("// nothing")).toEqual(["SQ0004"]);
  });

  test.each(["x ", "( ", ") ", "{ ", "} ", "let ", "layer ", "a.", "f(", '"', "# ", "@", "x = ", "$ "])("a megabyte of `%s` ends", (unit) => {
    const started = performance.now();
    expect(codes(unit.repeat(Math.floor(400_000 / unit.length))).length).toBeGreaterThan(0);
    expect(performance.now() - started).toBeLessThan(20_000);
  });
});

/** Parses and renders: neither may throw, every label lies inside the text, and the tree knows its file. */
const survives = (text: string): void => {
  const { ast, diagnostics } = parse(text, "t.sq");
  expect(ast.file).toBe("t.sq");
  for (const { span } of diagnostics.flatMap((d) => d.labels)) {
    expect(span.start).toBeGreaterThanOrEqual(0);
    expect(span.end).toBeGreaterThanOrEqual(span.start);
    expect(span.end).toBeLessThanOrEqual(text.length);
  }
  renderDiagnostics(diagnostics, { sourceOf: () => ({ text }) });
};

const WORDS = "import dim layer fn model loss backward optimizer param let repeat return and or not true false from x y 1 2.5 \"s\" ( ) [ ] { } , : = ~ -> . ... + - * / @ ** == < >= # ; // \n $ “ é && /* */ \" 1k".split(/(?<! ) /);

describe("any text", () => {
  test("token soup", () => {
    fc.assert(fc.property(fc.array(fc.constantFrom(...WORDS), { maxLength: 60 }), fc.constantFrom(" ", "\n", ""), (words, joint) => survives(words.join(joint))), { numRuns: 700 });
  });

  test("arbitrary unicode", () => {
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 200 }), survives), { numRuns: 300 });
  });

  test("mutations of a program", () => {
    const edit = fc.record({ at: fc.nat(EVERYTHING.length), drop: fc.nat(20), insert: fc.oneof(fc.constant(""), fc.constantFrom(...WORDS)) });
    const mutated = fc.array(edit, { minLength: 1, maxLength: 4 }).map((edits) => edits.reduce((text, e) => text.slice(0, e.at) + e.insert + text.slice(e.at + e.drop), EVERYTHING));
    fc.assert(fc.property(mutated, survives), { numRuns: 700 });
  });
});
