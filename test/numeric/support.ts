/** @file What the numeric tests share: every op on every one of its examples, data for them, and functions around them. */

import { Builder } from "../../ir/builder.ts";
import type { AnyOp, Data, Example, ExampleOperand, Func, Module, TensorType, Value } from "../../ir/core.ts";
import { isViolation } from "../../ir/core.ts";
import { OPS } from "../../ir/ops/index.ts";
import { symbolsOf } from "../../ir/poly.ts";
import { elements } from "../../ir/types.ts";
import { parsePipeline } from "../../passes/parse-pipeline.ts";
import { runPipeline } from "../../passes/run.ts";

/** Ops whose rule is an estimate of the derivative on purpose; the tests of the estimator are in sus.test.ts. */
export const ESTIMATED: readonly string[] = ["attention_sampled"];

export interface Case {
  readonly label: string;
  readonly op: AnyOp;
  readonly example: Example<object>;
}

export const casesOf = (op: AnyOp): readonly Case[] =>
  op.examples.map((example: Example<object>, i) => ({ label: `${op.mnemonic} ${i}`, op, example }));

export const CASES: readonly Case[] = OPS.flatMap(casesOf);

/** Uniform numbers in [0, 1) from a seed: a linear congruence of 32 bits, its high bits. */
export const source = (seed: number): (() => number) => {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 4) / 2 ** 28;
  };
};

const normal = (uniform: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());

const permutation = (count: number, uniform: () => number): readonly number[] => {
  const items = Array.from({ length: count }, (_, i) => i);
  return items.map((item) => ({ item, rank: uniform() })).sort((a, b) => a.rank - b.rank).map(({ item }) => item);
};

/** Elements for an example's operand, as its `elements` says. Distinct values differ between operands too. */
export const exampleData = (operand: ExampleOperand, uniform: () => number, position = 0): Data => {
  const { type, elements: kind, below = 2, values } = operand;
  const count = elements(type);
  if (values !== undefined) return Float64Array.from(values);
  const offset = 0.05 * (position + 1) - count / 8;
  if (kind === "distinct") return Float64Array.from(permutation(count, uniform), (rank) => rank / 4 + offset);
  const drawOne: Record<Exclude<typeof kind, "distinct">, () => number> = {
    normal: () => normal(uniform),
    positive: () => 0.5 + 1.5 * uniform(),
    index: () => Math.floor(uniform() * below),
    bool: () => (uniform() < 0.5 ? 0 : 1),
    key: () => Math.floor(uniform() * 2 ** 16),
  };
  return Float64Array.from({ length: count }, drawOne[kind]);
};

export const dataOf = (example: Example<object>, seed = 1): readonly Data[] => {
  const uniform = source(seed);
  return example.operands.map((operand, i) => exampleData(operand, uniform, i));
};

export const typesOf = (example: Example<object>): readonly TensorType[] => example.operands.map(({ type }) => type);

export const resultTypesOf = ({ op, example }: Case): readonly TensorType[] => {
  const types = op.infer(typesOf(example), example.attrs);
  if (isViolation(types)) throw new Error(`${op.mnemonic}: ${types.constraint}: ${types.message}`);
  return types;
};

/** A function whose parameters are p0, p1, … and results r0, r1, …, and whose body `build` writes. */
export const makeFunc = (
  types: readonly TensorType[],
  build: (b: Builder, params: readonly Value[]) => readonly Value[],
): Func => {
  const params = types.map((type, i): Value => ({ type, name: `p${i}` }));
  const b = new Builder();
  const results = build(b, params);
  return {
    name: "test",
    params: params.map((value) => ({ value, name: value.name, role: "input", init: "" })),
    ops: b.ops,
    results: results.map((value, i) => ({ value, name: `r${i}` })),
  };
};

export const namedInputs = (data: readonly Data[]): ReadonlyMap<string, Data> => new Map(data.map((x, i) => [`p${i}`, x]));

/** The sizes that single-symbol dimensions of these types stand for. */
export const environment = (types: readonly TensorType[]): ReadonlyMap<string, number> =>
  new Map(
    types.flatMap((type) =>
      type.dims.flatMap((dim, i): [string, number][] => {
        const [name, ...more] = symbolsOf(dim);
        const alone = name !== undefined && more.length === 0 && dim.terms.size === 1 && dim.terms.get(name) === 1;
        return alone ? [[name, type.shape[i] ?? Number.NaN]] : [];
      }),
    ),
  );

const norm = (x: Data): number => Math.hypot(...x);

/** Below this norm a gradient of numbers near 1 is the rounding of its differences. */
const NEGLIGIBLE = 1e-4;

/** |a - b| / |b| in the Frobenius norm, |b| taken no smaller than `NEGLIGIBLE`. */
export const relativeError = (a: Data, b: Data): number => {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  const difference = norm(a.map((x, i) => x - (b[i] ?? Number.NaN)));
  return difference / Math.max(norm(b), NEGLIGIBLE);
};

/** The kernels of a module of the gradient stage, as the compiler makes them. */
export const toKernels = (module: Module): Module => runPipeline(module, LOWER).module;

const LOWER = parsePipeline("decompose,canonicalize,cse,dce,fuse");
