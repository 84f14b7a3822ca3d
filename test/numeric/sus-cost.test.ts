/** @file What the sampled gradient of attention costs: leading terms, and how they grow with the length, from the IR of the
 *  pair. That evaluation counts the same is tested for every op in cost.test.ts. */

import { describe, expect, it } from "vitest";
import { logLogSlope } from "../../compiler/audit/estimate.ts";
import { costOf } from "../../ir/cost.ts";
import { attention, attentionSampled, attentionVjp, attentionVjpSampled } from "../../ir/ops/index.ts";
import * as poly from "../../ir/poly.ts";
import type { Poly } from "../../ir/poly.ts";
import { tensor } from "../../ir/types.ts";
import { sampledAttrs } from "./sus-support.ts";
import { makeFunc } from "./support.ts";

interface Costs {
  readonly forward: Poly;
  readonly dense: Poly;
  readonly sampledForward: Poly;
  readonly sampled: Poly;
}

/** Floating-point operations of one head of n queries and keys, as polynomials in T and D. */
const costs = (n: number, d: number, c: number, causal: boolean): Costs => {
  const attrs = sampledAttrs({ d, causal, c, sampler: "systematic" });
  const x = tensor("f32", [1, 1, n, d], [poly.ONE, poly.ONE, poly.symbol("T"), poly.symbol("D")]);
  const { ops } = makeFunc([x, x, x, tensor("i32", [4]), x], (b, [q, k, v, key, dO]) => {
    const [o, lse] = b.all(attention, [q!, k!, v!], attrs);
    b.all(attentionVjp, [q!, k!, v!, o!, lse!, dO!], attrs);
    const [same, , kept, weights] = b.all(attentionSampled, [q!, k!, v!, key!], attrs);
    return b.all(attentionVjpSampled, [q!, k!, v!, same!, kept!, weights!, dO!], attrs);
  });
  const [forward, dense, sampledForward, sampled] = ops.map((operation) => costOf(operation).flops);
  return { forward: forward!, dense: dense!, sampledForward: sampledForward!, sampled: sampled! };
};

const coefficient = (p: Poly, term: string): number => p.terms.get(term) ?? 0;
const valueAt = (p: Poly, n: number, d: number): number => poly.evaluate(p, new Map([["T", n], ["D", d]]));

/** Only the terms with a factor D: contractions. */
const contractions = (p: Poly): Poly => ({ terms: new Map([...p.terms].filter(([term]) => poly.symbolsOf({ terms: new Map([[term, 1]]) }).has("D"))) });

const LENGTHS = [1024, 2048, 4096, 8192];

describe("of the dense gradient", () => {
  it.each([true, false])("leading terms are 2.5 times those of the forward pass (causal: %s)", (causal) => {
    const { forward, dense } = costs(64, 8, 4, causal);
    expect(coefficient(forward, "D*T^2")).toBe(causal ? 2 : 4);
    expect(coefficient(dense, "D*T^2") / coefficient(forward, "D*T^2")).toBe(2.5);
  });
});

describe("of the sampled gradient", () => {
  it.each([1, 7, 27])("there are 8 D a slot and 2 D a query for delta, exactly (c = %i)", (c) => {
    const { sampled } = costs(64, 8, c, true);
    expect(coefficient(sampled, "D*T")).toBe(8 * c + 2);
    expect(poly.print(sampled)).toBe(`${8 * c + 2}*D*T + ${3 * c}*T`);
  });

  it("grow linearly with the length, those of the dense one quadratically", () => {
    const points = LENGTHS.map((n) => ({ n, ...costs(n, 64, 27, true) }));
    expect(logLogSlope(points.map(({ n, sampled }) => [n, valueAt(sampled, n, 64)]))).toBeCloseTo(1, 10);
    expect(logLogSlope(points.map(({ n, dense }) => [n, valueAt(dense, n, 64)]))).toBeCloseTo(2, 2);
  });

  it.each(LENGTHS)("the slots take at most 1.6 c / n of the dense gradient's contractions at n = %i", (n) => {
    const [d, c] = [64, 27];
    const { dense, sampled } = costs(n, d, c, true);
    const [all, delta] = [valueAt(contractions(dense), n, d), 2 * n * d];
    expect((valueAt(contractions(sampled), n, d) - delta) / all).toBeLessThanOrEqual((1.6 * c) / n);
    // The vector arithmetic and delta = d_o . o, which both gradients need, come to less than one slot more.
    expect(valueAt(sampled, n, d) / valueAt(dense, n, d)).toBeLessThanOrEqual((1.6 * (c + 1)) / n);
  });
});

it.each([[true, 4], [false, 2]] as const)("a training step's attention takes 3.5 / (1 + k c / n) times less (causal: %s, k = %i)", (causal, k) => {
  const [n, c, d] = [2048, 27, 128];
  const { forward, dense, sampledForward, sampled } = costs(n, d, c, causal);
  const ratio = (part: (p: Poly) => Poly): number =>
    (valueAt(part(forward), n, d) + valueAt(part(dense), n, d)) / (valueAt(part(sampledForward), n, d) + valueAt(part(sampled), n, d));
  const expected = 3.5 / (1 + (k * c) / n);
  expect(Math.abs(ratio(contractions) / expected - 1)).toBeLessThan(0.02);
  expect(Math.abs(ratio((p) => p) / expected - 1)).toBeLessThan(0.02);
});
