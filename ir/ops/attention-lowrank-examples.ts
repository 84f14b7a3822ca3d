/** @file The examples of attention_lowrank and attention_vjp_lowrank that test loops instantiate: orders, lengths of both
 *  sequences, chunks that divide them and chunks that do not, groups, degrees, forms, optional operands. */

import type { Example, ExampleOperand, TensorType } from "../core.ts";
import * as poly from "../poly.ts";
import { tensor } from "../types.ts";
import { DEFAULT_CHUNK } from "./attention-lowrank-attrs.ts";
import type { Form, LowRankAttrs, LowRankExtra, LowRankVjpAttrs } from "./attention-lowrank-attrs.ts";

interface Case {
  readonly sizes: Readonly<Record<"B" | "H" | "G" | "N" | "M" | "K" | "E", number>>;
  readonly causal?: boolean;
  readonly chunk?: number;
  readonly coefficients?: readonly number[];
  readonly extras?: readonly LowRankExtra[];
  readonly form?: Form;
}

const QUADRATIC = [1, 1, 0.5];

/** Positive for the scores at hand, and negative in one coefficient. */
const SIGNED = [3, 0.5, 0.75, -0.0625];

const CASES: readonly Case[] = [
  { sizes: { B: 1, H: 2, G: 2, N: 4, M: 4, K: 2, E: 3 } },
  { sizes: { B: 1, H: 2, G: 1, N: 3, M: 5, K: 2, E: 2 }, coefficients: [2, 0.5], form: "surrogate", extras: ["lengths"] },
  { sizes: { B: 2, H: 1, G: 1, N: 6, M: 6, K: 2, E: 2 }, causal: true, chunk: 2 },
  { sizes: { B: 1, H: 2, G: 1, N: 5, M: 5, K: 2, E: 2 }, causal: true, chunk: 2, form: "surrogate", extras: ["gate"] },
  { sizes: { B: 1, H: 1, G: 1, N: 3, M: 6, K: 2, E: 2 }, causal: true, chunk: 4, extras: ["delta"] },
  { sizes: { B: 2, H: 2, G: 1, N: 5, M: 3, K: 1, E: 2 }, causal: true, chunk: 2, coefficients: SIGNED, extras: ["lengths", "delta", "gate"] },
  { sizes: { B: 1, H: 1, G: 1, N: 4, M: 4, K: 2, E: 2 }, causal: true, form: "surrogate" },
  { sizes: { B: 1, H: 1, G: 1, N: 1, M: 4, K: 3, E: 2 }, causal: true, chunk: 2, coefficients: [2] },
  { sizes: { B: 1, H: 1, G: 1, N: 4, M: 4, K: 2, E: 2 }, causal: true, chunk: 2, coefficients: [2], form: "surrogate" },
];

/** Self-attention has one length T. The width is a number: its binomials are then whole ones. */
const typeOf = (sizes: Case["sizes"], dtype: TensorType["dtype"], axes: string): TensorType => {
  const letters = [...axes];
  const size = (letter: string): number => sizes[letter as keyof Case["sizes"]] ?? 1;
  const spell = (letter: string): poly.Poly => {
    if (letter === "K") return poly.constant(sizes.K);
    return poly.symbol(sizes.N === sizes.M && (letter === "N" || letter === "M") ? "T" : letter);
  };
  return tensor(dtype, letters.map(size), letters.map(spell));
};

const normal = (type: TensorType): ExampleOperand => ({ type, elements: "normal" });

const extraOperand = ({ sizes }: Case, extra: LowRankExtra): ExampleOperand => {
  if (extra !== "lengths") return normal(typeOf(sizes, "f32", "BHN"));
  // The last sequence has all its keys but one, the others fewer, the first of several none.
  const values = Array.from({ length: sizes.B }, (_, b) => (b + 1 === sizes.B ? sizes.M - 1 : b));
  return { type: typeOf(sizes, "i32", "B"), elements: "index", values };
};

const attrsOf = ({ causal = false, chunk = DEFAULT_CHUNK, coefficients = QUADRATIC }: Case, extras: readonly LowRankExtra[]): LowRankAttrs => ({
  causal, scale: 0.4, coefficients, chunk, extras, site: "",
});

const lead = ({ sizes }: Case): readonly ExampleOperand[] => ["BHNK", "BGMK", "BGME"].map((axes) => normal(typeOf(sizes, "f32", axes)));

export const lowRankExamples: readonly Example<LowRankAttrs>[] = CASES.map((each) => {
  const extras = (each.extras ?? []).filter((extra) => extra === "lengths");
  return { operands: [...lead(each), ...extras.map((extra) => extraOperand(each, extra))], attrs: attrsOf(each, extras) };
});

export const lowRankVjpExamples: readonly Example<LowRankVjpAttrs>[] = CASES.map((each) => {
  const { sizes, extras = [], form = "plugin" } = each;
  const operands = [...lead(each), normal(typeOf(sizes, "f32", "BHNE")), ...extras.map((extra) => extraOperand(each, extra))];
  return { operands, attrs: { ...attrsOf(each, extras), form } };
});
