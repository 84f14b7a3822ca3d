/** @file Sampled gradients of whole models are unbiased: over 2,000 draws on compiled kernels, the mean of every element of
 *  every parameter's gradient is within its own standard error of the exact gradient.
 *
 *      z = (mean - exact) / (s / sqrt(R))  ~  N(0, 1)   hence  E|z| = sqrt(2 / pi) = 0.798
 *
 *  Elements are correlated, so that |z| averaged over one mean's elements still varies; 64 sequences make that little, and
 *  0.80 within 0.03 is what is asked for. The same is asked of the average over 20 batches of the draws.
 *
 *  Elements behind no sampled attention do not vary and are compared directly. The same judgement must reject masks
 *  shared between layers (a path through two layers meets one mask twice) and a key that does not advance from step to
 *  step (draws that are not draws). Estimators that are wrong in one operation: test/numeric/sus. */

import { afterAll, describe, expect, it } from "vitest";
import { compile } from "../../compiler/node/compile.ts";
import type { Compiled } from "../../compiler/driver.ts";
import { createExecutableOf, withOneKey } from "./unbiased-support.ts";
import { keyFor } from "../../runtime/random.ts";
import { initialParameters } from "../../runtime/parameters.ts";
import { programOf } from "../../compiler/node/execute.ts";
import { f32, i32 } from "../../runtime/tensors.ts";
import type { Executable, HostTensor, Tensors } from "../../runtime/abi.ts";
import { EXAMPLES, inputsFor, report, type ModelCase } from "./support.ts";

const DRAWS = 2000;
/** So many sequences and so wide that the z of different elements are close to independent, and their mean close to 0.798. */
const SIZES = { B: 64, T: 16, V: 64, D: 32, H: 4, L: 3 };
const PARTICULAR: Readonly<Record<string, Readonly<Record<string, number>>>> = { llama: { G: 2, K: 8, F: 24 } };

const modelOf = (name: string): ModelCase => {
  const example = EXAMPLES.find((model) => model.name === name);
  if (example === undefined) throw new Error(`no example ${name}`);
  return { ...example, dims: { ...SIZES, ...PARTICULAR[name] } };
};

const compiledWith = (model: ModelCase, policy: string): Promise<Compiled> =>
  compile({ file: model.file, dims: model.dims, backward: [{ pattern: "**", policy }] });

/** Parameters between their declared start, where attention is uniform, and those of other tests, where it is hard. */
const inputsOf = (model: ModelCase, compiled: Compiled): Tensors => {
  const { key: _key, ...far } = inputsFor(model, compiled, "grad");
  const start = initialParameters(programOf(compiled), 1);
  const between = (name: string, tensor: HostTensor): HostTensor => {
    const data = Array.from(start[name]?.data ?? [], Number);
    return data.length === 0 ? tensor : f32(tensor.shape, data.map((x, i) => x + 0.4 * (Number(tensor.data[i]) - x)));
  };
  return Object.fromEntries(Object.entries(far).map(([name, tensor]) => [name, between(name, tensor)]));
};

const BATCHES = 20;

/** Element by element of all parameter gradients in a row. */
interface Moments {
  /** Means of the draws of each batch. */
  readonly batches: readonly Float64Array[];
  /** Mean of all draws, and sum of squared distances from it. */
  readonly mean: Float64Array;
  readonly squares: Float64Array;
  readonly draws: number;
}

const flat = (outputs: Tensors, names: readonly string[]): Float64Array =>
  Float64Array.from(names.flatMap((name) => Array.from(outputs[name]?.data ?? [], Number)));

/** mean += (g - mean) / count */
const include = (mean: Float64Array, g: Float64Array, count: number): void => {
  for (let i = 0; i < g.length; i++) mean[i] = (mean[i] as number) + ((g[i] as number) - (mean[i] as number)) / count;
};

/** Welford's recurrence for the whole, plain means for the batches. */
const momentsOf = async (run: Executable, inputs: Tensors, names: readonly string[], keyAt: (draw: number) => number, draws: number): Promise<Moments> => {
  let [mean, squares] = [new Float64Array(), new Float64Array()];
  const batches: Float64Array[] = [];
  const size = draws / BATCHES;
  for (let draw = 0; draw < draws; draw++) {
    const g = flat(await run.run("grad", { ...inputs, key: i32([4], keyFor(11, keyAt(draw))) }), names);
    if (draw === 0) [mean, squares] = [new Float64Array(g.length), new Float64Array(g.length)];
    const before = g.map((x, i) => x - (mean[i] as number));
    include(mean, g, draw + 1);
    for (let i = 0; i < g.length; i++) squares[i] = (squares[i] as number) + (before[i] as number) * ((g[i] as number) - (mean[i] as number));
    if (draw % size === 0) batches.push(new Float64Array(g.length));
    include(batches.at(-1) ?? mean, g, (draw % size) + 1);
  }
  return { batches, mean, squares, draws };
};

interface Judgement {
  /** Mean of |z| over the elements that vary, for the mean of all draws; NaN where none varies. */
  readonly whole: number;
  /** The same for the means of batches: their average and standard deviation. */
  readonly batches: number;
  readonly spread: number;
  readonly varying: number;
  /** Largest |mean - exact| of the elements that do not vary, over the root mean square of the gradient. */
  readonly still: number;
}

/** Deviations below this share of the gradient's root mean square are float32 rounding, not sampling. */
const ROUNDING = 1e-4;

const judge = ({ batches, mean, squares, draws }: Moments, exact: Float64Array): Judgement => {
  const rms = Math.sqrt(exact.reduce((sum, x) => sum + x * x, 0) / exact.length);
  const deviations = squares.map((sum) => Math.sqrt(sum / (draws - 1)));
  const varying = [...deviations.keys()].filter((i) => (deviations[i] as number) > ROUNDING * rms);
  const meanZ = (of: Float64Array, count: number): number =>
    varying.reduce((sum, i) => sum + (Math.abs((of[i] as number) - (exact[i] as number)) * Math.sqrt(count)) / (deviations[i] as number), 0) / varying.length;
  const each = batches.map((batch) => meanZ(batch, draws / BATCHES));
  const average = each.reduce((sum, z) => sum + z, 0) / BATCHES;
  const spread = Math.sqrt(each.reduce((sum, z) => sum + (z - average) ** 2, 0) / (BATCHES - 1));
  const moving = new Set(varying);
  const still = exact.reduce((most, g, i) => (moving.has(i) ? most : Math.max(most, Math.abs((mean[i] as number) - g) / rms)), 0);
  return { whole: meanZ(mean, draws), batches: average, spread, varying: varying.length, still };
};

const EXPECTED = Math.sqrt(2 / Math.PI);

const accepts = ({ whole, batches, varying, still }: Judgement, of: number): boolean =>
  Math.abs(batches - EXPECTED) <= 0.03 && Math.abs(whole - EXPECTED) <= 0.03 && varying > of / 2 && still < 1e-4;

interface Trial {
  readonly judgement: Judgement;
  readonly elements: number;
}

const trial = async (model: ModelCase, policy: string, shared = false, keyAt: (draw: number) => number = (draw) => draw, draws = DRAWS): Promise<Trial> => {
  const [exact, sampled] = await Promise.all([compiledWith(model, "exact"), compiledWith(model, policy)]);
  const inputs = inputsOf(model, sampled);
  const [reference, estimator] = [await createExecutableOf(exact.gradient), await createExecutableOf(shared ? withOneKey(sampled.gradient) : sampled.gradient)];
  try {
    const outputs = await reference.run("grad", inputs);
    const names = Object.keys(outputs).filter((name) => name.startsWith("grad."));
    const expected = flat(outputs, names);
    const judgement = judge(await momentsOf(estimator, inputs, names, keyAt, draws), expected);
    return { judgement, elements: expected.length };
  } finally {
    reference.destroy();
    estimator.destroy();
  }
};

const observed: string[] = [];
afterAll(() => report(observed));
const note = (what: string, { judgement: { whole, batches, spread, varying, still }, elements }: Trial): void =>
  void observed.push(
    `${what}: mean |z| ${batches.toFixed(3)} over batches (${spread.toFixed(3)} apart), ${whole.toFixed(3)} of all draws; ${varying} of ${elements} elements vary, the others are within ${still.toExponential(1)}`,
  );

const TIMEOUT = 600_000;

describe.each(["gpt", "llama"])("%s of three layers", (name) => {
  const model = modelOf(name);

  it.each(["sus:c=2", "hybrid:c=2,degree=2"])("%s is unbiased", async (policy) => {
    const found = await trial(model, policy);
    note(`${name} ${policy}`, found);
    expect(accepts(found.judgement, found.elements), JSON.stringify(found)).toBe(true);
  }, TIMEOUT);
});

describe("the same judgement rejects", () => {
  const model = modelOf("gpt");

  it("masks shared between layers", async () => {
    const found = await trial(model, "sus:c=2", true);
    note("control, one key for all layers", found);
    expect(accepts(found.judgement, found.elements)).toBe(false);
  }, TIMEOUT);

  it("a key that does not advance", async () => {
    const found = await trial(model, "sus:c=2", false, () => 1, 20);
    note("control, the same key at every step", found);
    expect(accepts(found.judgement, found.elements)).toBe(false);
  }, TIMEOUT);
});
