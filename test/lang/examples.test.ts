/** @file Every example: checked, lowered, printed and read back; its loss starts near that of guessing. */

import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { checkSource } from "../../compiler/check/index.ts";
import { format } from "../../compiler/format.ts";
import { lowerProgram } from "../../compiler/lower/index.ts";
import type { Func, Param } from "../../ir/core.ts";
import { elements } from "../../ir/types.ts";
import { describeError, verify } from "../../ir/verify.ts";
import { funcOf, noise, opsOf, run } from "./support.ts";
import type { Numbers } from "./support.ts";

const folder = new URL("../../examples/", import.meta.url);
const examples = readdirSync(folder).filter((name) => name.endsWith(".sq")).sort();
const read = (name: string): string => readFileSync(new URL(name, folder), "utf8");

const SMALL = { B: 2, T: 8, D: 16, L: 2 };

const setting = (init: string, name: string): number => Number(new RegExp(`${name}: ([-\\d.e]+)`).exec(init)?.[1] ?? 0);

/** Roughly what the initialiser says: noise of the right spread. */
const initial = ({ init, value }: Param, seed: number): Numbers => {
  const count = elements(value.type);
  if (init === "ones") return new Array<number>(count).fill(1);
  if (init === "zeros") return new Array<number>(count).fill(0);
  return noise(count, seed).map((v) => v * Math.sqrt(3) * setting(init, "std"));
};

const inputsOf = (loss: Func, V: number): Record<string, Numbers> =>
  Object.fromEntries(
    loss.params.map((param, i): [string, Numbers] => {
      if (param.role === "parameter") return [param.name, initial(param, i + 1)];
      if (param.name === "lengths") return [param.name, [8, 5]];
      if (param.role === "key") return [param.name, [1, 2, 3, 4]];
      return [param.name, noise(elements(param.value.type), 99 + i).map((v) => Math.floor(((v + 1) / 2) * V))];
    }),
  );

describe.each(examples)("%s", (name) => {
  const { diagnostics, program } = checkSource(read(name), name, { dims: SMALL });

  test("has no complaints, at its own sizes either", () => {
    expect(diagnostics).toEqual([]);
    expect(checkSource(read(name), name).diagnostics).toEqual([]);
  });

  test("lowers to a module of the stage `model`", () => {
    if (program === null) throw new Error("not checked");
    expect(verify(lowerProgram(program), "model").map(describeError)).toEqual([]);
  });

  test("starts at the loss of guessing, ln V", () => {
    if (program === null) throw new Error("not checked");
    const module = lowerProgram(program);
    const V = module.dims.get("V") ?? 0;
    for (const loss of module.funcs.filter((func) => func.name !== "forward")) {
      const [value = Number.NaN] = run(loss, inputsOf(loss, V));
      expect(Math.abs(value - Math.log(V))).toBeLessThan(0.1);
    }
  });
});

test("handwritten attention has no attention op, the others one a layer", () => {
  for (const name of examples) {
    const { program } = checkSource(read(name), name);
    if (program === null) throw new Error(name);
    const sites = opsOf(funcOf(lowerProgram(program), "forward"), "attention");
    expect(sites.length).toBe(name === "handwritten.sq" ? 0 : 2);
  }
});

test("a GPT of 96 layers of width 768 is checked and lowered in under a second of processor time", () => {
  const text = read("gpt.sq");
  const attempt = (): number => {
    const before = process.cpuUsage();
    const { program } = checkSource(text, "gpt.sq", { dims: { L: 96, D: 768, H: 12, T: 1024 } });
    if (program === null) throw new Error("not checked");
    expect(funcOf(lowerProgram(program), "loss").params.filter((param) => param.role === "parameter")).toHaveLength(2 + 96 * 10 + 2);
    return process.cpuUsage(before).user / 1e6;
  };
  expect(Math.min(attempt(), attempt(), attempt())).toBeLessThan(1);
});

test("examples and library are laid out by the formatter", () => {
  const library = new URL("../../compiler/std/", import.meta.url);
  for (const place of [folder, library])
    for (const name of readdirSync(place).filter((file) => file.endsWith(".sq"))) {
      const text = readFileSync(new URL(name, place), "utf8");
      expect(format(text, name).text).toBe(text);
    }
});
