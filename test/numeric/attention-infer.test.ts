/** @file Which operands attention and its gradient refuse, and why. */

import { describe, expect, it } from "vitest";
import type { TensorType } from "../../ir/core.ts";
import { isViolation } from "../../ir/core.ts";
import { attention, attentionVjp } from "../../ir/ops/index.ts";
import type { AttentionAttrs, AttentionExtra } from "../../ir/ops/attention-attrs.ts";
import { tensor } from "../../ir/types.ts";

const exact = { scale: 0.6, dropout: 0, site: "", backward: "exact" } as const;

describe("constraints", () => {
  const [q, k, v] = [tensor("f32", [2, 4, 3, 5]), tensor("f32", [2, 2, 6, 5]), tensor("f32", [2, 2, 6, 7])];
  const lse = tensor("f32", [2, 4, 3]);
  const o = tensor("f32", [2, 4, 3, 7]);
  const attrs: AttentionAttrs = { ...exact, causal: false, window: 0, extras: [] };
  const given = (...extras: readonly AttentionExtra[]): AttentionAttrs => ({ ...attrs, extras });
  const lengths = tensor("i32", [2]);
  const bias = tensor("f32", [1, 4, 3, 6]);

  it.each<readonly [string, typeof attention, readonly TensorType[], AttentionAttrs]>([
    ["C0", attention, [q, k], attrs],
    ["C0", attention, [q, k, v, lengths], attrs],
    ["C1", attention, [q, k, v, bias, lengths], given("bias", "lengths")],
    ["C1", attention, [q, k, v, bias, bias], given("bias", "bias")],
    ["C1", attention, [q, k, v, lse], given("d_lse")],
    ["C2", attention, [tensor("i32", q.shape), k, v], attrs],
    ["C2", attention, [q, tensor("f32", [2, 6, 5]), v], attrs],
    ["C3", attention, [q, tensor("f32", [2, 2, 6, 4]), v], attrs],
    ["C3", attention, [q, k, tensor("f32", [2, 2, 5, 7])], attrs],
    ["C3", attention, [q, tensor("f32", [2, 3, 6, 5]), tensor("f32", [2, 3, 6, 7])], attrs],
    ["C4", attention, [q, k, v, tensor("i32", [3])], given("lengths")],
    ["C5", attention, [q, k, v, tensor("i1", [2, 2, 3, 6])], given("mask")],
    ["C5", attention, [q, k, v, tensor("i1", bias.shape)], given("bias")],
    ["C6", attention, [q, k, v], { ...attrs, window: -1 }],
    ["C6", attention, [q, k, v], { ...attrs, scale: Number.NaN }],
    ["C7", attentionVjp, [q, k, v, v, lse, o], attrs],
    ["C7", attentionVjp, [q, k, v, o, lse, o, o], given("d_lse")],
  ])("%s is refused", (label, op, types, with_) => {
    const found = op.infer(types, with_);
    expect(isViolation(found) && found.constraint).toBe(label);
  });

  it("hold for the very same operands otherwise", () => {
    expect(attention.infer([q, k, v, lengths, bias], given("lengths", "bias"))).toEqual([o, lse]);
    expect(attentionVjp.infer([q, k, v, o, lse, o, bias, lse], given("bias", "d_lse"))).toEqual([q, k, v, bias]);
  });
});
