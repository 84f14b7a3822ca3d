/** @file The loop `fold` of kernels: evaluated, scheduled and emitted, on gpu.js in Node and in Chromium. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { emitGpujs } from "../../compiler/codegen/emit-gpujs.ts";
import { evaluateKernel } from "../../compiler/codegen/evaluate-kernel.ts";
import { ExprPool } from "../../compiler/codegen/expr-pool.ts";
import type { Expr, Kernel, Loop } from "../../compiler/codegen/kernel.ts";
import { schedule } from "../../compiler/codegen/schedule.ts";
import type { Program, Tensors } from "../../runtime/abi.ts";
import { createExecutable } from "../../runtime/index.ts";
import { f32, i32 } from "../../runtime/tensors.ts";
import { browserMissing, openBrowser } from "../browser/harness.ts";
import type { BrowserSession } from "../browser/harness.ts";
import { entry, input, launch, port, program } from "../runtime/programs.ts";

const SORTED = [1, 1, 4, 4, 4, 9, 12];
const n = SORTED.length;

/** low = 0, then 3 times: a probe of 4, 2, 1; reads beyond the end are guarded by the extent. */
const search = (pool: ExprPool, wanted: Expr, step: Expr): Expr => {
  const low = pool.variable("low");
  const probe = pool.binary("add", low, pool.load(1, [step]));
  const inside = pool.binary("le", probe, pool.constant(n));
  const before = pool.binary("sub", probe, pool.constant(1));
  const smaller = pool.binary("lt", pool.load(0, [before]), wanted);
  return pool.select(inside, pool.select(smaller, probe, low), low);
};

const axis: Loop = { name: "i", extent: 14 };
const steps: Loop = { name: "s", extent: 3 };
const inputs: Kernel["inputs"] = [
  { name: "keys", shape: [n], dtype: "i32" },
  { name: "halves", shape: [3], dtype: "i32" },
];

const kernel = (name: string, graph: (pool: ExprPool, i: Expr) => Expr): Kernel => {
  const pool = new ExprPool();
  for (const { name: taken } of inputs) pool.declare(taken);
  const i = pool.declare(axis.name, axis.extent);
  return { name, inputs, axes: [axis], dtype: "f32", body: schedule(pool, graph(pool, pool.variable(i)), [axis]) };
};

const searchFrom = (pool: ExprPool, init: Expr, wanted: Expr): Expr => {
  pool.declare("low");
  pool.declare("s", 3);
  return pool.fold("low", init, steps, search(pool, wanted, pool.variable("s")));
};

const lowerBound = (wanted: number): number => SORTED.filter((key) => key < wanted).length;

const CASES: readonly { readonly kernel: Kernel; readonly expected: (i: number) => number }[] = [
  { kernel: kernel("lower_bound", (pool, i) => searchFrom(pool, pool.constant(0), i)), expected: lowerBound },
  {
    // The same without a table of steps.
    kernel: kernel("halving", (pool, i) => {
      const [low, step] = [pool.declare("low"), pool.declare("step", 5)].map((name) => pool.variable(name));
      const probe = pool.binary("add", low!, step!);
      const smaller = pool.binary("lt", pool.load(0, [pool.binary("sub", probe, pool.constant(1))]), i);
      const next = pool.select(pool.binary("le", probe, pool.constant(n)), pool.select(smaller, probe, low!), low!);
      return pool.fold("low", pool.constant(0), { name: "step", extent: 3 }, next, true);
    }),
    expected: lowerBound,
  },
  {
    // The accumulator starts as an index and turns into a fraction.
    kernel: kernel("halved", (pool, i) => {
      pool.declare("x");
      return pool.fold("x", i, steps, pool.binary("div", pool.variable("x"), pool.constant(2)));
    }),
    expected: (i) => i / 8,
  },
  {
    // Used twice, so it has a name; in one branch only, so it stays there.
    kernel: kernel("guarded", (pool, i) => {
      const found = searchFrom(pool, pool.constant(0), i);
      return pool.select(pool.binary("gt", i, pool.constant(4)), pool.binary("mul", found, found), pool.unary("neg", i));
    }),
    expected: (i) => (i > 4 ? lowerBound(i) ** 2 : -i),
  },
  {
    // A search at every turn of a sum: Σ_t lower_bound(i + t).
    kernel: kernel("inside_a_sum", (pool, i) => {
      pool.declare("t", 4);
      const found = searchFrom(pool, pool.constant(0), pool.binary("add", i, pool.variable("t")));
      return pool.reduce("sum", [{ name: "t", extent: 4 }], found);
    }),
    expected: (i) => [0, 1, 2, 3].reduce((sum, t) => sum + lowerBound(i + t), 0),
  },
  {
    // A sum in the initial value and one, which does not depend on the accumulator, in the loop.
    kernel: kernel("around_a_sum", (pool, i) => {
      pool.declare("t", 3);
      pool.declare("x");
      const sum = pool.reduce("sum", [{ name: "t", extent: 3 }], pool.load(1, [pool.variable("t")]));
      return pool.fold("x", pool.binary("add", i, sum), steps, pool.binary("add", pool.variable("x"), pool.binary("mul", sum, pool.variable("s"))));
    }),
    expected: (i) => i + 7 + 7 * 3,
  },
];

const indices = Array.from({ length: axis.extent }, (_, i) => i);
const arrays: Tensors = { keys: i32([n], SORTED), halves: f32([3], [4, 2, 1]) };

const programOf = (k: Kernel): Program => {
  const source = emitGpujs(k);
  const read = source.inputs.length;
  const ports = [input("keys", 0, [n], { dtype: "i32" }), input("halves", 1, [3])];
  const it = entry("forward", ports.slice(0, read), [port("result", read, [axis.extent])], [launch(0, indices.slice(0, read), read)], [n, 3, axis.extent]);
  return program([source], [it]);
};

describe("fold", () => {
  it.each(CASES)("$kernel.name as data", ({ kernel: k, expected }) => {
    const data = [Float64Array.from(SORTED), Float64Array.of(4, 2, 1)];
    expect([...evaluateKernel(k, data)]).toEqual(indices.map(expected));
  });

  it("keeps what depends on the accumulator in the loop, guarded loads in their branch, and hoists the rest", () => {
    const sources = CASES.map((c) => emitGpujs(c.kernel).source);
    expect(sources[1]).toMatchInlineSnapshot(`
      "function halving(keys, halves) {
        let i = this.thread.x;
        let low = 0;
        let step = 4;
        for (let turn = 0; turn < 3; turn++) {
          let base = low + step;
          low = (base <= 7 ? (keys[base - 1] < i ? base : low) : low);
          step = step * 0.5;
        }
        return low;
      }"
    `);
    expect(sources[0]).toMatchInlineSnapshot(`
      "function lower_bound(keys, halves) {
        let i = this.thread.x;
        let low = 0;
        for (let s = 0; s < 3; s++) {
          let v = low + halves[s];
          low = (v <= 7 ? (keys[v - 1] < i ? v : low) : low);
        }
        return low;
      }"
    `);
    expect(sources[3]).toMatchInlineSnapshot(`
      "function guarded(keys, halves) {
        let i = this.thread.x;
        let chosen = 0;
        if (i > 4) {
          let low = 0;
          for (let s = 0; s < 3; s++) {
            let v = low + halves[s];
            low = (v <= 7 ? (keys[v - 1] < i ? v : low) : low);
          }
          let low2 = low;
          chosen = low2 * low2;
        }
        else {
          chosen = (-i);
        }
        return chosen;
      }"
    `);
    expect(sources[5]).toMatchInlineSnapshot(`
      "function around_a_sum(keys, halves) {
        let i = this.thread.x;
        let sum = 0;
        for (let t = 0; t < 3; t++) {
          sum += halves[t];
        }
        let x = 0;
        x = i + sum;
        for (let s = 0; s < 3; s++) {
          x = x + sum * s;
        }
        return x;
      }"
    `);
  });

  it("a loop of one turn still has its accumulator", () => {
    const pool = new ExprPool();
    pool.declare("x");
    pool.declare("s", 1);
    const once = pool.fold("x", pool.constant(5), { name: "s", extent: 1 }, pool.binary("add", pool.variable("x"), pool.variable("s")));
    const k: Kernel = { name: "once", inputs: [], axes: [], dtype: "f32", body: schedule(pool, once, []) };
    expect([...evaluateKernel(k, [])]).toEqual([5]);
    expect(emitGpujs(k).source).toContain("s < 1");
  });

  it.each(["gpujs:cpu", "gpujs:webasm"])("on %s", async (backend) => {
    for (const { kernel: k, expected } of CASES) {
      const executable = await createExecutable(programOf(k), backend);
      const { result } = await executable.run("forward", arrays);
      expect([...(result?.data ?? [])], k.name).toEqual(indices.map(expected));
      executable.destroy();
    }
  });
});

describe.skipIf(browserMissing() !== null)("fold in a browser", () => {
  let browser: BrowserSession;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser.close());

  it.each(["gpujs:webgl2", "gpujs:webgpu"])("on %s", async (backend) => {
    for (const { kernel: k, expected } of CASES) {
      const { result } = await browser.runInBrowser(programOf(k), backend, "forward", arrays);
      expect([...(result?.data ?? [])], k.name).toEqual(indices.map(expected));
    }
  });
});
