/** @file SQ05xx: gradients, approximation and optimizers. */

import type { CodeEntry } from "./entry.ts";

export const GRADIENT_CODES = {
  SQ0501: {
    title: "this gradient policy is not built yet",
    explanation:
      "The `backward` block is parsed and checked against the attention sites of the model, and carried in the IR, but this version " +
      "computes exact gradients only. The policy is refused instead of being ignored, so that no run is mistaken for another.",
    bad: "backward { **: sus(c: 25) }",
    good: "backward { **: exact }",
  },
  SQ0502: {
    title: "an unknown gradient policy",
    explanation: "The policies are `exact`, `sus(c: …)`, `lowrank(degree: …)`, `hybrid` and `auto`.",
    bad: "backward { **: sampled }",
    good: "backward { **: exact }",
  },
  SQ0503: {
    title: "a gradient policy has wrong arguments",
    explanation:
      "`sus` takes `c`, the expected number of entries kept in a row, a positive number; `lowrank` takes `degree`, a small positive " +
      "whole number; the others take none.",
    bad: "backward { **: exact(c: 25) }",
    good: "backward { **: exact }",
  },
  SQ0507: {
    title: "an optimizer's arguments are wrong",
    explanation:
      "`betas` is a pair of numbers in [0, 1), `momentum` a number in [0, 1), `nesterov` true or false; the others are numbers that are " +
      "not negative. All are known at compile time. What is left out has its default; docs/language.md lists them.",
    bad: "optimizer adamw(betas: 0.9)",
    good: "optimizer adamw(lr: 3e-4, betas: (0.9, 0.95))",
  },
  SQ0508: {
    title: "a pass names a function or result that the module does not have",
    explanation:
      "`differentiate{of=…,result=…}` and `make-step{of=…}` act on functions of the module by name. The message lists the names there are. " +
      "What is differentiated must be a float result; `make-step` needs the function that `differentiate` makes.",
    bad: "subquad opt model.ir --passes 'differentiate{of=forward_pass}'",
    good: "subquad opt model.ir --passes 'differentiate{of=forward}'",
  },
} as const satisfies Record<string, CodeEntry>;
