/** @file The pipelines, as data: read this first to see what the compiler does. */

import { recognizeAttention } from "./attention/recognize.ts";
import { rewriteAttentionBackward } from "./attention/rewrite-backward.ts";
import { canonicalize } from "./canonicalize.ts";
import { cse } from "./cse.ts";
import { dce } from "./dce.ts";
import { decompose } from "./decompose.ts";
import { differentiate } from "./differentiate.ts";
import { fuse } from "./fuse.ts";
import { makeStep } from "./make-step.ts";
import { planMemoryPass } from "./plan-memory.ts";
import { step } from "./run.ts";
import type { Pipeline } from "./run.ts";

/** What the model says, with written-out attention made whole. */
const understand: Pipeline = [step(canonicalize), step(cse), step(recognizeAttention), step(dce)];

const clean: Pipeline = [step(canonicalize), step(cse), step(dce)];

/** The training step is made of the clean gradient, so nothing is cleaned twice. */
const derive: Pipeline = [step(differentiate), ...clean, step(rewriteAttentionBackward), step(makeStep)];

/** To operations that are kernels, or parts of one, with a place in memory each. */
const lower: Pipeline = [step(decompose), ...clean, step(fuse), step(planMemoryPass)];

export const PIPELINES = {
  /** Gradients, exact but where a policy of the model says otherwise. */
  exact: [...understand, ...derive, ...lower],
  /** No gradient: for programs that are only run forwards. */
  forward: [...understand, step(rewriteAttentionBackward), ...lower],
} as const satisfies Readonly<Record<string, Pipeline>>;
