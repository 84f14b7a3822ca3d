/** @file `einsum(x, w, "b t d, d h k -> b h t k")`: any number of operands, contracted from left to right. */

import type { Poly } from "../../../ir/poly.ts";
import type { Context } from "../context.ts";
import { printAxis, printType } from "../dims.ts";
import { ERROR } from "../program.ts";
import type { Node, Value } from "../program.ts";
import { disagree } from "../shapes.ts";
import type { Operand } from "../shapes.ts";
import type { Builtin, BuiltinCall } from "./call.ts";
import { parseEinsum } from "./patterns.ts";
import type { EinsumPattern } from "./patterns.ts";

const check = (ctx: Context, call: BuiltinCall): Value => {
  const written = [...call.rest];
  const last = written.pop();
  if (last?.value.kind !== "string")
    return ctx.error("SQ0322", "the last argument of `einsum` is its pattern", last?.span ?? call.at, {
      hint: 'write for instance `einsum(x, w, "b t d, d k -> b t k")`',
    });
  const pattern = parseEinsum(last.value.value);
  if (typeof pattern === "string") return ctx.error("SQ0304", pattern, last.span);
  const operands = written.map((entry) => call.asOperand(entry));
  if (!operands.every((operand) => operand !== null)) return ERROR;
  if (operands.length !== pattern.inputs.length)
    return ctx.error("SQ0304", `the pattern has ${pattern.inputs.length} operands, the call ${operands.length}`, last.span);
  const sizes = bindLabels(ctx, call, pattern, operands);
  return sizes === null ? ERROR : chain(call, pattern, operands.map(({ node }) => node), sizes);
};

const bindLabels = (ctx: Context, call: BuiltinCall, pattern: EinsumPattern, operands: readonly Operand[]): ReadonlyMap<string, Poly> | null => {
  const sizes = new Map<string, { axis: Poly; operand: Operand }>();
  for (const [i, operand] of operands.entries()) {
    const labels = pattern.inputs[i] ?? [];
    const { dims } = operand.node.type;
    if (labels.length !== dims.length) {
      ctx.error("SQ0302", `\`${labels.join(" ")}\` names ${labels.length} axes of ${printType(operand.node.type)}, which has ${dims.length}`, operand.span, {
        labels: ctx.operandLabels([operand]).slice(1),
      });
      return null;
    }
    for (const [k, label] of labels.entries()) {
      const axis = dims[k];
      const known = sizes.get(label);
      if (axis === undefined) continue;
      if (known === undefined) sizes.set(label, { axis, operand });
      else if (!ctx.dims.same(known.axis, axis)) {
        const what = `the label \`${label}\` of \`einsum\` is ${printAxis(known.axis)} and ${printAxis(axis)}`;
        disagree(ctx, what, call.at, { left: known.axis, right: axis }, [known.operand, operand], "SQ0305");
        return null;
      }
    }
  }
  return new Map([...sizes].map(([label, { axis }]) => [label, axis]));
};

/** Contracts two at a time; what a later operand or the result needs is kept. */
const chain = (call: BuiltinCall, pattern: EinsumPattern, nodes: readonly Node[], sizes: ReadonlyMap<string, Poly>): Value => {
  const axesOf = (labels: readonly string[]): readonly Poly[] => labels.flatMap((label) => sizes.get(label) ?? []);
  const [first, ...others] = nodes;
  if (first === undefined) return ERROR;
  let node = first;
  let labels = pattern.inputs[0] ?? [];
  if (others.length === 0) return call.result({ kind: "einsum", inputs: [labels], output: pattern.output }, [node], "f32", axesOf(pattern.output));
  for (const [i, other] of others.entries()) {
    const mine = pattern.inputs[i + 1] ?? [];
    const needed = new Set([...pattern.inputs.slice(i + 2).flat(), ...pattern.output]);
    const last = i === others.length - 1;
    const output = last ? pattern.output : [...new Set([...labels, ...mine])].filter((label) => needed.has(label));
    node = call.emit({ kind: "einsum", inputs: [labels, mine], output }, [node, other], "f32", axesOf(output));
    labels = output;
  }
  return { kind: "tensor", node };
};

export const EINSUM: Builtin = {
  name: "einsum",
  signature: "einsum(xs...)",
  summary:
    'Sums products over labelled axes: `einsum(x, w, "b t d, d h k -> b h t k")`. The pattern comes last; labels that the result lacks are summed.',
  check,
};
