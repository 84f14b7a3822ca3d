/** @file Exact identities of contractions. */

import type { Builder } from "../../ir/builder.ts";
import type { TensorType, Value } from "../../ir/core.ts";
import { parseEinsum, printEinsum } from "../../ir/ops/einsum-spec.ts";
import type { EinsumSpec } from "../../ir/ops/einsum-spec.ts";
import { broadcast, einsum, mul, transpose } from "../../ir/ops/index.ts";
import { bind, on, value } from "../../ir/pattern.ts";
import { named } from "../../ir/types.ts";
import { exact } from "../rewrite.ts";
import type { Rule } from "../rewrite.ts";

const x = value("x");
const y = value("y");

const NOTHING: EinsumSpec = { a: [], b: [], result: [], batch: [], left: [], right: [], contracted: [] };

const specOf = (text: string): EinsumSpec => {
  const spec = parseEinsum(text);
  return "constraint" in spec ? NOTHING : spec;
};

/** Axis i of transpose(x, perm) is axis perm[i] of x: the label moves back there. */
const moveBack = (labels: readonly string[], perm: readonly number[]): readonly string[] =>
  labels.map((_, axis) => labels[perm.indexOf(axis)] ?? "");

/** The operand with labels as axes of the result: in the result's order, repeated along the labels it lacks. */
const spread = (b: Builder, operand: Value, labels: readonly string[], result: readonly string[], type: TensorType): Value => {
  const order = result.filter((label) => labels.includes(label));
  const perm = order.map((label) => labels.indexOf(label));
  const moved = perm.every((axis, i) => axis === i) ? operand : b.one(transpose, [operand], { perm });
  return order.length === result.length ? moved : b.one(broadcast, [moved], { axes: order.map((label) => result.indexOf(label)), type });
};

export const CONTRACTION: readonly Rule[] = [
  exact({
    name: "einsum-of-transpose-left", law: "einsum(transpose(x), y) = einsum(x, y) with x's labels moved",
    match: on(einsum, bind("t", on(transpose, x)), y),
    rewrite: (b, m) => {
      const spec = specOf(m.root.attrs.spec);
      return b.one(einsum, [m.x, m.y], { spec: printEinsum(moveBack(spec.a, m.t.attrs.perm), spec.b, spec.result) });
    },
    example: (b, input) => {
      const t = b.one(transpose, [input(named("f32", [["T", 3], ["B", 2], ["D", 4]]))], { perm: [1, 0, 2] });
      return b.one(einsum, [t, input(named("f32", [["D", 4], ["F", 5]]))], { spec: "b t d, d f -> b t f" });
    },
  }),
  exact({
    name: "einsum-of-transpose-right", law: "einsum(x, transpose(y)) = einsum(x, y) with y's labels moved",
    match: on(einsum, x, bind("t", on(transpose, y))),
    rewrite: (b, m) => {
      const spec = specOf(m.root.attrs.spec);
      return b.one(einsum, [m.x, m.y], { spec: printEinsum(spec.a, moveBack(spec.b, m.t.attrs.perm), spec.result) });
    },
    example: (b, input) => {
      const t = b.one(transpose, [input(named("f32", [["F", 5], ["D", 4]]))], { perm: [1, 0] });
      return b.one(einsum, [input(named("f32", [["T", 3], ["D", 4]])), t], { spec: "t d, d f -> t f" });
    },
  }),
  exact({
    name: "einsum-without-sum", law: "a contraction of nothing is a product of broadcasts", match: on(einsum, x, y),
    where: ({ root }) => specOf(root.attrs.spec).contracted.length === 0,
    rewrite: (b, m) => {
      const { a, b: right, result } = specOf(m.root.attrs.spec);
      const type = m.root.results[0]?.type ?? m.x.type;
      return b.one(mul, [spread(b, m.x, a, result, type), spread(b, m.y, right, result, type)], {});
    },
    example: (b, input) =>
      b.one(einsum, [input(named("f32", [["T", 3]])), input(named("f32", [["D", 4]]))], { spec: "t, d -> d t" }),
  }),
];
