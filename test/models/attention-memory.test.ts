/** @file Attention in a whole model takes memory linear in the length: no entry has a value of all pairs of positions,
 *  inline or not, and no scores live from the forward part of a gradient into its backward part. */

import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Func, Operation, Value } from "../../ir/core.ts";
import { elements } from "../../ir/types.ts";
import { planMemory } from "../../passes/plan-memory.ts";
import type { Compiled } from "../../compiler/driver.ts";
import { compile } from "../../compiler/node/compile.ts";
import { ROOT } from "../tools.ts";
import { funcOf, report } from "./support.ts";

const gpt = (dims: Readonly<Record<string, number>>): Promise<Compiled> => compile({ file: join(ROOT, "examples/gpt.sq"), dims });

const valuesOf = (func: Func): readonly Value[] => func.ops.flatMap(({ results }) => results);

const MIB = 2 ** 20;

describe("a GPT over 16384 tokens", () => {
  it("compiles to values of less than a block of scores, in seconds", async () => {
    const T = 16_384;
    const started = performance.now();
    const compiled = await gpt({ B: 1, T });
    const seconds = (performance.now() - started) / 1000;
    const lines = compiled.module.funcs.map((func) => {
      const largest = Math.max(...valuesOf(func).map(({ type }) => elements(type)));
      expect(largest, func.name).toBeLessThan(T * T);
      expect(largest, func.name).toBeLessThan(2 ** 24);
      const { peakBytes, arenaBytes } = planMemory(func);
      return `${func.name}: largest value ${largest}, peak ${(peakBytes / MIB).toFixed(0)} MiB in ${(arenaBytes / MIB).toFixed(0)} MiB`;
    });
    report([`compiled in ${seconds.toFixed(1)} s`, ...lines]);
    expect(lines.length).toBeGreaterThanOrEqual(4);
  }, 120_000);

  it("needs memory that grows with the length, not with its square", async () => {
    const peaks = await Promise.all([2048, 8192].map(async (T) => planMemory(funcOf((await gpt({ B: 1, T, L: 1 })).module, "grad")).peakBytes));
    // A block of scores and its gradients are there at any length.
    expect(peaks[1]! / peaks[0]!).toBeLessThan(4);
  }, 120_000);
});

/** A copy of q, made for the gradient when its d_o is there. */
const startsBackward = ({ op, operands }: Operation): boolean => op.mnemonic === "barrier" && operands.length === 2;

/** Values that depend on a parameter: not the masks of positions, which are computed where they are read. */
const computedIn = (func: Func): ReadonlySet<Value> => {
  const values = new Set(func.params.map(({ value }) => value));
  for (const { operands, results } of func.ops)
    if (operands.some((operand) => values.has(operand))) for (const result of results) values.add(result);
  return values;
};

describe("between forward and backward", () => {
  it.each([{ T: 64 }, { T: 64, H: 2 }, { T: 100, D: 24, H: 2 }])("no scores are kept, %o", async (dims) => {
    const { module } = await gpt({ B: 2, ...dims });
    const { B, T, H } = { B: 2, H: 4, ...dims };
    for (const name of ["grad", "step"]) {
      const func = funcOf(module, name);
      const first = func.ops.findIndex(startsBackward);
      expect(first).toBeGreaterThan(0);
      const computed = computedIn(func);
      const made = new Set(func.ops.slice(0, first).flatMap(({ results }) => results.filter((result) => computed.has(result))));
      const kept = func.ops.slice(first).flatMap(({ operands }) => operands.filter((operand) => made.has(operand)));
      const isOfPairs = ({ type }: Value): boolean => type.shape.length >= 4 && elements(type) >= B * H * T * T;
      expect([...made].filter(isOfPairs).length).toBeGreaterThan(0);
      expect(kept.length).toBeGreaterThan(0);
      expect(kept.filter(isOfPairs)).toEqual([]);
    }
  });
});
