/** @file Programs: sharing of kernels, their names, aliases and copies, table bounds, memory, initialisers. */

import { describe, expect, it } from "vitest";
import { generateEntry } from "../../compiler/codegen/entry.ts";
import { parseInitializer } from "../../compiler/codegen/initializer.ts";
import { KernelTable } from "../../compiler/codegen/kernel-table.ts";
import { identifier, kernelName, Namer } from "../../compiler/codegen/names.ts";
import { generateProgram } from "../../compiler/codegen/program.ts";
import type { Builder } from "../../ir/builder.ts";
import type { Func, ParamRole, Value } from "../../ir/core.ts";
import * as sq from "../../ir/ops/index.ts";
import { UNKNOWN } from "../../ir/span.ts";
import { named, tensor } from "../../ir/types.ts";
import type { Entry } from "../../runtime/abi.ts";
import { makeFunc } from "../numeric/support.ts";
import { moduleOf } from "./programs.ts";

const X = named("f32", [["T", 4], ["D", 8]]);

const layer = (b: Builder, x: Value, w: Value, path: string): Value =>
  b.at({ path, loc: UNKNOWN }, () => b.one(sq.tanh, [b.one(sq.einsum, [x, w], { spec: "t d, d e -> t e" }, "up")], {}, "h"));

const W = named("f32", [["D", 8], ["E", 8]]);

const deep = (depth: number): Func =>
  makeFunc([X, ...new Array<typeof W>(depth).fill(W)], (b, [x, ...ws]) => [
    ws.reduce((h, w, i) => layer(b, h, w, `Block.${i}.Mlp`), x as Value),
  ]);

const withRoles = (func: Func, roles: readonly ParamRole[]): Func => ({
  ...func,
  params: func.params.map((param, i) => ({ ...param, role: roles[i] ?? "input", init: roles[i] === "parameter" ? "normal(std: 0.5)" : "" })),
});

describe("kernels are shared", () => {
  it("between layers: their number does not grow with depth", () => {
    const [two, twenty] = [generateProgram(moduleOf(deep(2))), generateProgram(moduleOf(deep(20)))];
    expect(two.kernels.map((kernel) => kernel.name)).toEqual(["Mlp_up_einsum", "Mlp_h_tanh"]);
    expect(twenty.kernels).toEqual(two.kernels);
    expect(twenty.entries["test"]?.launches.map((launch) => launch.path).slice(-2)).toEqual(["Block.19.Mlp", "Block.19.Mlp"]);
  });

  it("between operations that mean the same without looking the same", () => {
    const func = makeFunc([X], (b, [x]) => [
      b.one(sq.reduceSum, [x as Value], { axes: [1] }),
      b.one(sq.reduceSum, [b.one(sq.transpose, [b.one(sq.transpose, [x as Value], { perm: [1, 0] })], { perm: [1, 0] })], { axes: [1] }),
    ]);
    const inline = { ...func, ops: func.ops.map((operation) => ({ ...operation, inline: operation.op === sq.transpose })) };
    expect(generateProgram(moduleOf(inline)).kernels).toHaveLength(1);
  });

  it("but not where an attribute or the pattern of operands differs", () => {
    const func = makeFunc([X, X], (b, [x, y]) => [
      b.one(sq.mul, [x as Value, y as Value], {}),
      b.one(sq.mul, [x as Value, x as Value], {}),
      b.one(sq.constant, [], { value: 1, type: X }),
      b.one(sq.constant, [], { value: Number.NEGATIVE_INFINITY, type: X }),
      b.one(sq.constant, [], { value: Number.POSITIVE_INFINITY, type: X }),
    ]);
    expect(generateProgram(moduleOf(func)).kernels).toHaveLength(5);
  });
});

describe("names", () => {
  it("come from the layer, the value and the op", () => {
    expect(kernelName("Block.2.SelfAttention", "scores", "einsum")).toBe("SelfAttention_scores_einsum");
    expect(kernelName("", "", "neg")).toBe("neg");
    expect(kernelName("LayerNorm.0", "d_x", "add")).toBe("LayerNorm_d_x_add");
  });

  it("are identifiers, never keywords, each once", () => {
    expect(["new", "this", "grad.Block.0.w", "2x", "", "a-b"].map(identifier)).toEqual(["_new", "_this", "grad_Block_0_w", "_2x", "", "a_b"]);
    const namer = new Namer();
    expect(["exp", "exp", "exp", "exp_2"].map((name) => namer.unique(name))).toEqual(["exp", "exp_2", "exp_3", "exp_2_2"]);
  });
});

const entryOf = (func: Func): Entry => generateEntry(func, new KernelTable());

describe("buffers", () => {
  it("a reshape of a buffer is the same buffer; a reshape of something inline is a kernel", () => {
    const entry = entryOf(makeFunc([X], (b, [x]) => {
      const flat = b.one(sq.reshape, [x as Value], { type: tensor("f32", [32]) });
      return [b.one(sq.exp, [flat], {})];
    }));
    expect(entry.launches).toHaveLength(1);
    expect(entry.launches[0]?.args).toEqual([0]);
  });

  it("outputs that are inputs or each other are copied", () => {
    const entry = entryOf(makeFunc([X], (b, [x]) => {
      const y = b.one(sq.exp, [x as Value], {});
      return [x as Value, y, y, b.one(sq.reshape, [y], { type: tensor("f32", [32]) })];
    }));
    const values = entry.outputs.map((port) => port.value);
    expect(new Set([0, ...values]).size).toBe(5);
    expect(entry.launches.map((launch) => launch.args[0])).toEqual([0, 0, values[1], values[1]]);
  });

  it("live buffers never overlap, dead ones are reused", () => {
    const entry = entryOf(deep(12));
    const last = entry.values.map((_, value) =>
      [...entry.inputs, ...entry.outputs].some((port) => port.value === value)
        ? Number.POSITIVE_INFINITY
        : entry.launches.findLastIndex((launch) => launch.args.includes(value) || launch.result === value));
    const first = entry.values.map((_, value) => entry.launches.findIndex((launch) => launch.result === value));
    entry.values.forEach((a, i) => {
      expect(a.offset + a.elements).toBeLessThanOrEqual(entry.arenaBytes / 4);
      entry.values.slice(0, i).forEach((b, j) => {
        const together = (first[i] ?? 0) <= (last[j] ?? 0) && (first[j] ?? 0) <= (last[i] ?? 0);
        if (together) expect(a.offset + a.elements <= b.offset || b.offset + b.elements <= a.offset, `values ${i} and ${j}`).toBe(true);
      });
    });
    const total = entry.values.reduce((sum, value) => sum + value.elements * 4, 0);
    expect(entry.arenaBytes).toBeLessThan(total);
  });

  it("an operand that no element needs is not an argument", () => {
    const entry = entryOf(makeFunc([X, X], (b, [x, y]) => {
      const both = b.one(sq.concat, [x as Value, y as Value], { axis: 0 });
      return [b.one(sq.slice, [both], { starts: [0, 0], limits: [2, 8] })];
    }));
    const fused = makeFunc([X, X], (b, [x, y]) => {
      const both = b.one(sq.concat, [x as Value, y as Value], { axis: 0 });
      return [b.one(sq.slice, [both], { starts: [0, 0], limits: [2, 8] })];
    });
    const inline = { ...fused, ops: fused.ops.map((operation) => ({ ...operation, inline: operation.op === sq.concat })) };
    expect(entry.launches[0]?.args).toEqual([0, 1]);
    expect(entryOf(inline).launches[0]?.args).toEqual([0]);
  });

  it("a kernel of more than seven inputs is refused", () => {
    const func = makeFunc(new Array<typeof X>(8).fill(X), (b, xs) => [xs.slice(1).reduce((sum, x) => b.one(sq.add, [sum, x], {}), xs[0] as Value)]);
    const inline = { ...func, ops: func.ops.map((operation, i) => ({ ...operation, inline: i < 6 })) };
    expect(() => entryOf(inline)).toThrow(/reads 8 tensors/);
  });
});

describe("ports", () => {
  it("an index input knows the rows of the smallest table it indexes", () => {
    const func = makeFunc([tensor("f32", [9, 2]), tensor("f32", [7, 2]), tensor("i32", [2, 3])], (b, [big, small, ids]) => [
      b.one(sq.gather, [big as Value, ids as Value], {}),
      b.one(sq.gather, [small as Value, b.one(sq.reshape, [ids as Value], { type: tensor("i32", [6]) })], {}),
    ]);
    expect(entryOf(func).inputs.map((port) => port.below)).toEqual([undefined, undefined, 7]);
  });

  it("parameters carry their initialiser and the spelling of their axes", () => {
    const { parameters } = generateProgram(moduleOf(withRoles(deep(1), ["input", "parameter"])));
    expect(parameters).toEqual([{ name: "p1", shape: [8, 8], dims: ["D", "E"], init: { kind: "normal", mean: 0, std: 0.5 } }]);
  });
});

it("initialisers are read as the checker writes them", () => {
  expect(["normal(std: 0.02)", "normal(std: 1, mean: -2)", "uniform(low: -1, high: 1e-3)", "constant(value: 0.5)", "zeros", "ones"].map(parseInitializer)).toEqual([
    { kind: "normal", mean: 0, std: 0.02 },
    { kind: "normal", mean: -2, std: 1 },
    { kind: "uniform", low: -1, high: 1e-3 },
    { kind: "constant", value: 0.5 },
    { kind: "constant", value: 0 },
    { kind: "constant", value: 1 },
  ]);
  expect(() => parseInitializer("magic(1)")).toThrow(/initialiser/);
  expect(() => parseInitializer("normal(std: big)")).toThrow(/initialiser/);
});
