/** @file The gradient of a model that also hands out what every attention's gradient was computed from.
 *
 *      probe(parameters, inputs…) -> loss, grad.…, and for site s, operand x of its sq.attention_vjp: probe.<s>.<x>
 *
 *  Nothing is computed twice: the operands exist in the gradient, a probe only makes results of them. */

import type { Func, Module, Operation, Result, TensorType } from "../../ir/core.ts";
import { attentionVjp } from "../../ir/ops/index.ts";
import { attentionSizes, BACKWARD, backwardOperands } from "../../ir/ops/attention-attrs.ts";
import type { AttentionAttrs, AttentionSizes } from "../../ir/ops/attention-attrs.ts";
import { withFunc } from "../../passes/edit.ts";

/** One attention of a model, as its exact gradient sees it. */
export interface Site {
  /** By which the `backward` block selects it; made unique where two have one name. */
  readonly name: string;
  /** The layer instance it belongs to, whose parameters are its projections. */
  readonly path: string;
  readonly attrs: AttentionAttrs;
  readonly sizes: AttentionSizes;
  /** Types of the operands by name, the extras included. */
  readonly types: ReadonlyMap<string, TensorType>;
}

export interface Probe {
  readonly module: Module;
  readonly sites: readonly Site[];
}

export const PROBE = "probe";

/** What statistics need. o and lse are recomputed in float64 from the others. */
const RECOMPUTED: readonly string[] = ["o", "lse"];

export const resultName = (site: string, operand: string): string => `probe.${site}.${operand}`;

/** The module with one function, `probe`, made of its function `grad`. No sites where the model has no attention, or where no
 *  gradient flows through it. */
export const probeOf = (module: Module, of = "grad"): Probe => {
  const grad = module.funcs.find((func) => func.name === of);
  if (grad === undefined) return { module, sites: [] };
  const taken = new Map<string, number>();
  const sites: Site[] = [];
  const results: Result[] = [];
  for (const operation of inOrder(grad)) {
    const attrs = operation.attrs as AttentionAttrs;
    const name = unique(attrs.site || operation.path || module.name, taken);
    const names = [...BACKWARD, ...attrs.extras];
    sites.push(siteOf(operation, name, attrs, names));
    names.forEach((operand, i) => {
      const value = operation.operands[i];
      if (value !== undefined && !RECOMPUTED.includes(operand)) results.push({ name: resultName(name, operand), value });
    });
  }
  const probe: Func = { ...grad, name: PROBE, results: [...grad.results, ...results] };
  return { module: { ...withFunc(module, probe), funcs: [probe] }, sites };
};

/** Backward operations come last layer first; people count from the first. */
const inOrder = (grad: Func): readonly Operation[] => grad.ops.filter(({ op }) => op === attentionVjp).reverse();

const unique = (name: string, taken: Map<string, number>): string => {
  const count = taken.get(name) ?? 0;
  taken.set(name, count + 1);
  return count === 0 ? name : `${name}#${count}`;
};

const siteOf = ({ path, operands }: Operation, name: string, attrs: AttentionAttrs, names: readonly string[]): Site => {
  const types = operands.map((value) => value.type);
  return {
    name,
    path,
    attrs,
    sizes: attentionSizes(backwardOperands(types, attrs)),
    types: new Map(names.flatMap((operand, i): [string, TensorType][] => (types[i] === undefined ? [] : [[operand, types[i]]]))),
  };
};
