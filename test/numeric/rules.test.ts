/** @file Every rewrite rule, by its own example: the rule fires on it, and both sides are the same numbers. */

import { describe, expect, test } from "vitest";
import { Builder } from "../../ir/builder.ts";
import type { Data, Func, Param } from "../../ir/core.ts";
import { interpret } from "../../ir/interpret.ts";
import { rewrite } from "../../passes/rewrite.ts";
import type { ExampleInput, Rule } from "../../passes/rewrite.ts";
import { EXACT_RULES } from "../../passes/rules/index.ts";
import { verify } from "../../ir/verify.ts";
import { exampleData, relativeError, source } from "./support.ts";

const exampleOf = (rule: Rule): { func: Func; inputs: Map<string, Data> } => {
  const params: Param[] = [];
  const inputs = new Map<string, Data>();
  const input: ExampleInput = (type, elements = "normal", below) => {
    const name = `x${params.length}`;
    const value = { type, name };
    params.push({ value, name, role: "input", init: "" });
    inputs.set(name, exampleData({ type, elements, ...(below === undefined ? {} : { below }) }, source(params.length)));
    return value;
  };
  const b = new Builder();
  const result = rule.example(b, input);
  return { func: { name: "left", params, ops: b.ops, results: [{ name: "y", value: result }] }, inputs };
};

const valueOf = (func: Func, inputs: Map<string, Data>): Data => interpret(func, inputs).results.get("y") ?? new Float64Array();

describe.each(EXACT_RULES.map((rule): [string, Rule] => [`${rule.name}: ${rule.law}`, rule]))("%s", (_, rule) => {
  test("fires on its example and preserves it", () => {
    const { func, inputs } = exampleOf(rule);
    const fired: string[] = [];
    const right = rewrite(func, [rule], { fired: ({ name }) => fired.push(name) });
    expect(fired).toContain(rule.name);
    expect(verify({ name: "m", dims: new Map(), attrs: {}, funcs: [right] }, "gradient")).toEqual([]);
    expect(relativeError(valueOf(right, inputs), valueOf(func, inputs))).toBeLessThan(1e-12);
  });
});

test("rules have different names", () => {
  const names = EXACT_RULES.map((rule) => rule.name);
  expect(new Set(names).size).toBe(names.length);
});

test("all rules together end, and leave examples as they were", () => {
  for (const rule of EXACT_RULES) {
    const { func, inputs } = exampleOf(rule);
    const right = rewrite(func, EXACT_RULES);
    expect(relativeError(valueOf(right, inputs), valueOf(func, inputs)), rule.name).toBeLessThan(1e-12);
    expect(rewrite(right, EXACT_RULES)).toBe(right);
  }
});
