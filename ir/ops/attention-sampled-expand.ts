/** @file Sampled attention in the ops that kernels are made of: block by block of query rows (attention-blocks.ts), where the
 *  scores of a block are at hand, so that probabilities are computed where the sampler reads them. */

import type { Builder } from "../builder.ts";
import type { Value } from "../core.ts";
import { filterAxes } from "../types.ts";
import { contract, minus, over, plus, times } from "./arithmetic.ts";
import { attentionSizes, mayBeEmpty } from "./attention-attrs.ts";
import type { Named } from "./attention-attrs.ts";
import { BLOCK_BUDGET, expandRows } from "./attention-blocks.ts";
import type { Block } from "./attention-blocks.ts";
import { mixedBy, softmaxOf, typesOf } from "./attention-expand.ts";
import { led } from "./attention-heads.ts";
import { capacity, sampledOperands, sampledResults } from "./attention-sampled-attrs.ts";
import type { SampledAttrs } from "./attention-sampled-attrs.ts";
import { uniformsFor } from "./attention-draw.ts";
import { TINY } from "./attention-sampled-row.ts";
import { abs, max, min, sign } from "./elementwise.ts";
import { broadcastAlong, full, scaleBy, sumOver, zeros } from "./helpers.ts";
import { compare, convert, select } from "./logic.ts";
import { sample } from "./sample.ts";
import { takeAlong } from "./take.ts";

/** What the rows of a block are sampled from, as in attention-sampled-row.ts. */
interface BlockSample {
  /** [heads, rows, M] */
  readonly probability: Value;
  /** The weights of the kept entries [heads, rows, S]. */
  readonly weightOf: (kept: Value) => Value;
  /** [heads, rows]; null without a control variate. */
  readonly gate: Value | null;
}

export const expandSampled = (
  b: Builder,
  operands: readonly Value[],
  attrs: SampledAttrs,
  budget = BLOCK_BUDGET,
): readonly Value[] => {
  const given = sampledOperands(operands, attrs);
  const types = typesOf(given);
  const sizes = attentionSizes(types);
  const guarded = mayBeEmpty(attrs, sizes);
  const slots = capacity(attrs, sizes);
  return expandRows(b, { given, attrs, operands, apart: null, budget }, sampledResults(types, attrs), (block) => {
    const softmax = softmaxOf(b, block, guarded);
    const last = softmax.e.type.shape.length - 1;
    const w = over(b, softmax.e, broadcastAlong(b, softmax.total, softmax.e.type, [last]));
    const { probability, weightOf, gate } = attrs.control.length === 0
      ? plainSample(b, w, attrs)
      : controlledSample(b, w, fromCenter(b, block, given, attrs), block.allowed, attrs);
    const kept = keptOf(b, block, given.need("key"), probability, { ...attrs, sizes, slots });
    const filled = b.one(compare, [kept, zeros(b, kept.type)], { direction: "ge" });
    const weights = weightOf(kept);
    return [
      mixedBy(b, block, softmax), softmax.lse, kept, b.one(select, [filled, weights, zeros(b, weights.type)], {}),
      ...(gate === null ? [] : [gate]),
    ];
  });
};

interface Drawing extends Pick<SampledAttrs, "sampler"> {
  readonly sizes: ReturnType<typeof attentionSizes>;
  readonly slots: number;
}

/** Independent draws are compacted by the systematic sampler, which at u = 0 keeps what has probability 1. */
const keptOf = (b: Builder, block: Block, key: Value, probability: Value, { sampler, sizes, slots }: Drawing): Value => {
  const rows = filterAxes(probability.type, (axis) => axis < probability.type.shape.length - 1);
  if (sampler === "systematic")
    return b.one(sample, [probability, uniformsFor(b, block, key, rows, { ...sizes, M: 1 })], { slots });
  const uniform = uniformsFor(b, block, key, probability.type, sizes);
  const drawn = b.one(convert, [b.one(compare, [uniform, probability], { direction: "lt" })], { to: "f32" });
  return b.one(sample, [drawn, zeros(b, rows)], { slots });
};

/** q = min(1, c w), w~ = max(w, 1 / c) */
const plainSample = (b: Builder, w: Value, { c }: SampledAttrs): BlockSample => ({
  probability: b.one(min, [scaleBy(b, w, c), full(b, 1, w.type)], {}),
  weightOf: (kept) => {
    const own = b.one(takeAlong, [w, kept], {});
    return b.one(max, [own, full(b, 1 / c, own.type)], {});
  },
  gate: null,
});

/** s_ij - scale q_i . center, 0 where masked */
const fromCenter = (b: Builder, { query, key, q, scores, allowed }: Block, given: Named<Value>, { scale }: SampledAttrs): Value => {
  const product = contract(b, q, led(b, given.need("center"), key), `${query.labels} n k, ${key.labels} k -> ${query.labels} n`);
  const shift = scaleBy(b, product, scale);
  const x = minus(b, scores, broadcastAlong(b, shift, scores.type, [scores.type.shape.length - 1]));
  return allowed === null ? x : b.one(select, [allowed, x, zeros(b, x.type)], {});
};

/** rho = w - P(x) / sum P,  r = sum |rho|,  q = min(1, c |rho| / r),  w~ = sign(rho) max(|rho|, r / c), where the gate says so */
const controlledSample = (b: Builder, w: Value, x: Value, allowed: Value | null, attrs: SampledAttrs): BlockSample => {
  const { c, control } = attrs;
  const last = w.type.shape.length - 1;
  const along = (row: Value, like: Value = w): Value => broadcastAlong(b, row, like.type, [last]);
  const largest = (y: Value, z: Value): Value => b.one(max, [y, z], {});
  const polynomial = horner(b, control, x);
  const p = allowed === null ? polynomial : b.one(select, [allowed, polynomial, zeros(b, x.type)], {});
  const total = sumOver(b, p, [last]);
  const none = b.one(compare, [total, zeros(b, total.type)], { direction: "eq" });
  const rho = minus(b, w, over(b, p, along(b.one(select, [none, full(b, 1, total.type), total], {}))));
  const size = b.one(abs, [rho], {});
  const r = sumOver(b, size, [last]);
  const cap = scaleBy(b, r, 1 / c);
  const left = (y: Value, limit: Value): Value => times(b, y, largest(minus(b, limit, y), zeros(b, y.type)));
  const controlled = sumOver(b, left(size, along(cap)), [last]);
  const plain = sumOver(b, left(w, full(b, 1 / c, w.type)), [last]);
  const gate = b.one(compare, [controlled, plain], { direction: "lt" });
  const factor = over(b, full(b, c, r.type), largest(r, full(b, TINY, r.type)));
  const chosen = b.one(select, [along(gate), times(b, size, along(factor)), scaleBy(b, w, c)], {});
  const uncontrolled = plainSample(b, w, attrs);
  return {
    probability: b.one(min, [chosen, full(b, 1, w.type)], {}),
    weightOf: (kept) => {
      const own = b.one(takeAlong, [rho, kept], {});
      const limited = times(b, b.one(sign, [own], {}), largest(b.one(abs, [own], {}), along(cap, own)));
      return b.one(select, [along(gate, own), limited, uncontrolled.weightOf(kept)], {});
    },
    gate: b.one(convert, [gate], { to: "f32" }),
  };
};

/** a_0 + x (a_1 + x (…)) */
const horner = (b: Builder, coefficients: readonly number[], x: Value): Value => {
  const [lowest = 0, ...others] = coefficients;
  return others.length === 0 ? full(b, lowest, x.type) : plus(b, full(b, lowest, x.type), times(b, x, horner(b, others, x)));
};
