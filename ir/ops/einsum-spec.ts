/** @file The subscripts of a contraction, `b t d, d h k -> b h t k`, read once and sorted by what each label does. */

import { violates } from "../core.ts";
import type { Violation } from "../core.ts";

export interface EinsumSpec {
  readonly a: readonly string[];
  readonly b: readonly string[];
  readonly result: readonly string[];
  /** In both operands and in the result. */
  readonly batch: readonly string[];
  /** In one operand and in the result. */
  readonly left: readonly string[];
  readonly right: readonly string[];
  /** In both operands only: summed over. */
  readonly contracted: readonly string[];
}

const SHAPE = /^([\w\s]*),([\w\s]*)->([\w\s]*)$/;

const labelsOf = (text: string | undefined): readonly string[] => (text ?? "").split(/\s+/).filter((label) => label !== "");

const read = (text: string): EinsumSpec | Violation => {
  const match = SHAPE.exec(text);
  if (match === null) return violates("C1", `"${text}" is not of the form "b t d, d h -> b t h"`);
  const [a, b, result] = [labelsOf(match[1]), labelsOf(match[2]), labelsOf(match[3])];
  if ([a, b, result].some((labels) => new Set(labels).size < labels.length))
    return violates("C2", `"${text}" has a label twice in one tensor`);
  const batch = result.filter((label) => a.includes(label) && b.includes(label));
  const left = a.filter((label) => !b.includes(label));
  const right = b.filter((label) => !a.includes(label));
  const lost = [...left, ...right].find((label) => !result.includes(label));
  if (lost !== undefined) return violates("C3", `label ${lost} of "${text}" is in one operand only`);
  const unknown = result.find((label) => !a.includes(label) && !b.includes(label));
  if (unknown !== undefined) return violates("C3", `label ${unknown} of "${text}" is in no operand`);
  const contracted = a.filter((label) => b.includes(label) && !result.includes(label));
  return { a, b, result, batch, left, right, contracted };
};

const known = new Map<string, EinsumSpec | Violation>();

/** What the subscripts say, or constraint C1, C2 or C3 of `einsum`. Texts are few and repeated in every layer: remembered. */
export const parseEinsum = (text: string): EinsumSpec | Violation => {
  const found = known.get(text);
  if (found !== undefined) return found;
  const spec = read(text);
  known.set(text, spec);
  return spec;
};

export const printEinsum = (a: readonly string[], b: readonly string[], result: readonly string[]): string =>
  `${a.join(" ")}, ${b.join(" ")} -> ${result.join(" ")}`;
