/** @file A module at the kernel stage → a program for the backend `wasm`: one WebAssembly module, a function a kernel. */

import type { Module } from "../../../ir/core.ts";
import type { WasmKernel, WasmProgram } from "../../../runtime/abi.ts";
import type { Kernel } from "../kernel.ts";
import { tabulate } from "../program.ts";
import { FunctionBuilder } from "./builder.ts";
import { emitKernel } from "./emit-kernel.ts";
import { encodeModule } from "./encode.ts";
import { FunctionTable } from "./function-table.ts";
import type { MemoryImport, WasmModule } from "./module.ts";
import { emitProduct, scratchBytes } from "./product-code.ts";
import { countOf, productOf } from "./product.ts";
import type { Product, ProductKernel } from "./product.ts";

const MEMORY: MemoryImport = { from: "env", name: "memory", initial: 1, maximum: 65_536, shared: false };

/** `module` satisfies the stage `kernel` and has been through `fuse`. */
export const generateWasmProgram = (module: Module): WasmProgram => generateWasm(module).program;

/** The same, and its module as data, which `print-wat.ts` prints. */
export const generateWasm = (module: Module): { readonly program: WasmProgram; readonly code: WasmModule } => {
  const { table, ...program } = tabulate(module);
  const { code, kernels } = emitKernels(table.kernels);
  return { program: { ...program, wasm: encodeModule(code), kernels }, code };
};

/** The functions of kernels, after those that they call. */
export const emitKernels = (kernels: readonly Kernel[]): { readonly code: WasmModule; readonly kernels: readonly WasmKernel[] } => {
  const table = new FunctionTable();
  const emitted = kernels.map((kernel): WasmKernel => {
    const contraction = productOf(kernel);
    if (contraction !== null) return addProduct(kernel, contraction, table);
    const { func, items } = emitKernel(kernel, table);
    table.add(func);
    return { name: kernel.name, items, scratchBytes: 0 };
  });
  return { code: { memory: MEMORY, functions: table.functions }, kernels: emitted };
};

/** The product, and in place what remains to be done with it, piece by piece while it is in the cache. */
const addProduct = (kernel: Kernel, { product, rest }: ProductKernel, table: FunctionTable): WasmKernel => {
  const { name, inputs } = kernel;
  const spec: WasmKernel = { name, items: product.items, scratchBytes: scratchBytes(product) };
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
