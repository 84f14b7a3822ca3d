/** @file Softmax attention and its gradient as whole operations. They stay whole until `decompose`, because the rewrites
 *  of attention's backward pass act on this pair. Constraints C0–C6: attention-attrs.ts; costs: attention-cost.ts. */

import { defineOp, violates } from "../core.ts";
import type { Op, TensorType, Value, Violation } from "../core.ts";
import { at } from "../tensor-data.ts";
import { describe, sameType } from "../types.ts";
import { attentionCodecs, BACKWARD, backwardOperands, checkAttention, FORWARD, forwardOperands, forwardResults } from "./attention-attrs.ts";
import type { AttentionAttrs, AttentionExtra, Named } from "./attention-attrs.ts";
import { attentionFlops, attentionVjpFlops } from "./attention-cost.ts";
import { evaluateAttention, evaluateAttentionVjp } from "./attention-evaluate.ts";
import { attentionExamples, attentionVjpExamples } from "./attention-examples.ts";
import { expandAttention, expandAttentionVjp } from "./attention-expand.ts";
import { wholeAttention } from "./attention-whole.ts";
import { zeros } from "./helpers.ts";

/** o = softmax(scale q k^T + bias, over unmasked keys) v,  lse = log sum exp of the same scores.
 *  A query without an unmasked key has o = 0 and lse = 0. A bias must stay above -1e29: lower values stand for masks. */
export const attention: Op<readonly Value[], AttentionAttrs> = defineOp({
  mnemonic: "attention",
  summary: "softmax attention over unmasked keys, with the log-sum-exp of every query's scores",
  operands: [...FORWARD, "extras..."],
  results: ["o", "lse"],
  attrs: attentionCodecs,
  infer: (operands, attrs) => checkAttention(operands, attrs, FORWARD) ?? forwardResults(forwardOperands(operands, attrs)),
  evaluate: evaluateAttention,
  vjp: ({ b, operands, results, attrs, cotangents: [dO = null, dLse = null] }) => {
    const [o, lse] = [at(results, 0), at(results, 1)];
    const ofLse: readonly AttentionExtra[] = dLse === null ? [] : ["d_lse"];
    const given = [...operands.slice(0, 3), o, lse, dO ?? zeros(b, o.type), ...operands.slice(3)];
    const gradients = b.all(
      attentionVjp,
      dLse === null ? given : [...given, dLse],
      { ...attrs, extras: [...attrs.extras, ...ofLse] },
      [...operands.slice(0, 3), ...operands.filter((_, i) => attrs.extras[i - 3] === "bias")].map(gradientName),
    );
    return operands.map((_, i) => (i < 3 || attrs.extras[i - 3] === "bias" ? (gradients[Math.min(i, 3)] ?? null) : null));
  },
  expand: expandAttention,
  whole: wholeAttention,
  flops: attentionFlops,
  examples: attentionExamples,
});

const gradientName = ({ name }: Value): string => (name === "" ? "" : `d_${name}`);

/** delta = sum(d_o * o) - d_lse,  w = exp(s - lse),  ds = w * (d_o v^T - delta),
 *  dq = scale ds k,  dk = scale ds^T q,  dv = w^T d_o,  dbias = ds, summed where the bias was broadcast.
 *  C7  o, d_o and lse, d_lse have the types that attention gives o and lse */
export const attentionVjp: Op<readonly Value[], AttentionAttrs> = defineOp({
  mnemonic: "attention_vjp",
  summary: "gradients of attention with respect to q, k, v (and bias), from its results",
  operands: [...BACKWARD, "extras..."],
  results: ["dq", "dk", "dv", "dbias..."],
  attrs: attentionCodecs,
  infer: (operands, attrs) => {
    const wrong = checkAttention(operands, attrs, BACKWARD);
    if (wrong !== null) return wrong;
    const types = backwardOperands(operands, attrs);
    const bias = types.maybe("bias");
    return checkResults(types) ?? [types.need("q"), types.need("k"), types.need("v"), ...(bias === null ? [] : [bias])];
  },
  evaluate: evaluateAttentionVjp,
  vjp: "by-expansion",
  expand: expandAttentionVjp,
  whole: wholeAttention,
  flops: attentionVjpFlops,
  examples: attentionVjpExamples,
});

const checkResults = (types: Named<TensorType>): Violation | null => {
  const [o, lse] = forwardResults(types);
  const dLse = types.maybe("d_lse");
  const given: readonly (readonly [string, TensorType, TensorType])[] = [
    ["o", types.need("o"), o],
    ["lse", types.need("lse"), lse],
    ["d_o", types.need("d_o"), o],
    ...(dLse === null ? [] : [["d_lse", dLse, lse] as const]),
  ];
  const odd = given.find(([, type, expected]) => !sameType(type, expected));
  return odd === undefined ? null : violates("C7", `${odd[0]} is ${describe(odd[1])}, expected ${describe(odd[2])}`);
};
