/** @file Products in WebAssembly: any order of axes, edges of tiles and blocks, every split, against float64. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { evaluateKernel } from "../../compiler/codegen/evaluate-kernel.ts";
import { fusedProduct } from "../../compiler/codegen/wasm/product-plan.ts";
import { productOf } from "../../compiler/codegen/wasm/product.ts";
import type { ProductKernel } from "../../compiler/codegen/wasm/product.ts";
import type { Expr, Kernel } from "../../compiler/codegen/kernel.ts";
import { KernelTable } from "../../compiler/codegen/kernel-table.ts";
import { planEntry } from "../../compiler/codegen/entry.ts";
import { compile } from "../../compiler/driver.ts";
import type { Operation } from "../../ir/core.ts";
import { parseEinsum } from "../../ir/ops/einsum-spec.ts";
import * as sq from "../../ir/ops/index.ts";
import { allowRelaxed } from "../runtime/relaxed.ts";
import { ROOT, filesBelow } from "../tools.ts";
import { contraction, elementsOf, runKernel, runProduct } from "./wasm-product-tools.ts";

const generator = (seed: number): (() => number) => {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
};

const recognised = (kernel: Kernel): ProductKernel => {
  const found = productOf(kernel);
  if (found === null) throw new Error("not recognised");
  return found;
};

const dataFor = (kernel: Kernel, random: () => number): readonly Float64Array[] =>
  kernel.inputs.map((input) => Float64Array.from({ length: elementsOf(input.shape) }, () => Math.fround(2 * random() - 1)));

/** Against float64: an error of one unit in the last place an addition would be `depth` · 6e-8. */
const check = (kernel: Kernel, cuts: readonly number[] = [], random = generator(1), product = recognised(kernel).product): void => {
  const inputs = dataFor(kernel, random);
  const [got, wanted] = [runProduct(kernel, product, inputs, cuts), evaluateKernel(kernel, inputs)];
  let worst = 0;
  wanted.forEach((value, i) => (worst = Math.max(worst, Math.abs(value - (got[i] ?? Number.NaN)))));
  expect(got.every(Number.isFinite)).toBe(true);
  expect(worst).toBeLessThan(1e-5 * Math.sqrt(Math.max(...kernel.inputs.flatMap((input) => input.shape))));
};

describe("a matrix product", () => {
  const shapes = [[4, 8, 128], [5, 9, 128], [3, 17, 100], [129, 8, 8], [3, 1030, 4], [133, 40, 3], [7, 11, 1030], [64, 64, 2], [5, 48, 515], [131, 1040, 3]] as const;
  it.each(shapes)("of %i rows, %i columns, depth %i, with every order of axes", (m, n, k) => {
    for (const a of ["mk", "km"]) for (const b of ["kn", "nk"]) for (const out of ["mn", "nm"]) check(contraction(a, b, out, { m, n, k }));
  });
});

describe("tiles", () => {
  const tile = (m: number, n: number): string => {
    const { product: { tile: { rows, columns } } } = recognised(contraction("mk", "kn", "mn", { m, n, k: 32 }));
    return `${rows} x ${columns}`;
  };
  it("are long where columns come in sixteens", () => expect([tile(64, 64), tile(3, 1040), tile(64, 40), tile(64, 257)]).toEqual(["2 x 16", "2 x 16", "4 x 8", "4 x 8"]));

  it("are long where the columns of a head are, and short where a row of a tile would be two heads", () => {
    const heads = (k: number): number => recognised(contraction("td", "dhk", "htk", { t: 64, d: 32, h: 4, k })).product.tile.columns;
    expect([heads(16), heads(24), heads(8)]).toEqual([16, 8, 8]);
  });
});

const allowed = allowRelaxed();

describe.skipIf(allowed !== null)("multiplication and addition in one instruction", () => {
  const shapes = [[64, 8, 128], [65, 9, 70], [67, 17, 100], [133, 1040, 3], [71, 48, 1030], [126, 64, 2], [66, 16, 5]] as const;
  it.each(shapes)("of %i rows, %i columns, depth %i, with every order of axes, whole and in pieces", (m, n, k) => {
    for (const a of ["mk", "km"])
      for (const b of ["kn", "nk"])
        for (const out of ["mn", "nm"]) {
          const kernel = contraction(a, b, out, { m, n, k });
          const product = fusedProduct(recognised(kernel).product);
          check(kernel, [Math.floor(product.items / 3)], generator(3), product);
        }
  });

  it("takes six rows, but not of few, nor where copying would take longer", () => {
    const rows = (a: string, m: number): number => fusedProduct(recognised(contraction(a, "kn", "mn", { m, n: 128, k: 32 })).product).tile.rows;
    expect([rows("mk", 64), rows("km", 64), rows("mk", 63)]).toEqual([6, 6, 2]);
    const heads = fusedProduct(recognised(contraction("bhkt", "bhkn", "bhtn", { b: 2, h: 2, t: 64, n: 64, k: 16 })).product);
    expect(heads.tile.rows).toBe(2);
  });

  it("rounds once", () => {
    const kernel = contraction("mk", "kn", "mn", { m: 64, n: 8, k: 16 });
    const product = fusedProduct(recognised(kernel).product);
    const x = 1 + 2 ** -12;
    const [a, b] = [new Float64Array(64 * 16), new Float64Array(16 * 8)];
    a.set([-(x * x - 2 ** -24), x]);
    b[0] = 1;
    b[8] = x;
    const once = runProduct(kernel, product, [a, b], [])[0];
    const twice = runProduct(kernel, recognised(kernel).product, [a, b], [])[0];
    expect([once, twice]).toEqual([2 ** -24, 0]);
  });
});

describe("labels in any order", () => {
  const random = generator(7);
  const shuffled = (labels: string): string => [...labels].map((label) => ({ label, key: random() })).sort((x, y) => x.key - y.key).map(({ label }) => label).join("");
  const some = (labels: string): string => [...labels].filter(() => random() < 0.7).join("");
  const size = (): number => 1 + Math.floor(9 * random());
  it("agree with float64, whole and in pieces", () => {
    let tried = 0;
    for (let i = 0; i < 400; i++) {
      const [batch, rows, columns, depth] = [some("bc"), some("mp") || "m", some("nq") || "n", some("kl") || "k"];
      const sizes = Object.fromEntries([..."bcmpnqkl"].map((label) => [label, size()]));
      const kernel = contraction(shuffled(batch + rows + depth), shuffled(batch + columns + depth), shuffled(batch + rows + columns), sizes);
      const work = elementsOf(Object.entries(sizes).flatMap(([label, extent]) => ((batch + rows + columns + depth).includes(label) ? [extent] : [])));
      if (work > 60_000 || productOf(kernel) === null) continue;
      const items = recognised(kernel).product.items;
      const cut = Math.floor(random() * (items + 1));
      check(kernel, i % 2 === 0 ? [] : [cut, cut], random);
      tried++;
    }
    expect(tried).toBeGreaterThan(50);
  });
});

describe("what remains to be done with a product", () => {
  const scaled = (sum: Expr): Expr => ({ kind: "binary", fn: "add", left: { kind: "binary", fn: "mul", left: sum, right: { kind: "const", value: 0.5 } }, right: { kind: "const", value: 1 } });
  const masked = (index: string, limit: number) => (sum: Expr): Expr => ({
    kind: "select", cond: { kind: "binary", fn: "lt", left: { kind: "var", name: index }, right: { kind: "const", value: limit } }, then: scaled(sum), otherwise: { kind: "const", value: -1 },
  });
  const sizes = { b: 3, h: 2, m: 45, n: 19, k: 24 };
  it.each([["bhmk", "bhnk", "bhmn"], ["bmk", "hkn", "bhmn"], ["bhmk", "bhnk", "bmhn"], ["bmk", "kn", "nbm"], ["mk", "hkn", "hmn"]] as const)("of %s and %s as %s", (a, b, out) => {
    for (const around of [scaled, masked("m", 30), masked("n", 7)]) {
      const kernel = contraction(a, b, out, sizes, around);
      expect(recognised(kernel).rest).not.toBeNull();
      const inputs = dataFor(kernel, generator(5));
      const wanted = evaluateKernel(kernel, inputs);
      const whole = runKernel(kernel, inputs, () => []);
      whole.forEach((value, i) => expect(Math.abs(value - (wanted[i] ?? Number.NaN))).toBeLessThan(1e-5));
      expect(runKernel(kernel, inputs, (items) => [1, Math.floor(items / 2), items - 1])).toEqual(whole);
    }
  });
});

it("rows that are too wide to be finished block by block", () => {
  const kernel = contraction("bmk", "kn", "bmn", { b: 2, m: 6, n: 4100, k: 5 }, (sum) => ({ kind: "unary", fn: "tanh", arg: sum }));
  const inputs = dataFor(kernel, generator(8));
  const wanted = evaluateKernel(kernel, inputs);
  const whole = runKernel(kernel, inputs, () => []);
  whole.forEach((value, i) => expect(Math.abs(value - (wanted[i] ?? Number.NaN))).toBeLessThan(1e-5));
  expect(runKernel(kernel, inputs, () => [1, 3])).toEqual(whole);
});

it("is split by rows, or by columns if there are more of them and nothing remains to be done", () => {
  const splits = ([around, m, n]: readonly [(sum: Expr) => Expr, number, number]): readonly [string, number] => {
    const { product: { split, items } } = recognised(contraction("bmk", "bkn", "bmn", { b: 2, m, n, k: 64 }, around));
    return [split, items];
  };
  const doubled = (sum: Expr): Expr => ({ kind: "binary", fn: "add", left: sum, right: sum });
  expect(splits([(sum) => sum, 6, 100])).toEqual(["columns", 14]);
  expect(splits([(sum) => sum, 100, 7])).toEqual(["rows", 50]);
  expect(splits([doubled, 6, 100])).toEqual(["rows", 4]);
});

it("an empty sum, a single row, a single step and a sum of squares are left to loops", () => {
  const sizes = { m: 16, n: 64, k: 32 };
  expect(productOf(contraction("mk", "kn", "mn", { ...sizes, k: 0 }))).toBeNull();
  expect(productOf(contraction("mk", "kn", "mn", { ...sizes, m: 1 }))).toBeNull();
  expect(productOf(contraction("m", "n", "mn", sizes))).toBeNull();
  expect(productOf(contraction("mk", "mk", "m", sizes))).toBeNull();
});

/** Has rows and columns of its own: not a dot product for each index of a batch. */
const isMatrixProduct = ({ op, attrs }: Operation): boolean => {
  const spec = op === sq.einsum ? parseEinsum((attrs as { readonly spec: string }).spec) : null;
  if (spec === null || "constraint" in spec) return false;
  return spec.result.some((label) => !spec.a.includes(label)) && spec.result.some((label) => !spec.b.includes(label));
};

it.each(filesBelow("examples", ".sq"))("every matrix product of %s is recognised", (path) => {
  const { module } = compile({ file: path, text: readFileSync(join(ROOT, path), "utf8") });
  const table = new KernelTable();
  const kernels = new Set<Kernel>();
  for (const { roots, inlineProducer } of module.funcs.map(planEntry)) {
    const contracts = (operation: Operation): boolean =>
      isMatrixProduct(operation) || operation.operands.some((operand) => {
        const producer = inlineProducer(operand);
        return producer !== undefined && contracts(producer);
      });
    for (const root of roots.filter(contracts)) {
      const kernel = table.kernels[table.use(root, inlineProducer).kernel];
      if (kernel !== undefined) kernels.add(kernel);
    }
  }
  expect(kernels.size).toBeGreaterThan(20);
  expect([...kernels].filter((kernel) => productOf(kernel) === null).map(({ name }) => name)).toEqual([]);
});

it("the bits of a result do not depend on how it is split", () => {
  for (const [a, b, out] of [["mk", "kn", "mn"], ["km", "nk", "nm"], ["bmk", "bkn", "bmn"], ["mk", "bkn", "bmn"]] as const) {
    const kernel = contraction(a, b, out, { b: 5, m: 21, n: 19, k: 1100 });
    const inputs = dataFor(kernel, generator(3));
    const { product } = recognised(kernel);
    const whole = runProduct(kernel, product, inputs, []);
    for (const cuts of [[1], [2, 3], [1, 2, 3, 4]]) expect(runProduct(kernel, product, inputs, cuts)).toEqual(whole);
  }
});
