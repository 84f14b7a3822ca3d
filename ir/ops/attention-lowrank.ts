/** @file Attention with a polynomial in place of the exponential, and gradients of attention by polynomials, both linear in
 *  the length (B 2408.13233, with the corrections of docs/lowrank.md). They stay whole until `decompose`, like `attention`.
 *  Constraints C0–C7: attention-lowrank-attrs.ts; costs: attention-lowrank-cost.ts. */

import { defineOp } from "../core.ts";
import type { Op, Value } from "../core.ts";
import { at } from "../tensor-data.ts";
import {
  BACKWARD_LOWRANK, checkLowRank, formCodec, FORWARD_LOWRANK, lowRankCodecs, lowRankOperands, lowRankResult, potential,
} from "./attention-lowrank-attrs.ts";
import type { LowRankAttrs, LowRankVjpAttrs } from "./attention-lowrank-attrs.ts";
import { lowRankFlops, lowRankVjpFlops } from "./attention-lowrank-cost.ts";
import { evaluateLowRank, evaluateLowRankVjp } from "./attention-lowrank-evaluate.ts";
import { lowRankExamples, lowRankVjpExamples } from "./attention-lowrank-examples.ts";
import { expandLowRank, expandLowRankVjp } from "./attention-lowrank-expand.ts";
import { wholeLowRank, wholeLowRankVjp } from "./attention-whole.ts";

/** o_i = Σ_j P(s_ij) v_j / Σ_j P(s_ij),  s_ij = scale q_i . k_j,  over the keys that i sees.
 *  A query without keys has o = 0. P should be positive where the scores are: even Taylor polynomials are everywhere, odd
 *  ones are not, and a normaliser near 0 ruins a row. This op does not look. */
export const attentionLowrank: Op<readonly Value[], LowRankAttrs> = defineOp({
  mnemonic: "attention_lowrank",
  summary: "attention with a polynomial of the scores in place of their exponential, linear in the length",
  operands: [...FORWARD_LOWRANK, "extras..."],
  results: ["o"],
  attrs: lowRankCodecs,
  infer: (operands, attrs) =>
    checkLowRank(operands, attrs, FORWARD_LOWRANK, attrs.coefficients.length - 1) ?? [lowRankResult(lowRankOperands(operands, attrs.extras))],
  evaluate: evaluateLowRank,
  vjp: ({ b, operands, attrs, cotangents: [dO] }) => {
    if (!dO) return operands.map(() => null);
    const names = operands.slice(0, 3).map(({ name }) => (name === "" ? "" : `d_${name}`));
    const given = [...operands.slice(0, 3), dO, ...operands.slice(3)];
    const gradients = b.all(attentionVjpLowrank, given, { ...attrs, form: "surrogate" }, names);
    return operands.map((_, i) => (i < 3 ? at(gradients, i) : null));
  },
  expand: expandLowRank,
  whole: wholeLowRank,
  flops: lowRankFlops,
  examples: lowRankExamples,
});

/** f_ij = gate_i P(s_ij) / Σ_j P(s_ij),  dS_ij = gate_i F'(s_ij) / Σ_j P(s_ij) (d_o_i . v_j - δ_i),
 *  dq = scale dS k,  dk = scale dS^T q,  dv = f^T d_o;  δ_i = delta_i or d_o_i . Σ_j f_ij v_j;  gate 1 without the operand.
 *  plugin     F' = P: softmax's own gradient with f in place of its weights (B 2408.13233, lemma D.17, corrected)
 *  surrogate  F' = P': the gradient of attention_lowrank */
export const attentionVjpLowrank: Op<readonly Value[], LowRankVjpAttrs> = defineOp({
  mnemonic: "attention_vjp_lowrank",
  summary: "gradients of attention by a polynomial of the scores, linear in the length",
  operands: [...BACKWARD_LOWRANK, "extras..."],
  results: ["dq", "dk", "dv"],
  attrs: { ...lowRankCodecs, form: formCodec },
  infer: (operands, attrs) => {
    const types = lowRankOperands(operands, attrs.extras);
    return checkLowRank(operands, attrs, BACKWARD_LOWRANK, potential(attrs).length - 1) ?? [types.need("q"), types.need("k"), types.need("v")];
  },
  evaluate: evaluateLowRankVjp,
  vjp: "by-expansion",
  expand: expandLowRankVjp,
  whole: wholeLowRankVjp,
  flops: lowRankVjpFlops,
  examples: lowRankVjpExamples,
});
