/** @file Runs recognised products: kernels with any order of axes, and the module that multiplies them. */

import { encodeModule } from "../../compiler/codegen/wasm/encode.ts";
import { FunctionTable } from "../../compiler/codegen/wasm/function-table.ts";
import { emitProduct, scratchBytes } from "../../compiler/codegen/wasm/product-code.ts";
import { emitKernels } from "../../compiler/codegen/wasm/program.ts";
import type { WasmFunction } from "../../compiler/codegen/wasm/module.ts";
import type { Product } from "../../compiler/codegen/wasm/product.ts";
import type { Expr, Kernel, Loop } from "../../compiler/codegen/kernel.ts";

/** A kernel sum of a · b: `a`, `b`, `out` name the axes of each tensor in order, `sizes` their extents. */
export const contraction = (a: string, b: string, out: string, sizes: Readonly<Record<string, number>>, around: (sum: Expr) => Expr = (sum) => sum): Kernel => {
  const loop = (label: string): Loop => ({ name: label, extent: sizes[label] ?? 0 });
  const load = (input: number, labels: string): Expr => ({ kind: "load", input, at: [...labels].map((name): Expr => ({ kind: "var", name })) });
  const summed = [...new Set(a + b)].filter((label) => !out.includes(label));
  const sum: Expr = { kind: "reduce", fn: "sum", loops: summed.map(loop), body: { kind: "binary", fn: "mul", left: load(0, a), right: load(1, b) } };
  const input = (name: string, labels: string): Kernel["inputs"][number] => ({ name, shape: [...labels].map((label) => loop(label).extent), dtype: "f32" });
  return { name: "product", inputs: [input("a", a), input("b", b)], axes: [...out].map(loop), dtype: "f32", body: around(sum) };
};

export const elementsOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** The bare product, its items computed in the pieces that `cuts` says. */
export const runProduct = (kernel: Kernel, product: Product, inputs: readonly Float64Array[], cuts: readonly number[]): Float32Array => {
  const table = new FunctionTable();
  table.add(emitProduct(kernel.name, product, inputs.length, table.shared));
  return execute(kernel, table.functions, scratchBytes(product), inputs, [...cuts, product.items]);
};

/** The kernel with what remains to be done, in pieces. */
export const runKernel = (kernel: Kernel, inputs: readonly Float64Array[], cuts: (items: number) => readonly number[]): Float32Array => {
  const { code, kernels: [spec] } = emitKernels([kernel]);
  if (spec === undefined) throw new Error("no kernel");
  return execute(kernel, code.functions, spec.scratchBytes, inputs, [...cuts(spec.items), spec.items]);
};

/** Around every tensor lie NaNs, which stay where they are. */
const execute = (kernel: Kernel, functions: readonly WasmFunction[], scratch: number, inputs: readonly Float64Array[], stops: readonly number[]): Float32Array => {
  const counts = [elementsOf(kernel.axes.map((axis) => axis.extent)), ...inputs.map((input) => input.length)];
  const guard = 16;
  const starts: number[] = [];
  let next = guard;
  for (const count of counts) {
    starts.push(next);
    next += Math.ceil(count / 4) * 4 + guard;
  }
  const pages = Math.ceil((next * 4 + scratch) / 65536);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const bytes = encodeModule({ memory: { from: "env", name: "memory", initial: pages, maximum: pages, shared: false }, functions });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  const data = new Float32Array(memory.buffer).fill(Number.NaN);
  inputs.forEach((input, i) => data.set(input, starts[i + 1] ?? 0));
  const call = exports[kernel.name] as (...args: readonly number[]) => void;
  stops.forEach((stop, i) => call(...starts.map((start) => start * 4), stops[i - 1] ?? 0, stop, next * 4));
  const [start = 0] = starts;
  const [count = 0] = counts;
  const outside = [...data.subarray(0, start), ...data.subarray(start + count, starts[1])];
  if (!outside.every(Number.isNaN)) throw new Error("the product wrote outside of its result");
  return data.slice(start, start + count);
};
