/** @file The grammar: what each construct becomes, how operators group, and where a line ends. */

import { describe, expect, test } from "vitest";
import type { Expr } from "../../compiler/syntax/ast.ts";
import { parse } from "../../compiler/syntax/parse.ts";
import { EVERYTHING, modelFiles, withoutSpans } from "./samples.ts";

const program = (text: string) => {
  const { ast, diagnostics } = parse(text, "t.sq");
  expect(diagnostics).toEqual([]);
  return ast.declarations;
};

/** An expression as fully parenthesised text: what was grouped is visible. */
const grouped = (e: Expr): string => {
  switch (e.kind) {
    case "number":
    case "name":
      return e.text;
    case "string":
      return JSON.stringify(e.value);
    case "bool":
      return `${e.value}`;
    case "tuple":
      return `<${e.items.map(grouped).join(", ")}>`;
    case "unary":
      return `(${e.operator} ${grouped(e.operand)})`;
    case "binary":
      return `(${grouped(e.left)} ${e.operator} ${grouped(e.right)})`;
    case "call":
      return `${grouped(e.callee)}(${e.args.map((a) => (a.name === null ? "" : `${a.name.text}: `) + grouped(a.value)).join(", ")})`;
    case "index":
      return `${grouped(e.base)}[${e.items.map((i) => (i.kind === "at" ? grouped(i.value) : `${i.start === null ? "" : grouped(i.start)}:${i.limit === null ? "" : grouped(i.limit)}`)).join(", ")}]`;
    case "member":
      return `${grouped(e.base)}.${e.name.text}`;
    case "error":
      return "!";
  }
};

const expression = (text: string): string => {
  const [dim] = program(`dim X = ${text}`);
  if (dim?.kind !== "dim" || dim.value === null) throw new Error("not a dim");
  return grouped(dim.value);
};

describe("expressions group as documented", () => {
  test.each([
    ["a + b * c", "(a + (b * c))"],
    ["a - b - c", "((a - b) - c)"],
    ["a / b * c @ d", "(((a / b) * c) @ d)"],
    ["-a ** 2", "(- (a ** 2))"],
    ["a ** -b ** c", "(a ** (- (b ** c)))"],
    ["a ** b ** c", "(a ** (b ** c))"],
    ["2 * -x + y", "((2 * (- x)) + y)"],
    ["not a == b and c or d", "(((not (a == b)) and c) or d)"],
    ["a or b and c", "(a or (b and c))"],
    ["not not a", "(not (not a))"],
    ["a < b + 1", "(a < (b + 1))"],
    ["(a + b) * c", "((a + b) * c)"],
    ["(a < b) == c", "((a < b) == c)"],
    ["-x.T[0](y)", "(- x.T[0](y))"],
    ["q @ k.T * s", "((q @ k.T) * s)"],
    ["f(x, mask: causal, betas: (0.9, 0.95),)", "f(x, mask: causal, betas: <0.9, 0.95>)"],
    ["x[0, :, a:, :b, a + 1:-2]", "x[0, :, a:, :b, (a + 1):(- 2)]"],
    ["(a,)", "<a>"],
    ["(a)", "a"],
    ["1_000 + 3e-4 + 0.5", "((1_000 + 3e-4) + 0.5)"],
    ["a\n  + b\n  * c", "(a + (b * c))"],
    ["f(a\n  - b)", "f((a - b))"],
    ["f(\n  a,\n  -b\n)", "f(a, (- b))"],
    ['"a \\"b\\" \\\\ \\n"', JSON.stringify('a "b" \\ \n')],
    ["true", "true"],
  ])("%s", (text, meaning) => expect(expression(text)).toBe(meaning));

  test("numbers keep their value and their spelling", () => {
    const [dim] = program("dim X = 1_000.5e-1");
    expect(dim).toMatchObject({ value: { kind: "number", value: 100.05, text: "1_000.5e-1" } });
  });
});

describe("lines", () => {
  const bodyOf = (text: string) => {
    const [fn] = program(`fn f(x) {\n${text}\n}`);
    return fn?.kind === "fn" && fn.body.kind === "block" ? fn.body.statements.map((s) => s.kind) : [];
  };

  test("a statement ends where the next token cannot continue it", () => {
    expect(bodyOf("let y = x y = y + 1 return y")).toEqual(["let", "assign", "return"]);
  });

  test("`(` `[` and `-` at the beginning of a line never continue the line above", () => {
    for (const line of ["(x)", "[0]", "- x"]) {
      const { diagnostics } = parse(`fn f(x) {\n  let y = x\n  ${line}\n  return y\n}`, "t.sq");
      expect(diagnostics.map((d) => d.code)).toEqual(["SQ0117"]);
    }
  });

  test("every kind of line end counts", () => {
    for (const end of ["\n", "\r\n", "\r"]) expect(program(`dim A = 1${end}// c${end}dim B = 2${end}`)).toHaveLength(2);
  });

  test("a byte-order mark is ignored and offsets stay", () => {
    const [dim] = program("\uFEFFdim A = 1");
    expect(dim?.span).toEqual({ file: "t.sq", start: 1, end: 10 });
  });
});

describe("declarations", () => {
  test("every construct", () => {
    const kinds = program(EVERYTHING).map((d) => d.kind);
    expect(kinds).toEqual(["import", "import", "dim", "dim", "dim", "fn", "fn", "layer", "model", "loss", "backward", "optimizer"]);
  });

  test("imports, params, types and backward sites as written", () => {
    const all = withoutSpans(program(EVERYTHING)) as readonly Record<string, unknown>[];
    expect(all[1]).toEqual({ kind: "import", names: [{ text: "A" }, { text: "B" }], from: { text: "more.sq" } });
    const layer = all[7] as { body: { statements: { groups: unknown[]; init: unknown }[] }; params: unknown[] };
    expect(layer.body.statements[0]?.groups).toHaveLength(2);
    expect(layer.body.statements[1]?.init).toBe(null);
    expect(layer.params[0]).toMatchObject({ type: { dtype: "float", ellipsis: true, axes: [{ kind: "name", text: "N" }] } });
    expect(layer.params[1]).toMatchObject({ type: { dtype: "bool", ellipsis: false, axes: null } });
    expect(all[10]).toMatchObject({ rules: [{ pattern: { text: "Block.*.SelfAttention" }, policy: { text: "sus" } }, { pattern: { text: "Block.0.X" } }, { pattern: { text: "**" } }] });
  });

  test("spans are the text they stand for", () => {
    const text = "fn f(x) = g(x + 1, y)\n";
    const [fn] = program(text);
    if (fn?.kind !== "fn" || fn.body.kind !== "call") throw new Error("not a call");
    const slice = ({ span }: { readonly span: { readonly start: number; readonly end: number } }) => text.slice(span.start, span.end);
    expect([slice(fn), slice(fn.body), slice(fn.body.callee), ...fn.body.args.map(slice)]).toEqual(["fn f(x) = g(x + 1, y)", "g(x + 1, y)", "g", "x + 1", "y"]);
  });

  test.each(modelFiles())("$file parses", ({ text, file }) => {
    expect(parse(text, file).diagnostics).toEqual([]);
  });
});
