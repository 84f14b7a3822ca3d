/** @file Every pass there is, once. Textual pipelines, `--help`, the table of passes and the tests loop over this list. */

import { recognizeAttention } from "./attention/recognize.ts";
import { rewriteAttentionBackward } from "./attention/rewrite-backward.ts";
import { canonicalize } from "./canonicalize.ts";
import { cse } from "./cse.ts";
import { dce } from "./dce.ts";
import { decompose, decomposeNative } from "./decompose.ts";
import { differentiate } from "./differentiate.ts";
import { fuse } from "./fuse.ts";
import { makeStep } from "./make-step.ts";
import type { AnyPass } from "./pass.ts";
import { planMemoryPass } from "./plan-memory.ts";

export const PASSES: readonly AnyPass[] = [
  recognizeAttention,
  canonicalize,
  differentiate,
  rewriteAttentionBackward,
  makeStep,
  cse,
  dce,
  decompose,
  decomposeNative,
  fuse,
  planMemoryPass,
];

const BY_NAME: ReadonlyMap<string, AnyPass> = new Map(PASSES.map((pass) => [pass.name, pass]));

export const passByName = (name: string): AnyPass | undefined => BY_NAME.get(name);
