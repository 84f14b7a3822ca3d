/** @file SQ02xx: names, uses and structure of a program. */

import type { CodeEntry } from "./entry.ts";

export const NAME_CODES = {
  SQ0201: {
    title: "an unknown name",
    explanation:
      "Nothing of this name is visible here: no `let`, parameter or argument of this body, no declaration of the file, of " +
      "its imports or of the standard library. A `let` is visible after its line only. Upper and lower case matter; the " +
      "message proposes a near name where there is one.",
    bad: "fn f(x) = gleu(x)",
    good: "fn f(x) = gelu(x)",
  },
  SQ0202: {
    title: "a name is declared twice",
    explanation:
      "Two declarations of one file, two arguments of one function, or two `param`s of one layer have the same name, and " +
      "a use could not tell them apart. Rename one. To give a new value to a `let`, write `x = …` without `let`.",
    bad: "dim T = 512\ndim T = 256",
    good: "dim T = 512\ndim S = 256",
  },
  SQ0203: {
    title: "recursion",
    explanation:
      "A layer, function or model uses itself, directly or through others. Layers and functions are unrolled when the " +
      "program is compiled, so this would never end. For a fixed depth use `repeat N { x = Block(x) }`.",
    bad: "layer Block(x: [D]) -> [D] { return x + Block(x) }",
    good: "layer Inner(x: [D]) -> [D] { return gelu(x) }\nlayer Block(x: [D]) -> [D] { return x + Inner(x) }",
  },
  SQ0204: {
    title: "a parameter is never used",
    explanation:
      "A `param` that no expression mentions would be stored and saved, yet its gradient is always zero. Use it, or remove " +
      "it. This is a warning: the program still compiles.",
    bad: "layer Scale(x: [D]) -> [D] {\n  param gain, bias: [D] ~ ones\n  return x * gain\n}",
    good: "layer Scale(x: [D]) -> [D] {\n  param gain: [D] ~ ones\n  return x * gain\n}",
  },
  SQ0205: {
    title: "a value is never used",
    explanation:
      "A `let` or an argument is never mentioned afterwards. Often another name was meant further down. Remove it, or begin " +
      "its name with `_` to say that this is on purpose. This is a warning.",
    bad: "fn f(x) {\n  let y = x + 1\n  return x\n}",
    good: "fn f(x) {\n  let y = x + 1\n  return y\n}",
  },
  SQ0206: {
    title: "this kind of thing cannot be used here",
    explanation:
      "The name exists but is something else than the place demands: a layer or function used without calling it, a value " +
      "that is called, a tensor where a dimension is needed, or a mask used as a number. The message says what it is and " +
      "where it was declared.",
    bad: "let y = gelu + 1",
    good: "let y = gelu(x) + 1",
  },
  SQ0207: {
    title: "an unknown named argument",
    explanation:
      "The layer, function or builtin has no argument of this name. The message lists the names it has. Names of arguments " +
      "are part of a function's interface and must be written exactly.",
    bad: "let y = attention(q, k, v, masked: causal)",
    good: "let y = attention(q, k, v, mask: causal)",
  },
  SQ0208: {
    title: "an argument is missing",
    explanation:
      "A call leaves out an argument that has no default. The label points at the call, a second one at the declaration. " +
      "Arguments may be given by position or by name.",
    bad: "let y = attention(q, k)",
    good: "let y = attention(q, k, v)",
  },
  SQ0209: {
    title: "too many arguments",
    explanation:
      "A call gives more positional arguments than the layer, function or builtin has. If the last ones are options, they " +
      "may have to be given by name.",
    bad: "let y = gelu(x, 1)",
    good: "let y = gelu(x)",
  },
  SQ0210: {
    title: "an argument is given twice",
    explanation: "The same argument is given by name twice, or once by position and once by name. Remove one of them.",
    bad: "let y = softmax(x, axis: -1, axis: 0)",
    good: "let y = softmax(x, axis: -1)",
  },
  SQ0211: {
    title: "a positional argument after a named one",
    explanation:
      "Arguments without a name are matched by their place, so they come first. After the first named argument every other " +
      "one must be named too.",
    bad: "let y = attention(q, mask: causal, k, v)",
    good: "let y = attention(q, k, v, mask: causal)",
  },
  SQ0212: {
    title: "an imported file does not declare this name",
    explanation:
      "`import { A } from \"f.sq\"` takes A from the declarations of f.sq itself, not from the files that f.sq imports. The " +
      "message proposes a near name where there is one.",
    bad: 'import { Blok } from "blocks.sq"',
    good: 'import { Block } from "blocks.sq"',
  },
  SQ0213: {
    title: "an unknown member",
    explanation:
      "After a point only `.T` can follow: the tensor with its last two axes swapped. Operations are written as calls: " +
      "`softmax(x, axis: -1)`, `rearrange(x, \"b t d -> b d t\")`.",
    bad: "let y = x.softmax",
    good: "let y = softmax(x, axis: -1)",
  },
  SQ0214: {
    title: "declared more than once",
    explanation:
      "A program has at most one `model` that is compiled, one `loss`, one `backward` and one `optimizer`. Remove the " +
      "others, or move a second model to a file of its own.",
    bad: "optimizer sgd(lr: 0.1)\noptimizer adamw(lr: 0.001)",
    good: "optimizer adamw(lr: 0.001)",
  },
  SQ0215: {
    title: "this name cannot be assigned",
    explanation:
      "`x = …` gives a new value to a `let` or an argument of the same body. A parameter, a dimension, a declaration or an " +
      "unknown name cannot be assigned. To introduce a name, write `let`.",
    bad: "fn f(x) {\n  y = x + 1\n  return y\n}",
    good: "fn f(x) {\n  let y = x + 1\n  return y\n}",
  },
  SQ0216: {
    title: "dimensions are defined in a circle",
    explanation:
      "A `dim` is defined by itself, perhaps through others. Give one of them a number.",
    bad: "dim D = H * K\ndim K = D / H\ndim H = 4",
    good: "dim D = 256\ndim H = 4\ndim K = D / H",
  },
  SQ0217: {
    title: "a dimension has no value",
    explanation:
      "A `dim` without `=` has to be given when the program is compiled: `--dim T=512` on the command line or `dims: { T: 512 " +
      "}` in the API. Sizes are known at compile time.",
    bad: "dim T\n$ subquad check model.sq",
    good: "dim T\n$ subquad check model.sq --dim T=512",
  },
  SQ0218: {
    title: "a backward rule matches no attention",
    explanation:
      "The pattern on the left of a `backward` rule is matched against the paths of the attention sites of the model, such " +
      "as `Block.0.SelfAttention`. `*` stands for one step of a path, `**` for any number. The message lists the sites there are.",
    bad: "backward { Blocks.*.SelfAttention: exact }",
    good: "backward { Block.*.SelfAttention: exact }",
  },
  SQ0219: {
    title: "a function uses a layer or has parameters",
    explanation:
      "A `fn` is inlined and has no parameters of its own, so it can neither declare a `param` nor use a layer, which has " +
      "some. Make it a `layer`.",
    bad: "fn f(x) = LayerNorm(x) + x",
    good: "layer F(x: [..., D]) -> [..., D] { return LayerNorm(x) + x }",
  },
  SQ0220: {
    title: "a body does not return",
    explanation:
      "The braces of a layer, function, model or loss end with `return` and the value. Here the end is reached without one.",
    bad: "layer F(x: [D]) -> [D] { let y = gelu(x) }",
    good: "layer F(x: [D]) -> [D] { return gelu(x) }",
  },
  SQ0221: {
    title: "a statement that is never reached, or stands in the wrong place",
    explanation:
      "Nothing after a `return` is computed, and a `return` or a `param` cannot stand inside `repeat`: the number of " +
      "repetitions is fixed, and a layer used inside `repeat` has its own parameters in each of them.",
    bad: "fn f(x) {\n  return x\n  let y = x + 1\n}",
    good: "fn f(x) {\n  let y = x + 1\n  return y\n}",
  },
  SQ0222: {
    title: "an unknown optimizer",
    explanation: "The optimizers are `sgd(lr, momentum, weight_decay, nesterov, clip)` and `adamw(lr, betas, eps, weight_decay, clip)`.",
    bad: "optimizer adam(lr: 3e-4)",
    good: "optimizer adamw(lr: 3e-4)",
  },
  SQ0223: {
    title: "an unknown initialiser",
    explanation:
      "After `~` stands how a parameter starts: `zeros`, `ones`, `normal(std: …)`, `uniform(…)` or another initialiser that the " +
      "message lists. Initialisers are not functions of the program; they are executed once, by the runtime, seeded.",
    bad: "param w: [D, D] ~ gaussian(0.02)",
    good: "param w: [D, D] ~ normal(std: 0.02)",
  },
  SQ0224: {
    title: "the wrong number of dim arguments",
    explanation:
      "A layer or function declares its dim parameters in brackets: `layer Linear[N, M](x: …)`. A use gives all of them, or none, " +
      "when they can be found by matching the shape of the arguments.",
    bad: "let y = Linear[D, D, D](x)",
    good: "let y = Linear[D, 4 * D](x)",
  },
  SQ0225: {
    title: "an argument needs a type",
    explanation:
      "Arguments of a layer, a model and a loss need a type, because parameters and entry points are made from them before any " +
      "use is seen. Only a `fn` may leave types out: it takes the shapes of each use.",
    bad: "layer F(x) -> [D] { return gelu(x) }",
    good: "layer F(x: [D]) -> [D] { return gelu(x) }",
  },
  SQ0226: {
    title: "an import or a declaration is never used",
    explanation:
      "A file, an imported name, or a declaration that the model does not reach. It costs nothing, but is often a sign that " +
      "something was forgotten. This is a warning.",
    bad: 'import { Block, Mlp } from "blocks.sq"\nmodel M(x: [D]) -> [D] { return Mlp(x) }',
    good: 'import { Mlp } from "blocks.sq"\nmodel M(x: [D]) -> [D] { return Mlp(x) }',
  },
} as const satisfies Record<string, CodeEntry>;
