/** @file `inspect`: the numbers are those the interpreter counts, the formulas evaluate to the numbers, the text is stable. */

import { describe, expect, it } from "vitest";
import { inspect } from "../../compiler/index.ts";
import { costReport } from "../../compiler/inspect/cost.ts";
import type { CostReport, Costs } from "../../compiler/inspect/cost.ts";
import { interpret } from "../../ir/interpret.ts";
import * as poly from "../../ir/poly.ts";
import { compiledCase, dataOf, inputsFor, MODELS } from "../models/support.ts";
import { scratch, SMALL, subquad } from "./support.ts";

const file = scratch();
const model = file("small.sq", SMALL);

describe.each(MODELS)("cost of $name", (model) => {
  it("is what the interpreter counts, exactly, for every function", async () => {
    const compiled = await compiledCase(model);
    const { functions } = costReport(compiled.gradient, { each: true });
    expect(functions.map(({ name }) => name)).toEqual(compiled.gradient.funcs.map(({ name }) => name));
    for (const func of compiled.gradient.funcs) {
      const line = functions.find(({ name }) => name === func.name);
      const counted = interpret(func, dataOf(inputsFor(model, compiled, func.name)));
      expect({ flops: line?.flopsValue, bytes: line?.bytesValue }, func.name).toEqual({ flops: counted.flops, bytes: counted.bytes });
      const sum = (key: "flopsValue" | "bytesValue"): number => (line?.operations ?? []).reduce((total, each) => total + each[key], 0);
      expect([sum("flopsValue"), sum("bytesValue")]).toEqual([counted.flops, counted.bytes]);
    }
  });

  it("formulas read back and give the numbers; sections add up to functions", async () => {
    const compiled = await compiledCase(model);
    const report = costReport(compiled.gradient, { each: true });
    const dims = new Map(Object.entries(report.dims));
    const lines: readonly Costs[] = [
      ...report.sections.flatMap(({ lines, total }) => [...lines, total]),
      ...report.functions.flatMap((line) => [line, ...(line.operations ?? [])]),
    ];
    for (const line of lines) {
      expect(poly.evaluate(poly.parse(line.flops) ?? poly.ZERO, dims)).toBeCloseTo(line.flopsValue, 6);
      expect(poly.evaluate(poly.parse(line.bytes) ?? poly.ZERO, dims)).toBeCloseTo(line.bytesValue, 6);
    }
    for (const { lines, total } of report.sections) {
      expect(lines.reduce((sum, { flopsValue }) => sum + flopsValue, 0)).toBeCloseTo(total.flopsValue, 6);
      expect(lines.reduce((sum, { bytesValue }) => sum + bytesValue, 0)).toBeCloseTo(total.bytesValue, 6);
      expect(lines.reduce((sum, { count }) => sum + count, 0)).toBe(total.count);
    }
    const whole = report.sections.reduce((sum, { total }) => sum + total.flopsValue, 0);
    const last = report.functions.find(({ name }) => name === "step") ?? report.functions.find(({ name }) => name === "grad");
    if (last !== undefined) expect(whole).toBeCloseTo(last.flopsValue, 6);
  });
});

describe("what is printed", () => {
  const golden = (name: string): string => `golden/${name}`;
  const views: readonly (readonly [string, readonly string[]])[] = [
    ["cost.txt", ["cost"]],
    ["cost-each.txt", ["cost", "--each", "--entry", "loss"]],
    ["cost.json", ["cost", "--json", "--entry", "grad"]],
    ["memory.txt", ["memory"]],
    ["memory.json", ["memory", "--json"]],
    ["kernels.txt", ["kernels"]],
    ["kernel-source.txt", ["kernels", "--source", "Attention_q"]],
    ["diff.txt", ["diff", "--pass", "canonicalize", "--entry", "grad"]],
  ];
  it.each(views)("%s", async (name, argv) => {
    const { code, out, err } = await subquad(["inspect", model, ...argv]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    await expect(out).toMatchFileSnapshot(golden(name));
  });

  it("is ASCII, but for what the model itself is called", async () => {
    for (const [, argv] of views.filter(([name]) => /^(cost|memory|kernels)\./.test(name))) {
      const { out } = await subquad(["inspect", model, ...argv]);
      expect(out).toMatch(/^[\x20-\x7e\n]*$/);
    }
  });

  it("--json has a version, and the data of the API", async () => {
    const { out } = await subquad(["inspect", model, "cost", "--json"]);
    const { version, view, ...rest } = JSON.parse(out) as { version: number; view: string } & CostReport;
    expect({ version, view }).toEqual({ version: 1, view: "cost" });
    expect(rest).toEqual((await inspect({ file: model, view: "cost" })).data);
  });

  it("--dim changes numbers, not formulas", async () => {
    const at = async (T: number) => (await inspect({ file: model, view: "cost", dims: { T } })).data as CostReport;
    const [short, long] = [await at(4), await at(16)];
    const formulas = (report: CostReport) => report.functions.map(({ flops, bytes }) => [flops, bytes]);
    expect(formulas(short)).toEqual(formulas(long));
    expect(long.functions[0]?.flopsValue).toBeGreaterThan(4 * (short.functions[0]?.flopsValue ?? Infinity));
  });
});
