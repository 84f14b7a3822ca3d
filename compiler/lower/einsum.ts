/** @file Contractions: labels that only one operand has are summed away first; one operand alone is a sum and a transpose. */

import type { Builder } from "../../ir/builder.ts";
import type { Value } from "../../ir/core.ts";
import { InternalError } from "../../ir/diagnostic.ts";
import * as ops from "../../ir/ops/index.ts";

type Labels = readonly string[];

/** Sums over the axes whose labels are not wanted. */
const summed = (b: Builder, value: Value, labels: Labels, wanted: (label: string) => boolean): readonly [Value, Labels] => {
  const axes = labels.flatMap((label, i) => (wanted(label) ? [] : [i]));
  if (axes.length === 0) return [value, labels];
  return [b.one(ops.reduceSum, [value], { axes }), labels.filter(wanted)];
};

export const lowerEinsum = (b: Builder, operands: readonly Value[], inputs: readonly Labels[], output: Labels, name: string): Value => {
  const [x, y] = operands;
  const [left = [], right = []] = inputs;
  if (x === undefined) throw new InternalError("an einsum has an operand");
  if (y === undefined) {
    const [value, labels] = summed(b, x, left, (label) => output.includes(label));
    const perm = output.map((label) => labels.indexOf(label));
    return perm.every((axis, i) => axis === i) ? value : b.one(ops.transpose, [value], { perm }, name);
  }
  const [a, aLabels] = summed(b, x, left, (label) => output.includes(label) || right.includes(label));
  const [c, cLabels] = summed(b, y, right, (label) => output.includes(label) || left.includes(label));
  const spec = `${aLabels.join(" ")}, ${cLabels.join(" ")} -> ${output.join(" ")}`;
  return b.one(ops.einsum, [a, c], { spec }, name);
};
