/** @file What the tests of attention by polynomials share: random heads, exact and polynomial gradients of them. */

import { taylor } from "../../ir/approximation.ts";
import type { AnyOp, Data, TensorType } from "../../ir/core.ts";
import { isViolation } from "../../ir/core.ts";
import { evaluateOp } from "../../ir/interpret.ts";
import type { AttentionSizes } from "../../ir/ops/attention-attrs.ts";
import type { Form, LowRankAttrs, LowRankExtra, LowRankVjpAttrs } from "../../ir/ops/attention-lowrank-attrs.ts";
import { attention, attentionLowrank, attentionVjp, attentionVjpLowrank } from "../../ir/ops/index.ts";
import { tensor } from "../../ir/types.ts";
import { exampleData, source } from "./support.ts";

export const square = (n: number, d: number): AttentionSizes => ({ B: 1, H: 1, G: 1, N: n, M: n, K: d, E: d });

export const gaussian = (count: number, seed: number): Data =>
  exampleData({ type: tensor("f32", [count]), elements: "normal" }, source(seed));

/** Types of q, k, v and d_o. */
export const headTypes = ({ B, H, G, N, M, K, E }: AttentionSizes): readonly TensorType[] =>
  [[B, H, N, K], [B, G, M, K], [B, G, M, E], [B, H, N, E]].map((shape) => tensor("f32", shape));

export const headData = (sizes: AttentionSizes, seed: number): readonly Data[] =>
  headTypes(sizes).map(({ shape }, i) => gaussian(shape.reduce((product, size) => product * size, 1), 10 * seed + i));

export const run = (op: AnyOp, data: readonly Data[], types: readonly TensorType[], attrs: object): readonly Data[] => {
  const found = op.infer(types, attrs);
  if (isViolation(found)) throw new Error(`${op.mnemonic}: ${found.constraint}: ${found.message}`);
  return evaluateOp(op, data, types, found, attrs).results;
};

/** Standard deviation of q_i . k_j over the pairs of a head alone. */
export const scoreDeviation = ([q, k]: readonly Data[], { N, M, K }: AttentionSizes): number => {
  let [sum, squares] = [0, 0];
  for (let i = 0; i < N; i++)
    for (let j = 0; j < M; j++) {
      let score = 0;
      for (let c = 0; c < K; c++) score += q![i * K + c]! * k![j * K + c]!;
      sum += score;
      squares += score * score;
    }
  return Math.sqrt(squares / (N * M) - (sum / (N * M)) ** 2);
};

export const exactAttrs = (scale: number, causal: boolean) =>
  ({ causal, window: 0, scale, extras: [], dropout: 0, site: "", backward: "exact" }) as const;

/** dq, dk, dv of softmax attention. */
export const exactGradients = (sizes: AttentionSizes, data: readonly Data[], scale: number, causal: boolean): readonly Data[] => {
  const [q, k, v, dO] = headTypes(sizes) as [TensorType, TensorType, TensorType, TensorType];
  const attrs = exactAttrs(scale, causal);
  const [o, lse] = run(attention, data.slice(0, 3), [q, k, v], attrs);
  const types = [q, k, v, dO, tensor("f32", dO.shape.slice(0, 3)), dO];
  return run(attentionVjp, [...data.slice(0, 3), o!, lse!, data[3]!], types, attrs);
};

export const lowRankAttrs = (over: Partial<LowRankAttrs> & { readonly degree?: number }): LowRankAttrs => {
  const { degree = 2, ...attrs } = over;
  return { causal: false, scale: 1, coefficients: taylor(degree), chunk: 64, extras: [], site: "", ...attrs };
};

/** dq, dk, dv by a Taylor polynomial, pair by pair. */
export const lowRankGradients = (sizes: AttentionSizes, data: readonly Data[], form: Form, degree: number, scale: number, causal: boolean): readonly Data[] =>
  run(attentionVjpLowrank, data, headTypes(sizes), { ...lowRankAttrs({ degree, scale, causal }), form });

/** Types and data of extras. */
export const extrasOf = ({ B, H, N, M }: AttentionSizes, extras: readonly LowRankExtra[], seed: number): { readonly types: readonly TensorType[]; readonly data: readonly Data[] } => {
  const types = extras.map((extra) => (extra === "lengths" ? tensor("i32", [B]) : tensor("f32", [B, H, N])));
  const data = extras.map((extra, i) =>
    extra === "lengths" ? Float64Array.from({ length: B }, (_, b) => (b === 0 ? 0 : Math.max(1, M - 2 * b + 1))) : gaussian(B * H * N, seed + i),
  );
  return { types, data };
};

export const forwardOp = attentionLowrank;
export const backwardOp = attentionVjpLowrank;
export type { LowRankAttrs, LowRankVjpAttrs };
