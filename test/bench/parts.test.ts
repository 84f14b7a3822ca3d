/** @file Attention cut out of a gradient computes what it computes in it: parts, run one after the other, against the whole. */

import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ATTENTION_MODEL } from "../../compiler/bench/attention-model.ts";
import { attentionParts } from "../../compiler/bench/attention-parts.ts";
import { compile as compileSource } from "../../compiler/driver.ts";
import { interpreterExecutable } from "../../compiler/interpreter.ts";
import { compile } from "../../compiler/node/compile.ts";
import type { ModelOptions } from "../../compiler/node/compile.ts";
import { programOf } from "../../compiler/node/execute.ts";
import { completeInputs } from "../../compiler/node/run.ts";
import type { Func, Module } from "../../ir/core.ts";
import type { Tensors } from "../../runtime/abi.ts";
import { entryOf } from "../../runtime/validate.ts";
import { ROOT } from "../tools.ts";

const FORMS = ["exact", "sus:c=3", "sus:c=3,sampler=bernoulli", "hybrid:c=3,degree=2", "lowrank:degree=2,unsafe=true", "lowrank:degree=2,form=surrogate,unsafe=true", "lowrank:degree=2,forward=true,unsafe=true"];

const everywhere = (policy: string) => [{ pattern: "**", policy }];
const TINY = { B: 2, T: 9, V: 13, D: 12, H: 2, L: 2 };

interface Checked {
  readonly sites: readonly (readonly string[])[];
  readonly sizes: readonly number[];
}

/** Runs prepare and all parts, and the function they come from with their results. */
const check = async (module: Module, inputs: Tensors, of = "grad"): Promise<Checked> => {
  const whole = module.funcs.find(({ name }) => name === of) as Func;
  const { prepare, parts } = attentionParts(whole);
  const backward = parts.flatMap((part) => part.backward ?? []);
  const expected: Func = { ...whole, name: "whole", results: backward.flatMap((func) => func.results.map(({ value, name }) => ({ value, name: `${func.name} ${name}` }))) };
  const funcs = [prepare, expected, ...parts.map(({ forward }) => forward), ...backward];
  const run = interpreterExecutable({ ...module, funcs });
  const all = await run.run("whole", inputs);
  const known: Record<string, Tensors[string]> = { ...inputs, ...(await run.run("prepare", inputs)) };
  const pick = ({ params }: Func): Tensors => Object.fromEntries(params.map(({ name }) => [name, known[name] as Tensors[string]]));
  for (const part of parts) {
    Object.assign(known, await run.run(part.forward.name, pick(part.forward)));
    if (part.backward === null) continue;
    const found = await run.run(part.backward.name, pick(part.backward));
    for (const [name, tensor] of Object.entries(found)) expect(tensor, `${part.backward.name} ${name}`).toEqual(all[`${part.backward.name} ${name}`]);
  }
  return { sites: parts.map(({ sites }) => sites), sizes: backward.map(({ results }) => results.length) };
};

const inputsOf = async (options: ModelOptions, entry = "grad"): Promise<Tensors> => {
  const program = programOf(await compile(options));
  return completeInputs(program, entryOf(program, entry), undefined, 3).all;
};

const modelAt = async (file: string, policy: string): Promise<Checked> => {
  const options: ModelOptions = { file: join(ROOT, file), dims: TINY, backward: everywhere(policy) };
  return check((await compile(options)).gradient, await inputsOf(options));
};

describe("two layers of a model", () => {
  it.each(FORMS)("%s: one part stands for both, and hands out three gradients", async (policy) => {
    expect(await modelAt("examples/gpt.sq", policy)).toEqual({ sites: [["Block.0.SelfAttention", "Block.1.SelfAttention"]], sizes: [3] });
  });

  it("a bias is a constant of the part; masks and lengths that are data go in", async () => {
    const window = await compile({ file: join(ROOT, "examples/window.sq"), dims: { ...TINY, W: 3 } });
    const inputs = await inputsOf({ file: join(ROOT, "examples/window.sq"), dims: { ...TINY, W: 3 } });
    expect((await check(window.gradient, inputs)).sites.flat()).toHaveLength(2);
    const { parts } = attentionParts(window.gradient.funcs.find(({ name }) => name === "grad") as Func);
    expect(parts[0]?.forward.params).toHaveLength(3);
    expect(parts[0]?.backward?.results).toHaveLength(3);
    const bert = join(ROOT, "examples/bert.sq");
    const compiled = await compile({ file: bert, dims: TINY });
    expect((await check(compiled.gradient, await inputsOf({ file: bert, dims: TINY }))).sites.flat()).toHaveLength(2);
  });
});

describe("attention by itself", () => {
  it.each(FORMS)("%s: its parts are all of the gradient", async (policy) => {
    const { gradient } = compileSource({ file: "attention", text: ATTENTION_MODEL, dims: { B: 1, H: 4, G: 2, T: 10, K: 3, E: 4 }, backward: everywhere(policy), readImport: () => null });
    const grad = gradient.funcs.find(({ name }) => name === "grad") as Func;
    const { parts } = attentionParts(grad);
    const outputs = new Set(parts[0]?.backward?.results.map(({ value }) => value));
    expect(grad.results.filter(({ name }) => /^grad\.[qkv]$/.test(name)).every(({ value }) => outputs.has(value))).toBe(true);
  });
});

it("a model without a loss has forward parts only, one without attention none", () => {
  const source = (body: string): Module => compileSource({ file: "m", text: `dim T = 4\nmodel M(x: [T, 8]) -> [T, 8] { return ${body} }\n`, readImport: () => null }).gradient;
  const parts = (module: Module) => attentionParts(module.funcs.find(({ name }) => name === "forward") as Func).parts;
  expect(parts(source("attention(x, x, x)"))).toMatchObject([{ backward: null }]);
  expect(parts(source("x + x"))).toEqual([]);
});
