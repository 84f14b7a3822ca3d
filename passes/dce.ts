/** @file Removes operations that no result needs. Every op is pure, so unused means removable.
 *  Before  any stage.  After  the same; every operation reaches a result.  Changes numerics: no. */

import { liveOps, mapFuncs } from "./edit.ts";
import { definePass } from "./pass.ts";

export const dce = definePass({
  name: "dce",
  summary: "removes operations whose results nothing uses",
  before: "gradient",
  after: "same",
  options: {},
  run: (module, _options, ctx) =>
    mapFuncs(module, (func) => {
      const ops = liveOps(func.ops, func.results.map((result) => result.value));
      if (ops.length === func.ops.length) return func;
      ctx.count("operations removed", func.ops.length - ops.length);
      return { ...func, ops };
    }),
});
