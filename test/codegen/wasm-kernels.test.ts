/** @file Kernels as WebAssembly: every split of the items gives the same bits, vectors and what remains of them agree, sums
 *  along a loop, exact integers; and how one kernel reads. */

import { describe, expect, it } from "vitest";
import { evaluateKernel } from "../../compiler/codegen/evaluate-kernel.ts";
import { ExprPool } from "../../compiler/codegen/expr-pool.ts";
import type { Expr, Kernel, KernelInput, Loop } from "../../compiler/codegen/kernel.ts";
import { KernelTable } from "../../compiler/codegen/kernel-table.ts";
import { generateEntry } from "../../compiler/codegen/entry.ts";
import { schedule } from "../../compiler/codegen/schedule.ts";
import { encodeModule } from "../../compiler/codegen/wasm/encode.ts";
import { printWat } from "../../compiler/codegen/wasm/print-wat.ts";
import { emitKernels } from "../../compiler/codegen/wasm/program.ts";
import { source } from "../numeric/support.ts";
import { caseData, caseFunc, KERNEL_CASES, worst } from "./programs.ts";

type Range = readonly [begin: number, end: number];

/** Runs one kernel on ranges of its items, over inputs laid out at multiples of 16 bytes; behind the output lies a guard. */
const run = (kernel: Kernel, inputs: readonly ArrayLike<number>[], ranges: (items: number) => readonly Range[] = (items) => [[0, items]]): Float32Array => {
  const { code, kernels: [spec] } = emitKernels([kernel]);
  if (spec === undefined) throw new Error("no kernel");
  const size = kernel.axes.reduce((product, axis) => product * axis.extent, 1);
  let next = 0;
  const take = (elements: number): number => {
    const start = next;
    next += 16 * Math.ceil((4 * elements) / 16);
    return start;
  };
  const out = take(size + 4);
  const places = inputs.map((data) => take(data.length));
  const scratch = take(spec.scratchBytes / 4);
  const memory = new WebAssembly.Memory({ initial: Math.ceil(next / 65_536) + 1, maximum: 65_536, shared: true });
  const floats = new Float32Array(memory.buffer);
  floats.fill(-7, 0, size + 4);
  inputs.forEach((data, i) => floats.set(Array.from(data), (places[i] ?? 0) / 4));
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(encodeModule(code)), { env: { memory } });
  const call = exports[kernel.name] as (...pointers: readonly number[]) => void;
  for (const [begin, end] of ranges(spec.items)) call(out, ...places, begin, end, ...(spec.scratchBytes > 0 ? [scratch] : []));
  expect([...floats.slice(size, size + 4)], "behind the output").toEqual([-7, -7, -7, -7]);
  return floats.slice(0, size);
};

const input = (name: string, shape: readonly number[], dtype: KernelInput["dtype"] = "f32"): KernelInput => ({ name, shape, dtype });

const kernel = (name: string, axes: readonly Loop[], inputs: readonly KernelInput[], graph: (pool: ExprPool, ...at: readonly Expr[]) => Expr): Kernel => {
  const pool = new ExprPool();
  for (const each of inputs) pool.declare(each.name);
  const { loops, at } = pool.loops(axes);
  return { name, inputs, axes: loops, dtype: "f32", body: schedule(pool, graph(pool, ...at), loops) };
};

const noise = (count: number, seed = 1): Float64Array => {
  const draw = source(seed);
  return Float64Array.from({ length: count }, () => Math.fround(draw() * 2 - 1));
};

const kernelOf = (c: (typeof KERNEL_CASES)[number]): { readonly kernel: Kernel; readonly inputs: readonly Float64Array[] } => {
  const table = new KernelTable();
  const [launch] = generateEntry(caseFunc(c), table).launches;
  const data = caseData(c);
  const found = table.kernels[launch?.kernel ?? -1];
  if (launch === undefined || found === undefined) throw new Error(`${c.label} launches nothing`);
  return { kernel: found, inputs: launch.args.map((value) => data[value] ?? new Float64Array()) };
};

const ones = (items: number): readonly Range[] => Array.from({ length: items }, (_, i): Range => [i, i + 1]).reverse();
const threes = (items: number): readonly Range[] => Array.from({ length: Math.ceil(items / 3) }, (_, i): Range => [3 * i, Math.min(3 * i + 3, items)]);

describe("any split of the items gives the same bits", () => {
  it.each(KERNEL_CASES)("$label", (c) => {
    const { kernel: k, inputs } = kernelOf(c);
    const whole = run(k, inputs);
    for (const ranges of [ones, threes]) expect(run(k, inputs, ranges)).toEqual(whole);
  });
});

describe("along a row of every length", () => {
  const lengths = [1, 2, 3, 4, 5, 7, 8, 9, 16, 31, 32, 33, 47, 64, 65, 100];
  const rows = (n: number): readonly Loop[] => [{ name: "r", extent: 3 }, { name: "j", extent: n }];
  const agrees = (k: Kernel, inputs: readonly Float64Array[]): void => {
    const got = run(k, inputs);
    expect(worst(got, evaluateKernel(k, inputs))).toBeLessThan(2e-6);
    expect(run(k, inputs, ones)).toEqual(got);
  };

  it.each(lengths)("%i: elementwise, and masked", (n) => {
    const x = input("x", [3, n]);
    const bias = input("bias", [3]);
    agrees(kernel("shifted", rows(n), [x, bias], (pool, r = pool.constant(0), j = pool.constant(0)) =>
      pool.binary("mul", pool.unary("tanh", pool.load(0, [r, j])), pool.load(1, [r]))), [noise(3 * n), noise(3, 2)]);
    agrees(kernel("causal", rows(n), [x], (pool, r = pool.constant(0), j = pool.constant(0)) =>
      pool.select(pool.binary("le", j, r), pool.load(0, [r, j]), pool.constant(-2))), [noise(3 * n)]);
    // The guard is all that keeps the load within bounds.
    agrees(kernel("behind", rows(n), [x], (pool, r = pool.constant(0), j = pool.constant(0)) =>
      pool.select(pool.binary("ge", j, pool.constant(1)), pool.load(0, [r, pool.binary("sub", j, pool.constant(1))]), pool.constant(0))), [noise(3 * n)]);
  });

  it.each(lengths)("%i: reversed, strided and looked up", (n) => {
    agrees(kernel("reversed", rows(n), [input("x", [3, n])], (pool, r = pool.constant(0), j = pool.constant(0)) =>
      pool.unary("exp", pool.load(0, [r, pool.binary("sub", pool.constant(n - 1), j)]))), [noise(3 * n)]);
    agrees(kernel("transposed", rows(n), [input("x", [n, 3])], (pool, r = pool.constant(0), j = pool.constant(0)) => pool.load(0, [j, r])), [noise(3 * n)]);
    const ids = Float64Array.from({ length: n }, (_, i) => (7 * i + 3) % 5);
    agrees(kernel("looked_up", rows(n), [input("table", [5]), input("ids", [n], "i32")], (pool, r = pool.constant(0), j = pool.constant(0)) =>
      pool.binary("add", pool.load(0, [pool.load(1, [j])]), r)), [noise(5), ids]);
  });

  it.each(lengths)("%i: sums and maxima", (n) => {
    for (const fn of ["sum", "max"] as const) {
      const over = (name: string, shape: readonly number[], at: (r: Expr, t: Expr) => readonly Expr[]): Kernel =>
        kernel(name, [{ name: "r", extent: 3 }], [input("x", shape)], (pool, r = pool.constant(0)) => {
          const { loops, at: [t = pool.constant(0)] } = pool.loops([{ name: "t", extent: n }]);
          return pool.reduce(fn, loops, pool.load(0, at(r, t)));
        });
      agrees(over("of_rows", [3, n], (r, t) => [r, t]), [noise(3 * n)]);
      agrees(over("of_columns", [n, 3], (r, t) => [t, r]), [noise(3 * n)]);
    }
  });
});

describe("sums down columns", () => {
  const summed = (fn: "sum" | "max", rows: number, columns: number, around: (pool: ExprPool, sum: Expr, c: Expr) => Expr): Kernel =>
    kernel("down", [{ name: "c", extent: columns }], [input("x", [rows, columns]), input("weight", [rows])], (pool, c = pool.constant(0)) => {
      const { loops, at: [t = pool.constant(0)] } = pool.loops([{ name: "t", extent: rows }]);
      return around(pool, pool.reduce(fn, loops, pool.binary("mul", pool.load(0, [t, c]), pool.load(1, [t]))), c);
    });

  it.each([1, 3, 4, 15, 16, 17, 33, 64, 70])("of %i columns have the same bits, however many are taken together", (columns) => {
    for (const fn of ["sum", "max"] as const) {
      for (const around of [(_: ExprPool, sum: Expr) => sum, (pool: ExprPool, sum: Expr, c: Expr) => pool.binary("add", pool.binary("mul", sum, sum), c)]) {
        const k = summed(fn, 9, columns, around);
        const inputs = [noise(9 * columns), noise(9, 2)];
        const got = run(k, inputs);
        expect(worst(got, evaluateKernel(k, inputs))).toBeLessThan(2e-6);
        for (const ranges of [ones, threes]) expect(run(k, inputs, ranges)).toEqual(got);
      }
    }
  });
});

describe("how threads share a kernel", () => {
  const exponentials = (first: number, second: number, third: number): Kernel =>
    kernel("shared", [{ name: "a", extent: first }, { name: "b", extent: second }, { name: "c", extent: third }], [input("x", [second, first, third])], (pool, a = pool.constant(0), b = pool.constant(0), c = pool.constant(0)) =>
      pool.unary("exp", pool.load(0, [b, a, c])));

  it("the outer axes of a long kernel are one, if the first alone is short", () => {
    const k = exponentials(3, 30, 500);
    const { kernels: [long] } = emitKernels([k]);
    const { kernels: [short] } = emitKernels([exponentials(3, 4, 8)]);
    expect([long?.items, short?.items]).toEqual([90, 3]);
    const inputs = [noise(45_000)];
    const whole = run(k, inputs);
    expect(worst(whole, evaluateKernel(k, inputs))).toBeLessThan(2e-6);
    expect(run(k, inputs, threes)).toEqual(whole);
  });

  it("in pieces of more than ten microseconds and whole lines of the cache", () => {
    for (const count of [1000, 100_000, 10_000_000]) {
      const { kernels: [spec] } = emitKernels([kernel("doubled", [{ name: "i", extent: count }], [input("x", [count])], (pool, i = pool.constant(0)) => pool.binary("add", pool.load(0, [i]), pool.load(0, [i])))]);
      const { items, grain, work } = spec ?? { items: 0, grain: 0, work: 0 };
      expect(items).toBe(count);
      expect(grain % 16).toBe(0);
      if (count === 1000) expect(grain).toBeGreaterThanOrEqual(items);
      expect(work).toBeGreaterThan(count);
      if (count === 10_000_000) expect(items / grain).toBeGreaterThan(15);
    }
  });
});

describe("quotients", () => {
  it("by what stays the same in a loop, at zero and infinity too", () => {
    const k = kernel("quotients", [{ name: "r", extent: 6 }, { name: "j", extent: 9 }], [input("x", [6, 9]), input("y", [6])], (pool, r = pool.constant(0), j = pool.constant(0)) =>
      pool.binary("div", pool.load(0, [r, j]), pool.load(1, [r])));
    const y = Float64Array.of(3, -0.5, 1e30, Number.POSITIVE_INFINITY, 0, 7e-20);
    const x = noise(54);
    const [got, wanted] = [run(k, [x, y]), evaluateKernel(k, [x, y])];
    got.forEach((value, i) => {
      const exact = Math.fround(wanted[i] ?? Number.NaN);
      if (Number.isFinite(exact)) expect(Math.abs(value - exact)).toBeLessThanOrEqual(2.5e-7 * Math.abs(exact) + 1e-38);
      else expect(value).toBe(exact);
    });
  });
});

describe("integers are exact", () => {
  const numbers = [0, 1, 5, 63, 64, 65, 4095, 4096, 99_999, 2 ** 24 - 1];
  const divisors = [1, 2, 3, 7, 64, 1000, 4096, 2 ** 23];

  it.each(["idiv", "mod"] as const)("%s", (fn) => {
    const pairs = numbers.flatMap((a) => divisors.map((n): readonly [number, number] => [a, n]));
    const data = [Float64Array.from(pairs, ([a]) => a), Float64Array.from(pairs, ([, n]) => n)];
    const axes = [{ name: "i", extent: pairs.length }];
    const both = kernel(fn, axes, [input("a", [pairs.length], "i32"), input("n", [pairs.length], "i32")], (pool, i = pool.constant(0)) =>
      pool.binary(fn, pool.load(0, [i]), pool.load(1, [i])));
    expect([...run(both, data)]).toEqual([...evaluateKernel(both, data)]);
    for (const n of divisors) {
      const fixed = kernel(fn, axes, [input("a", [pairs.length], "i32")], (pool, i = pool.constant(0)) => pool.binary(fn, pool.load(0, [i]), pool.constant(n)));
      expect([...run(fixed, data.slice(0, 1))], `${n}`).toEqual([...evaluateKernel(fixed, data)]);
    }
  });

  it("powers of an index leave 32 bits, and are floats", () => {
    const k = kernel("fourth", [{ name: "i", extent: 1000 }], [], (pool, i = pool.constant(0)) => {
      const square = pool.binary("mul", i, i);
      return pool.binary("mul", square, square);
    });
    expect(worst(run(k, []), evaluateKernel(k, []))).toBeLessThan(1e-6);
  });

  it("a floor of a negative index is below it", () => {
    for (const n of [4, 3]) {
      const k = kernel("floors", [{ name: "i", extent: 20 }], [], (pool, i = pool.constant(0)) => {
        const shifted = pool.binary("sub", i, pool.constant(10));
        return pool.binary("add", pool.binary("mul", pool.binary("idiv", shifted, pool.constant(n)), pool.constant(100)), pool.binary("mod", shifted, pool.constant(n)));
      });
      expect([...run(k, [])]).toEqual([...evaluateKernel(k, [])]);
    }
  });
});

it("reads like this", async () => {
  const k = kernel("masked_scale", [{ name: "r", extent: 2 }, { name: "j", extent: 6 }], [input("x", [2, 6]), input("scale", [2])], (pool, r = pool.constant(0), j = pool.constant(0)) =>
    pool.select(pool.binary("le", j, r), pool.binary("mul", pool.load(0, [r, j]), pool.load(1, [r])), pool.constant(0)));
  await expect(printWat(emitKernels([k]).code)).toMatchFileSnapshot("../golden/codegen/masked-scale.wat.txt");
});
