/** @file What is printed is read back, part for part: for every example of every op, and for random modules. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Module, Operation, Value } from "../../ir/core.ts";
import { Builder } from "../../ir/builder.ts";
import { difference } from "../../ir/equal.ts";
import { add, exp, mul } from "../../ir/ops/index.ts";
import { parseModule } from "../../ir/parse.ts";
import { printFunc, printModule, printOperation } from "../../ir/print.ts";
import { named } from "../../ir/types.ts";
import { verify } from "../../ir/verify.ts";
import { EXAMPLES, dumpsOf } from "./dumps.ts";
import { exampleModules, exampleOperation, randomModule } from "./modules.ts";

const reread = (module: Module, locs: boolean): Module => {
  const { module: read, diagnostics } = parseModule(printModule(module, { locs }), "round.ir");
  expect(diagnostics).toEqual([]);
  return read;
};

const expectRoundTrip = (module: Module): void => {
  expect(difference(module, reread(module, true))).toBeNull();
  const plain = reread(module, false);
  expect(difference(module, plain, { locs: false })).toBeNull();
  expect(printModule(plain)).toBe(printModule(module));
};

describe("parse(print(m)) is m", () => {
  it.each(exampleModules())("%s", (_, module) => {
    expect(verify(module, "gradient")).toEqual([]);
    expectRoundTrip(module);
  });

  it.each(EXAMPLES)("after every pass over %s", (example) => {
    for (const module of dumpsOf(example)) expectRoundTrip(module);
  });

  it("for random modules", () => {
    fc.assert(fc.property(randomModule, expectRoundTrip), { numRuns: 300 });
  });
});

/** A text with one piece removed, doubled, or replaced by something that starts or ends other things. */
const damaged = fc
  .record({ module: randomModule, at: fc.nat(), length: fc.nat({ max: 12 }), by: fc.constantFrom("", "{", "}", "(", '"', "%", "!", "#0", "->", "\n", "-", "tensor<", "loc(", "0x") })
  .map(({ module, at, length, by }) => {
    const text = printModule(module, { locs: true });
    const start = at % text.length;
    return text.slice(0, start) + by + text.slice(start + length);
  });

describe("damaged text", () => {
  it("is read without an exception, and every complaint has a place", () => {
    fc.assert(
      fc.property(damaged, (text) => {
        for (const { labels } of parseModule(text).diagnostics) {
          expect(labels.length).toBe(1);
          expect(labels[0]?.span.end).toBeLessThanOrEqual(text.length);
        }
      }),
      { numRuns: 500 },
    );
  });

  it.each(["", "\n", "module", "module {", "func.func @f(", '"', "%", "!x", "!x = tensor<", "#loc = loc(#loc)\nfunc.func @f() { return loc(#loc) }"])("%j", (text) => {
    expect(parseModule(text).module.name).toBe("");
  });
});

const chain = (length: number): Module => {
  const b = new Builder();
  const x: Value = { type: named("f32", [["B", 2], ["T", 64], ["D", 8]]), name: "x" };
  let y = x;
  for (let i = 0; i < length; i++) {
    const place = { path: `Block.${i % 96}.Mlp`, loc: { kind: "file" as const, file: "gpt.sq", line: 1 + (i % 90), column: 3 } };
    y = b.at(place, () => (i % 3 === 0 ? b.one(exp, [y], {}, "h") : b.one(i % 3 === 1 ? add : mul, [y, x], {})));
  }
  const params = [{ value: x, name: "x", role: "input" as const, init: "" }];
  return { name: "chain", dims: new Map([["B", 2]]), funcs: [{ name: "f", params, ops: b.ops, results: [{ value: y, name: "y" }] }], attrs: {} };
};

const fastest = (run: () => void): number =>
  Math.min(...Array.from({ length: 5 }, () => {
    const start = performance.now();
    run();
    return performance.now() - start;
  }));

describe("10,000 operations", () => {
  const module = chain(10_000);
  const text = printModule(module, { locs: true });

  // Budgets are 200, 600 and 50 ms on an idle machine; the factor is for machines that do other things meanwhile.
  it.each([
    ["are printed", 200, () => printModule(module, { locs: true })],
    ["are parsed", 600, () => parseModule(text)],
    ["are verified", 50, () => verify(module, "kernel")],
  ])("%s in time", (_, budget, run) => {
    expect(fastest(run)).toBeLessThan(2 * budget);
  });
});

describe("printing", () => {
  const [operation]: Operation[] = [exampleOperation(add, 0)];

  it("prints an operation by itself", () => {
    expect(operation && printOperation(operation)).toMatch(/^%\w+ = "sq\.add"\(%\w+, %\w+\) : \(.*\) -> \S+$/);
  });

  it("prints a function that parses by itself", () => {
    const [func] = chain(4).funcs;
    const read = parseModule(func === undefined ? "" : printFunc(func));
    expect(read.diagnostics).toEqual([]);
    expect(read.module.funcs[0]?.ops.length).toBe(4);
  });
});
