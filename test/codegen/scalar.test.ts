/** @file The arithmetic that kernels spell out themselves: erf by a rational function, and whole division in float32 on
 *  hardware whose division is not exact. */

import { describe, expect, it } from "vitest";
import { emitGpujs } from "../../compiler/codegen/emit-gpujs.ts";
import { SINE } from "../../compiler/codegen/gpujs-expressions.ts";
import { flattenKernel } from "../../compiler/codegen/flat-kernel.ts";
import type { BinaryFn, Expr, Kernel, UnaryFn } from "../../compiler/codegen/kernel.ts";
import { erf } from "../../ir/erf.ts";

/** A kernel's body run in float32, one rounding an operation, with division off by up to `slack` units in the last place. */
const runFloat32 = (expr: Expr, inputs: readonly number[], scope: ReadonlyMap<string, number>, slack: () => number): number => {
  const value = (e: Expr): number => runFloat32(e, inputs, scope, slack);
  const binary = (fn: BinaryFn, a: number, b: number): number => {
    switch (fn) {
      case "add":
        return a + b;
      case "sub":
        return a - b;
      case "mul":
        return a * b;
      case "div":
        return Math.fround(a / b) * (1 + slack() * 2 ** -23);
      case "lt":
        return a < b ? 1 : 0;
      case "ge":
        return a >= b ? 1 : 0;
      default:
        throw new Error(`unexpected ${fn}`);
    }
  };
  switch (expr.kind) {
    case "const":
      return Math.fround(expr.value);
    case "var":
      return scope.get(expr.name) ?? Number.NaN;
    case "load":
      return inputs[expr.input] ?? Number.NaN;
    case "unary":
      if (expr.fn !== "floor") throw new Error(`unexpected ${expr.fn}`);
      return Math.floor(value(expr.arg));
    case "binary":
      return Math.fround(binary(expr.fn, value(expr.left), value(expr.right)));
    case "let":
      return runFloat32(expr.body, inputs, new Map(scope).set(expr.name, value(expr.value)), slack);
    default:
      throw new Error(`unexpected ${expr.kind}`);
  }
};

const load = (input: number): Expr => ({ kind: "load", input, at: [] });
const scalar = (name: string) => ({ name, shape: [], dtype: "i32" }) as const;

/** fn(a, n), n an input or a constant; a an index below `extent` where that is given. */
const divisionKernel = (fn: "idiv" | "mod", n: number | null): Kernel => ({
  name: fn,
  inputs: [scalar("a"), scalar("n")],
  axes: [],
  dtype: "i32",
  body: { kind: "binary", fn, left: load(0), right: n === null ? load(1) : { kind: "const", value: n } },
});

describe("whole division in float32, division off by up to 2.5 units in the last place", () => {
  const divisors = [1, 2, 3, 5, 7, 10, 12, 49, 64, 100, 255, 256, 257, 1000, 4095, 4096, 50257, 65535];
  const dividends = (n: number): readonly number[] => {
    const limit = 2 ** 24 - 1;
    const multiples = [1, 2, 3, 17, Math.floor(limit / n / 2), Math.floor(limit / n) - 1, Math.floor(limit / n)];
    const near = multiples.flatMap((m) => [m * n - 1, m * n, m * n + 1]);
    return [0, 1, limit - 1, limit, ...near].filter((a) => a >= 0 && a <= limit);
  };

  it.each(divisors)("by %s", (n) => {
    for (const constant of [true, false])
      for (const fn of ["idiv", "mod"] as const) {
        const { body } = flattenKernel(divisionKernel(fn, constant ? n : null));
        for (const a of dividends(n))
          for (const slack of [-2.5, 0, 2.5]) {
            const expected = fn === "idiv" ? Math.floor(a / n) : a % n;
            expect(runFloat32(body, [a, n], new Map(), () => slack), `${fn}(${a}, ${n}), slack ${slack}`).toBe(expected);
          }
      }
  });

  it("of an index below 2^20 takes one division", () => {
    for (const n of [3, 7, 24, 1023]) {
      const axis = { name: "i", extent: 2 ** 20 };
      const kernel: Kernel = { name: "q", inputs: [], axes: [axis], dtype: "i32", body: { kind: "binary", fn: "idiv", left: { kind: "var", name: "i" }, right: { kind: "const", value: n } } };
      const { body } = flattenKernel(kernel);
      expect(JSON.stringify(body).split('"div"')).toHaveLength(2);
      for (let m = 1; m < 2 ** 20 / n; m += 97)
        for (const i of [m * n - 1, m * n])
          for (const slack of [-2.5, 2.5])
            expect(runFloat32(body, [], new Map([["i", i]]), () => slack)).toBe(Math.floor(i / n));
    }
  });
});

/** The emitted function of one element, run as the JavaScript it also is. */
const emitted = (fn: UnaryFn): ((x: number) => number) => {
  const body: Expr = { kind: "unary", fn, arg: load(0) };
  const { source } = emitGpujs({ name: fn, inputs: [{ name: "x", shape: [], dtype: "f32" }], axes: [], dtype: "f32", body });
  const compiled = new Function(`return ${source}`)() as (x: readonly number[]) => number;
  return (x) => compiled([x]);
};

describe("erf", () => {
  it("is within 1e-6 everywhere, and odd", () => {
    const f = emitted("erf");
    for (let x = 0; x <= 8; x += 1 / 512) {
      expect(Math.abs(f(x) - erf(x))).toBeLessThan(5e-8);
      expect(f(-x)).toBe(-f(x));
    }
  });

  it("is within 1e-6 in float32 arithmetic", () => {
    const r = Math.fround;
    const horner = (z: number, coefficients: readonly number[]): number =>
      coefficients.reduceRight((sum, c) => r(r(c) + r(z * sum)), 0);
    const [numerator, denominator] = coefficientsOf();
    for (let x = -6; x <= 6; x += 1 / 1024) {
      const c = Math.max(r(-3.9), Math.min(r(3.9), x));
      const z = r(c * c);
      const y = r(r(c * horner(z, numerator)) / horner(z, denominator));
      expect(Math.abs(y - erf(x))).toBeLessThan(1e-6);
    }
  });
});

/** The coefficients as they stand in the emitted source. */
const coefficientsOf = (): readonly [readonly number[], readonly number[]] => {
  const { source } = emitGpujs({
    name: "f", inputs: [{ name: "x", shape: [], dtype: "f32" }], axes: [], dtype: "f32", body: { kind: "unary", fn: "erf", arg: load(0) },
  });
  const [numerator = "", denominator = ""] = (source.split("return")[1] ?? "").split(" / ");
  const numbers = (text: string): readonly number[] => [...text.matchAll(/(?<![\w.])\d+(?:\.\d+)?(?:e-\d+)?/g)].map(([n]) => Number(n));
  return [numbers(numerator), numbers(denominator)];
};

describe.each(["sin", "cos"] as const)("%s", (fn) => {
  const angles = Array.from({ length: 40_001 }, (_, i) => ((i - 20_000) / 20_000) ** 3 * 10_000);

  it("is within 1e-8", () => {
    const f = emitted(fn);
    for (const x of angles) expect(Math.abs(f(x) - Math[fn](x))).toBeLessThan(1e-8);
  });

  it("is within 3e-7 in float32 arithmetic", () => {
    const r = Math.fround;
    const quarter = fn === "sin" ? 0 : 0.5;
    for (const x of angles.map(r)) {
      const n = Math.floor(r(r(x * r(1 / Math.PI)) + 0.5 - quarter));
      const rest = SINE.pi.reduce((left: number, part) => r(left - r((n + quarter) * r(part))), x);
      const z = r(rest * rest);
      const p = SINE.coefficients.reduceRight((sum: number, c) => r(r(c) + r(z * sum)), 0);
      const sign = (n % 2 === 0 ? 1 : -1) * (fn === "sin" ? 1 : -1);
      expect(Math.abs(sign * r(rest * p) - Math[fn](x))).toBeLessThan(3e-7);
    }
  });
});

describe("functions with a sign", () => {
  it("tanh, sign and logistic at the extremes", () => {
    expect([-1e30, -20, 0, 20, 1e30].map(emitted("tanh"))).toEqual([-1, -1, 0, 1, 1].map((s) => s * Math.tanh(10)));
    expect([-3, 0, 0.5].map(emitted("sign"))).toEqual([-1, 0, 1]);
    expect([-1000, 1000].map(emitted("logistic"))).toEqual([0, 1]);
  });
});
