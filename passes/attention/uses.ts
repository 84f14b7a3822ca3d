/** @file Who uses a value, and what the attention sites of a function are called. */

import type { Func, Operation, Value } from "../../ir/core.ts";
import { attention, einsum } from "../../ir/ops/index.ts";
import { nextSite } from "../../ir/site-pattern.ts";
import type { Definitions } from "../../ir/pattern.ts";
import { leadsToProduct, weightsOf } from "./scores.ts";

export class Uses {
  readonly #users = new Map<Value, Operation[]>();
  readonly #results: ReadonlySet<Value>;

  constructor(func: Func) {
    this.#results = new Set(func.results.map((result) => result.value));
    for (const operation of func.ops)
      for (const operand of new Set(operation.operands)) this.#users.set(operand, [...(this.#users.get(operand) ?? []), operation]);
  }

  /** Operations that use a value, and one more if it is a result of the function. */
  count(value: Value): number {
    return (this.#users.get(value)?.length ?? 0) + (this.#results.has(value) ? 1 : 0);
  }

  /** Words where `operation` makes attention weights that reach a product only after something has changed them. */
  lostWeights(operation: Operation, defs: Definitions): string | null {
    const [result] = operation.results;
    const weights = result === undefined ? null : weightsOf(result, defs);
    if (result === undefined || weights === null || !leadsToProduct(weights.scores, defs)) return null;
    const users = this.#users.get(result) ?? [];
    if (users.some((user) => user.op === einsum)) return null;
    const changed = users.find((user) => this.#reachesProduct(user, result, 4));
    return changed === undefined ? null : `sq.${changed.op.mnemonic} changes the weights between the softmax and the product with the values`;
  }

  #reachesProduct(operation: Operation, from: Value, depth: number): boolean {
    const [result] = operation.results;
    const same = result?.type.shape.length === from.type.shape.length && result.type.shape.every((size, i) => size === from.type.shape[i]);
    if (depth === 0 || result === undefined || !same) return false;
    const users = this.#users.get(result) ?? [];
    return users.some((user) => user.op === einsum || this.#reachesProduct(user, from, depth - 1));
  }
}

/** Names of new sites: the path of the layer, with the next of `#1`, `#2`, … where the layer has sites already. */
export class SiteNames {
  readonly #taken = new Set<string>();

  constructor(func: Func) {
    for (const { op, attrs } of func.ops) if (op === attention) this.#taken.add((attrs as { readonly site: string }).site);
  }

  next(path: string): string {
    const name = nextSite(this.#taken, path);
    this.#taken.add(name);
    return name;
  }
}
