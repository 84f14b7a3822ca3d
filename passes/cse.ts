/** @file Common subexpressions: of equal operations on the same operands the first is kept (`repeats.ts`).
 *  Before  any stage.  After  the same; no two operations of a function are equal.  Changes numerics: no. */

import type { Func, Operation } from "../ir/core.ts";
import { Substitution, mapFuncs } from "./edit.ts";
import { definePass } from "./pass.ts";
import { Repeats } from "./repeats.ts";

export const cse = definePass({
  name: "cse",
  summary: "computes equal expressions once",
  before: "gradient",
  after: "same",
  options: {},
  run: (module, _options, ctx) =>
    mapFuncs(module, (func) => {
      const reduced = withoutRepeats(func);
      ctx.count("operations merged", func.ops.length - reduced.ops.length);
      return reduced;
    }),
});

const withoutRepeats = (func: Func): Func => {
  const substitution = new Substitution();
  const repeats = new Repeats();
  const ops: Operation[] = [];
  for (const original of func.ops) {
    const operation = substitution.apply(original);
    const first = repeats.earlier(operation);
    if (first === undefined) ops.push(operation);
    else substitution.setAll(operation.results, first.results);
  }
  if (ops.length === func.ops.length) return func;
  return { ...func, ops, results: func.results.map((r) => ({ ...r, value: substitution.of(r.value) })) };
};
