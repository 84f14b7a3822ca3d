/** @file Names of values in one function: the value's own, made unique; a number where it has none. */

import type { Func, Value } from "../core.ts";

/** Hands out names in the order values are met. Names that are legal and unique already are kept, so that what was
 *  printed and read back prints the same. */
export class Namer {
  readonly #names = new Map<Value, string>();
  readonly #used = new Set<string>();
  readonly #next = new Map<string, number>();
  #numbers = 0;

  of(value: Value): string {
    let name = this.#names.get(value);
    if (name === undefined) {
      name = value.name === "" ? `${this.#numbers++}` : this.#unique(legal(value.name));
      this.#names.set(value, name);
    }
    return name;
  }

  #unique(wanted: string): string {
    let name = wanted;
    if (this.#used.has(name)) {
      let n = this.#next.get(wanted) ?? 1;
      while (this.#used.has(`${wanted}_${n}`)) n++;
      this.#next.set(wanted, n + 1);
      name = `${wanted}_${n}`;
    }
    this.#used.add(name);
    return name;
  }
}

const ILLEGAL = /[^\w$.-]/;
const ALL_ILLEGAL = /[^\w$.-]/g;

/** MLIR's value names: letters, digits and `$._-`, not starting with a digit. */
const legal = (name: string): string => {
  const clean = ILLEGAL.test(name) ? name.replace(ALL_ILLEGAL, "_") : name;
  const first = clean.charCodeAt(0);
  return first >= 48 && first <= 57 ? `_${clean}` : clean;
};

/** Names in the order of definition. */
export const nameValues = (func: Func): Namer => {
  const namer = new Namer();
  for (const param of func.params) namer.of(param.value);
  for (const operation of func.ops) for (const result of operation.results) namer.of(result);
  return namer;
};
