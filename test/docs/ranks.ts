/** @file The table of docs/lowrank.md: features by width and degree, and the length from which they pay, from the cost
 *  polynomials of the operations. */

import { rankOf, taylor } from "../../ir/approximation.ts";
import type { TensorType } from "../../ir/core.ts";
import type { Form } from "../../ir/ops/attention-lowrank-attrs.ts";
import { attentionVjp, attentionVjpLowrank } from "../../ir/ops/index.ts";
import * as poly from "../../ir/poly.ts";
import { tensor } from "../../ir/types.ts";

const head = (n: number, d: number): TensorType => tensor("f32", [1, 1, n, d]);

const flops = (cost: poly.Poly): number => poly.evaluate(cost, new Map());

const exact = (n: number, d: number, causal: boolean): number => {
  const x = head(n, d);
  const attrs = { causal, window: 0, scale: 1, extras: [], dropout: 0, site: "", backward: "exact" } as const;
  return flops(attentionVjp.flops({ operandTypes: [x, x, x, x, tensor("f32", [1, 1, n]), x], resultTypes: [], attrs }));
};

const lowrank = (n: number, d: number, causal: boolean, degree: number, form: Form): number => {
  const x = head(n, d);
  const attrs = { causal, scale: 1, coefficients: taylor(degree), chunk: 64, extras: [], site: "", form } as const;
  return flops(attentionVjpLowrank.flops({ operandTypes: [x, x, x, x], resultTypes: [], attrs }));
};

/** The smallest length at which the low-rank gradient has fewer operations: it then has at all larger ones. */
const breakEven = (d: number, degree: number, form: Form, causal: boolean): number => {
  const pays = (n: number): boolean => lowrank(n, d, causal, degree, form) < exact(n, d, causal);
  let high = 128;
  while (!pays(high)) high *= 2;
  let low = high === 128 ? 1 : high / 2;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (pays(middle)) high = middle;
    else low = middle + 1;
  }
  return high;
};

const CASES: readonly (readonly [d: number, degree: number])[] = [[8, 1], [8, 2], [16, 1], [16, 2], [32, 1], [32, 2], [64, 1], [64, 2]];

const count = (n: number): string => n.toLocaleString("en-US");

export const rankRows = (): readonly (readonly string[])[] =>
  CASES.map(([d, degree]) => [
    `${d}`, `${degree}`,
    ...(["plugin", "surrogate"] as const).flatMap((form) => [
      count(rankOf(d, form === "plugin" ? degree + 1 : degree)),
      ...[false, true].map((causal) => count(breakEven(d, degree, form, causal))),
    ]),
  ]);
