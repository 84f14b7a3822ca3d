/** @file Cuts attention out of a model's gradient, forward and backward, as functions of their own:
 *
 *      prepare(parameters, inputs…)  -> what the parts take in: q, k, v, d_o, biases, masks, keys of random draws
 *      attention_<i>(q, k, v, …)     -> o, lse, and whatever else its gradient wants from it
 *      attention_vjp_<i>(q, …, d_o)  -> dq, dk, dv
 *
 *  A part computes what depends on its operands (a centre of the keys, d_o · o, sums of two gradients), and constants; all
 *  else comes from `prepare`, so that the parts see what they see in the model. */

import type { Func, Operation, Param, Result, Value } from "../../ir/core.ts";
import { liveOps } from "../../passes/edit.ts";

export interface AttentionPart {
  /** In the order of the model. Those that compute the same with the same sizes are one part. */
  readonly sites: readonly string[];
  readonly forward: Func;
  /** null where no gradient flows through it. */
  readonly backward: Func | null;
}

export interface AttentionParts {
  readonly prepare: Func;
  readonly parts: readonly AttentionPart[];
}

const isForward = ({ op }: Operation): boolean => /^attention(_sampled|_lowrank)?$/.test(op.mnemonic);
const isBackward = ({ op }: Operation): boolean => op.mnemonic.startsWith("attention_vjp");
const siteOf = ({ attrs, path }: Operation): string => ("site" in attrs && typeof attrs.site === "string" ? attrs.site : path);

/** @param func `grad`, or `forward` of a model without a loss. No parts where it has no attention. */
export const attentionParts = (func: Func): AttentionParts => {
  const names = new Names(func);
  const parts = new Map<string, AttentionPart>();
  for (const operation of func.ops.filter(isForward)) {
    const site = siteOf(operation);
    const gradients = func.ops.filter((each) => isBackward(each) && siteOf(each) === site);
    const key = [operation, ...gradients].map(kindOf).join("\n");
    const same = parts.get(key);
    parts.set(key, same === undefined ? partOf(func, parts.size, operation, gradients, names) : { ...same, sites: [...same.sites, site] });
  }
  const results = names.prepared();
  return { prepare: { ...func, name: "prepare", ops: liveOps(func.ops, results.map(({ value }) => value)), results }, parts: [...parts.values()] };
};

/** The operation with its sizes, whatever the site. */
const kindOf = ({ op, attrs, operands }: Operation): string =>
  JSON.stringify([op.mnemonic, { ...attrs, site: "" }, operands.map(({ type }) => [type.dtype, type.shape])]);

/** Names of values between functions, each once; who asked for one that no part computes has it prepared. */
class Names {
  readonly #params: ReadonlyMap<Value, Param>;
  readonly #names = new Map<Value, string>();
  readonly #computed = new Set<Value>();

  constructor(func: Func) {
    this.#params = new Map(func.params.map((param) => [param.value, param]));
  }

  param(value: Value): Param {
    return this.#params.get(value) ?? { value, name: this.#nameOf(value), role: "input", init: "" };
  }

  result(value: Value): Result {
    this.#computed.add(value);
    return { value, name: this.#nameOf(value) };
  }

  prepared(): readonly Result[] {
    return [...this.#names].filter(([value]) => !this.#computed.has(value)).map(([value, name]) => ({ value, name }));
  }

  #nameOf(value: Value): string {
    const name = this.#names.get(value) ?? `part.${this.#names.size}`;
    this.#names.set(value, name);
    return name;
  }
}

const partOf = (func: Func, index: number, operation: Operation, gradients: readonly Operation[], names: Names): AttentionPart => {
  const operands = new Set(operation.operands.slice(0, 3));
  const there = cut(func, operation.results, operands);
  const forwardValues = new Set(there.ops.flatMap(({ results }) => results));
  const incoming = gradients.flatMap(({ op, operands: given }) => given[op.operands.indexOf("d_o")] ?? []);
  const { ops: after, results: totals } = finished(func, gradients);
  const back = cut(func, totals, new Set([...operands, ...incoming, ...varying(func, forwardValues)]), after);
  const handed = new Set([...operation.results, ...back.inputs.filter((value) => forwardValues.has(value))]);
  const results = [...handed].map((value) => names.result(value));
  const backward: Func = { name: `attention_vjp_${index}`, params: back.inputs.map((value) => names.param(value)), ops: back.ops, results: totals.map((value, i) => ({ value, name: `d.${i}` })) };
  return {
    sites: [siteOf(operation)],
    forward: { name: `attention_${index}`, params: there.inputs.map((value) => names.param(value)), ops: there.ops, results },
    backward: gradients.length === 0 ? null : backward,
  };
};

/** What is made of the gradients' operations where they stand in the source (sums of two, the gradient of a centre), and by which
 *  operations. Gradients that nothing uses, as that of a constant bias, are left out. */
const finished = (func: Func, gradients: readonly Operation[]): { readonly ops: readonly Operation[]; readonly results: readonly Value[] } => {
  const given = varying(func);
  const places = new Set(gradients.map(({ loc }) => loc));
  const known = new Set(gradients.flatMap(({ results }) => results));
  const left = new Set(known);
  const ops = func.ops.filter(({ loc, operands, results }) => {
    const own = places.has(loc) && operands.some((value) => known.has(value)) && operands.every((value) => known.has(value) || !given.has(value));
    if (own) for (const value of results) known.add(value);
    return own;
  });
  for (const { operands, results } of ops) {
    for (const value of operands) left.delete(value);
    for (const value of results) left.add(value);
  }
  const used = new Set([...func.ops.flatMap((operation) => operation.operands), ...func.results.map(({ value }) => value)]);
  return { ops, results: [...left].filter((value) => used.has(value)) };
};

/** The values that depend on what the function is given. */
const varying = (func: Func, among?: ReadonlySet<Value>): ReadonlySet<Value> => dependents(func, func.params.map(({ value }) => value), among);

const dependents = (func: Func, on: Iterable<Value>, among?: ReadonlySet<Value>): ReadonlySet<Value> => {
  const found = new Set(on);
  for (const { operands, results } of func.ops) if (operands.some((value) => found.has(value))) for (const value of results) found.add(value);
  return among === undefined ? found : new Set([...found].filter((value) => among.has(value)));
};

interface Cut {
  readonly ops: readonly Operation[];
  readonly inputs: readonly Value[];
}

/** The operations below `targets` and above `from` that depend on `from` or on nothing at all, and the values that they need.
 *  @param always operations that belong to it in any case. */
const cut = (func: Func, targets: readonly Value[], from: ReadonlySet<Value>, always: readonly Operation[] = []): Cut => {
  const [given, own] = [varying(func), dependents(func, from)];
  const needed = new Set(targets);
  const inputs = new Set<Value>();
  const ops: Operation[] = [];
  for (const operation of func.ops.toReversed()) {
    if (!operation.results.some((value) => needed.has(value))) continue;
    const inside = always.includes(operation) || operation.results.some((value) => !from.has(value) && (own.has(value) || !given.has(value)));
    if (inside) for (const value of operation.operands) needed.add(value);
    if (inside) ops.push(operation);
    else for (const value of operation.results) if (needed.has(value)) inputs.add(value);
  }
  for (const { value } of func.params) if (needed.has(value)) inputs.add(value);
  return { ops: ops.reverse(), inputs: [...inputs] };
};
