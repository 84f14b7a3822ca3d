/** @file Are two modules the same program, part for part? Answers with the first difference, for tests and round trips. */

import { sameNode } from "./attrs.ts";
import type { Func, Module, Operation, Value } from "./core.ts";
import { attributesOf } from "./print.ts";
import type { Loc } from "./span.ts";
import { nameValues } from "./text/names.ts";
import { describe, identicalType } from "./types.ts";

export interface EqualOptions {
  /** Compare the names values are printed with (default true). */
  readonly names?: boolean;
  /** Compare places (default true). */
  readonly locs?: boolean;
}

export const equalModules = (a: Module, b: Module, options: EqualOptions = {}): boolean => difference(a, b, options) === null;

/** The first difference in words, null where there is none. */
export const difference = (a: Module, b: Module, options: EqualOptions = {}): string | null => {
  if (a.name !== b.name) return `module names: ${a.name} / ${b.name}`;
  const dims = (m: Module): string => JSON.stringify([...m.dims].sort());
  if (dims(a) !== dims(b)) return `dims: ${dims(a)} / ${dims(b)}`;
  const keys = new Set([...Object.keys(a.attrs), ...Object.keys(b.attrs)]);
  for (const key of keys) if (!sameNode(a.attrs[key] ?? null, b.attrs[key] ?? null)) return `module attribute ${key}`;
  if (a.funcs.length !== b.funcs.length) return `number of functions: ${a.funcs.length} / ${b.funcs.length}`;
  return first(a.funcs, b.funcs, (f, g) => differentFuncs(f, g, options));
};

const first = <T>(a: readonly T[], b: readonly T[], compare: (x: T, y: T) => string | null): string | null => {
  for (const [i, x] of a.entries()) {
    const y = b[i];
    const found = y === undefined ? "one is missing" : compare(x, y);
    if (found !== null) return found;
  }
  return null;
};

const differentFuncs = (f: Func, g: Func, options: EqualOptions): string | null => {
  const where = `@${f.name}`;
  if (f.name !== g.name) return `function names: ${f.name} / ${g.name}`;
  if (f.params.length !== g.params.length || f.ops.length !== g.ops.length || f.results.length !== g.results.length)
    return `${where}: numbers of parameters, operations or results`;
  const match = new Correspondence(f, g, options);
  return (
    first(f.params, g.params, (p, q) =>
      p.name === q.name && p.role === q.role && p.init === q.init ? match.define(p.value, q.value) : `${where}: parameter ${p.name}`,
    ) ??
    first(f.ops, g.ops, (x, y) => differentOperations(x, y, match, options)) ??
    first(f.results, g.results, (r, s) => (r.name === s.name && match.same(r.value, s.value) ? null : `${where}: result ${r.name}`))
  );
};

/** Which value of one function is which of the other. */
class Correspondence {
  readonly #to = new Map<Value, Value>();
  readonly #nameOf: (value: Value, other: Value) => string | null;

  constructor(f: Func, g: Func, { names = true }: EqualOptions) {
    const [left, right] = [nameValues(f), nameValues(g)];
    this.#nameOf = (a, b) => (!names || left.of(a) === right.of(b) ? null : `names: %${left.of(a)} / %${right.of(b)}`);
  }

  define(a: Value, b: Value): string | null {
    this.#to.set(a, b);
    if (!identicalType(a.type, b.type)) return `type of %${a.name}: ${describe(a.type)} / ${describe(b.type)}`;
    return this.#nameOf(a, b);
  }

  same(a: Value, b: Value): boolean {
    return this.#to.get(a) === b;
  }
}

const differentOperations = (x: Operation, y: Operation, match: Correspondence, { locs = true }: EqualOptions): string | null => {
  const where = `sq.${x.op.mnemonic} %${x.results[0]?.name ?? ""}`;
  if (x.op !== y.op) return `${where} / sq.${y.op.mnemonic}`;
  if (x.operands.length !== y.operands.length || x.results.length !== y.results.length) return `${where}: arity`;
  const [attrsX, attrsY] = [new Map(attributesOf(x)), new Map(attributesOf(y))];
  for (const key of new Set([...attrsX.keys(), ...attrsY.keys()]))
    if (!sameNode(attrsX.get(key) ?? null, attrsY.get(key) ?? null)) return `${where}: attribute ${key}`;
  if (!x.operands.every((value, i) => match.same(value, y.operands[i] ?? value))) return `${where}: operands`;
  if (locs && !sameLoc(x.loc, y.loc)) return `${where}: place`;
  return first(x.results, y.results, (a, b) => match.define(a, b));
};

const sameLoc = (a: Loc, b: Loc): boolean => {
  if (a.kind === "file" && b.kind === "file") return a.file === b.file && a.line === b.line && a.column === b.column;
  if (a.kind === "fused" && b.kind === "fused")
    return a.by === b.by && a.from.length === b.from.length && a.from.every((loc, i) => sameLoc(loc, b.from[i] ?? loc));
  return a.kind === b.kind;
};
