/** @file Softmax attention that was written out becomes the `attention` op, so that what is known of attention (its
 *  gradient as a whole, cheaper backward passes) applies to it.
 *
 *      softmax(mask(scale · q k^T + bias)) v   ->   attention(q, k, v, …)
 *
 *  Scale: a known number, multiplied or divided, before or after the bias, on the scores, the queries or the keys.
 *  Masks: a select with a number of -1e9 or less, or such a number added; causality, windows and lengths are found in
 *  comparisons of indices, any other condition becomes a boolean tensor. A query whose keys are all masked gets zeros,
 *  where the written form gives the mean of the values: both are arbitrary.
 *
 *  Every place where the softmax of a product meets another product gets a remark: applied, or missed and why.
 *  Before  model.  After  model.  Changes numerics: rounding only. */

import type { Func, Operation } from "../../ir/core.ts";
import { einsum } from "../../ir/ops/index.ts";
import type { Definitions } from "../../ir/pattern.ts";
import { policyAt, siteRules } from "../../ir/site-pattern.ts";
import type { SiteRule } from "../../ir/site-pattern.ts";
import { fused } from "../../ir/span.ts";
import { Substitution, buildAt, definitions, liveOps, mapFuncs } from "../edit.ts";
import { fail } from "../fail.ts";
import { definePass } from "../pass.ts";
import type { PassContext } from "../pass.ts";
import { buildAttention } from "./build.ts";
import type { Found } from "./build.ts";
import { readLayout } from "./layout.ts";
import { readMasks } from "./mask.ts";
import { readScores, weightsOf } from "./scores.ts";
import { SiteNames, Uses } from "./uses.ts";

export const recognizeAttention = definePass({
  name: "recognize-attention",
  summary: "makes written-out softmax attention one operation",
  before: "model",
  after: "model",
  options: {},
  run: (module, _options, ctx) => {
    const said = new Set<string>();
    // The same place is in several functions (forward, loss): one remark is enough.
    const once: PassContext["remark"] = (remark) => {
      const key = `${remark.kind} ${remark.path} ${remark.message}`;
      if (!said.has(key)) ctx.remark(remark);
      said.add(key);
    };
    const rules = siteRules(module);
    if (typeof rules === "string") return fail("SQ0503", `recognize-attention: ${rules}`);
    return mapFuncs(module, (func) => recognizeIn(func, { model: module.name, rules }, { ...ctx, remark: once }));
  },
});

interface Facts {
  readonly model: string;
  readonly rules: readonly SiteRule[];
}

const recognizeIn = (func: Func, { model, rules }: Facts, ctx: PassContext): Func => {
  const defs = definitions(func.ops);
  const lookup: Definitions = (value) => defs.get(value);
  const uses = new Uses(func);
  const substitution = new Substitution();
  const ops: Operation[] = [];
  const sites = new SiteNames(func);
  for (const original of func.ops) {
    const found = original.op === einsum ? findAt(original, lookup, uses) : uses.lostWeights(original, lookup);
    if (found === null || typeof found === "string") {
      if (found !== null) ctx.remark({ kind: "missed", path: original.path, loc: original.loc, message: `attention not recognised: ${found}` });
      ops.push(substitution.apply(original));
      continue;
    }
    const [result] = original.results;
    if (result === undefined) continue;
    const site = sites.next(original.path === "" ? model : original.path);
    const origin = { path: original.path, loc: fused("recognize-attention", [original.loc, found.scores.product.loc]) };
    const built = buildAt(origin, [result.name], (b) => [buildAttention(b, found, { site, backward: policyAt(rules, site) }, result.type, lookup)]);
    // Operands are final values of the function so far: what was replaced before is replaced in them too.
    for (const operation of built.ops) ops.push(substitution.apply(operation));
    substitution.set(result, built.values[0] ?? result);
    ctx.count("sites recognised");
    ctx.remark({ kind: "applied", path: original.path, loc: original.loc, message: describeSite(found) });
  }
  if (ops.every((operation, i) => operation === func.ops[i])) return func;
  const results = func.results.map((r) => ({ ...r, value: substitution.of(r.value) }));
  return { ...func, results, ops: liveOps(ops, results.map((r) => r.value)) };
};

/** The attention that this product ends; null if it is none, words if it nearly is. */
const findAt = (product: Operation, defs: Definitions, uses: Uses): Found | string | null => {
  for (const side of [0, 1] as const) {
    const value = product.operands[side];
    const weights = value === undefined ? null : weightsOf(value, defs);
    if (value === undefined || weights === null) continue;
    if (uses.count(value) > 1) return "the weights are used in another place too";
    const scores = readScores(weights.scores, defs);
    if (typeof scores === "string") return scores;
    const layout = readLayout(scores.product, product, side, weights.axis);
    if (typeof layout === "string") return layout;
    const masks = readMasks(scores.conditions, layout.axes, defs);
    if (masks.causal && layout.axes.N > layout.axes.M) return "a causal mask with more queries than keys leaves queries without keys";
    return { layout, scores, masks };
  }
  return null;
};

const describeSite = ({ layout: { axes }, masks, scores }: Found): string => {
  const what = [
    `${axes.N} queries, ${axes.M} keys`,
    ...(masks.causal ? ["causal"] : []),
    ...(masks.window > 0 ? [`window ${masks.window}`] : []),
    ...(masks.lengths === null ? [] : ["lengths"]),
    ...(masks.tensors.length > 0 ? ["boolean mask"] : []),
    ...(scores.biases.length > 0 ? ["bias"] : []),
  ];
  return `attention recognised: ${what.join(", ")}`;
};
