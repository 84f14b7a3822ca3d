/** @file A module at the kernel stage → a program for the backend `wasm`: one WebAssembly module, a function a kernel. */

import type { Module, Operation } from "../../../ir/core.ts";
import { InternalError } from "../../../ir/diagnostic.ts";
import type { WasmKernel, WasmProgram } from "../../../runtime/abi.ts";
import type { TableEntry } from "../kernel-table.ts";
import type { Expr, Kernel } from "../kernel.ts";
import { tabulate } from "../program.ts";
import { childrenOf } from "../schedule.ts";
import { FunctionBuilder } from "./builder.ts";
import { emitKernel } from "./emit-kernel.ts";
import { encodeModule } from "./encode.ts";
import { FunctionTable } from "./function-table.ts";
import type { MemoryImport, WasmModule } from "./module.ts";
import { phaseName } from "./native/native.ts";
import type { NativeKernel, NativePhase } from "./native/native.ts";
import { NATIVE } from "./native/table.ts";
import { emitProduct, scratchBytes } from "./product-code.ts";
import { countOf, productOf } from "./product.ts";
import type { Product, ProductKernel } from "./product.ts";

const MEMORY: MemoryImport = { from: "env", name: "memory", initial: 1, maximum: 65_536, shared: true };

/** `module` satisfies the stage `native` and has been through `fuse`. */
export const generateWasmProgram = (module: Module): WasmProgram => generateWasm(module).program;

/** The same, and its module as data, which `print-wat.ts` prints. */
export const generateWasm = (module: Module): { readonly program: WasmProgram; readonly code: WasmModule } => {
  const { table, ...program } = tabulate(module, nativeKernel);
  const { code, kernels } = emitEntries(table.entries);
  return { program: { ...program, wasm: encodeModule(code), kernels }, code };
};

const nativeKernel = ({ op, operands, attrs, results }: Operation): NativeKernel => {
  const emitter = NATIVE[op.mnemonic];
  if (emitter === undefined) throw new InternalError(`sq.${op.mnemonic} has no native kernel`);
  return emitter({ op, attrs, operands: operands.map(({ type }) => type), results: results.map(({ type }) => type) });
};

interface Emitted {
  readonly code: WasmModule;
  readonly kernels: readonly WasmKernel[];
}

export const emitKernels = (kernels: readonly Kernel[]): Emitted => emitEntries(kernels.map((nest) => ({ nest })));

/** The functions of kernels, after those that they call. */
const emitEntries = (entries: readonly TableEntry<NativePhase>[]): Emitted => {
  const table = new FunctionTable();
  const kernels = entries.map((entry) => ("nest" in entry ? addNest(entry.nest, table) : addPhase(entry.name, entry.phase, table)));
  return { code: { memory: MEMORY, functions: table.functions }, kernels };
};

const addPhase = (kernel: string, phase: NativePhase, table: FunctionTable): WasmKernel => {
  const { items, grain, work, scratchBytes: bytes } = phase;
  const name = phaseName(kernel, phase);
  table.add(phase.emit(name, table));
  return { name, items, grain, work, scratchBytes: bytes };
};

const addNest = (kernel: Kernel, table: FunctionTable): WasmKernel => {
  const contraction = productOf(kernel);
  if (contraction !== null) return addProduct(kernel, contraction, table);
  const { func, items } = emitKernel(kernel, table);
  table.add(func);
  return { name: kernel.name, items, ...sharing(items, workOf(kernel)), scratchBytes: 0 };
};

/** Pieces of some 50 microseconds, so that threads end together. */
const sharing = (items: number, work: number): { readonly grain: number; readonly work: number } => ({
  grain: Math.max(1, Math.ceil((items * PIECE_WORK) / Math.max(work, 1))),
  work,
});

const PIECE_WORK = 1e6;

/** Operations of a kernel: elements times what an element costs. */
const workOf = (kernel: Kernel): number => kernel.axes.reduce((product, { extent }) => product * extent, 1) * expressionWork(kernel.body);

const expressionWork = (body: Expr): number => {
  const own = body.kind === "reduce" ? body.loops.reduce((product, { extent }) => product * extent, 1) : 1;
  return own * childrenOf(body).reduce((sum, child) => sum + expressionWork(child), 1);
};

/** The product, and in place what remains to be done with it, piece by piece while it is in the cache. */
const addProduct = (kernel: Kernel, { product, rest }: ProductKernel, table: FunctionTable): WasmKernel => {
  const { name, inputs } = kernel;
  const { batch, rows, columns, depth } = product;
  const work = 2 * [batch, rows, columns, depth].reduce((count, axes) => count * countOf(axes), 1);
  const spec: WasmKernel = { name, items: product.items, ...sharing(product.items, work), scratchBytes: scratchBytes(product) };
  if (rest === null) {
    table.add(emitProduct(name, product, inputs.length, table.shared));
    return spec;
  }
  const first = table.add(emitProduct(`${name}_product`, product, inputs.length, table.shared, false));
  const { func, items } = emitKernel({ ...rest, name: `${name}_rest` }, table, false);
  const second = table.add(func);
  const pointers = ["out", ...inputs.map((_, i) => `in${i}`)];
  const f = new FunctionBuilder(name, [...pointers, "begin", "end", "scratch"].map((parameter) => ({ name: parameter, type: "i32" })));
  const [item, stop] = f.locals("i32", "item", 2) as [number, number];
  const pass = (names: readonly string[]): void => names.forEach((each) => f.get(f.parameter(each)));
  const piece = pieceOf(product);
  f.get(f.parameter("begin")).set(item);
  f.while(item, () => f.get(f.parameter("end")), piece, () => {
    f.get(f.parameter("end")).get(item).i32(piece).op("i32.add");
    f.get(f.parameter("end")).get(item).op("i32.sub").i32(piece).op("i32.lt_s").op("select").set(stop);
    pass(pointers);
    f.get(item).get(stop);
    pass(["scratch"]);
    f.op("call", first);
    pass([...pointers, "out"]);
    // The rest may have merged axes into its outermost one.
    for (const bound of [item, stop]) f.get(bound).i32(items / product.items).op("i32.mul");
    f.op("call", second);
  });
  table.add(f.finish(true));
  return spec;
};

/** Items at a time: a quarter of a second-level cache of results, but enough rows to be worth packing the other factor for. */
const pieceOf = (product: Product): number => {
  const { batch, rows, columns, items, split } = product;
  if (split !== "lines") return items;
  const lines = Math.max(PIECE_ROWS, PIECE_BYTES / (4 * countOf(columns)));
  return Math.min(items, Math.ceil((lines * items) / (countOf(batch) * countOf(rows))));
};

const PIECE_ROWS = 128;
const PIECE_BYTES = 2 ** 18;
