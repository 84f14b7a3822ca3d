/** @file SQ03xx: shapes, dtypes, dimensions and values known at compile time. */

import type { CodeEntry } from "./entry.ts";

export const SHAPE_CODES = {
  SQ0301: {
    title: "shapes do not match",
    explanation:
      "The operands of an operation need shapes that agree: equal axes, or, in arithmetic, axes that can be broadcast from the " +
      "right, where one of them is 1 or absent. The message shows both shapes with the names of their dimensions and where " +
      "each was bound.",
    bad: "fn f(x: [T, D], y: [D, T]) = x + y",
    good: "fn f(x: [T, D], y: [D, T]) = x + y.T",
  },
  SQ0302: {
    title: "the wrong number of axes",
    explanation:
      "The operation needs a tensor with another number of axes: `.T` and `@` need two, `attention` needs four " +
      "`[batch, heads, tokens, width]`. Use `rearrange` or an index to add or remove axes.",
    bad: "fn f(x: [D]) = x.T",
    good: "fn f(x: [T, D]) = x.T",
  },
  SQ0303: {
    title: "the inner axes of `@` differ",
    explanation:
      "`x @ w` sums over the last axis of x and the last but one of w; the two must be the same size. Leading axes must be equal " +
      "or absent on one side. Often a `.T` is missing or the parameter was declared the other way round.",
    bad: "layer F(x: [T, D]) -> [T, M] {\n  param w: [M, D]\n  return x @ w\n}",
    good: "layer F(x: [T, D]) -> [T, M] {\n  param w: [D, M]\n  return x @ w\n}",
  },
  SQ0304: {
    title: "a malformed einsum or rearrange pattern",
    explanation:
      "An einsum pattern names every axis of every operand, separated by blanks, the operands by commas, then `->` and the axes " +
      "of the result: \"b t d, d h k -> b h t k\". A label of the result must occur on the left, a label of one operand alone is " +
      "summed, and no label occurs twice in one operand. A rearrange pattern has one operand and may group axes in parentheses.",
    bad: 'let y = einsum(x, w, "btd,dk")',
    good: 'let y = einsum(x, w, "b t d, d k -> b t k")',
  },
  SQ0305: {
    title: "one label, two sizes",
    explanation:
      "In an einsum or rearrange pattern a label stands for one size wherever it occurs. Here it is bound to different sizes by two " +
      "operands, or a group does not multiply to the size of its axis.",
    bad: 'fn f(x: [T, D], w: [M, D]) = einsum(x, w, "t d, d m -> t m")',
    good: 'fn f(x: [T, D], w: [M, D]) = einsum(x, w, "t d, m d -> t m")',
  },
  SQ0306: {
    title: "the wrong kind of number",
    explanation:
      "Tensors hold floats, integers or truth values, and the operation needs another kind. Token ids are `int` and are looked up " +
      "with `table[ids]`; comparisons make `bool`, which `where` consumes. `float(x)` and `int(x)` convert.",
    bad: "fn f(tokens: int[T], w: [T]) = tokens * w",
    good: "fn f(tokens: int[T], w: [T]) = float(tokens) * w",
  },
  SQ0307: {
    title: "a single number is needed",
    explanation:
      "The place demands a scalar: an argument such as `scale:` or `rate`, or a condition of the compiler. Here a tensor with axes " +
      "was given. Reduce it first, or pick an element.",
    bad: "let y = attention(q, k, v, scale: x)",
    good: "let y = attention(q, k, v, scale: 0.125)",
  },
  SQ0308: {
    title: "an axis is out of range",
    explanation:
      "Axes are counted from 0, or from the end with -1, -2, …; a tensor with n axes has the axes -n to n-1. An axis may be given " +
      "only once.",
    bad: "fn f(x: [T, D]) = softmax(x, axis: 2)",
    good: "fn f(x: [T, D]) = softmax(x, axis: -1)",
  },
  SQ0309: {
    title: "no axis, or more than one, has this name",
    explanation:
      "An axis may be named by its dimension when exactly one axis of the tensor is spelled so. Otherwise use its number.",
    bad: "fn f(x: [T, T]) = sum(x, axis: T)",
    good: "fn f(x: [T, T]) = sum(x, axis: -1)",
  },
  SQ0310: {
    title: "a dimension is not a positive whole number",
    explanation:
      "The value of a dimension, an axis or a repeat count comes out as a fraction, zero or negative. `D / H` must divide without a " +
      "remainder. The message shows the values of the dimensions that took part; `--dim` may have changed one of them.",
    bad: "dim D = 256\ndim H = 3\ndim K = D / H",
    good: "dim D = 256\ndim H = 4\ndim K = D / H",
  },
  SQ0311: {
    title: "a tensor or dimension is too large",
    explanation:
      "A dimension is at most 2^31 - 1, and so is the number of elements of a tensor: beyond it, indices are no longer exact on every " +
      "backend. The message shows the tensor and the dimensions it is made of.",
    bad: "dim T = 1000000\nfn f(q: [T, D]) = q @ q.T",
    good: "dim T = 4096\nfn f(q: [T, D]) = q @ q.T",
  },
  SQ0312: {
    title: "the returned value does not have the declared type",
    explanation:
      "The type after `->` is a promise to the callers. The value of `return` has another shape or another kind of number. Both are " +
      "shown; one of them is wrong.",
    bad: "layer F(x: [T, D]) -> [T, D] { return sum(x, axis: -1) }",
    good: "layer F(x: [T, D]) -> [T] { return sum(x, axis: -1) }",
  },
  SQ0313: {
    title: "not a mask",
    explanation:
      "`mask:` takes `none`, `causal`, `window(w)` with a positive whole w, `padding(lengths)` with int lengths of shape [B], masks " +
      "joined with `and`, or a bool tensor that broadcasts to [B, H, N, M].",
    bad: "let y = attention(q, k, v, mask: causel)",
    good: "let y = attention(q, k, v, mask: causal)",
  },
  SQ0314: {
    title: "the operands of attention do not fit together",
    explanation:
      "`attention(q, k, v)` takes q [B, H, N, K], k [B, G, M, K] and v [B, G, M, E]: the same batch, the same width of query and key, " +
      "the same number of keys and values, and a number of query heads that is a multiple of the number of key heads.",
    bad: "attention(q, k, v)     // q: [B, 6, T, K], k and v: [B, 4, T, K]",
    good: "attention(q, k, v)     // q: [B, 8, T, K], k and v: [B, 4, T, K]",
  },
  SQ0315: {
    title: "an index is not an integer, or out of range",
    explanation:
      "`table[ids]` needs an int tensor or a whole number, slices need bounds known at compile time with 0 <= start < limit <= size, and " +
      "a tensor with n axes takes at most n indices. Bounds may count from the end with negative numbers.",
    bad: "fn f(x: [T, D]) = x[:, 0:D + 1]",
    good: "fn f(x: [T, D]) = x[:, 0:D]",
  },
  SQ0316: {
    title: "the loss is not a scalar",
    explanation:
      "Training needs one number to minimise: the loss is a single float. Take the `mean` or the `sum` of what has axes.",
    bad: "loss(x: [N], y: [N]) = (M(x) - y) ** 2",
    good: "loss(x: [N], y: [N]) = mean((M(x) - y) ** 2)",
  },
  SQ0317: {
    title: "a dim argument cannot be found",
    explanation:
      "When dim arguments are left out, they are found by matching the declared types of the arguments with the shapes that are given. " +
      "One that occurs in no argument, or only inside arithmetic, has to be written.",
    bad: "layer Linear[N, M](x: [..., N]) -> [..., M] { … }\n… Linear(x)",
    good: "… Linear[D, 4 * D](x)",
  },
  SQ0318: {
    title: "a value must be known at compile time",
    explanation:
      "Dimensions, axes, windows, repeat counts, rates and patterns are fixed when the program is compiled, so they are made of numbers " +
      "and dims only. A tensor is known when the program runs.",
    bad: "fn f(x: [T]) = softmax(x, axis: x)",
    good: "fn f(x: [T]) = softmax(x, axis: -1)",
  },
  SQ0319: {
    title: "a value is out of its range",
    explanation:
      "An option has a value that makes no sense: a dropout rate outside [0, 1), a negative standard deviation or learning rate, a window " +
      "of no tokens. The message says the range.",
    bad: "let y = dropout(x, rate: 1.5)",
    good: "let y = dropout(x, rate: 0.1)",
  },
  SQ0320: {
    title: "a loop changes the type of a value",
    explanation:
      "Inside `repeat`, an assigned value must keep its shape and kind of number, because the next repetition begins with it.",
    bad: "let y = x\nrepeat 2 { y = sum(y, axis: -1) }",
    good: "let y = x\nrepeat 2 { y = gelu(y) }",
  },
  SQ0321: {
    title: "the wrong number of results",
    explanation:
      "`let a, b = …` needs a value that is made of as many parts as there are names; a value of several parts cannot be used as one tensor.",
    bad: "let a, b = gelu(x)",
    good: "let a = gelu(x)",
  },
  SQ0322: {
    title: "an argument has the wrong type",
    explanation:
      "The argument of a layer, function, model or builtin does not fit the declared type: another shape, another kind of number, a string " +
      "where a tensor is needed. The declaration is shown beside the use, and what its dims were bound to so far.",
    bad: "layer F(x: [B, T, D]) -> [B, T, D] { … }\n… F(tokens)",
    good: "… F(embed[tokens])",
  },
  SQ0323: {
    title: "two sizes agree only by accident",
    explanation:
      "Both axes have the same size at the present values of the dims, but nothing says that they always have: another `--dim` would break " +
      "the program. Use the same dim in both places, or derive one from the other (`dim K = D / H`).",
    bad: "dim T = 64\ndim D = 64\nfn f(x: [T], y: [D]) = x + y",
    good: "dim T = 64\nfn f(x: [T], y: [T]) = x + y",
  },
} as const satisfies Record<string, CodeEntry>;
