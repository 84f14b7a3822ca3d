/** @file SQ05xx: gradients, approximation and optimizers. */

import type { CodeEntry } from "./entry.ts";

export const GRADIENT_CODES = {
  SQ0502: {
    title: "an unknown gradient policy",
    explanation: "The policies are `exact`, `sus(c: …)`, `lowrank(degree: …)`, `hybrid(c: …, degree: …)` and `auto`; docs/backward.md compares them.",
    bad: "backward { **: sampled }",
    good: "backward { **: sus(c: 25) }",
  },
  SQ0503: {
    title: "a gradient policy has wrong settings",
    explanation:
      "`sus` needs `c`, the expected number of entries kept in a row, a positive number; `lowrank` needs `degree`, an even number from 2 to 6; " +
      "`hybrid` needs both, and its degree may be 0. The others can be left out; docs/language.md lists them. Settings are known at compile " +
      "time; `sampler`, `form` and `features` are words.",
    bad: "backward { **: exact(c: 25) }",
    good: "backward { **: sus(c: 25, sampler: bernoulli) }",
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
  SQ0509: {
    title: "an approximation of the gradient has no useful bound",
    explanation:
      "Low-rank attention replaces the exponential of the scores by a polynomial, which is close to it only where scores are small. The " +
      "compiler must know how large they can get: normalise queries and keys, or state a bound that is checked while training (`guard: R`: " +
      "heads beyond it run exactly). Without one, or where the polynomial is off by half or more within it, the gradient would be wrong by any " +
      "amount; `unsafe: true` says that this is wanted. docs/lowrank.md has the numbers.",
    bad: "backward { **: lowrank(degree: 2) }",
    good: "backward { **: lowrank(degree: 2, guard: 0.5) }",
  },
  SQ0510: {
    title: "statistics of attention heads that do not fit",
    explanation:
      "`--statistics` takes the JSON that `subquad audit --json` writes for the same model: `auto` judges forms of the gradient by what " +
      "was measured of each head. The message says what is not as it should be.",
    bad: "subquad compile other.sq --attention-backward auto:variance=0.1 --statistics model.json",
    good: "subquad compile model.sq --attention-backward auto:variance=0.1 --statistics model.json",
  },
} as const satisfies Record<string, CodeEntry>;
