import type { Builder } from "../builder.ts";
import type { Value } from "../core.ts";
import type { SampledAttrs } from "./attention-sampled-attrs.ts";
export const expandSampledVjp = (b: Builder, operands: readonly Value[], attrs: SampledAttrs): readonly Value[] => { throw new Error(`${b} ${operands} ${attrs}`); };
