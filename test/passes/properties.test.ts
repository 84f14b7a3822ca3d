/** @file Properties that hold for every function: passes preserve meaning, fused kernels keep their limits, memory never overlaps. */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Data, Func, Module, Operation, Value } from "../../ir/core.ts";
import { interpret } from "../../ir/interpret.ts";
import { constant, iota, reshape } from "../../ir/ops/index.ts";
import { elements } from "../../ir/types.ts";
import { definitions } from "../../passes/edit.ts";
import { loopCount } from "../../passes/kernel-cost.ts";
import { parsePipeline } from "../../passes/parse-pipeline.ts";
import { planMemory } from "../../passes/plan-memory.ts";
import { runPipeline } from "../../passes/run.ts";
import { relativeError } from "../numeric/support.ts";
import { moduleOf, randomFuncs } from "./random-func.ts";

const passed = (func: Func, pipeline: string): Func => (runPipeline(moduleOf(func), parsePipeline(pipeline)).module as Module).funcs[0] as Func;

const valuesOf = (func: Func, inputs: ReadonlyMap<string, Data>): readonly Data[] => [...interpret(func, inputs).results.values()];

describe("meaning is preserved by", () => {
  test.each(["canonicalize", "cse", "dce", "decompose", "fuse", "canonicalize,cse,dce,decompose,fuse,plan-memory"])("%s", (pipeline) => {
    fc.assert(
      fc.property(randomFuncs, ({ func, inputs }) => {
        const before = valuesOf(func, inputs);
        valuesOf(passed(func, pipeline), inputs).forEach((after, i) =>
          expect(relativeError(after, before[i] as Data)).toBeLessThan(1e-12),
        );
      }),
      { numRuns: 100 },
    );
  });
});

interface Kernel {
  readonly root: Operation;
  readonly leaves: ReadonlySet<Value>;
  readonly inlined: readonly Operation[];
}

/** What code generation makes of the `inline` marks, worked out from scratch. */
const kernelsOf = (func: Func): readonly Kernel[] => {
  const defs = definitions(func.ops);
  return func.ops
    .filter((operation) => !operation.inline)
    .map((root) => {
      const leaves = new Set<Value>();
      const inlined = new Set<Operation>();
      const visit = (operation: Operation): void => {
        for (const operand of operation.operands) {
          const producer = defs.get(operand);
          if (producer?.inline !== true) leaves.add(operand);
          else if (!inlined.has(producer)) {
            inlined.add(producer);
            visit(producer);
          }
        }
      };
      visit(root);
      return { root, leaves, inlined: [...inlined] };
    });
};

test("a kernel reads at most 7 arrays, has at most one loop, and results have buffers", () => {
  fc.assert(
    fc.property(randomFuncs, ({ func }) => {
      const fused = passed(func, "canonicalize,cse,dce,fuse");
      const defs = definitions(fused.ops);
      for (const { value } of fused.results) expect(defs.get(value)?.inline ?? false).toBe(false);
      for (const { root, leaves, inlined } of kernelsOf(fused)) {
        expect(leaves.size).toBeLessThanOrEqual(7);
        expect([root, ...inlined].filter((operation) => loopCount(operation) > 1).length).toBeLessThanOrEqual(1);
      }
      for (const operation of fused.ops)
        if ((operation.op === constant || operation.op === iota) && !fused.results.some(({ value }) => value === operation.results[0]))
          expect(operation.inline).toBe(true);
    }),
    { numRuns: 200 },
  );
});

/** When a kernel reads or writes each buffer, worked out from the kernels. */
const accesses = (func: Func): Map<Value, number[]> => {
  const times = new Map<Value, number[]>();
  const note = (value: Value, time: number): void => void times.set(value, [...(times.get(value) ?? []), time]);
  for (const { value } of func.params) note(value, -1);
  for (const { root, leaves } of kernelsOf(func)) {
    const time = func.ops.indexOf(root);
    for (const leaf of leaves) note(leaf, time);
    for (const result of root.results) note(result, time);
  }
  for (const { value } of func.results) note(value, func.ops.length);
  return times;
};

test("buffers that are in use at the same time do not overlap, and everything fits the arena", () => {
  fc.assert(
    fc.property(randomFuncs, ({ func }) => {
      const fused = passed(func, "canonicalize,cse,dce,fuse");
      const { buffers, aliases, arenaBytes, peakBytes } = planMemory(fused);
      const spans = [...accesses(fused)].map(([value, times]) => ({ value, buffer: buffers.get(value), from: Math.min(...times), to: Math.max(...times) }));
      expect(buffers.size).toBe(spans.length);
      expect(peakBytes).toBeLessThanOrEqual(arenaBytes);
      for (const [i, a] of spans.entries()) {
        if (a.buffer === undefined) throw new Error("a value without a buffer");
        expect(a.buffer.elements).toBe(elements(a.value.type));
        expect((a.buffer.offset + a.buffer.elements) * 4).toBeLessThanOrEqual(arenaBytes);
        expect(a.buffer.from).toBeLessThanOrEqual(a.from);
        expect(a.buffer.to).toBeGreaterThan(a.to);
        for (const b of spans.slice(0, i)) {
          if (b.buffer === undefined || a.to < b.from || b.to < a.from || (aliases.get(a.value) ?? a.value) === (aliases.get(b.value) ?? b.value)) continue;
          const apart = a.buffer.offset + a.buffer.elements <= b.buffer.offset || b.buffer.offset + b.buffer.elements <= a.buffer.offset;
          expect(apart).toBe(true);
        }
      }
    }),
    { numRuns: 200 },
  );
});

test("a reshape shares the buffer of what dies in it", () => {
  const { func } = fc.sample(randomFuncs, 1)[0] as { func: Func };
  const [x] = func.params;
  if (x === undefined) throw new Error("no parameter");
  const made = { ...func, ops: [], results: [] } satisfies Func;
  const doubled: Operation = { op: reshape, operands: [x.value], attrs: { type: x.value.type }, results: [{ name: "c", type: x.value.type }], path: "", loc: { kind: "unknown" }, inline: false };
  const again: Operation = { ...doubled, operands: doubled.results, results: [{ name: "d", type: x.value.type }] };
  const plan = planMemory({ ...made, ops: [doubled, again], results: [{ name: "y", value: again.results[0] as Value }] });
  expect(plan.aliases.get(again.results[0] as Value)).toBe(doubled.results[0]);
  expect(plan.aliases.has(doubled.results[0] as Value)).toBe(false);
});
