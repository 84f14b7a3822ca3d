/** @file The native kernels by mnemonic. Which instances of an operation are kept whole for them, its record says. */

import { attentionVjpSampled } from "../../../../ir/ops/index.ts";
import type { NativeEmitter } from "./native.ts";
import { emitSampledVjp } from "./sampled-backward.ts";

export const NATIVE: Readonly<Record<string, NativeEmitter>> = {
  [attentionVjpSampled.mnemonic]: emitSampledVjp,
};
