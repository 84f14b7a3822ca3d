/** @file SQ05xx: gradients, approximation and optimizers. */

import type { CodeEntry } from "../codes.ts";

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
  SQ0504: {
    title: "there is nothing to differentiate",
    explanation:
      "Gradients are taken of the `loss`, with respect to parameters and float arguments. The program has no loss, or its loss depends " +
      "on none of them.",
    bad: "loss(x: int[N]) = 0.0",
    good: "loss(x: [N], y: [N]) = mse(M(x), y)",
  },
  SQ0505: {
    title: "an operation has no second derivative",
    explanation:
      "Differentiating a gradient needs a derivative for every operation in it. The operation named in the message declares that it has " +
      "none; expand it first with `decompose`, or do not differentiate twice.",
    bad: "subquad opt grad.ir --passes differentiate",
    good: "subquad opt grad.ir --passes decompose,differentiate",
  },
  SQ0506: {
    title: "a parameter does not influence the loss",
    explanation:
      "The gradient of this parameter is zero whatever the data, so training cannot change it. Usually a layer's result is not used. This " +
      "is a warning.",
    bad: "let y = Mlp(x)\nreturn x",
    good: "let y = Mlp(x)\nreturn y",
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
