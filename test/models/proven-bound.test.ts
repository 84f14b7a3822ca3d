/** @file Training on a proven bound: a model with normalised queries and keys takes steps with low-rank gradients, and at every
 *  one of them the error of every head's gradient, in float64, is within what the compiler printed. A model without such a
 *  proof is refused, with the reason. */

import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { Compiled } from "../../compiler/driver.ts";
import { compile } from "../../compiler/node/compile.ts";
import type { Data, Operation, Value } from "../../ir/core.ts";
import { DiagnosticError } from "../../ir/diagnostic.ts";
import { interpret } from "../../ir/interpret.ts";
import type { LowRankVjpAttrs } from "../../ir/ops/attention-lowrank-attrs.ts";
import { attentionVjpLowrank } from "../../ir/ops/index.ts";
import { boundRemark, gradientBound } from "../../passes/attention/gradient-bound.ts";
import type { GradientBound } from "../../passes/attention/gradient-bound.ts";
import { ROOT } from "../tools.ts";
import { dot, gradients, shares } from "../passes/head-gradients.ts";
import type { Problem, Rows } from "../passes/head-gradients.ts";
import { dataOf, funcOf, inputsFor, report } from "./support.ts";
import type { ModelCase } from "./support.ts";

const RADIUS = 0.5;
const STEPS = 40;

const model: ModelCase = { name: "qknorm", file: join(ROOT, "examples/qknorm.sq"), dims: { B: 2, T: 12, V: 13, D: 8, H: 2, L: 2 } };

const rowsOf = (data: Data, from: number, rows: number, width: number): Rows =>
  Array.from({ length: rows }, (_, i) => Array.from(data.subarray((from + i) * width, (from + i + 1) * width)));

interface HeadShares {
  readonly dq: number;
  readonly dk: number;
  readonly dv: number;
  readonly score: number;
}

/** Every head of one low-rank gradient: the shares of their bounds that its errors are, and its largest score. */
const headShares = ({ operands, attrs }: Operation, inputs: readonly Data[], results: readonly Data[], bound: GradientBound): readonly HeadShares[] => {
  const { scale, causal } = attrs as LowRankVjpAttrs;
  const [B = 0, H = 0, N = 0, K = 0] = operands[0]?.type.shape ?? [];
  const rows = (of: readonly Data[], at: number, head: number): Rows => rowsOf(of[at] ?? new Float64Array(), head * N, N, K);
  return Array.from({ length: B * H }, (_, head): HeadShares => {
    const [q, k, v, dO] = [0, 1, 2, 3].map((at) => rows(inputs, at, head)) as [Rows, Rows, Rows, Rows];
    const scores = q.map((row) => k.map((key) => scale * dot(row, key)));
    const at: Problem = { q, k, v, dO, scale, scores, allowed: (i, j) => (causal && j > i ? 0 : 1) };
    const low = { dq: rows(results, 0, head), dk: rows(results, 1, head), dv: rows(results, 2, head) };
    return { ...shares(at, gradients(at, Math.exp, Math.exp), low, bound), score: Math.max(...scores.flat().map(Math.abs)) };
  });
};

interface Step {
  readonly loss: number;
  readonly heads: readonly HeadShares[];
}

/** Steps of the optimizer on one batch, in the interpreter, from the same start. */
const trained = (compiled: Compiled, bound: GradientBound): readonly Step[] => {
  const step = funcOf(compiled.gradient, "step");
  let inputs = new Map(dataOf(inputsFor(model, compiled, "step"))).set("lr", Float64Array.of(0.02));
  return Array.from({ length: STEPS }, (_, n): Step => {
    const values = new Map<Value, Data>(step.params.map(({ name, value }) => [value, inputs.get(name) ?? new Float64Array()]));
    const heads: HeadShares[] = [];
    const { results } = interpret(step, new Map(inputs).set("step", Float64Array.of(n + 1)), {
      onOp: (operation, made) => {
        operation.results.forEach((value, i) => values.set(value, made[i] ?? new Float64Array()));
        if (operation.op !== attentionVjpLowrank) return;
        heads.push(...headShares(operation, operation.operands.map((value) => values.get(value) ?? new Float64Array()), made, bound));
      },
    });
    inputs = new Map([...inputs].map(([name, before]) => [name, results.get(name) ?? before]));
    return { loss: results.get("loss")?.[0] ?? Number.NaN, heads };
  });
};

const compiledWith = (attentionBackward: string): Promise<Compiled> => compile({ file: model.file, dims: model.dims, attentionBackward });

const observed: string[] = [];
afterAll(() => report(observed));

describe.each([
  ["lowrank:degree=2", "taylor", "plugin"],
  ["lowrank:degree=2,features=chebyshev", "chebyshev", "plugin"],
  ["lowrank:degree=2,form=surrogate", "taylor", "surrogate"],
] as const)("%s", (policy, family, form) => {
  it(`stays within the printed bound for ${STEPS} steps, and learns`, async () => {
    const compiled = await compiledWith(policy);
    const remarks = compiled.remarks.filter(({ pass, kind }) => pass === "rewrite-attention-backward" && kind === "applied");
    expect(remarks).toHaveLength(2);
    for (const { message } of remarks) expect(message).toContain(boundRemark(RADIUS, family, 2, form));
    const steps = trained(compiled, gradientBound(RADIUS, family, 2, form));
    for (const { heads } of steps) {
      expect(heads).toHaveLength(2 * 2 * 2);
      for (const { dq, dk, dv, score } of heads) {
        expect(score).toBeLessThanOrEqual(RADIUS);
        expect(Math.max(dq, dk, dv)).toBeLessThanOrEqual(1);
      }
    }
    const most = (key: keyof HeadShares): number => Math.max(...steps.flatMap(({ heads }) => heads.map((head) => head[key])));
    // The bound is not idle: scores come near it, and errors within an order of magnitude or two.
    expect(most("score")).toBeGreaterThan(0.9 * RADIUS);
    expect(Math.min(most("dq"), most("dk"), most("dv"))).toBeGreaterThan(0.01);
    expect(steps.at(-1)?.loss).toBeLessThan(0.5 * (steps[0]?.loss ?? 0));
    const shown = (["dq", "dk", "dv"] as const).map((key) => `${key} ${(100 * most(key)).toFixed(0)} %`);
    observed.push(`${policy}: loss ${steps[0]?.loss.toFixed(3)} to ${steps.at(-1)?.loss.toFixed(3)}; at most of the bounds: ${shown.join(", ")}`);
  });
});

const refusal = async (file: string): Promise<string> => {
  try {
    await compile({ file: join(ROOT, file), attentionBackward: "lowrank:degree=2" });
  } catch (error) {
    if (!(error instanceof DiagnosticError)) throw error;
    return error.diagnostics.map(({ code, message, notes }) => [code, message, ...notes].join(" | ")).join("\n");
  }
  throw new Error("was not refused");
};

describe("refused", () => {
  it("where a trained weight could make scores as large as it likes", async () => {
    const said = await refusal("examples/gpt.sq");
    expect(said).toContain("SQ0509 | lowrank(degree: 2) has no bound of the scores");
    expect(said).toContain("`wq` of Block.0.SelfAttention is trained, hence unbounded");
    expect(said).toContain("`wq` of Block.1.SelfAttention is trained, hence unbounded");
  });

  it("where the proven bound is too large for the degree", async () => {
    const said = await refusal("test/models/zoo/qk-norms.sq");
    expect(said).toContain("SQ0509 | lowrank(degree: 2) is no approximation here | at Rotary: proven |score| <= 2: taylor of degree 2 is within ");
  });
});
