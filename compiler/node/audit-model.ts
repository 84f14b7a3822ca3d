/** @file A model compiled for an audit: the gradient of its `loss` (no dropout, no training step) for one sequence, exact or
 *  with approximate attention. */

import type { Func, Module } from "../../ir/core.ts";
import type { AnyProgram, Executable } from "../../runtime/abi.ts";
import { attention, attentionVjp } from "../../ir/ops/index.ts";
import { rewriteAttentionBackward } from "../../passes/attention/rewrite-backward.ts";
import { decompose } from "../../passes/decompose.ts";
import { differentiate } from "../../passes/differentiate.ts";
import { makeStep } from "../../passes/make-step.ts";
import { printPipeline } from "../../passes/parse-pipeline.ts";
import { PIPELINES } from "../../passes/pipelines.ts";
import { step } from "../../passes/run.ts";
import type { Pipeline } from "../../passes/run.ts";
import { probeOf } from "../audit/probe.ts";
import type { Probe } from "../audit/probe.ts";
import type { GivenRule } from "../check/index.ts";
import { lowerTo } from "../driver.ts";
import { compile } from "./compile.ts";
import type { ModelOptions } from "./compile.ts";
import { openBackend, resolveBackend, targetOf } from "./execute.ts";

export type Dims = Readonly<Record<string, number>>;

const stage = PIPELINES.exact.findIndex(({ pass }) => pass.name === decompose.name);

/** To the gradient of `loss`, which has no dropout: what varies between two draws is the approximation alone. */
const TO_GRADIENT: Pipeline = PIPELINES.exact
  .slice(0, stage)
  .filter(({ pass }) => pass.name !== makeStep.name)
  .map((current) => (current.pass.name === differentiate.name ? step(differentiate, { of: "loss" }) : current));

export interface Gradient {
  /** With one function, `grad`. */
  readonly module: Module;
  /** Is any attention's gradient not the exact one? */
  readonly approximate: boolean;
  /** Those that were applied, each once: `sus(c: 16)`. */
  readonly policies: readonly string[];
  /** Where a policy does not apply, and why. */
  readonly missed: readonly string[];
}

/** The gradient (stage gradient) of a model at `dims`, with `rules` after all others. */
export const gradientModule = async (options: ModelOptions, dims: Dims, rules: readonly GivenRule[]): Promise<Gradient> => {
  const compiled = await compile({
    ...options,
    dims: { ...options.dims, ...dims },
    backward: [...(options.backward ?? []), ...rules],
    passes: printPipeline(TO_GRADIENT),
  });
  const module = { ...compiled.gradient, funcs: compiled.gradient.funcs.filter(({ name }) => name === "grad") };
  const remarks = compiled.remarks.filter(({ pass }) => pass === rewriteAttentionBackward.name);
  const missed = remarks.filter(({ kind }) => kind === "missed");
  const policies = remarks.filter(({ kind }) => kind === "applied").flatMap(({ message }) => /^\w+(\([^)]*\))?/.exec(message)?.[0] ?? []);
  const ops = new Set(module.funcs.flatMap((func) => func.ops.map(({ op }) => op.mnemonic)));
  const approximate = [...ops].some((name) => name.startsWith("attention") && name !== attention.mnemonic && name !== attentionVjp.mnemonic);
  return { module, approximate, policies: [...new Set(policies)], missed: missed.map(({ path, message }) => `${path}: ${message}`) };
};

export const everywhere = (policy: string): readonly GivenRule[] => [{ pattern: "**", policy }];

/** The exact gradient, with the operands of every attention's gradient among its results. */
export const exactProbe = async (options: ModelOptions, dims: Dims): Promise<Probe> =>
  probeOf((await gradientModule(options, dims, everywhere("exact"))).module);

export interface Runnable {
  readonly func: Func;
  readonly program: AnyProgram;
  readonly executable: Executable;
}

/** The backend, and its threads where they are given. */
export interface Where {
  readonly backend: string;
  readonly threads: number | undefined;
}

/** A module of one function, ready to run. */
export const runnable = async (module: Module, { backend, threads }: Where): Promise<Runnable> => {
  const [func] = module.funcs;
  if (func === undefined) throw new Error("a module without functions");
  const name = resolveBackend(backend);
  const program = lowerTo(module, targetOf(name));
  return { func, program, executable: await openBackend(name, threads, () => program, () => module) };
};
