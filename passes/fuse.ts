/** @file Decides which operations have no buffer: an `inline` operation is computed inside the kernels of its consumers.
 *
 *  Every other operation is a kernel: one thread an element of its result, its inline operand trees in place. Bottom
 *  line first, for an operation P with consumers already decided (operations are visited last to first):
 *
 *      inline        evals(P) · (cost(P) + loads(P))
 *      not inline    size(P) · (cost(P) + loads(P) + STORE) + evals(P) · LOAD + LAUNCH
 *
 *  P is inline where the first is not larger. LAUNCH counts where one kernel uses P: saving it in several would chain
 *  the sums of a residual stream from layer to layer, and what is a kernel would depend on the depth. `evals` counts how
 *  often its elements are computed in all kernels together: once a use and evaluation of the consumer, so a reduction
 *  over n uses each operand element once and a contraction uses it once for every label the operand lacks. Uses at the
 *  same index of the same kernel count once: code generation shares them. So an exp that feeds a contraction stays a
 *  buffer, and x + b before one does too if it would be repeated more than a few times, while an index computation,
 *  which costs nothing to repeat, never does.
 *
 *  Never inline: function results; a barrier; a reduction or contraction inside another loop, or computed more than once; what
 *  an operation that a backend computes whole reads from buffers; what would give a kernel a second loop, more than INPUTS arrays (gpu.js on WebGPU takes no more) or NODES operations. One
 *  loop a kernel keeps threads short and equal, and makes what is a kernel independent of the depth of the model.
 *
 *  Before  native.  After  the same; `inline` is set.  Changes numerics: no (a kernel may keep more precision inside). */

import type { Func, Operation, Value } from "../ir/core.ts";
import { barrier } from "../ir/ops/index.ts";
import { elements } from "../ir/types.ts";
import { mapFuncs } from "./edit.ts";
import { KernelSites, isFree } from "./fuse-sites.ts";
import { loopCount, operationCost } from "./kernel-cost.ts";
import { definePass } from "./pass.ts";

/** Costs in the time of one addition. */
const LOAD = 1;
const STORE = 1;
const LAUNCH = 4096;

export const fuse = definePass({
  name: "fuse",
  summary: "computes cheap operations inside the kernels that use them",
  before: "native",
  after: "same",
  options: {},
  run: (module, _options, ctx) =>
    mapFuncs(module, (func) => {
      const fused = fuseFunc(func);
      const inline = fused.ops.filter((operation) => operation.inline).length;
      ctx.count("operations inlined", inline);
      ctx.count("kernels", fused.ops.length - inline);
      return fused;
    }),
});

const fuseFunc = (func: Func): Func => {
  const wholes = func.ops.filter(({ op }) => op.expand !== null);
  const results = new Set([...func.results.map((result) => result.value), ...wholes.flatMap(({ operands }) => operands)]);
  const constants = func.ops.filter(isFree).flatMap((operation) => operation.results);
  const free = new Set(constants.filter((value) => !results.has(value)));
  const sites = new KernelSites(free);
  const ops: Operation[] = [];
  for (let i = func.ops.length - 1; i >= 0; i--) {
    const operation = func.ops[i];
    const [result] = operation?.results ?? [];
    if (operation === undefined || result === undefined) continue;
    const inline = free.has(result) || (!results.has(result) && operation.op.expand === null && shouldInline(operation, result, sites));
    if (!inline) sites.root(operation, result);
    else if (!free.has(result)) sites.inline(operation, result);
    ops.push(operation.inline === inline ? operation : { ...operation, inline });
  }
  return { ...func, ops: ops.reverse() };
};

const shouldInline = (operation: Operation, result: Value, sites: KernelSites): boolean => {
  const use = sites.useOf(result);
  if (operation.op === barrier || use === null || !sites.fits(operation, result)) return false;
  const size = elements(result.type);
  if (loopCount(operation) > 1 && (use.inLoop || use.evals > size)) return false;
  const work = operationCost(operation) + LOAD * sites.loads(operation);
  const launch = use.kernels === 1 ? LAUNCH : 0;
  return use.evals * work <= size * (work + STORE) + use.evals * LOAD + launch;
};
