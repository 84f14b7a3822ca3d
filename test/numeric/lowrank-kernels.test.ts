/** @file Attention by polynomials as the kernels that run, in float32, against its definition over all pairs in float64; how
 *  many kernels its parts take. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { rankOf, taylor } from "../../ir/approximation.ts";
import type { Data, Func, Module, TensorType } from "../../ir/core.ts";
import type { AttentionSizes } from "../../ir/ops/attention-attrs.ts";
import type { Form, LowRankExtra } from "../../ir/ops/attention-lowrank-attrs.ts";
import { centred } from "../../ir/ops/attention-lowrank-center.ts";
import { attentionLowrank, attentionVjpLowrank, features, featuresVjp } from "../../ir/ops/index.ts";
import { interpret } from "../../ir/interpret.ts";
import { tensor } from "../../ir/types.ts";
import { parsePipeline } from "../../passes/parse-pipeline.ts";
import { runPipeline } from "../../passes/run.ts";
import type { Executable } from "../../runtime/abi.ts";
import { executableOf, moduleOf, rounded, tensorsFor, WASM_APART } from "../codegen/programs.ts";
import { extrasOf, gaussian, headData, headTypes, lowRankAttrs, run } from "./lowrank-support.ts";
import { makeFunc, namedInputs, relativeError } from "./support.ts";

interface Entry {
  readonly func: Func;
  readonly data: readonly Data[];
  readonly expected: readonly Data[];
}

interface Setting {
  readonly sizes: AttentionSizes;
  readonly causal: boolean;
  readonly chunk: number;
  readonly coefficients: readonly number[];
  readonly extras: readonly LowRankExtra[];
}

const SETTINGS: readonly Setting[] = [
  { sizes: { B: 2, H: 4, G: 2, N: 96, M: 96, K: 8, E: 8 }, causal: true, chunk: 16, coefficients: taylor(2), extras: [] },
  { sizes: { B: 2, H: 2, G: 2, N: 45, M: 70, K: 5, E: 3 }, causal: true, chunk: 16, coefficients: taylor(2), extras: ["lengths", "delta", "gate"] },
  { sizes: { B: 1, H: 2, G: 1, N: 50, M: 40, K: 4, E: 6 }, causal: true, chunk: 8, coefficients: taylor(4), extras: [] },
  { sizes: { B: 2, H: 2, G: 1, N: 60, M: 48, K: 8, E: 8 }, causal: false, chunk: 64, coefficients: [1, 1, 0.5, -0.05], extras: ["lengths"] },
  { sizes: { B: 1, H: 1, G: 1, N: 300, M: 300, K: 16, E: 16 }, causal: true, chunk: 64, coefficients: [1], extras: ["gate"] },
];

const backwardEntry = ({ sizes, causal, chunk, coefficients, extras }: Setting, form: Form, name: string): Entry => {
  const given = extrasOf(sizes, extras, 60);
  const types = [...headTypes(sizes), ...given.types];
  const data = rounded([...headData(sizes, 2), ...given.data]);
  const attrs = { ...lowRankAttrs({ causal, chunk, coefficients, extras, scale: 0.5 * sizes.K ** -0.5 }), form };
  const func = makeFunc(types, (b, params) => b.all(attentionVjpLowrank, params, attrs));
  return { func: { ...func, name }, data, expected: run(attentionVjpLowrank, data, types, attrs) };
};

const forwardEntry = ({ sizes, causal, chunk, coefficients, extras }: Setting, name: string): Entry => {
  const own = extras.filter((extra) => extra === "lengths");
  const given = extrasOf(sizes, own, 60);
  const types = [...headTypes(sizes).slice(0, 3), ...given.types];
  const data = rounded([...headData(sizes, 2).slice(0, 3), ...given.data]);
  const attrs = lowRankAttrs({ causal, chunk, coefficients, extras: own, scale: 0.5 * sizes.K ** -0.5 });
  const func = makeFunc(types, (b, params) => b.all(attentionLowrank, params, attrs));
  return { func: { ...func, name }, data, expected: run(attentionLowrank, data, types, attrs) };
};

const featureEntry = (width: number, degree: number): Entry => {
  const [x, ct] = [tensor("f32", [2, 3, 10, width]), tensor("f32", [2, 3, 10, rankOf(width, degree)])];
  const func = makeFunc([x, ct], (b, [own, seed]) => [b.one(features, [own!], { degree }), b.one(featuresVjp, [own!, seed!], { degree })]);
  const data = rounded([gaussian(60 * width, 1), gaussian(60 * rankOf(width, degree), 2)]);
  const expected = [run(features, data.slice(0, 1), [x], { degree })[0]!, run(featuresVjp, data, [x, ct], { degree })[0]!];
  return { func: { ...func, name: `features ${width} ${degree}` }, data, expected };
};

const centredEntry = (): Entry => {
  const types = [tensor("f32", [2, 2, 30, 4]), tensor("i32", [2])];
  const func = makeFunc(types, (b, [k, lengths]) => {
    const both = centred(b, k!, lengths!);
    return [both.k, both.center];
  });
  const data = rounded([gaussian(480, 3), Float64Array.of(0, 17)]);
  return { func: { ...func, name: "centred" }, data, expected: [...interpret(func, namedInputs(data)).results.values()] };
};

const ENTRIES: readonly Entry[] = [
  ...SETTINGS.flatMap((setting, i) => [
    forwardEntry(setting, `forward ${i}`), backwardEntry(setting, "plugin", `plugin ${i}`), backwardEntry(setting, "surrogate", `surrogate ${i}`),
  ]),
  ...[[6, 1], [16, 2], [5, 3], [3, 6]].map(([width, degree]) => featureEntry(width!, degree!)),
  centredEntry(),
];

const lowered = (...funcs: readonly Func[]): Module =>
  runPipeline(moduleOf(...funcs), parsePipeline("decompose,canonicalize,cse,dce,fuse")).module;

describe.each([["gpujs:cpu", 1e-5], ["gpujs:webasm", 2e-5], ["wasm", 2e-5], [WASM_APART, 2e-5]] as const)("%s", (backend, tolerance) => {
  let executable: Executable;
  beforeAll(async () => {
    executable = await executableOf(moduleOf(...ENTRIES.map(({ func }) => func)), backend);
  }, 120_000);
  afterAll(() => executable.destroy());

  it.each(ENTRIES.map((entry) => [entry.func.name, entry] as const))("%s", async (name, { func, data, expected }) => {
    const results = await executable.run(name, tensorsFor(func, data));
    expected.forEach((want, i) => {
      const got = Float64Array.from(results[`r${i}`]?.data ?? [], Number);
      expect(relativeError(got, want), `result ${i}`).toBeLessThan(tolerance);
    });
  });
});

const stored = (types: readonly TensorType[], build: Parameters<typeof makeFunc>[1]): readonly string[] =>
  lowered(makeFunc(types, build)).funcs.flatMap(({ ops }) => ops.filter(({ inline }) => !inline).map(({ op, results: [y] }) => `${op.mnemonic} ${y!.type.shape.join("x")}`));

describe("kernels", () => {
  it("of features are the table, made once for all rows, and one product", () => {
    const x = tensor("f32", [1, 2, 64, 8]);
    expect(stored([x], (b, [own]) => [b.one(features, [own!], { degree: 3 })])).toEqual(["monomials 165x3", "mul 1x2x64x165"]);
  });

  it("of several layers share their tables", () => {
    const x = tensor("f32", [1, 2, 64, 8]);
    const three = stored([x, x, x], (b, xs) => xs.map((own) => b.one(features, [own], { degree: 2 })));
    expect(three.filter((line) => line.startsWith("monomials"))).toEqual(["monomials 45x2"]);
  });

  it("of the gradient of features take from the cotangent inside their contraction", () => {
    const [x, ct] = [tensor("f32", [2, 64, 8]), tensor("f32", [2, 64, 165])];
    const lines = stored([x, ct], (b, [own, seed]) => [b.one(featuresVjp, [own!, seed!], { degree: 3 })]);
    expect(lines.toSorted()).toEqual(["convert 45x8", "monomial_products 45x8", "monomials 45x2", "mul 128x45", "reshape 2x64x8"]);
  });
});
