/** @file Attention, kept whole: o = softmax(scale q kᵀ + bias, over unmasked keys) v and the log-sum-exp of each row; and with a
 *  sample of its weights, drawn while a row's weights are in a cache. Items are blocks of rows (attention-block.ts). */

import { forwardOperands } from "../../../../ir/ops/attention-attrs.ts";
import type { AttentionAttrs } from "../../../../ir/ops/attention-attrs.ts";
import { sampledLeading, sampledOperands } from "../../../../ir/ops/attention-sampled-attrs.ts";
import type { SampledAttrs } from "../../../../ir/ops/attention-sampled-attrs.ts";
import { FunctionBuilder } from "../builder.ts";
import type { FunctionTable } from "../function-table.ts";
import { Block } from "./attention-block.ts";
import type { Group } from "./attention-block.ts";
import { attentionPlan } from "./attention-plan.ts";
import type { AttentionPlan } from "./attention-plan.ts";
import { drawSample } from "./attention-sample.ts";
import type { NativeEmitter, NativeKernel } from "./native.ts";

export const nativeAttention: NativeEmitter = ({ operands, attrs: given }) => {
  const attrs = given as AttentionAttrs;
  const plan = attentionPlan(forwardOperands(operands, attrs), attrs, "alone");
  return kernelOf(plan, ["o", "lse", "q", "k", "v", ...attrs.extras], () => null);
};

export const nativeSampled: NativeEmitter = ({ operands, attrs: given }) => {
  const attrs = given as SampledAttrs;
  const controlled = attrs.control.length > 0;
  const plan = attentionPlan(sampledOperands(operands, attrs), attrs, controlled ? "controlled" : "sampled");
  const names = ["o", "lse", "kept", "weights", ...(controlled ? ["gate"] : []), ...sampledLeading(attrs), ...attrs.extras];
  return kernelOf(plan, names, (f, table, block) => (group) => drawSample({ f, table, block, plan, attrs }, group));
};

type Sampling = (f: FunctionBuilder, table: FunctionTable, block: Block) => ((group: Group) => void) | null;

const kernelOf = (plan: AttentionPlan, names: readonly string[], sampling: Sampling): NativeKernel => {
  const { items, grain, work, scratchBytes } = plan;
  const emit: NativeKernel["phases"][number]["emit"] = (name, table) => {
    const f = new FunctionBuilder(name, [...names, "begin", "end", "scratch"].map((parameter) => ({ name: parameter, type: "i32" })));
    const item = f.local("i32", "item");
    f.get(f.parameter("begin")).set(item);
    f.while(item, () => f.get(f.parameter("end")), 1, () => {
      const block = new Block(f, plan, table, item);
      block.emit(sampling(f, table, block));
    });
    return f.finish(true);
  };
  return { temporaries: [], phases: [{ suffix: "", items, grain, work, scratchBytes, emit }] };
};
