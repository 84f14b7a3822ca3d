/** @file The examples of attention and attention_vjp that test loops instantiate: every mask, grouping and broadcasting. */

import type { Example, ExampleOperand, TensorType } from "../core.ts";
import * as poly from "../poly.ts";
import { tensor } from "../types.ts";
import { forwardOperands, forwardResults } from "./attention-attrs.ts";
import type { AttentionAttrs, AttentionExtra } from "./attention-attrs.ts";

interface Case {
  readonly sizes: Readonly<Record<"B" | "H" | "G" | "N" | "M" | "K" | "E", number>>;
  readonly masks?: Partial<Pick<AttentionAttrs, "causal" | "window">>;
  readonly extras?: readonly AttentionExtra[];
  /** Axes of mask and bias, one letter each, 1 for a broadcast one. */
  readonly mask?: string;
  readonly bias?: string;
  readonly dropout?: number;
  /** Has the gradient the operand that says which heads are active? */
  readonly active?: true;
}

/** Self-attention has one length T for queries and keys, so that costs are polynomials in T. */
const typeOf = (sizes: Case["sizes"], dtype: TensorType["dtype"], axes: string): TensorType => {
  const letters = [...axes];
  const size = (letter: string): number => sizes[letter as keyof Case["sizes"]] ?? 1;
  const spell = (letter: string): poly.Poly => {
    if (letter === "1") return poly.ONE;
    return poly.symbol(sizes.N === sizes.M && (letter === "N" || letter === "M") ? "T" : letter);
  };
  return tensor(dtype, letters.map(size), letters.map(spell));
};

const CASES: readonly Case[] = [
  { sizes: { B: 1, H: 2, G: 2, N: 4, M: 4, K: 3, E: 2 } },
  { sizes: { B: 2, H: 2, G: 2, N: 4, M: 4, K: 3, E: 3 }, masks: { causal: true } },
  { sizes: { B: 1, H: 4, G: 2, N: 3, M: 5, K: 2, E: 3 }, masks: { causal: true } },
  { sizes: { B: 2, H: 3, G: 1, N: 5, M: 3, K: 2, E: 2 }, masks: { causal: true }, active: true },
  { sizes: { B: 1, H: 2, G: 1, N: 5, M: 5, K: 2, E: 2 }, masks: { causal: true, window: 2 } },
  { sizes: { B: 1, H: 1, G: 1, N: 3, M: 6, K: 2, E: 2 }, masks: { causal: true, window: 5 } },
  { sizes: { B: 1, H: 1, G: 1, N: 6, M: 4, K: 2, E: 2 }, masks: { causal: true, window: 3 } },
  { sizes: { B: 1, H: 1, G: 1, N: 5, M: 5, K: 2, E: 2 }, masks: { window: 2 } },
  { sizes: { B: 1, H: 1, G: 1, N: 1, M: 5, K: 2, E: 2 }, masks: { causal: true } },
  { sizes: { B: 3, H: 2, G: 2, N: 4, M: 4, K: 2, E: 2 }, extras: ["lengths"] },
  { sizes: { B: 2, H: 4, G: 2, N: 4, M: 4, K: 2, E: 2 }, masks: { causal: true }, extras: ["lengths", "bias"], bias: "BHNM" },
  { sizes: { B: 2, H: 2, G: 2, N: 3, M: 4, K: 2, E: 2 }, extras: ["mask"], mask: "BHNM" },
  { sizes: { B: 2, H: 4, G: 2, N: 3, M: 2, K: 2, E: 2 }, extras: ["mask", "bias"], mask: "1HNM", bias: "B1NM", active: true },
  { sizes: { B: 2, H: 4, G: 2, N: 3, M: 4, K: 2, E: 2 }, extras: ["bias"], bias: "1HNM" },
  { sizes: { B: 2, H: 3, G: 1, N: 3, M: 3, K: 2, E: 2 }, extras: ["lengths", "mask", "bias"], mask: "11NM", bias: "11NM" },
  { sizes: { B: 2, H: 2, G: 2, N: 4, M: 4, K: 2, E: 3 }, masks: { causal: true }, extras: ["dropout_key"], dropout: 0.3 },
  { sizes: { B: 1, H: 4, G: 2, N: 3, M: 5, K: 2, E: 2 }, extras: ["lengths", "bias", "dropout_key"], bias: "1HNM", dropout: 0.5 },
];

const attrsOf = (example: Case, extras: readonly AttentionExtra[]): AttentionAttrs => ({
  causal: example.masks?.causal ?? false,
  window: example.masks?.window ?? 0,
  scale: 0.7,
  dropout: example.dropout ?? 0,
  extras,
  site: "",
  backward: "exact",
});

const extraOperand = (example: Case, extra: AttentionExtra): ExampleOperand => {
  const { sizes } = example;
  switch (extra) {
    case "lengths":
      // The first sequence has no keys at all, the others some.
      return { type: typeOf(sizes, "i32", "B"), elements: "index", values: Array.from({ length: sizes.B }, (_, b) => Math.min(2 * b, sizes.M)) };
    case "mask":
      return { type: typeOf(sizes, "i1", example.mask ?? "BHNM"), elements: "bool" };
    case "bias":
      return { type: typeOf(sizes, "f32", example.bias ?? "BHNM"), elements: "normal" };
    case "dropout_key":
      return { type: tensor("i32", [4]), elements: "key" };
    case "active":
      return { type: typeOf(sizes, "i1", "BH"), elements: "bool" };
    case "d_lse":
      return { type: typeOf(sizes, "f32", "BHN"), elements: "normal" };
  }
};

const normal = (type: TensorType): ExampleOperand => ({ type, elements: "normal" });

const forwardExample = (example: Case): Example<AttentionAttrs> => {
  const extras = example.extras ?? [];
  const shapes = ["BHNK", "BGMK", "BGME"].map((axes) => normal(typeOf(example.sizes, "f32", axes)));
  return { operands: [...shapes, ...extras.map((extra) => extraOperand(example, extra))], attrs: attrsOf(example, extras) };
};

/** Every second one has a cotangent of lse too, some have heads that are not active. */
const backwardExample = (example: Case, index: number): Example<AttentionAttrs> => {
  const { operands, attrs } = forwardExample(example);
  const [o, lse] = forwardResults(forwardOperands(operands.map(({ type }) => type), attrs));
  const more: AttentionExtra[] = [];
  if (example.active === true) more.push("active");
  if (index % 2 === 1) more.push("d_lse");
  return {
    operands: [
      ...operands.slice(0, 3), normal(o), normal(lse), normal(o), ...operands.slice(3),
      ...more.map((extra) => extraOperand(example, extra)),
    ],
    attrs: { ...attrs, extras: [...attrs.extras, ...more] },
  };
};

export const attentionExamples: readonly Example<AttentionAttrs>[] = CASES.map(forwardExample);
export const attentionVjpExamples: readonly Example<AttentionAttrs>[] = CASES.map(backwardExample);
