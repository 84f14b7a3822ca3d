/** @file What the language tests share: small programs checked, lowered and interpreted. */

import { expect } from "vitest";
import { checkSource } from "../../compiler/check/index.ts";
import type { Checked, CheckOptions } from "../../compiler/check/index.ts";
import { lowerProgram } from "../../compiler/lower/index.ts";
import type { Func, Module, Operation } from "../../ir/core.ts";
import type { Diagnostic } from "../../ir/diagnostic.ts";
import { interpret } from "../../ir/interpret.ts";
import { elements } from "../../ir/types.ts";
import { describeError, verify } from "../../ir/verify.ts";

/** Checks a program that must be right. */
export const good = (text: string, options: CheckOptions = {}): Module => {
  const { program, diagnostics } = checkSource(text, "test.sq", options);
  expect(diagnostics.filter((d) => d.severity === "error").map((d) => `${d.code} ${d.message}`)).toEqual([]);
  if (program === null) throw new Error("no program");
  const module = lowerProgram(program);
  expect(verify(module, "model").map(describeError)).toEqual([]);
  return module;
};

export const check = (text: string, options: CheckOptions = {}): Checked => checkSource(text, "test.sq", options);

/** The text a span covers. */
export const quoted = (text: string, { labels: [first] }: Diagnostic): string => (first === undefined ? "" : text.slice(first.span.start, first.span.end));

export const funcOf = (module: Module, name: string): Func => {
  const found = module.funcs.find((func) => func.name === name);
  if (found === undefined) throw new Error(`no function ${name}`);
  return found;
};

export const opsOf = (func: Func, mnemonic: string): readonly Operation[] => func.ops.filter(({ op }) => op.mnemonic === mnemonic);

export type Numbers = readonly number[];

/** Numbers between -1 and 1, the same for the same seed. */
export const noise = (count: number, seed: number): number[] => {
  let state = seed * 2654435761 + 12345;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + 374761393) | 0;
    return ((state >>> 8) / 2 ** 23) - 1;
  });
};

/** Runs a function; parameters that are not given are noise. */
export const run = (func: Func, inputs: Readonly<Record<string, Numbers>>): Numbers => {
  const data = func.params.map(({ name, value }, i): [string, Float64Array] => {
    const given = inputs[name];
    return [name, Float64Array.from(given ?? noise(elements(value.type), i + 1))];
  });
  const { results } = interpret(func, new Map(data));
  return [...(results.get("result") ?? results.get("loss") ?? [])];
};

/** The value of one expression over arguments `x: [2, 3]`, …: `evaluate("x + y", "x: [2, 3], y: [3]", { x, y })`. */
export const evaluate = (expr: string, args: string, inputs: Readonly<Record<string, Numbers>>, before = ""): Numbers =>
  run(funcOf(good(`${before}\nmodel M(${args}) { return ${expr} }`), "forward"), inputs);

export const expectClose = (actual: Numbers, expected: Numbers, digits = 9): void => {
  expect(actual.length).toBe(expected.length);
  actual.forEach((value, i) => expect(value).toBeCloseTo(expected[i] ?? Number.NaN, digits));
};
