/** @file Brings expressions into one form by exact rules, and computes what is known. Nothing here changes a rounding.
 *  Before  any stage.  After  the same; no rule of `rules/` applies.  Changes numerics: no. */

import { mapFuncs } from "./edit.ts";
import { definePass } from "./pass.ts";
import { rewrite } from "./rewrite.ts";
import { EXACT_RULES } from "./rules/index.ts";

export const canonicalize = definePass({
  name: "canonicalize",
  summary: "applies the exact rules everywhere",
  before: "gradient",
  after: "same",
  options: {},
  run: (module, _options, ctx) =>
    mapFuncs(module, (func) => rewrite(func, EXACT_RULES, { fired: (rule) => ctx.count(`rule ${rule.name}`) })),
});
