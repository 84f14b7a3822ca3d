/** @file Attention of known contents for the tests of an audit, and its gradient by dense formulas. */

import type { AttentionAttrs } from "../../ir/ops/attention-attrs.ts";
import { attentionSizes, BACKWARD, backwardOperands } from "../../ir/ops/attention-attrs.ts";
import { attentionVjp } from "../../ir/ops/index.ts";
import type { Data, TensorType } from "../../ir/core.ts";
import { tensor } from "../../ir/types.ts";
import { randomStream } from "../../runtime/random.ts";
import type { Site } from "../../compiler/audit/probe.ts";
import type { Captured } from "../../compiler/audit/rows.ts";

export interface Problem {
  readonly site: Site;
  readonly captured: Captured;
}

interface Shape {
  readonly B?: number;
  readonly H?: number;
  readonly G?: number;
  readonly N?: number;
  readonly M?: number;
  readonly K?: number;
  readonly E?: number;
  /** Standard deviation of the elements of q and k. */
  readonly spread?: number;
  readonly attrs?: Partial<AttentionAttrs>;
  readonly extras?: Readonly<Record<string, { readonly type: TensorType; readonly data: readonly number[] }>>;
}

const ATTRS: AttentionAttrs = { causal: true, window: 0, scale: 0.5, dropout: 0, extras: [], site: "Layer", backward: "exact" };

export const problem = ({ B = 1, H = 2, G = 2, N = 12, M = 12, K = 4, E = 3, spread = 1, attrs = {}, extras = {} }: Shape = {}): Problem => {
  const types: Record<string, TensorType> = {
    q: tensor("f32", [B, H, N, K]), k: tensor("f32", [B, G, M, K]), v: tensor("f32", [B, G, M, E]),
    o: tensor("f32", [B, H, N, E]), lse: tensor("f32", [B, H, N]), d_o: tensor("f32", [B, H, N, E]),
    ...Object.fromEntries(Object.entries(extras).map(([name, { type }]) => [name, type])),
  };
  const drawn = new Map(
    ["q", "k", "v", "d_o"].map((name): [string, Float64Array] => {
      const stream = randomStream(7, name);
      const size = (types[name]?.shape ?? []).reduce((a, b) => a * b, 1);
      const factor = name === "q" || name === "k" ? spread : 1;
      return [name, Float64Array.from({ length: size }, () => factor * stream.normal())];
    }),
  );
  for (const [name, { data }] of Object.entries(extras)) drawn.set(name, Float64Array.from(data));
  const all = { ...ATTRS, ...attrs, extras: Object.keys(extras) as AttentionAttrs["extras"] };
  const names = [...BACKWARD, ...all.extras];
  const list = names.map((name) => types[name] as TensorType);
  const site: Site = { name: "Layer", path: "Layer", attrs: all, sizes: attentionSizes(backwardOperands(list, all)), types: new Map(Object.entries(types)) };
  return { site, captured: (name) => drawn.get(name) ?? null };
};

export interface Dense {
  /** Weights and scores of row i of the head; 0 and NaN where masked. */
  readonly weights: readonly Float64Array[];
  readonly scores: readonly Float64Array[];
}

const at = (data: ArrayLike<number>, i: number): number => data[i] as number;

/** Scores and weights of one head, from the definition. `allowed` says which pairs count. */
export const dense = ({ site, captured }: Problem, h: number, allowed: (i: number, j: number) => boolean, bias: (i: number, j: number) => number = () => 0): Dense => {
  const { H, G, N, M, K } = site.sizes;
  const g = Math.floor(h / (H / G));
  const [q, k] = [captured("q") as Data, captured("k") as Data];
  const scores = Array.from({ length: N }, (_, i) =>
    Float64Array.from({ length: M }, (__, j) => {
      if (!allowed(i, j)) return Number.NaN;
      let sum = 0;
      for (let x = 0; x < K; x++) sum += at(q, (h * N + i) * K + x) * at(k, (g * M + j) * K + x);
      return site.attrs.scale * sum + bias(i, j);
    }),
  );
  const weights = scores.map((row) => {
    const raw = row.map((s) => (Number.isNaN(s) ? 0 : Math.exp(s)));
    const total = raw.reduce((a, b) => a + b, 0);
    return total === 0 ? raw : raw.map((w) => w / total);
  });
  return { weights, scores };
};

export interface HeadParts {
  readonly dq: Float64Array;
  readonly dk: Float64Array;
  readonly dv: Float64Array;
}

/** dq = scale dS k, dk = scale dSᵀ q, dv = Wᵀ d_o of one head for any dS and W. */
export const gradients = ({ site, captured }: Problem, h: number, dS: readonly Float64Array[], W: readonly Float64Array[]): HeadParts => {
  const { H, G, N, M, K, E } = site.sizes;
  const g = Math.floor(h / (H / G));
  const [q, k, dO] = [captured("q") as Data, captured("k") as Data, captured("d_o") as Data];
  const parts = { dq: new Float64Array(N * K), dk: new Float64Array(M * K), dv: new Float64Array(M * E) };
  for (let i = 0; i < N; i++)
    for (let j = 0; j < M; j++) {
      const s = site.attrs.scale * at(dS[i] ?? [], j);
      for (let x = 0; x < K; x++) {
        parts.dq[i * K + x] = at(parts.dq, i * K + x) + s * at(k, (g * M + j) * K + x);
        parts.dk[j * K + x] = at(parts.dk, j * K + x) + s * at(q, (h * N + i) * K + x);
      }
      for (let x = 0; x < E; x++) parts.dv[j * E + x] = at(parts.dv, j * E + x) + at(W[i] ?? [], j) * at(dO, (h * N + i) * E + x);
    }
  return parts;
};

/** p_ij = d_o_i · v_j of one head. */
export const products = ({ site, captured }: Problem, h: number): readonly Float64Array[] => {
  const { H, G, N, M, E } = site.sizes;
  const g = Math.floor(h / (H / G));
  const [v, dO] = [captured("v") as Data, captured("d_o") as Data];
  return Array.from({ length: N }, (_, i) =>
    Float64Array.from({ length: M }, (__, j) => {
      let sum = 0;
      for (let x = 0; x < E; x++) sum += at(dO, (h * N + i) * E + x) * at(v, (g * M + j) * E + x);
      return sum;
    }),
  );
};

/** W ∘ (p - δ), δ_i = Σ_j W_ij p_ij. */
export const softmaxSlope = (W: readonly Float64Array[], p: readonly Float64Array[], slope: readonly Float64Array[] = W): readonly Float64Array[] =>
  W.map((row, i) => {
    const delta = row.reduce((sum, w, j) => sum + w * at(p[i] ?? [], j), 0);
    return row.map((_, j) => at(slope[i] ?? [], j) * (at(p[i] ?? [], j) - delta));
  });

export const squared = (data: Float64Array): number => data.reduce((sum, x) => sum + x * x, 0);

export const difference = (a: Float64Array, b: Float64Array): number => squared(a.map((x, i) => x - at(b, i)));

/** What the record of attention_vjp computes, o and lse given. */
export const recordGradient = ({ site, captured }: Problem, o: Float64Array, lse: Float64Array): readonly Data[] => {
  const names = [...BACKWARD, ...site.attrs.extras];
  const types = names.map((name) => site.types.get(name) as TensorType);
  const values = names.map((name) => (name === "o" ? o : name === "lse" ? lse : (captured(name) as Data)));
  const results = [types[0], types[1], types[2]] as readonly TensorType[];
  return attentionVjp.evaluate({ operands: values, operandTypes: types, resultTypes: results, attrs: site.attrs, tally: { flops: 0 } });
};
