/** @file Running pipelines: verification around every pass, stages, snapshots, and pipelines as text. */

import { describe, expect, test } from "vitest";
import { Builder } from "../../ir/builder.ts";
import type { Func, Module, Value } from "../../ir/core.ts";
import { DiagnosticError, InternalError } from "../../ir/diagnostic.ts";
import * as sq from "../../ir/ops/index.ts";
import { named, scalar } from "../../ir/types.ts";
import { definePass, option } from "../../passes/pass.ts";
import { parsePipeline, printPipeline } from "../../passes/parse-pipeline.ts";
import { PIPELINES } from "../../passes/pipelines.ts";
import { PASSES } from "../../passes/registry.ts";
import { rewrite, exact } from "../../passes/rewrite.ts";
import { on, value } from "../../ir/pattern.ts";
import { runPipeline, step } from "../../passes/run.ts";

const TD = named("f32", [["T", 3], ["D", 4]]);

const module = (attrs: Module["attrs"] = {}): Module => {
  const w: Value = { name: "w", type: TD };
  const x: Value = { name: "x", type: TD };
  const b = new Builder();
  const p = b.one(sq.softmax, [b.one(sq.mul, [w, x], {})], { axis: 1 });
  const loss = b.one(sq.reduceSum, [b.one(sq.mul, [p, x], {})], { axes: [0, 1] }, "loss");
  const func: Func = {
    name: "loss",
    params: [{ name: "Net.w", value: w, role: "parameter", init: "normal(std: 1)" }, { name: "x", value: x, role: "input", init: "" }],
    ops: b.ops,
    results: [{ name: "loss", value: loss }],
  };
  return { name: "m", dims: new Map(), attrs, funcs: [func] };
};

const broken = definePass({
  name: "broken",
  summary: "drops the first operation, which others need",
  before: "model",
  after: "model",
  options: {},
  run: (m) => ({ ...m, funcs: m.funcs.map((func) => ({ ...func, ops: func.ops.slice(1) })) }),
});

describe("runPipeline", () => {
  test("every pass is timed, observed and kept when asked", () => {
    const seen: string[] = [];
    const result = runPipeline(module(), parsePipeline("cse,differentiate,decompose,cse"), {
      snapshots: true,
      observe: ({ index, pass, stage, changed }) => seen.push(`${index} ${pass} ${stage ?? "-"} ${changed}`),
    });
    expect(seen).toEqual(["0 input - true", "1 cse gradient false", "2 differentiate gradient true", "3 decompose kernel true", "4 cse kernel false"]);
    expect(result.snapshots.at(-1)?.module).toBe(result.module);
    expect(result.timings.map(({ pass }) => pass)).toEqual(["cse", "differentiate", "decompose", "cse"]);
    expect(result.stats["decompose"]).toMatchObject({ "expand softmax": 2 });
  });

  test("stop-after ends the pipeline there", () => {
    const result = runPipeline(module(), PIPELINES.exact, { stopAfter: "differentiate" });
    expect(result.timings.at(-1)?.pass).toBe("differentiate");
    expect(result.module.funcs.map(({ name }) => name)).toEqual(["loss", "grad"]);
  });

  test("a pass that leaves an invalid module is a fault of the compiler, with the IR in the message", () => {
    expect(() => runPipeline(module(), [step(broken)])).toThrow(InternalError);
    expect(() => runPipeline(module(), [step(broken)])).toThrow(/pass broken left an invalid module[^]*sq\.softmax[^]*\^ SQ04/);
  });

  test("a module at the wrong stage is a mistake of whoever ordered the passes", () => {
    const wrong = (): unknown => runPipeline(module(), parsePipeline("fuse"));
    expect(wrong).toThrow(DiagnosticError);
    expect(wrong).toThrow(/pass `fuse` needs a module that is valid at stage `native`/);
  });

  test("a pass that fails says which and shows its input", () => {
    const failing = definePass({ ...broken, name: "failing", run: () => { throw new InternalError("no"); } });
    expect(() => runPipeline(module(), [step(failing)])).toThrow(/in pass failing: no[^]*sq\.softmax/);
  });

  test("options are checked when a pipeline is built in code", () => {
    const one = definePass({ ...broken, name: "one", options: { n: option.number(1, "a number") }, run: (m: Module) => m });
    expect(() => runPipeline(module(), [step(one, { m: 1 })])).toThrow(/no option m/);
    expect(() => runPipeline(module(), [step(one, { n: "x" })])).toThrow(/is a number/);
  });
});

test("cse tells ops apart that share one attributes object", () => {
  const x: Value = { name: "x", type: TD };
  const [b, none] = [new Builder(), {}];
  const y = b.one(sq.add, [b.one(sq.exp, [x], none), b.one(sq.tanh, [x], none)], none);
  const func: Func = { name: "f", params: [{ name: "x", value: x, role: "input", init: "" }], ops: b.ops, results: [{ name: "y", value: y }] };
  expect(runPipeline({ ...module(), funcs: [func] }, parsePipeline("cse")).module.funcs[0]?.ops).toHaveLength(3);
});

describe("make-step", () => {
  const trained = (line: string): Func | undefined =>
    runPipeline(module({ optimizer: { kind: "string", value: line } }), parsePipeline("differentiate,make-step")).module.funcs.find(({ name }) => name === "step");

  test("parameters, states, inputs, scalars in; loss, norm and the new values out", () => {
    const func = trained("adamw(lr: 0.1, clip: 1)");
    expect(func?.params.map(({ name, role }) => `${role} ${name}`)).toEqual([
      "parameter Net.w", "state m.Net.w", "state v.Net.w", "input x", "scalar lr", "scalar step",
    ]);
    expect(func?.results.map(({ name }) => name)).toEqual(["loss", "grad_norm", "Net.w", "m.Net.w", "v.Net.w"]);
    expect(func?.ops.find(({ op }) => op === sq.adamw)?.attrs).toMatchObject({ weight_decay: 0.01, beta1: 0.9 });
  });

  test("without an optimizer there is no step; a bad one is refused", () => {
    expect(runPipeline(module(), parsePipeline("differentiate,make-step")).module.funcs.map(({ name }) => name)).toEqual(["loss", "grad"]);
    expect(() => trained("adamw(lr: fast)")).toThrow(DiagnosticError);
  });

  test("an unknown function is named, with those there are", () => {
    const wrong = (): unknown => runPipeline(module(), parsePipeline("differentiate{of=los}"));
    expect(wrong).toThrow(/there is no function `los`/);
  });
});

describe("rewriting", () => {
  test("a rule that undoes itself is stopped and named", () => {
    const there = exact({ name: "there", law: "x = --x", match: on(sq.neg, value("x")), rewrite: (b, m) => b.one(sq.abs, [m.x], {}), example: (b, input) => b.one(sq.neg, [input(TD)], {}) });
    const back = exact({ name: "back", law: "|x| = -x", match: on(sq.abs, value("x")), rewrite: (b, m) => b.one(sq.neg, [m.x], {}), example: (b, input) => b.one(sq.abs, [input(TD)], {}) });
    const x: Value = { name: "x", type: TD };
    const b = new Builder();
    const y = b.one(sq.neg, [x], {});
    const func: Func = { name: "f", params: [{ name: "x", value: x, role: "input", init: "" }], ops: b.ops, results: [{ name: "y", value: y }] };
    expect(() => rewrite(func, [there, back])).toThrow(/does not end at sq\.(neg|abs): .*there, back/);
  });

  test("a rule that changes the type is refused", () => {
    const wrong = exact({ name: "wrong", law: "x = 0", match: on(sq.neg, value("x")), rewrite: (b) => b.one(sq.constant, [], { value: 0, type: scalar("f32") }), example: (b, input) => b.one(sq.neg, [input(TD)], {}) });
    const x: Value = { name: "x", type: TD };
    const b = new Builder();
    const y = b.one(sq.neg, [x], {});
    const func: Func = { name: "f", params: [{ name: "x", value: x, role: "input", init: "" }], ops: b.ops, results: [{ name: "y", value: y }] };
    expect(() => rewrite(func, [wrong])).toThrow(/rule wrong replaces f32\[T=3, D=4\] by f32\[\]/);
  });
});

describe("textual pipelines", () => {
  test.each(["cse", "cse,dce", "differentiate{of=loss,to=g}", 'differentiate{of="my loss"}'])("%s is read back", (text) => {
    expect(printPipeline(parsePipeline(text))).toBe(text);
  });

  test("the policy of a rewrite is quoted, and kept", () => {
    const text = 'rewrite-attention-backward{policy="sus(c: 4, sampler: bernoulli)"},dce';
    expect(printPipeline(parsePipeline(text))).toBe(text);
    expect(parsePipeline(text)[0]?.options).toEqual({ policy: "sus(c: 4, sampler: bernoulli)" });
  });

  test("spaces are free, and a pipeline's name stands for its passes", () => {
    expect(printPipeline(parsePipeline(" cse , differentiate { of = loss , to = g } "))).toBe("cse,differentiate{of=loss,to=g}");
    expect(parsePipeline("exact")).toEqual(PIPELINES.exact);
    expect(printPipeline(parsePipeline(printPipeline(PIPELINES.exact)))).toBe(printPipeline(PIPELINES.exact));
  });

  test.each([
    ["", "SQ0408", "expected the name of a pass"],
    ["cse,", "SQ0408", "expected the name of a pass"],
    ["cse dce", "SQ0408", "expected `,` between passes"],
    ["cze", "SQ0408", "there is no pass `cze`"],
    ["cse{x=1}", "SQ0409", "pass `cse` has no option `x`"],
    ["differentiate{of}", "SQ0409", "option `of` needs a value: `of=…`"],
    ["differentiate{of=a,of=b}", "SQ0409", "option `of` is given twice"],
    ["differentiate{of=a", "SQ0408", "expected `,` or `}` after an option"],
  ])("%j is refused", (text, code, message) => {
    let caught: unknown;
    try {
      parsePipeline(text);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(DiagnosticError);
    const [diagnostic] = (caught as DiagnosticError).diagnostics;
    expect(diagnostic).toMatchObject({ code, message });
    expect(diagnostic?.notes[1]).toMatch(/^ +\^$/);
  });
});

test("passes have different names, and say what they do", () => {
  expect(new Set(PASSES.map(({ name }) => name)).size).toBe(PASSES.length);
  for (const { name, summary } of PASSES) {
    expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/);
    expect(summary).not.toBe("");
  }
});
