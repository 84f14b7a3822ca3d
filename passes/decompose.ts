/** @file Expands every op that kernels are not made of, and splits reductions too long for one thread. What expansions
 *  have in common (the constants and bias corrections of a thousand optimizer updates) is made once.
 *  Before  gradient.  After  kernel: only ops without `expand`; no reduction runs over more than LONGEST elements.
 *  For a backend that computes attention whole: after native, where the records say which instances stay (`whole`).
 *  Changes numerics: the order of additions where a sum is split; expansions are the definition of the op. */

import type { Func, Operation } from "../ir/core.ts";
import { fused } from "../ir/span.ts";
import { Substitution, buildAt, liveOps, mapFuncs } from "./edit.ts";
import { definePass } from "./pass.ts";
import type { PassContext } from "./pass.ts";
import { Repeats } from "./repeats.ts";
import { splitOf } from "./split-reduction.ts";

export const decompose = definePass({
  name: "decompose",
  summary: "expands composite ops into kernel ops and splits long reductions",
  before: "gradient",
  after: "kernel",
  options: {},
  run: (module, _options, ctx) => mapFuncs(module, (func) => decomposed(func, ctx, () => false)),
});

export const decomposeNative = definePass({
  name: "decompose-native",
  summary: "the same, but leaves what a backend computes whole",
  before: "gradient",
  after: "native",
  options: {},
  run: (module, _options, ctx) => mapFuncs(module, (func) => decomposed(func, ctx, isWhole)),
});

const isWhole = ({ op, operands, attrs }: Operation): boolean => op.whole?.(operands.map(({ type }) => type), attrs) === true;

const decomposed = (func: Func, ctx: PassContext, stays: (operation: Operation) => boolean): Func => {
  const substitution = new Substitution();
  const repeats = new Repeats();
  const ops: Operation[] = [];
  let changed = false;
  const visit = (original: Operation): void => {
    const operation = substitution.apply(original);
    const body = stays(operation) ? null : (operation.op.expand ?? splitOf(operation));
    if (body === null) {
      const first = repeats.earlier(operation);
      if (first === undefined) ops.push(operation);
      else substitution.setAll(operation.results, first.results);
      changed ||= first !== undefined;
      return;
    }
    changed = true;
    ctx.count(operation.op.expand === null ? `split ${operation.op.mnemonic}` : `expand ${operation.op.mnemonic}`);
    const origin = { path: operation.path, loc: fused("decompose", [operation.loc]) };
    const names = operation.results.map((result) => result.name);
    const built = buildAt(origin, names, (b) => body(b, operation.operands, operation.attrs));
    substitution.setAll(operation.results, built.values);
    for (const inner of built.ops) visit(inner);
  };
  for (const operation of func.ops) visit(operation);
  if (!changed) return func;
  const results = func.results.map((result) => ({ ...result, value: substitution.of(result.value) }));
  return { ...func, results, ops: liveOps(ops, results.map((result) => result.value)) };
};
