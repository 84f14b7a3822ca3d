/** @file Symbolic shapes: what is the same, what only looks the same, and how it is told. */

import { describe, expect, test } from "vitest";
import type { Diagnostic } from "../../ir/diagnostic.ts";
import * as poly from "../../ir/poly.ts";
import { check, funcOf, good, quoted } from "./support.ts";

const DIMS = "dim B = 2\ndim T = 6\ndim D = 8\ndim H = 4\ndim K = D / H\n";

const errors = (text: string): readonly Diagnostic[] => check(text).diagnostics.filter((d) => d.severity === "error");

/** Types of the result of an expression, with dims as spelled. */
const typeOf = (expr: string, args: string): string => {
  const module = good(`${DIMS}model M(${args}) { return ${expr} }`);
  const [result] = funcOf(module, "forward").results;
  return result === undefined ? "" : `[${result.value.type.dims.map((dim) => poly.print(dim)).join(", ")}]`;
};

describe("right", () => {
  test.each([
    ["broadcasting aligns trailing axes", "x + y", "x: [B, T, D], y: [T, D]", "[B, T, D]"],
    ["an axis of 1 is stretched", "x + y", "x: [B, T, D], y: [B, 1, D]", "[B, T, D]"],
    ["scalars go with everything", "x * y", "x: [B, T, D], y: float", "[B, T, D]"],
    ["derived dims are what they stand for", "x + y", "x: [T, H * K], y: [T, D]", "[T, H*K]"],
    ["products commute", "x + y", "x: [T * D], y: [D * T]", "[D*T]"],
    ["constants agree by number", "x + y", "x: [T, 4], y: [4]", "[T, 4]"],
    ["matmul contracts", "x @ y", "x: [B, T, D], y: [D, H * 3]", "[B, T, 3*H]"],
    ["matmul broadcasts leading axes", "x @ y", "x: [B, 1, T, D], y: [H, D, K]", "[B, H, T, K]"],
    ["a vector times a matrix", "x @ y", "x: [D], y: [D, K]", "[K]"],
    ["a matrix times a vector", "x @ y", "x: [B, T, D], y: [D]", "[B, T]"],
    ["transpose", "x.T", "x: [B, T, D]", "[B, D, T]"],
    ["gather", "x[i]", "x: [D, T], i: int[B, H]", "[B, H, T]"],
    ["a single index drops its axis", "x[0, :, T - 1]", "x: [B, D, T]", "[D]"],
    ["an index from the end", "x[:, -1]", "x: [B, D, T]", "[B, T]"],
    ["rearrange finds a size and its name", 'rearrange(x, "b t (h k) -> b h t k", h: H)', "x: [B, T, D]", "[B, H, T, K]"],
    ["rearrange merges to a name", 'rearrange(x, "t h k -> t (h k)")', "x: [T, H, K]", "[T, H*K]"],
    ["an axis by its dim", "sum(x, axis: T)", "x: [B, T, D]", "[B, D]"],
    ["a dim in an expression", "x * (1 / D) + sqrt(2 * T)", "x: [B, D]", "[B, D]"],
    ["concat adds sizes", "concat(x, x, axis: -1)", "x: [B, D]", "[B, 2*D]"],
    ["dims as sizes", "ones(2 * T, K) * x", "x: float", "[2*T, K]"],
  ])("%s", (_name, expr, args, expected) => {
    const actual = typeOf(expr, args);
    const same = (text: string): string => text.replaceAll("H*K", "D");
    expect(same(actual)).toBe(same(expected));
  });

  test("slices keep the size", () => {
    const [result] = funcOf(good(`${DIMS}model M(x: [B, D]) { return x[:, K:D] + x[:, 0:D - K] + x[:, K - D:D] }`), "forward").results;
    expect(result?.value.type.shape).toEqual([2, 6]);
  });

  test("`...` stands for the same axes in one signature", () => {
    const text = `${DIMS}layer F[N](x: [..., N]) -> [..., N] { param w: [N, N]\n return x @ w }
      model M(a: [D], b: [B, T, K]) { return sum(F(a)) + sum(F(b)) }`;
    const forward = funcOf(good(text), "forward");
    expect(forward.params.map((param) => [param.name, param.value.type.shape])).toEqual([
      ["F.0.w", [8, 8]], ["F.1.w", [2, 2]], ["a", [8]], ["b", [2, 6, 2]],
    ]);
  });

  test("a function used at three shapes", () => {
    good(`${DIMS}fn twice(x) = x + x\nmodel M(a: [D], b: [T, D], c: float) { return twice(a) + twice(b) + twice(c) + twice(1) }`);
  });
});

describe("wrong", () => {
  const program = (expr: string, args: string): string => `${DIMS}model M(${args}) { return ${expr} }`;

  test.each([
    ["SQ0301", "+", "x + y", "x: [B, T], y: [B, D]"],
    ["SQ0323", "+", "x + y", "x: [H * K, T], y: [B * H, T]"],
    ["SQ0303", "@", "x @ y", "x: [T, D], y: [T, D]"],
    ["SQ0302", "x.T", "x.T", "x: [T]"],
    ["SQ0302", "@", "x @ y", "x: [T], y: float"],
    ["SQ0306", "*", "x * y", "x: int[T], y: [T]"],
    ["SQ0306", "x", "exp(x)", "x: int[T]"],
    ["SQ0306", "/", "float(x / x)", "x: int[T]"],
    ["SQ0306", "(x > 0)", "(x > 0) + 1", "x: [T]"],
    ["SQ0306", "x", "not x", "x: [T]"],
    ["SQ0306", "0.5", "float(x + 0.5)", "x: int[T]"],
    ["SQ0315", "y", "x[y]", "x: [T, D], y: [B]"],
    ["SQ0315", "T", "x[T]", "x: [T, D]"],
    ["SQ0315", "0.5", "x[0.5]", "x: [T, D]"],
    ["SQ0315", "3:3", "x[3:3]", "x: [T, D]"],
    ["SQ0315", "0:D", "x[0:D]", "x: [T, D]"],
    ["SQ0315", "x[0, 0, 0]", "x[0, 0, 0]", "x: [T, D]"],
    ["SQ0318", "y", "x[0:y]", "x: [T, D], y: float"],
    ["SQ0308", "2", "sum(x, axis: 2)", "x: [T, D]"],
    ["SQ0308", "(0, -2)", "sum(x, axis: (0, -2))", "x: [T, D]"],
    ["SQ0309", "T", "sum(x, axis: T)", "x: [T, T]"],
    ["SQ0309", "H", "sum(x, axis: H)", "x: [T, D]"],
    ["SQ0304", '"t d"', 'einsum(x, "t d")', "x: [T, D]"],
    ["SQ0304", '"t t -> t"', 'einsum(x, "t t -> t")', "x: [T, T]"],
    ["SQ0302", "x", 'einsum(x, "t -> t")', "x: [T, D]"],
    ["SQ0305", "einsum", 'einsum(x, y, "t d, d t -> t")', "x: [T, D], y: [K, T]"],
    ["SQ0305", '"t (h k) -> t h k"', 'rearrange(x, "t (h k) -> t h k", h: 3)', "x: [T, D]"],
    ["SQ0304", '"t (h k) -> t h k"', 'rearrange(x, "t (h k) -> t h k")', "x: [T, D]"],
    ["SQ0302", '"t -> t"', 'rearrange(x, "t -> t")', "x: [T, D]"],
    ["SQ0207", "3", 'rearrange(x, "t d -> d t", h: 3)', "x: [T, D]"],
    ["SQ0314", "attention", "attention(x, y, y)", "x: [T, D], y: [T, K]"],
    ["SQ0314", "attention", "attention(x, y, y)", "x: [3, T, K], y: [2, T, K]"],
    ["SQ0302", "y", "attention(x, y, y)", "x: [T, D], y: [B, T, D]"],
    ["SQ0313", "x", "attention(x, x, x, mask: x)", "x: [T, D]"],
    ["SQ0314", "padding(n)", "attention(x, x, x, mask: padding(n))", "x: [B, H, T, K], n: int[T, B]"],
    ["SQ0319", "0", "attention(x, x, x, mask: window(0))", "x: [T, D]"],
    ["SQ0307", "x", "attention(x, x, x, scale: x)", "x: [T, D]"],
    ["SQ0319", "1", "attention(x, x, x, dropout: 1)", "x: [T, D]"],
    ["SQ0319", "0.1", "attention(ones(4100, 2, 3), ones(4100, 2, 3), ones(4100, 2, 3), dropout: 0.1)", "x: [T, D]"],
    ["SQ0322", "1", "sum(x, axis: 0, keep: 1)", "x: [T, D]"],
    ["SQ0208", "softmax", "softmax()", "x: [T]"],
    ["SQ0209", "3", "exp(x, 3)", "x: [T]"],
    ["SQ0207", "axes", "softmax(x, axes: 1)", "x: [T]"],
    ["SQ0210", "x: x", "exp(x, x: x)", "x: [T]"],
    ["SQ0306", "y", "cross_entropy(x, y)", "x: [T, D], y: [T]"],
    ["SQ0302", "cross_entropy", "cross_entropy(x, y)", "x: [T, D], y: int[T, D]"],
    ["SQ0319", "1.5", "dropout(x, rate: 1.5)", "x: [T]"],
    ["SQ0310", "T / 4", "ones(T / 4)", "x: [T]"],
    ["SQ0310", "sqrt(D)", "ones(sqrt(D))", "x: [T]"],
    ["SQ0311", "ones(T ** 6, D ** 6)", "ones(T ** 6, D ** 6)", "x: [T]"],
    ["SQ0206", "causal", "x + causal", "x: [T]"],
    ["SQ0321", "(x, x)", "(x, x)", "x: [T]"],
  ])("%s at `%s`: %s", (code, at, expr, args) => {
    const text = program(expr, args);
    const [first] = errors(text);
    expect(first === undefined ? "no error" : `${first.code} ${quoted(text, first)}`).toBe(`${code} ${at}`);
  });

  test("a shape error names both shapes, the sizes, and where the dims and operands were bound", () => {
    const text = `${DIMS}layer F(x: [B, T, D]) -> [B, T, D] {\n  param w: [K, D]\n  return x @ w\n}\nmodel M(x: [B, T, D]) { return F(x) }`;
    const [error] = errors(text);
    expect(error?.code).toBe("SQ0303");
    expect(error?.message).toBe("`@`: shapes [B, T, D] and [K, D] do not fit");
    const shown = error?.labels.map((label) => `${text.slice(label.span.start, label.span.end)}: ${label.text}`);
    expect(shown).toEqual([
      "@: D = 8 against K = 2",
      "x: [B = 2, T = 6, D = 8]",
      "x: [B, T, D]: `x` is [B, T, D], bound here",
      "w: [K = 2, D = 8]",
      "w: `w` is [K, D], bound here",
      "D: D = 8",
      "K: K = 2",
    ]);
    expect(error?.notes).toEqual(["in `F`"]);
  });

  test("a mistake in a layer used many times is said once, in a library layer with the call", () => {
    const text = `${DIMS}layer F(x: [T, D]) -> [T, D] { return x + LayerNorm(x.T) }\nmodel M(x: [T, D]) { let y = x\n repeat 3 { y = F(y) }\n return y }`;
    expect(errors(text).map((d) => d.code)).toEqual(["SQ0301"]);
    const inside = `${DIMS}model M(x: [T, D], y: [T, K]) { return mse(x, y) }`;
    const [error] = errors(inside);
    expect(error?.labels[0]?.span.file).toBe("std/losses.sq");
    expect(error?.labels.some(({ span, text: said }) => said === "in this use of `mse`" && inside.slice(span.start, span.end) === "mse(x, y)")).toBe(true);
  });

  test("a declared result is a promise", () => {
    expect(errors(`${DIMS}model M(x: [T, D]) -> [T] { return x }`).map((d) => d.code)).toEqual(["SQ0312"]);
    expect(errors(`${DIMS}model M(x: [T, D]) -> [T, D] { return x > 0 }`).map((d) => d.code)).toEqual(["SQ0312"]);
    expect(errors(`dim P = 4\ndim Q = 4\nmodel M(x: [P]) -> [Q] { return x }`).map((d) => d.code)).toEqual(["SQ0323"]);
  });

  test("arguments are compared with their declared types", () => {
    const layer = "layer F[N](x: [T, N], s: float) -> [T, N] { return x * s }\n";
    const of = (use: string): readonly string[] => errors(`${DIMS}${layer}model M(x: [T, D], i: int[T]) { return ${use} }`).map((d) => d.code);
    expect(of("F(x, 2)")).toEqual([]);
    expect(of("F(x, sum(x))")).toEqual([]);
    expect(of("F(x.T, 2)")).toEqual(["SQ0322"]);
    expect(of("F(i, 2)")).toEqual(["SQ0317"]);
    expect(of("F(x, x)")).toEqual(["SQ0322"]);
    expect(of("F[K](x, 2)")).toEqual(["SQ0322"]);
    expect(of("F[D, D](x, 2)")).toEqual(["SQ0224"]);
    expect(of('F(x, "s")')).toEqual(["SQ0322"]);
  });
});
