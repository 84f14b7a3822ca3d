/** @file Every model's gradient: the interpreter against central differences of the model as it was written, and every
 *  backend in Node against the interpreter. Then the same for three steps of the optimizer. */

import { afterAll, describe, expect, it } from "vitest";
import type { Compiled } from "../../compiler/driver.ts";
import { createBackend } from "../../compiler/node/execute.ts";
import { interpret } from "../../ir/interpret.ts";
import type { Data } from "../../ir/core.ts";
import type { HostTensor, Tensors } from "../../runtime/abi.ts";
import { randomStream } from "../../runtime/random.ts";
import { scalar } from "../../runtime/tensors.ts";
import { compiledCase, dataOf, evaluate, funcOf, inputsFor, lossName, MODELS, normOf, report, vanishes, worstDeviation, type ModelCase } from "./support.ts";

/** And how far off they may be: relative to the largest element of each result. */
const BACKENDS = [["gpujs:cpu", 1e-4], ["gpujs:webasm", 1e-4], ["wasm", 1e-5]] as const;

/** f'(0) from six values, with an error of h^6 f⁽⁷⁾(0) / 140. */
const derivative = (f: (at: number) => number, h: number): number =>
  (45 * (f(h) - f(-h)) - 9 * (f(2 * h) - f(-2 * h)) + (f(3 * h) - f(-3 * h))) / (60 * h);

/** Shorter ones are tried where a longer one crosses a kink, or bends too much: a wrong gradient agrees with none. */
const STEPS = [2e-3, 4e-4, 5e-5];
const TOLERANCE = 1e-6;

/** Differences of a loss of size 1 are good to about 1e-12; smaller slopes are compared with this. */
const SMALLEST_SLOPE = 1e-5;

interface Slope {
  readonly name: string;
  readonly error: number;
}

/** A unit direction, half random and half along the gradient, so that the slope is not small by chance. */
const direction = (gradient: Data, name: string): Data => {
  const stream = randomStream(5, `direction ${name}`);
  const random = Float64Array.from(gradient, () => stream.normal());
  const [size, along] = [normOf(random), normOf(gradient)];
  const mixed = random.map((value, at) => value / size + (along === 0 ? 0 : (gradient[at] ?? 0) / along));
  const length = normOf(mixed);
  return mixed.map((value) => value / length);
};

const element = (gradient: Data, at: number): Data => Float64Array.from(gradient, (_, i) => (i === at ? 1 : 0));

/** Each parameter and float input along a direction, and one of its elements alone. */
const slopes = (compiled: Compiled, inputs: Tensors): readonly Slope[] => {
  const loss = funcOf(compiled.model, lossName(compiled.model));
  const start = dataOf(inputs);
  const gradients = [...evaluate(compiled.gradient, "grad", inputs)].filter(([name]) => name.startsWith("grad."));
  return gradients.flatMap(([result, gradient]) => {
    const name = result.slice("grad.".length);
    const origin = start.get(name) ?? new Float64Array();
    const at = randomStream(5, `element ${name}`).below(gradient.length);
    return [direction(gradient, name), element(gradient, at)].map((towards): Slope => {
      const slope = gradient.reduce((sum, value, i) => sum + value * (towards[i] ?? 0), 0);
      const along = (h: number): number => {
        const moved = origin.map((value, i) => value + h * (towards[i] ?? 0));
        return interpret(loss, new Map(start).set(name, moved)).results.get("loss")?.[0] ?? Number.NaN;
      };
      return { name, error: slopeError(along, slope) };
    });
  });
};

const slopeError = (along: (h: number) => number, slope: number): number => {
  let best = Infinity;
  for (const h of STEPS) {
    const expected = derivative(along, h);
    best = Math.min(best, Math.abs(slope - expected) / Math.max(Math.abs(expected), SMALLEST_SLOPE));
    if (best <= TOLERANCE) break;
  }
  return best;
};

const worst = (found: readonly Slope[]): Slope => found.reduce((most, each) => (each.error > most.error ? each : most), { name: "", error: 0 });

const observed: string[] = [];
afterAll(() => report(observed));
const note = (model: string, what: string, { name, error }: Slope): void => void observed.push(`${model}: ${what}: ${error.toExponential(1)} (${name})`);

describe.each(MODELS)("$name", (model) => {
  it("has the gradient that differences of its loss show", async () => {
    const compiled = await compiledCase(model);
    const found = slopes(compiled, inputsFor(model, compiled, "grad"));
    note(model.name, "differences", worst(found));
    expect(found.length).toBeGreaterThan(0);
    expect(found.filter(({ error }) => !(error <= TOLERANCE))).toEqual([]);
  });

  it("means the same after every stage of the compiler", async () => {
    const compiled = await compiledCase(model);
    const loss = lossName(compiled.model);
    const inputs = inputsFor(model, compiled, "grad");
    const [value = Number.NaN] = evaluate(compiled.model, loss, inputs).get("loss") ?? [];
    for (const module of [compiled.gradient, compiled.module]) {
      expect(Math.abs((evaluate(module, loss, inputs).get("loss")?.[0] ?? Number.NaN) - value)).toBeLessThanOrEqual(1e-12 * Math.abs(value));
      expect(Math.abs((evaluate(module, "grad", inputs).get("loss")?.[0] ?? Number.NaN) - value)).toBeLessThanOrEqual(1e-12 * Math.abs(value));
    }
    const kernels = Object.fromEntries([...evaluate(compiled.module, "grad", inputs)].map(([name, data]) => [name, { dtype: "F64", shape: [data.length], data } as const]));
    expect(worstDeviation(kernels, evaluate(compiled.gradient, "grad", inputs)).error).toBeLessThanOrEqual(1e-10);
  });

  it.each(BACKENDS)("has that gradient on %s", async (backend, tolerance) => {
    const compiled = await compiledCase(model);
    const inputs = inputsFor(model, compiled, "grad");
    const executable = await createBackend(compiled, backend);
    const deviation = worstDeviation(await executable.run("grad", inputs), evaluate(compiled.gradient, "grad", inputs));
    executable.destroy();
    note(model.name, backend, deviation);
    expect(deviation.error).toBeLessThanOrEqual(tolerance);
  });

  it("takes three steps as the interpreter does", async () => {
    const compiled = await compiledCase(model);
    const expected = await threeSteps(model, compiled, "interpreter");
    const blind = blindParameters(model, compiled);
    for (const [backend, tolerance] of BACKENDS) {
      const actual = await threeSteps(model, compiled, backend);
      expect(Object.keys(actual)).toEqual(Object.keys(expected));
      const kept = Object.entries(expected).filter(([name]) => !blind.has(name.replace(/^[mv]\./, "")) );
      const deviation = worstDeviation(actual, new Map(kept.map(([name, { data }]) => [name, Float64Array.from(data, Number)])));
      note(model.name, `steps on ${backend}`, deviation);
      expect(deviation.error).toBeLessThanOrEqual(tolerance);
    }
  });
});

/** Parameters the loss does not depend on: the optimizer divides rounding by rounding there. */
const blindParameters = (model: ModelCase, compiled: Compiled): ReadonlySet<string> => {
  const gradients = evaluate(compiled.gradient, "grad", inputsFor(model, compiled, "grad"));
  return new Set([...gradients.keys()].filter((name) => vanishes(gradients, name)).map((name) => name.slice("grad.".length)));
};

/** The outputs of the third of three steps, each from where the one before ended. */
const threeSteps = async (model: ModelCase, compiled: Compiled, backend: string): Promise<Tensors> => {
  const executable = await createBackend(compiled, backend);
  let inputs = inputsFor(model, compiled, "step");
  let outputs: Tensors = {};
  for (const step of [1, 2, 3]) {
    outputs = await executable.run("step", { ...inputs, step: scalar(step) });
    const next = Object.entries(inputs).map(([name, before]): [string, HostTensor] => [name, outputs[name] ?? before]);
    inputs = Object.fromEntries(next);
  }
  executable.destroy();
  return outputs;
};
