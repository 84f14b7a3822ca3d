/** @file Sampled attention with a control variate: its derivative as a whole (sample and low-rank part) is unbiased for any
 *  polynomial and both kinds of rows, has less variance where rows are diffuse, and is plain sampling where they are sharp. */

import { expect, it } from "vitest";
import type { Data } from "../../ir/core.ts";
import { interpret } from "../../ir/interpret.ts";
import { attention, attentionSampled } from "../../ir/ops/index.ts";
import { tensor } from "../../ir/types.ts";
import { reverse } from "./reverse.ts";
import { biasRatios, closedForm, drawOf, gradientOf, isUnbiased, key, momentsOf, problemOf } from "./sus-support.ts";
import type { Problem } from "./sus-support.ts";
import { exampleData, makeFunc, namedInputs, source } from "./support.ts";

const DRAWS = 400;
const TAYLOR = [1, 1, 0.5];

interface Case {
  readonly label: string;
  readonly sharpness: number;
  readonly control: readonly number[];
  /** Largest variance, in that of plain Bernoulli sampling. */
  readonly variance: number;
  /** Is the control variate used by most rows? */
  readonly used: boolean;
  readonly lse: boolean;
}

const CASES: readonly Case[] = [
  { label: "diffuse rows, degree 2", sharpness: 0.5, control: TAYLOR, variance: 0.05, used: true, lse: false },
  { label: "diffuse rows, degree 0", sharpness: 0.5, control: [1], variance: 0.5, used: true, lse: false },
  { label: "diffuse rows, a polynomial that is far off", sharpness: 0.5, control: [0.1, -3, 4], variance: 1.2, used: false, lse: false },
  { label: "sharp rows, degree 2", sharpness: 5, control: TAYLOR, variance: 1.2, used: false, lse: false },
  { label: "diffuse rows, degree 2, with a cotangent of lse", sharpness: 0.5, control: TAYLOR, variance: 0.05, used: true, lse: true },
];

/** Without the cotangent of lse, which a problem's own exact gradient lacks. */
const withLse = (p: Problem, dLse: Data): Problem => {
  const x = tensor("f32", [1, 1, p.n, p.d]);
  const func = makeFunc([x, x, x, x, tensor("f32", [1, 1, p.n])], (b, [q, k, v, dO, ct]) => {
    const own = makeFunc([], (inner) => inner.all(attention, [q!, k!, v!], p.attrs));
    const [o, lse] = own.results.map(({ value }) => value);
    return reverse(b, own.ops, [[o!, dO!], [lse!, ct!]], [q!, k!, v!]).map((value) => value!);
  });
  return { ...p, exact: [...interpret(func, namedInputs([p.q, p.k, p.v, p.dO, dLse])).results.values()] };
};

it.each(CASES.map((c) => [c.label, c] as const))("is unbiased: %s", (_, { sharpness, control, variance, used, lse }) => {
  const plain = problemOf({ n: 96, d: 12, causal: true, sharpness, c: 8, sampler: "systematic" });
  const row = tensor("f32", [1, 1, plain.n]);
  const dLse = exampleData({ type: row, elements: "normal" }, source(8)).map((x) => (lse ? x : 0));
  const p = withLse(plain, dLse);
  const attrs = { ...p.attrs, control };
  const x = tensor("f32", [1, 1, p.n, p.d]);
  const func = makeFunc([x, x, x, tensor("i32", [4]), tensor("f32", [1, 1, p.d]), x, row], (b, [q, k, v, keyValue, center, dO, ct]) => {
    const own = makeFunc([], (inner) => inner.all(attentionSampled, [q!, k!, v!, keyValue!, center!], attrs));
    const [o, lseOf, kept, , gate] = own.results.map(({ value }) => value);
    return [kept!, gate!, ...reverse(b, own.ops, [[o!, dO!], ...(lse ? [[lseOf!, ct!] as const] : [])], [q!, k!, v!]).map((value) => value!)];
  });
  const center = Float64Array.from({ length: p.d }, (_c, a) => p.k.reduce((sum, y, at) => (at % p.d === a ? sum + y : sum), 0) / p.n);
  let [gated, most] = [0, 0];
  const moments = momentsOf(p, DRAWS, (r) => {
    const [kept, gate, ...gradients] = [...interpret(func, namedInputs([p.q, p.k, p.v, key(r + 1), center, p.dO, dLse])).results.values()];
    gated += gate!.reduce((sum, y) => sum + y, 0) / DRAWS / p.n;
    most = Math.max(most, kept!.length / p.n);
    return gradients;
  });
  expect(biasRatios(p, moments).every(Number.isFinite)).toBe(true);
  expect(isUnbiased(p, moments), biasRatios(p, moments).join()).toBe(true);
  expect(most).toBe(p.c);
  expect(gated > 0.5, `gated ${gated}`).toBe(used);
  if (!lse) moments.squares.forEach((sum, which) => expect(sum / DRAWS / closedForm(p)[which]!).toBeLessThan(variance));
});

it("the same test rejects the sampled part alone", () => {
  const p = problemOf({ n: 96, d: 12, causal: true, sharpness: 0.5, c: 8, sampler: "systematic" });
  const moments = momentsOf(p, 100, (r) => gradientOf(p, drawOf({ ...p, attrs: { ...p.attrs, control: TAYLOR } }, r + 1, new Float64Array(p.d))));
  expect(isUnbiased(p, moments)).toBe(false);
});
