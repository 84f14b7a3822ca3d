/** @file The probe hands out the very operands of each attention's gradient, and computes the same loss and gradients. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { compile } from "../../compiler/driver.ts";
import { attentionVjp } from "../../ir/ops/index.ts";
import { verify } from "../../ir/verify.ts";
import { probeOf, resultName } from "../../compiler/audit/probe.ts";
import { groupsOf } from "../../compiler/audit/summary.ts";
import { ROOT } from "../tools.ts";

const gradientOf = (name: string, text = readFileSync(join(ROOT, "examples", name), "utf8")) =>
  compile({ file: name, text, dims: { B: 1, T: 8 }, attentionBackward: "exact", stopAfter: "make-step" }).gradient;

describe.each(["gpt.sq", "llama.sq", "bert.sq", "handwritten.sq"])("the probe of %s", (name) => {
  const gradient = gradientOf(name);
  const { module, sites } = probeOf(gradient);
  const [probe] = module.funcs;
  const operations = (probe?.ops ?? []).filter(({ op }) => op === attentionVjp).reverse();

  it("is one valid function with the results of grad before its own", () => {
    expect(verify(module, "gradient")).toEqual([]);
    expect(module.funcs.map((func) => func.name)).toEqual(["probe"]);
    const grad = gradient.funcs.find((func) => func.name === "grad");
    expect(probe?.results.slice(0, grad?.results.length)).toEqual(grad?.results);
    expect(probe?.ops).toBe(grad?.ops);
  });

  it("has a site for every attention, first layer first, each with its own operands", () => {
    expect(sites.length).toBeGreaterThan(0);
    expect(sites.map((site) => site.attrs.site)).toEqual(operations.map(({ attrs }) => (attrs as { site: string }).site));
    expect(sites.map((site) => site.path)).toEqual([...sites.map((site) => site.path)].sort());
    sites.forEach((site, at) => {
      for (const [i, operand] of ["q", "k", "v", "o", "lse", "d_o", ...site.attrs.extras].entries()) {
        const result = probe?.results.find((each) => each.name === resultName(site.name, operand));
        if (operand === "o" || operand === "lse") expect(result).toBeUndefined();
        else expect(result?.value).toBe(operations[at]?.operands[i]);
      }
    });
  });

  it("groups hold each layer's own parameters", () => {
    const names = (probe?.params ?? []).filter(({ role }) => role === "parameter").map((param) => param.name);
    const [all, ...layers] = groupsOf(sites, names);
    expect(all?.parameters).toEqual(names);
    expect(layers).toHaveLength(sites.length);
    for (const layer of layers) {
      expect(layer.parameters.length).toBeGreaterThan(2);
      expect(layer.parameters.every((parameter) => parameter.startsWith(`${layer.name}.`))).toBe(true);
    }
  });
});

it("a module without a gradient, or without attention, has no sites", () => {
  const gradient = gradientOf("gpt.sq");
  expect(probeOf({ ...gradient, funcs: [] }).sites).toEqual([]);
  expect(probeOf(gradient, "nothing").sites).toEqual([]);
});
