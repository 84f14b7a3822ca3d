/** @file Which instances of attention a backend may compute whole (`whole` in the records); the others are taken apart. */

import type { TensorType } from "../core.ts";
import type { SampledAttrs } from "./attention-sampled-attrs.ts";

/** Not with dropout, whose draws are made entry by entry, nor with a bias, whose gradient has a number for every pair. */
export const wholeSampledVjp = (_types: readonly TensorType[], { dropout, extras }: SampledAttrs): boolean =>
  dropout === 0 && !extras.includes("bias");
