/** @file Names and the structure of programs: what is unknown, declared twice, unused, misplaced. */

import { describe, expect, test } from "vitest";
import { BUILTINS } from "../../compiler/check/builtins/index.ts";
import { parseSignature } from "../../compiler/check/builtins/call.ts";
import { nearest } from "../../compiler/check/suggest.ts";
import { check, quoted } from "./support.ts";

const found = (text: string): readonly string[] => check(text).diagnostics.map((d) => `${d.code} ${quoted(text, d)}`);

const D = "dim D = 4\n";

describe("programs", () => {
  test.each([
    ["an unknown value", `${D}fn f(x: [D]) = x + y`, ["SQ0201 y"]],
    ["an unknown function", `${D}fn f(x: [D]) = gleu(x)`, ["SQ0201 gleu"]],
    ["a function as a value", `${D}fn f(x: [D]) = x + gelu`, ["SQ0206 gelu"]],
    ["a value that is called", `${D}fn f(x: [D]) = x(x)`, ["SQ0206 x"]],
    ["a dim that is called", `${D}fn f(x: [D]) = x + D(x)`, ["SQ0206 D"]],
    ["an expression that is called", `${D}fn f(x: [D]) = (x + x)(x)`, ["SQ0206 (x + x)"]],
    ["an argument twice", `${D}fn f(x: [D], x: [D]) = x`, ["SQ0202 x"]],
    ["a let twice", `${D}fn f(x: [D]) {\n let y = x\n let y = y + x\n return y }`, ["SQ0202 y"]],
    ["a let named like a dim", `${D}fn f(x: [D]) {\n let D = x\n return D }`, ["SQ0202 D"]],
    ["a let named like a mask", `${D}fn f(x: [D]) {\n let causal = x\n return causal }`, ["SQ0202 causal"]],
    ["a function twice", "fn f(x) = x\nfn f(x) = x", ["SQ0202 f"]],
    ["a function named like a builtin", "fn softmax(x) = x", ["SQ0202 softmax"]],
    ["a second model", `${D}model M(x: [D]) { return x }\nmodel N(x: [D]) { return x }`, ["SQ0214 N"]],
    ["unused names are warnings", `${D}layer f(x: [D], y: [D]) {\n param w: [D]\n let z = x\n return x }`, ["SQ0204 y", "SQ0204 w", "SQ0205 z"]],
    ["a leading _ says it is known", `${D}fn f(x: [D], _y: [D]) {\n let _z = x\n return x }`, []],
    ["no return", `${D}fn f(x: [D]) {\n let _y = x\n}`, ["SQ0220 }"]],
    ["something after return", `${D}fn f(x: [D]) {\n return x\n let _y = x\n}`, ["SQ0221 let _y = x"]],
    ["return in repeat", `${D}fn f(x: [D]) {\n repeat 2 { return x }\n return x }`, ["SQ0221 return x"]],
    ["param in repeat", `${D}layer f(x: [D]) {\n repeat 2 {\n param w: [D]\n}\n return x }`, ["SQ0221 param w: [D]", "SQ0204 w"]],
    ["param in fn", `${D}fn f(x: [D]) {\n param w: [D]\n return x * w }`, ["SQ0219 param w: [D]"]],
    ["a layer in fn", `${D}fn f(x: [D]) = LayerNorm(x)`, ["SQ0219 LayerNorm"]],
    ["a layer in the loss", `${D}loss(x: [D]) = mean(LayerNorm(x))`, ["SQ0206 LayerNorm"]],
    ["the model in a layer", `${D}layer F(x: [D]) { return M(x) }\nmodel M(x: [D]) { return x }`, ["SQ0206 M"]],
    ["an assignment to nothing", `${D}fn f(x: [D]) {\n y = x\n return x }`, ["SQ0215 y"]],
    ["an assignment to a dim", `${D}fn f(x: [D]) {\n D = x\n return x }`, ["SQ0215 D"]],
    ["an assignment to a parameter", `${D}layer f(x: [D]) {\n param w: [D]\n w = x\n return w }`, ["SQ0215 w"]],
    ["arguments of layers have types", "layer f(x) { return x }", ["SQ0225 x"]],
    ["an entry names every axis", `${D}model M(x: [..., D]) { return x }`, ["SQ0206 [..., D]"]],
    ["recursion", "fn f(x) = f(x)", ["SQ0203 f"]],
    ["recursion through others", `${D}layer A(x: [D]) { return B(x) }\nlayer B(x: [D]) { return A(x) }`, ["SQ0203 A"]],
    ["a loop that changes a type", `${D}fn f(x: [D]) {\n let y = x\n repeat 2 { y = sum(y) }\n return y }`, ["SQ0320 sum(y)"]],
    ["names for a tuple", `${D}fn f(x: [D]) {\n let a, b, c = split(x, 2)\n return a + b + c }`, ["SQ0321 split(x, 2)"]],
    ["dim arguments of a builtin", `${D}fn f(x: [D]) = exp[D](x)`, ["SQ0224 exp[D]"]],
    ["another member than T", `${D}fn f(x: [D]) = x.shape`, ["SQ0213 shape"]],
    ["a dim argument that cannot be found", `${D}layer F(x: [D]) { return Linear(x) }`, ["SQ0317 Linear"]],
    ["a fractional count", `${D}fn f(x: [D]) {\n let y = x\n repeat 1.5 { y = y + x }\n return y }`, ["SQ0310 1.5"]],
  ])("%s", (_name, text, expected) => {
    expect(found(text)).toEqual(expected);
  });

  test("the standard library may be replaced", () => {
    expect(found(`${D}layer LayerNorm(x: [D]) { return x }\nfn gelu(x) = x\nmodel M(x: [D]) { return gelu(LayerNorm(x)) }`)).toEqual([]);
  });

  test("a runaway loop ends", () => {
    const text = `${D}fn f(x: [D]) {\n let y = x\n repeat 100000 { repeat 100000 { y = y + x } }\n return y }`;
    expect(check(text).diagnostics.map((d) => d.code)).toEqual(["SQ0311"]);
    const tower = Array.from({ length: 40 }, (_, i) => `fn f${i + 1}(x) = f${i}(x) + f${i}(x)`).join("\n");
    expect(check(`${D}fn f0(x) = x\n${tower}\nmodel M(x: [D]) { return f40(x) }`).diagnostics.map((d) => d.code)).toEqual(["SQ0311"]);
  });
});

test("suggestions", () => {
  expect(nearest("gleu", ["gelu", "silu"])).toBe("gelu");
  expect(nearest("layernorm", ["LayerNorm", "RmsNorm"])).toBe("LayerNorm");
  expect(nearest("caus", ["causal", "none"])).toBe("causal");
  expect(nearest("x", ["y"])).toBeUndefined();
  expect(nearest("attention", ["window"])).toBeUndefined();
});

test("signatures of builtins are what their checks ask for", () => {
  expect(parseSignature("f(x, ys..., axis = -1, keep?, name: ...)")).toEqual({
    formals: [{ name: "x", optional: false }, { name: "axis", optional: true }, { name: "keep", optional: true }],
    rest: true,
    open: true,
  });
  for (const { name, signature, summary } of BUILTINS) {
    expect(signature.startsWith(`${name}(`)).toBe(true);
    expect(summary.endsWith(".")).toBe(true);
  }
});
