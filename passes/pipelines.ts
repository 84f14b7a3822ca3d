/** @file The pipelines, as data: read this first to see what the compiler does. */

import { recognizeAttention } from "./attention/recognize.ts";
import { rewriteAttentionBackward } from "./attention/rewrite-backward.ts";
import { canonicalize } from "./canonicalize.ts";
import { cse } from "./cse.ts";
import { dce } from "./dce.ts";
import { decompose, decomposeNative } from "./decompose.ts";
import { differentiate } from "./differentiate.ts";
import { fuse } from "./fuse.ts";
import { makeStep } from "./make-step.ts";
import { planMemoryPass } from "./plan-memory.ts";
import { step } from "./run.ts";
import type { Pipeline, Step } from "./run.ts";

/** What the model says, with written-out attention made whole. */
const understand: Pipeline = [step(canonicalize), step(cse), step(recognizeAttention), step(dce)];

const clean: Pipeline = [step(canonicalize), step(cse), step(dce)];

/** The training step is made of the clean gradient, so nothing is cleaned twice. */
const derive: Pipeline = [step(differentiate), ...clean, step(rewriteAttentionBackward), step(makeStep)];

/** To operations that are kernels, or parts of one, with a place in memory each. */
const lower = (apart: Step): Pipeline => [apart, ...clean, step(fuse), step(planMemoryPass)];

const native = lower(step(decomposeNative));

/** From the gradient stage to kernels, by what they are for: gpu.js, or the backend that computes attention whole. */
export const LOWERINGS = { gpujs: lower(step(decompose)), wasm: native, "wasm:relaxed": native } as const satisfies Readonly<Record<string, Pipeline>>;

export type Target = keyof typeof LOWERINGS;

export const PIPELINES = {
  /** Gradients, exact but where a policy of the model says otherwise. */
  exact: [...understand, ...derive, ...LOWERINGS.gpujs],
  /** No gradient: for programs that are only run forwards. */
  forward: [...understand, step(rewriteAttentionBackward), ...LOWERINGS.gpujs],
  /** The same two for WebAssembly. */
  exactNative: [...understand, ...derive, ...LOWERINGS.wasm],
  forwardNative: [...understand, step(rewriteAttentionBackward), ...LOWERINGS.wasm],
} as const satisfies Readonly<Record<string, Pipeline>>;

const NATIVE_DEFAULTS = { trained: PIPELINES.exactNative, forward: PIPELINES.forwardNative };

/** The default pipelines of a target. */
export const DEFAULTS: Readonly<Record<Target, { readonly trained: Pipeline; readonly forward: Pipeline }>> = {
  gpujs: { trained: PIPELINES.exact, forward: PIPELINES.forward },
  wasm: NATIVE_DEFAULTS,
  "wasm:relaxed": NATIVE_DEFAULTS,
};
