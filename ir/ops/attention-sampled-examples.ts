/** @file The examples of sampled attention that test loops instantiate: those of attention, by turns with either sampler
 *  and with few or all entries kept; then control variates, and slots that are fewer than the keys. */

import type { Example, ExampleOperand, TensorType } from "../core.ts";
import { elements, filterAxes, tensor } from "../types.ts";
import { attentionExamples, attentionVjpExamples } from "./attention-examples.ts";
import type { AttentionAttrs } from "./attention-attrs.ts";
import { sampledVjpOperands, slotsType } from "./attention-sampled-attrs.ts";
import type { SampledAttrs } from "./attention-sampled-attrs.ts";

const normal = (type: TensorType): ExampleOperand => ({ type, elements: "normal" });
const KEY: ExampleOperand = { type: tensor("i32", [4]), elements: "key" };

/** Sampler and c of the examples, in turns. At c = 60 nothing is cut. */
const TURNS: readonly Pick<SampledAttrs, "sampler" | "c">[] = [
  { sampler: "systematic", c: 2 },
  { sampler: "bernoulli", c: 1.5 },
  { sampler: "systematic", c: 1.3 },
  { sampler: "systematic", c: 60 },
];

const turn = (attrs: AttentionAttrs, index: number): SampledAttrs => ({
  ...attrs,
  ...(TURNS[index % TURNS.length] ?? { sampler: "systematic", c: 2 }),
  control: [],
});

const plain = ({ operands, attrs }: Example<AttentionAttrs>, index: number): Example<SampledAttrs> => ({
  operands: [...operands.slice(0, 3), KEY, ...operands.slice(3)],
  attrs: turn(attrs, index),
});

/** The second polynomial is one that the gate refuses more often. */
const CONTROLS: readonly (readonly number[])[] = [[1, 1, 0.5], [0.1, -2, 3], [1]];

const controlled = (example: Example<AttentionAttrs>, index: number): Example<SampledAttrs> => {
  const { operands, attrs } = plain(example, index);
  const center = operands.slice(1, 2).map(({ type }) => normal(filterAxes(type, (axis) => axis !== 2)));
  return {
    operands: [...operands.slice(0, 4), ...center, ...operands.slice(4)],
    attrs: { ...attrs, control: CONTROLS[index % CONTROLS.length] ?? [] },
  };
};

const canControl = ({ attrs }: Example<AttentionAttrs>): boolean =>
  attrs.window === 0 && attrs.extras.every((extra) => extra === "lengths");

/** One head of more keys than bernoulli's six slots at c = 0.1. */
const narrow = (causal: boolean): Example<AttentionAttrs> => {
  const x = tensor("f32", [1, 1, 8, 2]);
  return {
    operands: [normal(x), normal(x), normal(x)],
    attrs: { causal, window: 0, scale: 0.7, dropout: 0, extras: [], site: "", backward: "exact" },
  };
};

const fewSlots: readonly Example<SampledAttrs>[] = [
  { ...plain(narrow(true), 0), attrs: { ...turn(narrow(true).attrs, 0), sampler: "bernoulli", c: 0.1 } },
  { ...plain(narrow(false), 0), attrs: { ...turn(narrow(false).attrs, 0), c: 3.5 } },
];

/** Ascending keys of each row, not the same in every row, and often fewer than the slots. */
const keptValues = ({ shape }: TensorType, M: number): readonly number[] => {
  const slots = shape[3] ?? 0;
  const rows = elements({ dtype: "i32", shape: shape.slice(0, 3), dims: [] });
  return Array.from({ length: rows }, (_, row) => {
    const keys = Array.from({ length: M }, (_key, j) => j).filter((j) => (3 * j + 2 * row) % 5 !== 0);
    return Array.from({ length: slots }, (_slot, s) => keys[s] ?? -1);
  }).flat();
};

/** Without heads that are left out, which the sampled backward does not know. */
const backward = ({ operands, attrs }: Example<AttentionAttrs>, index: number): Example<SampledAttrs> => {
  const [q, k, v, o, , dO, ...extras] = operands;
  if (q === undefined || k === undefined || v === undefined || o === undefined || dO === undefined) return { operands, attrs: turn(attrs, index) };
  const known = attrs.extras.map((extra) => (extra as string) !== "active");
  const own = turn({ ...attrs, extras: attrs.extras.filter((_, i) => known[i]) }, index);
  const types = sampledVjpOperands([q, k, v].map(({ type }) => type), { ...own, extras: [] });
  const kept = slotsType(types, own);
  return {
    operands: [
      q, k, v, o, { type: kept, elements: "index", values: keptValues(kept, k.type.shape[2] ?? 0) },
      normal({ ...kept, dtype: "f32" }), dO, ...extras.filter((_, i) => known[i]),
    ],
    attrs: own,
  };
};

export const sampledExamples: readonly Example<SampledAttrs>[] = [
  ...attentionExamples.map(plain),
  ...attentionExamples.filter(canControl).map(controlled),
  ...fewSlots,
];

export const sampledVjpExamples: readonly Example<SampledAttrs>[] = attentionVjpExamples.map(backward);
