/** @file Instances, their paths and parameters; entries; attention sites and their policies; dims from outside; imports. */

import { describe, expect, test } from "vitest";
import { matchesSite, siteRules } from "../../ir/site-pattern.ts";
import type { AttentionAttrs } from "../../ir/ops/attention-attrs.ts";
import { check, funcOf, good, opsOf, quoted } from "./support.ts";

const codesOf = (text: string, dims: Record<string, number> = {}): readonly string[] => check(text, { dims }).diagnostics.map((d) => d.code);

const parameters = (text: string): readonly string[] =>
  funcOf(good(text), "forward").params.filter((param) => param.role === "parameter").map((param) => param.name);

const P = "dim D = 4\nlayer A(x: [D]) -> [D] { param w: [D]\n return x * w }\n";

describe("paths", () => {
  test("once by name, several times by index, in the order they are written", () => {
    expect(parameters(`${P}model M(x: [D]) { return A(x) }`)).toEqual(["A.w"]);
    expect(parameters(`${P}model M(x: [D]) { let y = A(x)\n return A(y) }`)).toEqual(["A.0.w", "A.1.w"]);
    // The outer use is written first, so it is 0, though its argument is computed before.
    expect(parameters(`${P}model M(x: [D]) { return A(A(x)) }`)).toEqual(["A.1.w", "A.0.w"]);
  });

  test("repeat goes on counting through the parent", () => {
    const text = `${P}layer B(x: [D]) -> [D] { return A(x) }
      model M(x: [D]) { let y = B(x)\n repeat 2 { y = B(y) }\n repeat 1 { y = A(y) }\n return B(y) }`;
    expect(parameters(text)).toEqual(["B.0.A.w", "B.1.A.w", "B.2.A.w", "A.0.w", "B.3.A.w"]);
  });

  test("operations remember their layer and their place", () => {
    const text = `${P}model M(x: [D]) {\n  return A(x) + 1\n}`;
    const { ops } = funcOf(good(text), "forward");
    expect(ops.map((o) => [o.op.mnemonic, o.path, o.loc])).toEqual([
      ["mul", "A", { kind: "file", file: "test.sq", line: 3, column: 9 }],
      ["constant", "", { kind: "file", file: "test.sq", line: 5, column: 10 }],
      ["add", "", { kind: "file", file: "test.sq", line: 5, column: 10 }],
    ]);
  });

  test("values are called what `let` calls them", () => {
    const text = "dim D = 4\nmodel M(x: [D]) { let scores = exp(x)\n let y = gelu(scores)\n return y }";
    expect(funcOf(good(text), "forward").ops.map((o) => o.results[0]?.name).filter((name) => name !== "")).toEqual(["scores", "y"]);
  });

  test("a parameter used twice is one, and the model used twice in the loss is one model", () => {
    const text = `${P}model M(x: [D]) { param v: [D]\n return A(x * v) * v }\nloss(x: [D], y: [D]) = mse(M(x), M(y))`;
    const names = (name: string): readonly string[] => funcOf(good(text), name).params.map((param) => param.name);
    expect(names("forward")).toEqual(["v", "A.w", "x"]);
    expect(names("loss")).toEqual(["v", "A.w", "x", "y"]);
  });
});

describe("parameters", () => {
  test("initialisers are worked out and spelled canonically", () => {
    const inits = "param a: [D]\nparam b: [D] ~ normal(std: 1 / sqrt(D))\nparam c: [D] ~ uniform(low: -D, high: 1)\nparam d: [D] ~ constant(0.5)\nparam e: [D] ~ zeros\nparam f: [D] ~ ones\nparam g: [D] ~ normal(0.1, mean: 2)";
    const { params } = funcOf(good(`dim D = 4\nmodel M(x: [D]) {\n${inits}\nreturn x + a + b + c + d + e + f + g }`), "forward");
    expect(params.map((param) => param.init)).toEqual([
      "normal(std: 0.02)", "normal(std: 0.5)", "uniform(low: -4, high: 1)", "constant(value: 0.5)", "zeros", "ones", "normal(std: 0.1, mean: 2)", "",
    ]);
  });

  test.each([
    ["SQ0223", "gaussian", "gaussian(0.1)"],
    ["SQ0319", "normal(std: -1)", "normal(std: -1)"],
    ["SQ0207", "sd", "normal(sd: 1)"],
    ["SQ0208", "constant", "constant()"],
    ["SQ0318", "x", "constant(x)"],
  ])("%s at `%s`: ~ %s", (code, at, init) => {
    const text = `dim D = 4\nmodel M(x: [D]) { param a: [D] ~ ${init}\n return x + a }`;
    const [first] = check(text).diagnostics;
    expect(first === undefined ? "" : `${first.code} ${quoted(text, first).slice(0, at.length)}`).toBe(`${code} ${at}`);
  });

  test("only floats are trained", () => {
    expect(codesOf("dim D = 4\nmodel M(x: [D]) { param a: int[D]\n return x + float(a) }")).toEqual(["SQ0306"]);
  });
});

describe("dims", () => {
  test("values from outside change what depends on them", () => {
    const text = "dim D = 8\ndim H = 2\ndim K = D / H\nmodel M(x: [H, K]) { return x }";
    expect([...good(text, { dims: { D: 16 } }).dims]).toEqual([["D", 16], ["H", 2], ["K", 8]]);
  });

  test("a derived dim that is set stands for itself", () => {
    const text = "dim D = 8\ndim H = 2\ndim K = D / H\nmodel M(x: [H * K], y: [D]) { return x + y }";
    expect(codesOf(text)).toEqual([]);
    expect(codesOf(text, { K: 4 })).toEqual(["SQ0323"]);
    expect(codesOf(text, { K: 3 })).toEqual(["SQ0301"]);
  });

  test.each([
    ["SQ0217", "dim D\nfn f(x: [D]) = x", {}],
    ["SQ0009", "dim D = 4\nfn f(x: [D]) = x", { E: 4 }],
    ["SQ0310", "dim D = 4\ndim K = D / 3", {}],
    ["SQ0310", "dim D = 4", { D: 0 }],
    ["SQ0310", "dim D = 4", { D: 1.5 }],
    ["SQ0310", "dim D = -4", {}],
    ["SQ0311", "dim D = 2 ** 31", {}],
    ["SQ0216", "dim D = K\ndim K = 2 * D", {}],
    ["SQ0201", "dim D = 2 * J", {}],
    ["SQ0318", "dim D = sqrt(4)", {}],
    ["SQ0202", "dim D = 4\ndim D = 5", {}],
  ])("%s: %s", (code, text, dims) => {
    expect(codesOf(text, dims)).toEqual([code]);
  });

  test("declarations may stand in any order", () => {
    expect(codesOf("dim K = D / H\ndim D = 8\ndim H = 2\nfn f(x: [K]) = x")).toEqual([]);
  });
});

describe("entries", () => {
  const model = "dim D = 4\nmodel M(x: [D]) { return dropout(x, rate: 0.5) }\n";

  test("forward and loss; a third with dropout on", () => {
    expect(good("dim D = 4\nmodel M(x: [D]) { return x }").funcs.map((f) => f.name)).toEqual(["forward"]);
    expect(good(`${model}loss(x: [D]) = mean(M(x))`).funcs.map((f) => f.name)).toEqual(["forward", "loss", "train_loss"]);
  });

  test("names that are passed from outside differ", () => {
    expect(codesOf("dim D = 4\nmodel M(lr: [D]) { return lr }")).toEqual(["SQ0202"]);
    const text = "dim D = 4\nmodel M(x: [D]) { param w: [D]\n return x * w }\nloss(x: [D], w: [D]) = mse(M(x), w)";
    expect(codesOf(text)).toEqual(["SQ0202"]);
  });

  test("every dropout draws with a key of its own, the next one drawn from the last", () => {
    const loss = "loss(x: [D]) = mean(dropout(dropout(M(x), rate: 0.1), rate: 0.2))";
    const func = funcOf(good(model + loss), "train_loss");
    const draws = opsOf(func, "random_uniform");
    const siteOf = ({ attrs }: (typeof draws)[number]): number => (attrs as { site: number }).site;
    const masks = draws.filter((draw) => siteOf(draw) === 0);
    expect(masks).toHaveLength(3);
    expect(new Set(masks.map(({ operands }) => operands[0])).size).toBe(3);
    expect(masks[0]?.operands[0]).toBe(func.params.find(({ name }) => name === "key")?.value);
    expect(draws.filter((draw) => siteOf(draw) === 1)).toHaveLength(2);
  });

  test("attention with dropout draws from a key of its own", () => {
    const attend = "dim D = 4\nmodel M(x: [D, D]) { return dropout(attention(x, x, x, dropout: 0.5), rate: 0.1) }\n";
    const func = funcOf(good(`${attend}loss(x: [D, D]) = mean(M(x))`), "train_loss");
    const [key] = opsOf(func, "attention").map(({ operands }) => operands[3]);
    expect(key).toBe(func.params.find(({ name }) => name === "key")?.value);
    expect(opsOf(func, "random_uniform").map(({ operands }) => operands[0])).toHaveLength(2);
    expect(funcOf(good(`${attend}loss(x: [D, D]) = mean(M(x))`), "loss").ops.some(({ op }) => op.mnemonic === "random_uniform")).toBe(false);
  });

  test("the loss is a single float", () => {
    expect(codesOf(`${model}loss(x: [D]) = M(x)`)).toEqual(["SQ0316"]);
    expect(codesOf(`${model}loss(x: [D]) = sum(M(x)) > 0`)).toEqual(["SQ0306"]);
    expect(codesOf(`${model}loss(x: [D], n: int[D]) = mean(M(x[n]))`)).toEqual([]);
    expect(funcOf(good(`${model}loss() = 1.5`), "loss").ops).toHaveLength(1);
  });

  test("the optimizer is carried in the module", () => {
    const attr = good(`${model}optimizer adamw(lr: 2 / 1000, betas: (0.9, 0.95))`).attrs["optimizer"];
    expect(attr).toEqual({ kind: "string", value: "adamw(lr: 0.002, betas: (0.9, 0.95), eps: 1e-8, weight_decay: 0.01, clip: 0)" });
    expect(codesOf(`${model}optimizer adam(lr: 1)`)).toEqual(["SQ0222"]);
    expect(codesOf(`${model}optimizer sgd(lr: -1)`)).toEqual(["SQ0507"]);
    expect(codesOf(`${model}optimizer sgd(betas: (1, 2))`)).toEqual(["SQ0507"]);
    expect(codesOf(`${model}optimizer sgd(lr: true)`)).toEqual(["SQ0507"]);
  });
});

describe("backward", () => {
  const text = (rules: string): string => `dim T = 4\ndim K = 2\nlayer A(x: [T, K]) -> [T, K] { return attention(x, x, x) }
    layer Two(x: [T, K]) -> [T, K] { return attention(x, x, x) + attention(x, x, x, mask: causal) }
    model M(x: [T, K]) { let y = x\n repeat 2 { y = A(y) }\n y = Two(y)\n return attention(y, y, y) }\nbackward {\n${rules}\n}`;
  const sites = (rules: string): readonly (readonly [string, string])[] =>
    opsOf(funcOf(good(text(rules)), "forward"), "attention").map(({ attrs }) => {
      const { site, backward } = attrs as AttentionAttrs;
      return [site, backward];
    });

  test("sites are named by path, and numbered where a layer has several", () => {
    expect(sites("**: exact").map(([site]) => site)).toEqual(["A.0", "A.1", "Two#0", "Two#1", "M"]);
  });

  test.each([
    ["SQ0218", "B.*: exact"], ["SQ0502", "**: exakt"], ["SQ0503", "**: sus"], ["SQ0503", "**: sus(c: -1)"],
    ["SQ0503", "**: lowrank(degree: 1.5)"], ["SQ0503", "**: exact(c: 1)"], ["SQ0503", "**: lowrank(degree: 3)"], ["SQ0503", "**: hybrid(c: 2)"],
    ["SQ0503", "**: sus(c: 1, sampler: random)"], ["SQ0503", "**: sus(c: true)"], ["SQ0503", "**: sus(1, 2)"], ["SQ0503", "**: sus(1, c: 2)"],
    ["SQ0201", "**: sus(c: many)"], ["SQ0503", "**: sus(c: causal)"], ["SQ0503", "**: exact(1)"], ["SQ0218", "Two#2: exact"], ["SQ0218", "A.*#1: exact"],
  ])("%s: %s", (code, rules) => {
    expect(check(text(rules)).diagnostics.map((d) => d.code)).toEqual([code]);
  });

  test("the last rule that matches wins; settings are canonical, words need no quotes", () => {
    const rules = "**: sus(2 * K, sampler: systematic)\nA.*: lowrank(degree: 2, form: surrogate, forward: true)\nTwo#1: sus(1, sampler: bernoulli)\nM: exact";
    expect(sites(rules).map(([, policy]) => policy)).toEqual([
      "lowrank(degree: 2, form: surrogate, forward: true)", "lowrank(degree: 2, form: surrogate, forward: true)", "sus(c: 4)", "sus(c: 1, sampler: bernoulli)", "exact",
    ]);
  });

  test("the module carries the rules, unless all are exact", () => {
    const rulesOf = (rules: string) => siteRules(good(text(rules)));
    expect(rulesOf("**: sus(c: 4)\nM: exact")).toEqual([{ pattern: "**", policy: "sus(c: 4)" }, { pattern: "M", policy: "exact" }]);
    expect(rulesOf("**: exact")).toEqual([]);
  });

  test("an unmatched pattern lists the sites", () => {
    expect(check(text("B.*: exact")).diagnostics[0]?.notes[0]).toBe("the sites are A.0, A.1, Two#0, Two#1, M");
  });

  test("patterns", () => {
    expect(matchesSite("**", "A.0")).toBe(true);
    expect(matchesSite("A.*", "A.0")).toBe(true);
    expect(matchesSite("*", "A.0")).toBe(false);
    expect(matchesSite("**.Attn", "Block.0.Attn")).toBe(true);
    expect(matchesSite("Block.**.Attn", "Block.Attn")).toBe(true);
    expect(matchesSite("Two", "Two#1")).toBe(true);
    expect(matchesSite("Two#0", "Two#1")).toBe(false);
    expect(matchesSite("*#1", "Two#1")).toBe(true);
    expect(matchesSite("Two#0", "Two")).toBe(true);
    expect(matchesSite("A.0#1", "A.0")).toBe(false);
  });
});

describe("imports", () => {
  const files: Readonly<Record<string, string>> = {
    "blocks.sq": "dim D\nlayer A(x: [D]) -> [D] { param w: [D]\n return helper(x) * w }\nfn helper(x) = x + 1\nlayer Bad(x: [D]) -> [D] { return x @ x }",
    "a.sq": 'import { B } from "b.sq"\nfn A(x) = B(x)', "b.sq": 'import { A } from "a.sq"\nfn B(x) = x\nfn C(x) = A(x)',
    "broken.sq": "fn f(x) = (",
  };
  const readImport = (from: string): { file: string; text: string } | null => {
    const text = files[from];
    return text === undefined ? null : { file: from, text };
  };
  const codes = (text: string): readonly string[] => check(text, { readImport }).diagnostics.map((d) => d.code);

  test("by name and all; dims are the whole program's", () => {
    expect(codes('import { A } from "blocks.sq"\ndim D = 4\nmodel M(x: [D]) { return A(x) }')).toEqual(["SQ0312"]);
    const right = (names: string): string => `import ${names}"blocks.sq"\ndim D = 4\nmodel M(x: [D]) { return A(x) }`;
    const module = check(right("{ A } from ").replace("blocks.sq", "good.sq"), {
      readImport: () => ({ file: "good.sq", text: (files["blocks.sq"] ?? "").replace(/layer Bad.*/, "") }),
    });
    expect(module.diagnostics).toEqual([]);
    expect(module.program?.parameters.map((p) => p.name)).toEqual(["A.w"]);
  });

  test("what is wrong with one", () => {
    expect(codes('import "nowhere.sq"\nfn f(x) = x')).toEqual(["SQ0005"]);
    expect(codes('import { C } from "blocks.sq"\nfn f(x) = x')).toContain("SQ0212");
    expect(codes('import { A } from "blocks.sq"\nfn f(x) = x')).toContain("SQ0226");
    expect(codes('import "a.sq"\nfn f(x) = x')).toEqual(["SQ0006"]);
    expect(codes('import "broken.sq"\nfn g(x) = x').every((code) => code.startsWith("SQ01"))).toBe(true);
  });
});
