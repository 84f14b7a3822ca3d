/** @file The pair attention_sampled and attention_vjp_sampled as functions, compiled without a model around it. */

import { generateProgram } from "../../compiler/codegen/program.ts";
import type { Builder } from "../../ir/builder.ts";
import type { Data, Func, Module, Value } from "../../ir/core.ts";
import { attentionSampled, attentionVjpSampled, mul, sub } from "../../ir/ops/index.ts";
import type { SampledAttrs } from "../../ir/ops/attention-sampled-attrs.ts";
import { broadcastAlong, sumOver } from "../../ir/ops/helpers.ts";
import { tensor } from "../../ir/types.ts";
import { parsePipeline } from "../../passes/parse-pipeline.ts";
import { runPipeline } from "../../passes/run.ts";
import type { Program } from "../../runtime/abi.ts";
import { makeFunc } from "./support.ts";

const LOWER = "decompose,canonicalize,cse,dce,fuse,plan-memory";

const moduleOf = (funcs: readonly Func[]): Module => ({ name: "Pair", dims: new Map(), funcs, attrs: {} });

/** Functions of the gradient stage at the kernel stage. */
export const lowered = (...funcs: readonly Func[]): Module => runPipeline(moduleOf(funcs), parsePipeline(LOWER), {}).module;

/** A program with an entry for each function. */
export const programOf = (...funcs: readonly Func[]): Program => generateProgram(lowered(...funcs));

export interface Shape {
  readonly copies: number;
  readonly n: number;
  readonly d: number;
}

/** kept, weights, dq, dk, dv. */
const pair = (b: Builder, [q, k, v, key, dO]: readonly Value[], attrs: SampledAttrs): readonly Value[] => {
  const [o, , kept, weights] = b.all(attentionSampled, [q!, k!, v!, key!], attrs);
  return [kept!, weights!, ...b.all(attentionVjpSampled, [q!, k!, v!, o!, kept!, weights!, dO!], attrs)];
};

/** q, k, v, key, d_o of `copies` heads -> kept, weights, dq, dk, dv. */
export const pairFunc = ({ copies, n, d }: Shape, attrs: SampledAttrs): Func => {
  const x = tensor("f32", [1, copies, n, d]);
  return makeFunc([x, x, x, tensor("i32", [4]), x], (b, params) => pair(b, params, attrs));
};

/** The same on one head, repeated `copies` times so that it is drawn as often, and with its exact gradient at hand:
 *  kept, weights, then for each of dq, dk, dv the sum over the draws, and the sum of squared distances from the exact one. */
export const momentsFunc = ({ copies, n, d }: Shape, attrs: SampledAttrs): Func => {
  const x = tensor("f32", [1, 1, n, d]);
  const all = tensor("f32", [1, copies, n, d]);
  return makeFunc([x, x, x, tensor("i32", [4]), x, x, x, x], (b, [q, k, v, key, dO, ...exact]) => {
    const repeated = (y: Value): Value => broadcastAlong(b, sumOver(b, y, [1]), all, [1]);
    const [kept, weights, ...gradients] = pair(b, [repeated(q!), repeated(k!), repeated(v!), key!, repeated(dO!)], attrs);
    const sums = gradients.map((gradient) => sumOver(b, gradient, [1]));
    const squares = gradients.map((gradient, i) => {
      const off = b.one(sub, [gradient, repeated(exact[i]!)], {});
      return sumOver(b, b.one(mul, [off, off], {}), [0, 1, 2, 3]);
    });
    return [kept!, weights!, ...sums, ...squares];
  });
};

export const asData = (data: ArrayLike<number | bigint>): Data => Float64Array.from({ length: data.length }, (_, i) => Number(data[i]));
