/** @file Rewritten gradients of whole models: in the limits where an approximation is exact, it is; and every form's kernels
 *  compute what the interpreter does. A GPT, and a Llama with grouped queries and rotated positions. */

import { describe, expect, it } from "vitest";
import type { Compiled } from "../../compiler/driver.ts";
import { compile } from "../../compiler/node/compile.ts";
import { createBackend } from "../../compiler/node/execute.ts";
import type { Data } from "../../ir/core.ts";
import type { HostTensor, Tensors } from "../../runtime/abi.ts";
import { f32 } from "../../runtime/tensors.ts";
import { EXAMPLES, evaluate, inputsFor, normOf, report, worstDeviation } from "./support.ts";
import type { ModelCase } from "./support.ts";

const named = (name: string): ModelCase => {
  const found = EXAMPLES.find((each) => each.name === name);
  if (found === undefined) throw new Error(`there is no example ${name}`);
  return found;
};

const MODELS = [named("gpt"), named("llama")];

const compiled = new Map<string, Promise<Compiled>>();

const compiledWith = (model: ModelCase, policy: string): Promise<Compiled> => {
  const key = `${model.name} ${policy}`;
  const result = compiled.get(key) ?? compile({ file: model.file, dims: model.dims, attentionBackward: policy });
  compiled.set(key, result);
  return result;
};

/** Inputs of `grad`; queries and keys smaller by `factor`, and scores by its square. */
const inputsOf = (model: ModelCase, program: Compiled, factor = 1): Tensors =>
  Object.fromEntries(
    Object.entries(inputsFor(model, program, "grad")).map(([name, tensor]): [string, HostTensor] =>
      /\.w[qk]$/.test(name) ? [name, f32(tensor.shape, Array.from(tensor.data, Number).map((value) => factor * value))] : [name, tensor],
    ),
  );

const gradients = (results: ReadonlyMap<string, Data>): readonly (readonly [string, Data])[] => [...results].filter(([name]) => name.startsWith("grad."));

/** ‖a - b‖ / ‖b‖ over all gradients. */
const errorOf = (a: ReadonlyMap<string, Data>, b: ReadonlyMap<string, Data>): number => {
  const apart = gradients(b).map(([name, expected]) => normOf(expected.map((value, i) => value - (a.get(name)?.[i] ?? Number.NaN))));
  return normOf(apart) / normOf(gradients(b).map(([, data]) => normOf(data)));
};

/** The error of a policy's gradient against the exact one, or another's, in float64. */
const errorOfPolicy = async (model: ModelCase, policy: string, reference = "exact", factor = 1): Promise<number> => {
  const [own, other] = await Promise.all([compiledWith(model, policy), compiledWith(model, reference)]);
  const inputs = inputsOf(model, own, factor);
  const of = (program: Compiled): ReadonlyMap<string, Data> => {
    const func = program.gradient.funcs.find(({ name }) => name === "grad");
    const wanted = Object.entries(inputs).filter(([name]) => func?.params.some((param) => param.name === name));
    return evaluate(program.gradient, "grad", Object.fromEntries(wanted));
  };
  return errorOf(of(own), of(other));
};

const ROUNDING = 1e-10;

describe.each(MODELS)("$name", (model) => {
  const T = model.dims["T"] ?? 0;

  it.each([`sus:c=${1e9}`, `sus:c=${1e9},sampler=bernoulli`])("%s keeps everything: the exact gradient", async (policy) => {
    expect(await errorOfPolicy(model, policy)).toBeLessThan(ROUNDING);
  });

  it.each(["sus:c=2", "sus:c=2,sampler=bernoulli"])("%s is another gradient, of about the right size", async (policy) => {
    const error = await errorOfPolicy(model, policy);
    expect(error).toBeGreaterThan(1e-3);
    expect(error).toBeLessThan(2);
  });

  it.each(["hybrid:c=1e9,degree=0", "hybrid:c=1e9,degree=2"])("%s keeps every difference: the exact gradient", async (policy) => {
    expect(await errorOfPolicy(model, policy)).toBeLessThan(ROUNDING);
  });

  it("hybrid is another gradient, nearer than the sample where weights are spread", async () => {
    const [sampled, controlled] = await Promise.all([errorOfPolicy(model, "sus:c=2", "exact", 0.3), errorOfPolicy(model, "hybrid:c=2,degree=2", "exact", 0.3)]);
    expect(controlled).toBeGreaterThan(1e-9);
    expect(controlled).toBeLessThan(sampled / 2);
  });

  it.each(["lowrank:degree=2,unsafe=true", "lowrank:degree=2,form=surrogate,unsafe=true", "lowrank:degree=2,forward=true,unsafe=true"])(
    "%s is close where scores are small, and the closer the smaller",
    async (policy) => {
      const [some, few] = await Promise.all([errorOfPolicy(model, policy, "exact", 0.3), errorOfPolicy(model, policy, "exact", 0.1)]);
      report([`${model.name} ${policy}: ${some.toExponential(1)}, ${few.toExponential(1)} with a ninth of the scores`]);
      expect(few).toBeLessThan(1e-3);
      expect(few).toBeLessThan(some / 5);
    },
  );

  it("a guard that nothing passes is exact, one that all pass is low rank", async () => {
    expect(await errorOfPolicy(model, "lowrank:degree=2,guard=1e-9")).toBeLessThan(ROUNDING);
    expect(await errorOfPolicy(model, "lowrank:degree=2,guard=1e6,unsafe=true", "lowrank:degree=2,unsafe=true")).toBeLessThan(ROUNDING);
  });

  it("reports the share of guarded heads, and passes it on to the step", async () => {
    const shares = await Promise.all(
      ["1e-9", "1e6"].map(async (guard) => {
        const program = await compiledWith(model, `lowrank:degree=2,guard=${guard},unsafe=true`);
        const results = evaluate(program.gradient, "grad", inputsOf(model, program));
        const names = [...results.keys()].filter((name) => name.startsWith("guarded."));
        expect(program.gradient.funcs.find(({ name }) => name === "step")?.results.slice(-names.length).map(({ name }) => name)).toEqual(names);
        return names.map((name) => results.get(name)?.[0]);
      }),
    );
    expect(shares).toEqual([[1, 1], [0, 0]]);
  });

  it.each([
    `sus:c=${T / 2}`,
    "sus:c=3,sampler=bernoulli",
    "lowrank:degree=2,unsafe=true",
    "lowrank:degree=2,form=surrogate,unsafe=true",
    "lowrank:degree=2,forward=true,unsafe=true",
    "lowrank:degree=2,guard=2,unsafe=true", // some heads of each model
    "lowrank:degree=2,features=chebyshev,guard=0.5",
    "hybrid:c=2,degree=0",
    "hybrid:c=2,degree=2",
  ])("kernels compute what the interpreter does: %s", async (policy) => {
    const program = await compiledWith(model, policy);
    const inputs = inputsOf(model, program);
    const reference = evaluate(program.gradient, "grad", inputs);
    const backend = await createBackend(program, "gpujs:cpu");
    try {
      const worst = worstDeviation(await backend.run("grad", inputs), reference);
      report([`${model.name} ${policy}: ${worst.error.toExponential(1)} (${worst.name})`]);
      expect(worst.error).toBeLessThan(1e-3);
    } finally {
      backend.destroy();
    }
  });
});
