/** @file Policies as text: canonical forms, and what is wrong with texts that spell none. */

import { describe, expect, it } from "vitest";
import { POLICIES, isPolicyKind, parsePolicy, printPolicy } from "../../ir/backward-policy.ts";

const canonical = (text: string): string => {
  const policy = parsePolicy(text);
  return typeof policy === "string" ? policy : printPolicy(policy);
};

describe("policies of the gradient of attention", () => {
  it.each([
    ["exact", "exact"],
    [" exact() ", "exact"],
    ["sus(c:25)", "sus(c: 25)"],
    ["sus(sampler: systematic, c: 2.5)", "sus(c: 2.5)"],
    ["sus(c: 8, sampler: bernoulli)", "sus(c: 8, sampler: bernoulli)"],
    ["lowrank(degree: 2, form: plugin, features: taylor, forward: false, unsafe: false)", "lowrank(degree: 2)"],
    ["lowrank(degree: 3, unsafe: true)", "lowrank(degree: 3, unsafe: true)"],
    [
      "lowrank(guard: 1.5, degree: 4, form: surrogate, features: chebyshev)",
      "lowrank(degree: 4, form: surrogate, features: chebyshev, guard: 1.5)",
    ],
    ["hybrid(c: 8, degree: 0)", "hybrid(c: 8, degree: 0)"],
    ["auto", "auto"],
    ["auto(error: 1e-2, variance: 0.1)", "auto(error: 0.01, variance: 0.1)"],
  ])("%s", (text, expected) => {
    expect(canonical(text)).toBe(expected);
    expect(canonical(expected)).toBe(expected);
  });

  it.each([
    ["exakt", "`exakt` is no policy; there are exact, sus, lowrank, hybrid, auto"],
    ["sus(c 25)", "cannot read `c 25`: expected `name: value`"],
    ["sus(c: 25,)", "cannot read ``: expected `name: value`"],
    ["sus(c: (25))", "`sus(c: (25))` is no policy; there are exact, sus, lowrank, hybrid, auto"],
    ["sus(c: 1, c: 2)", "`c` is given twice"],
    ["sus", "`sus` needs c"],
    ["hybrid", "`hybrid` needs c, degree"],
    ["sus(c: 0)", "`c` must be positive"],
    ["sus(c: 1e999)", "`c` must be positive"],
    ["sus(c: many)", "`c` is a number"],
    ["sus(c: 1, sampler: random)", "`sampler` is systematic or bernoulli"],
    ["sus(c: 1, degree: 2)", "`sus` has no `degree`; it has c, sampler"],
    ["exact(c: 1)", "`exact` takes no settings"],
    ["exact(toString: 1)", "`exact` takes no settings"],
    ["lowrank(degree: 0)", "`degree` must be a whole number from 1 to 6"],
    ["lowrank(degree: 1.5)", "`degree` must be a whole number from 1 to 6"],
    ["lowrank(degree: 7)", "`degree` must be a whole number from 1 to 6"],
    ["lowrank(degree: 3)", "`degree` must be even: an odd polynomial is negative for small scores; `unsafe: true` allows it"],
    ["lowrank(degree: 2, forward: yes)", "`forward` is true or false"],
    ["lowrank(degree: 2, guard: 1, forward: true)", "`guard` chooses between gradients of the exact forward pass, so it does not go with `forward`"],
    ["lowrank(degree: 2, guard: 0)", "`guard` must be positive"],
    ["hybrid(c: 1, degree: 1)", "`degree` must be even: an odd polynomial is negative for small scores"],
    ["auto(error: 1)", "`error` must lie between 0 and 1"],
  ])("refuses %s", (text, message) => {
    expect(parsePolicy(text)).toBe(message);
  });

  it("knows its kinds", () => {
    expect(Object.keys(POLICIES).every(isPolicyKind)).toBe(true);
    expect(isPolicyKind("constructor")).toBe(false);
  });
});
