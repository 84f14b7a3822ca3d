/** @file Which sites are rewritten, what is said of each, and what is refused. (What rewrites compute: test/models.) */

import { describe, expect, test } from "vitest";
import { compile } from "../../compiler/driver.ts";
import type { Compiled } from "../../compiler/driver.ts";
import { check } from "../../compiler/driver.ts";
import { DiagnosticError } from "../../ir/diagnostic.ts";
import type { Func, Operation } from "../../ir/core.ts";
import type { AttentionStatistics } from "../../ir/head-statistics.ts";
import { EXAMPLES } from "../models/support.ts";
import { readFileSync } from "node:fs";

/** Attention of every kind of mask, one a layer, and one that is written out. */
const text = (backward: string): string => `dim B = 2\ndim H = 2\ndim T = 6\ndim K = 4
layer Plain(x: [B, H, T, K]) -> [B, H, T, K] { param w: [K, K] ~ normal(std: 0.1)\n return attention(x @ w, x, x, mask: causal) }
layer Window(x: [B, H, T, K]) -> [B, H, T, K] { return attention(x, x, x, mask: window(2)) }
layer Biased(x: [B, H, T, K], bias: [1, H, T, T]) -> [B, H, T, K] { return attention(x, x, x, bias: bias) }
layer Dropped(x: [B, H, T, K]) -> [B, H, T, K] { return attention(x, x, x, dropout: 0.25) }
layer Padded(x: [B, H, T, K], lengths: int[B]) -> [B, H, T, K] { return attention(x, x, x, mask: padding(lengths)) }
layer Two(x: [B, H, T, K]) -> [B, H, T, K] { return attention(x, x, x) + attention(x, x, x, mask: causal) }
layer Written(x: [B, H, T, K]) -> [B, H, T, K] { return softmax(mask(x @ x.T / 2, causal), axis: -1) @ x }
model Kinds(x: [B, H, T, K], lengths: int[B], bias: [1, H, T, T]) -> [B, H, T, K] {
  let y = Window(Plain(x))
  y = Written(Two(Padded(Dropped(Biased(y, bias)), lengths)))
  return y
}
loss(x: [B, H, T, K], lengths: int[B], bias: [1, H, T, T]) = mean(Kinds(x, lengths, bias))
optimizer sgd(lr: 0.1)
backward {\n${backward}\n}\n`;

const compiled = (backward: string, statistics?: AttentionStatistics): Compiled =>
  compile({ file: "kinds.sq", text: text(backward), stopAfter: "make-step", ...(statistics === undefined ? {} : { statistics }) });

const errorsOf = (backward: string, statistics?: AttentionStatistics): readonly string[] => {
  try {
    compiled(backward, statistics);
  } catch (error) {
    if (error instanceof DiagnosticError) return error.diagnostics.map(({ code, message, notes, hint }) => [code, message, ...notes, hint].join("\n"));
    throw error;
  }
  return [];
};

const remarksOf = ({ remarks }: Compiled): readonly string[] =>
  remarks.filter(({ pass }) => pass === "rewrite-attention-backward").map(({ kind, path, message }) => `${kind} ${path}: ${message}`);

const funcOf = ({ module }: Compiled, name: string): Func => {
  const found = module.funcs.find((func) => func.name === name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
};

const named = ({ ops }: Func, mnemonic: string): readonly Operation[] => ops.filter(({ op }) => op.mnemonic === mnemonic);

const SITES = ["Plain", "Window", "Biased", "Dropped", "Padded", "Two#0", "Two#1", "Written"];

describe("sites", () => {
  test("the program is right", () => {
    expect(check({ file: "kinds.sq", text: text("**: exact") }).diagnostics).toEqual([]);
  });

  test("exact is the default: nothing is done or said", () => {
    const plain = compiled("**: exact");
    expect(remarksOf(plain)).toEqual([]);
    expect(plain.stats["rewrite-attention-backward"]).toEqual({});
    expect(funcOf(plain, "grad").params.filter(({ role }) => role === "key")).toHaveLength(1); // the dropout's
  });

  test("every other site has one remark, in the order of the program", () => {
    expect(remarksOf(compiled("**: sus(c: 2)")).map((remark) => remark.replace(/: .*/, ""))).toEqual(SITES.map((site) => `applied ${site}`));
  });

  test("a pattern takes one of several attentions, and recognised ones", () => {
    const some = remarksOf(compiled("Two#1: sus(c: 2)\nWritten: sus(c: 3)"));
    expect(some.map((remark) => remark.replace(/; .*/, ""))).toEqual(["applied Two#1: sus(c: 2): n = 6, d = 4", "applied Written: sus(c: 3): n = 6, d = 4"]);
  });

  test("numbers of a remark", () => {
    const [remark] = remarksOf(compiled("Two#1: sus(c: 2)"));
    // Rows of 1 … 6 keys keep at most 1, 2, 2, 2, 2, 2.
    expect(remark).toMatch(/n = 6, d = 4; at most 11 of 21 entries a head kept \(52\.4 %\); fewer operations than exact from n = \d+; [\d.]+ kFLOP -> [\d.]+ kFLOP$/);
  });

  test("forms in linear time have causality and lengths, and leave other masks exact", () => {
    const [lowrank, hybrid] = ["lowrank(degree: 2, unsafe: true)", "hybrid(c: 2, degree: 0)"].map((policy) => remarksOf(compiled(`**: ${policy}`)).map((line) => line.replace(/; .*/, "")));
    for (const [policy, remarks] of [["lowrank(degree: 2, unsafe: true)", lowrank], ["hybrid(c: 2, degree: 0)", hybrid]] as const) {
      const exact = (site: string, why: string): string => `missed ${site}: ${policy} leaves the gradient exact: ${why} cannot be had in linear time`;
      expect(remarks).toEqual([
        `applied Plain: ${policy}: n = 6, d = 4`,
        exact("Window", "a window"),
        exact("Biased", "a bias of the scores"),
        exact("Dropped", "dropout of the weights"),
        ...["Padded", "Two#0", "Two#1", "Written"].map((site) => `applied ${site}: ${policy}: n = 6, d = 4`),
      ]);
    }
  });

  test("a model without a gradient is left alone, except for a forward pass that is asked for", () => {
    const forward = text("**: sus(c: 2)\nTwo#0: lowrank(degree: 2, forward: true, unsafe: true)").replace(/^loss.*\n.*\n/m, "");
    const result = compile({ file: "kinds.sq", text: forward, stopAfter: "rewrite-attention-backward" });
    expect(named(funcOf(result, "forward"), "attention_lowrank")).toHaveLength(1);
    expect(remarksOf(result).filter((remark) => remark.includes("nothing to do"))).toHaveLength(SITES.length - 1);
  });
});

describe("functions", () => {
  const sampled = compiled("**: sus(c: 2)");

  test("those without a gradient stay as they are", () => {
    expect(named(funcOf(sampled, "loss"), "attention")).toHaveLength(SITES.length);
    expect(funcOf(sampled, "forward").params.some(({ role }) => role === "key")).toBe(false);
  });

  test.each(["grad", "step"])("%s has no exact attention left, and one key from outside", (name) => {
    const func = funcOf(sampled, name);
    expect(named(func, "attention")).toHaveLength(0);
    expect(named(func, "attention_vjp")).toHaveLength(0);
    expect(named(func, "attention_vjp_sampled")).toHaveLength(SITES.length);
    expect(func.params.filter(({ role }) => role === "key").map((param) => param.name)).toEqual(["key"]);
  });

  test("every site has a key of its own, which dropout has not", () => {
    const draws = named(funcOf(sampled, "grad"), "attention_sampled");
    const keys = draws.map(({ operands }) => operands[3]);
    expect(new Set(keys).size).toBe(SITES.length);
    const dropped = draws.flatMap(({ operands, attrs }) => ((attrs as { readonly extras: readonly string[] }).extras.includes("dropout_key") ? [operands.at(-1)] : []));
    expect(dropped).toHaveLength(1);
    expect(keys).not.toContain(dropped[0]);
  });

  test("forward: every function computes the same", () => {
    const approximate = compiled("Plain: lowrank(degree: 2, forward: true, unsafe: true)");
    for (const name of ["forward", "loss", "grad", "step"]) expect(named(funcOf(approximate, name), "attention_lowrank")).toHaveLength(1);
  });
});

describe("refusals", () => {
  test("without a bound of the scores: one error, with the sites and their reasons", () => {
    const [only, ...more] = errorsOf("**: lowrank(degree: 2)");
    expect(more).toEqual([]);
    expect(only).toMatch(/^SQ0509\nlowrank\(degree: 2\) has no bound of the scores\nat Plain: .*\nat Padded: .*\nat Two#0: .*\nand at 2 more\n`guard: R` runs/);
  });

  test("a guard that is too large for its polynomial", () => {
    expect(errorsOf("Plain: lowrank(degree: 2, guard: 3)")).toEqual([expect.stringMatching(/^SQ0509.*\n?.*within its guard\nat Plain: taylor of degree 2 is off by [\d.]+ at scores of 3\na smaller guard/)]);
    expect(errorsOf("Plain: lowrank(degree: 2, guard: 0.5)")).toEqual([]);
  });

  test("Chebyshev polynomials need an interval", () => {
    expect(errorsOf("Plain: lowrank(degree: 2, features: chebyshev, unsafe: true)")[0]).toContain("needs a bound of the scores for its polynomial");
    expect(errorsOf("Plain: hybrid(c: 2, degree: 2, features: chebyshev)")[0]).toContain("needs a bound of the scores for its polynomial");
  });

  test("a bound that is proven is used, and one that is too large is not", () => {
    const { file, dims } = EXAMPLES.find(({ name }) => name === "qknorm") ?? { file: "", dims: {} };
    const source = readFileSync(file, "utf8");
    const at = (policy: string): Compiled => compile({ file, text: source, dims, attentionBackward: policy, stopAfter: "make-step" });
    expect(remarksOf(at("lowrank:degree=2"))[0]).toMatch(/^applied Block\.0\.SelfAttention: lowrank\(degree: 2\): .*proven \|score\| <= 0\.5.*rank 35/);
    expect(remarksOf(at("lowrank:degree=2,features=chebyshev,form=surrogate"))[0]).toMatch(/chebyshev of degree 2.*rank 15/);
    expect(named(funcOf(at("lowrank:degree=2"), "grad"), "attention_vjp_lowrank")).toHaveLength(2);
    const wide = source.replace("scale: 0.5)", "scale: 8)");
    expect(() => compile({ file, text: wide, dims, attentionBackward: "lowrank:degree=2" })).toThrow(/no approximation here/);
  });
});

describe("auto", () => {
  test("without limits, and where nothing is saved, the gradient stays exact", () => {
    expect(remarksOf(compiled("Plain: auto"))).toEqual(["missed Plain: auto leaves the gradient exact: no limit of error or variance is given, which only the exact gradient keeps to"]);
    expect(remarksOf(compiled("Plain: auto(variance: 0.01)"))[0]).toMatch(/^missed Plain: auto\(variance: 0\.01\) leaves the gradient exact: sus\(c: 100\)/);
  });

  test("takes what keeps to its limits, and says why", () => {
    expect(remarksOf(compiled("Plain: auto(variance: 0.9)"))[0]).toMatch(/^applied Plain: auto\(variance: 0\.9\): n = 6, d = 4; takes sus\(c: 2\): /);
  });

  test("reads what was measured", () => {
    const head = { head: 0, scoreStd: 1, maxScore: 2, entropy: 1, sampled: [{ c: 1, degree: null, kept: 1, increase: 0.2 }], lowrank: [] };
    const measured: AttentionStatistics = { version: 1, model: "Kinds", sites: [{ site: "Plain", queries: 64, keys: 64, heads: [head, { ...head, head: 1 }] }] };
    expect(remarksOf(compiled("Plain: auto(variance: 0.3)", measured))[0]).toMatch(/takes sus\(c: 1\): .*measured at n = 64.*variance up by 20 %/);
    expect(() => compiled("Plain: auto(variance: 0.3)", { ...measured, model: "Other" })).toThrow(/the statistics are of the model `Other`/);
    expect(errorsOf("Plain: lowrank(degree: 2)", measured)[0]).toMatch(/; measured: scores up to 2 about their row's mean, where degree 2 is off by 6\.39 and 1 % takes degree 8\n/);
  });
});
