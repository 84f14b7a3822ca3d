/** @file SQ01xx: syntax. Reported by `compiler/syntax` alone. */

import type { CodeEntry } from "./entry.ts";

export const SYNTAX_CODES = {
  SQ0101: {
    title: "something else was expected here",
    explanation:
      "The text up to here is a correct beginning, and what follows cannot continue it. The message says what was found " +
      "and what could have stood there. The parser then skips to the next statement or declaration and goes on, so " +
      "mistakes further down are reported in the same run.",
    bad: "dim T 512",
    good: "dim T = 512",
  },
  SQ0102: {
    title: "a bracket is never closed",
    explanation:
      "Every `(`, `[` and `{` needs its closing partner. The message points at the bracket that was left open and at the " +
      "place where its partner was missed. A closing bracket that is missing is often noticed only much later, at the " +
      "next declaration or at the end of the file.",
    bad: "layer Double(x: [N]) -> [N] {\n  return 2 * (x + x\n}",
    good: "layer Double(x: [N]) -> [N] {\n  return 2 * (x + x)\n}",
  },
  SQ0103: {
    title: "a character that the language does not use",
    explanation:
      "Names are made of ASCII letters, digits and `_`, and begin with a letter or `_`; beside them there are numbers, " +
      "strings in double quotes and a few operators. Any character may stand in a comment or a string.",
    bad: "fn f(x) = x $ 2",
    good: "fn f(x) = x * 2",
  },
  SQ0104: {
    title: "a string is not closed",
    explanation:
      'A string begins and ends with `"` on the same line. To have a quote inside it, write `\\"`. Strings are used for ' +
      "import paths and for the patterns of `einsum` and `rearrange`, which fit a line.",
    bad: 'import "blocks.sq',
    good: 'import "blocks.sq"',
  },
  SQ0105: {
    title: "a look-alike of an ASCII character",
    explanation:
      "Word processors and web pages replace straight quotes, minus signs and operators by typographic ones that look " +
      "the same. The language knows the ASCII characters only. The message says which one was probably meant.",
    bad: "let y = einsum(x, w, “b d, d e -> b e”)",
    good: 'let y = einsum(x, w, "b d, d e -> b e")',
  },
  SQ0106: {
    title: "comments begin with `//`",
    explanation:
      "A comment runs from `//` to the end of its line. `#`, `--` and `/* … */` are not comments here; for a comment " +
      "of several lines begin each with `//`.",
    bad: "dim T = 512   # tokens",
    good: "dim T = 512   // tokens",
  },
  SQ0107: {
    title: "`=` and `:` are confused",
    explanation:
      "Named arguments and types use a colon: `mask: causal`, `x: [B, T]`. Declarations and `let` use an equals sign: " +
      "`dim T = 512`, `let y = x`. `==` compares. The parser reads the program as if the right sign stood there and goes on.",
    bad: "let y = attention(q, k, v, mask = causal)",
    good: "let y = attention(q, k, v, mask: causal)",
  },
  SQ0108: {
    title: "semicolons are not used",
    explanation:
      "Statements are separated by their own beginnings (`let`, `param`, `repeat`, `return`, a name and `=`), so no " +
      "separator is needed. Leave the `;` out.",
    bad: "let y = x + 1;",
    good: "let y = x + 1",
  },
  SQ0109: {
    title: "a word of another language",
    explanation:
      "The word is how Python, JavaScript or another language says it. Functions are `fn`, modules with parameters are " +
      "`layer`, a fixed number of repetitions is `repeat N { … }`, and a choice between values is " +
      "`where(condition, a, b)`. There is no `self`: a parameter is used by its name.",
    bad: "def silu(x):\n  return x * sigmoid(x)",
    good: "fn silu(x) = x * sigmoid(x)",
  },
  SQ0110: {
    title: "nested too deeply",
    explanation:
      "Brackets, blocks and operators may be nested 200 deep. Programs of people never come near it; the limit keeps " +
      "generated or damaged files from exhausting the stack. Give parts of the expression names with `let`.",
    bad: "let y = ((((((…((x))…))))))        // 201 brackets",
    good: "let y = x",
  },
  SQ0111: {
    title: "a number is malformed",
    explanation:
      "Numbers are written `512`, `1_000`, `0.02`, `3e-4`. A digit stands on both sides of the point and of every `_`, and " +
      "there are no hexadecimal numbers, suffixes or units. A number and a name need an operator between them.",
    bad: "dim T = 512k",
    good: "dim T = 512 * 1024",
  },
  SQ0112: {
    title: "a keyword used as a name",
    explanation:
      "The words that begin declarations and statements, and `and`, `or`, `not`, `true` and `false`, cannot name anything " +
      "else. Choose another name; words with a meaning in one place only, such as `causal`, `none` or `normal`, are free.",
    bad: "let model = x + 1",
    good: "let modeled = x + 1",
  },
  SQ0113: {
    title: "an expression that nothing is done with",
    explanation:
      "A block is made of `param`, `let`, `repeat`, `return` and assignments. Values have no side effects, so computing " +
      "one without giving it a name or returning it would do nothing. Often a `return` or a `let y =` was forgotten.",
    bad: "model M(x: [N]) -> [N] {\n  2 * x\n}",
    good: "model M(x: [N]) -> [N] {\n  return 2 * x\n}",
  },
  SQ0114: {
    title: "a statement outside of a body",
    explanation:
      "At the outside of a file stand declarations: `import`, `dim`, `fn`, `layer`, `model`, `loss`, `backward` and " +
      "`optimizer`. `let`, `param`, `repeat`, `return` and assignments belong into the braces of one of them. When this " +
      "comes unexpectedly, a `}` too many stands above it.",
    bad: "let k = 4",
    good: "dim K = 4",
  },
  SQ0115: {
    title: "a closing bracket without an opening one",
    explanation:
      "A `)`, `]` or `}` closes nothing: either it is one too many, or the opening one is missing, or it is of the wrong " +
      "kind. The parser ignores it and goes on.",
    bad: "fn f(x) = (x + 1))",
    good: "fn f(x) = (x + 1)",
  },
  SQ0116: {
    title: "an expression is missing",
    explanation:
      "After an operator, `=`, `return` or an opening bracket, a value has to follow: a name, a number, a string, a call, or " +
      "an expression in parentheses.",
    bad: "let y = x +\nreturn y",
    good: "let y = x + 1\nreturn y",
  },
  SQ0117: {
    title: "a line begins with `(`, `[` or `-`",
    explanation:
      "An expression goes on over lines as long as brackets are open or an operator demands it, but a line that begins " +
      "with `(`, `[` or `-` begins something new, so that it never silently becomes a call, an index or a subtraction of " +
      "the line above. End the line above with the operator, or put the bracket on it.",
    bad: "let y = x\n  - mean(x, axis: -1)",
    good: "let y = x -\n  mean(x, axis: -1)",
  },
  SQ0118: {
    title: "comparisons do not chain",
    explanation:
      "`a < b < c` would compare a truth value with a tensor. Say which two comparisons are meant and join them with `and`.",
    bad: "let inside = 0 < x < 1",
    good: "let inside = 0 < x and x < 1",
  },
  SQ0119: {
    title: "`...` stands only first in a type",
    explanation:
      "`...` stands for any number of leading axes, so it comes first in the brackets of a type and only once. Axes in the " +
      "middle or at the end are written out.",
    bad: "layer Linear[N, M](x: [N, ...]) -> [M, ...] { … }",
    good: "layer Linear[N, M](x: [..., N]) -> [..., M] { … }",
  },
  SQ0120: {
    title: "an unknown type",
    explanation:
      "The types are tensors `[B, T]` of floats, `float[B, T]`, `int[B, T]` and `bool[B, T]`, and the scalars `float`, `int` " +
      "and `bool`. The precision is chosen by the backend, not by the type.",
    bad: "fn scale(x: f32) = 2 * x",
    good: "fn scale(x: float) = 2 * x",
  },
  SQ0121: {
    title: "an unknown escape in a string",
    explanation: 'In a string, `\\"` is a quote, `\\\\` a backslash, `\\n` a line break and `\\t` a tab. Other escapes have no meaning.',
    bad: 'import "models\\gpt.sq"',
    good: 'import "models/gpt.sq"',
  },
  SQ0122: {
    title: "too many syntax errors",
    explanation:
      "After twenty syntax errors in one file the rest is not listed: what follows is nearly always a consequence. Repair " +
      "the first ones and run again. If the file is not a Subquad program, that is the mistake.",
    bad: "subquad check notes.txt",
    good: "subquad check model.sq",
  },
} as const satisfies Record<string, CodeEntry>;
