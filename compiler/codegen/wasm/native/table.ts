/** @file The native kernels by mnemonic. Which instances of an operation are kept whole for them, its record says. */

import { attention, attentionLowrank, attentionSampled, attentionVjp, attentionVjpLowrank, attentionVjpSampled, scatterAdd } from "../../../../ir/ops/index.ts";
import { nativeAttention, nativeSampled } from "./attention.ts";
import { emitAttentionVjp } from "./backward.ts";
import { emitLowRank, emitLowRankVjp } from "./lowrank.ts";
import type { NativeEmitter } from "./native.ts";
import { emitSampledVjp } from "./sampled-backward.ts";
import { emitScatterAdd } from "./scatter-add.ts";

export const NATIVE: Readonly<Record<string, NativeEmitter>> = {
  [attention.mnemonic]: nativeAttention,
  [attentionVjp.mnemonic]: emitAttentionVjp,
  [attentionSampled.mnemonic]: nativeSampled,
  [attentionVjpSampled.mnemonic]: emitSampledVjp,
  [attentionLowrank.mnemonic]: emitLowRank,
  [attentionVjpLowrank.mnemonic]: emitLowRankVjp,
  [scatterAdd.mnemonic]: emitScatterAdd,
};
