/** @file A kernel that is a loop nest → its functions in a module, and how threads share it. */

import type { WasmKernel } from "../../../runtime/abi.ts";
import type { Kernel } from "../kernel.ts";
import { FunctionBuilder } from "./builder.ts";
import { emitKernel } from "./emit-kernel.ts";
import type { FunctionTable } from "./function-table.ts";
import type { WasmFunction } from "./module.ts";
import { emitProduct, scratchBytes } from "./product-code.ts";
import type { Epilogue } from "./product-code.ts";
import { fusedProduct, hasWholeRows } from "./product-plan.ts";
import { countOf, itemsPerBatch, productOf } from "./product.ts";
import type { Product, ProductKernel } from "./product.ts";

/** The exported function of a kernel, after those that it calls. */
export const addNest = (kernel: Kernel, table: FunctionTable): WasmKernel => {
  const contraction = productOf(kernel);
  if (contraction !== null) return addProduct(kernel, contraction, table);
  const { func, items, together, work } = emitKernel(kernel, table);
  table.add(func);
  return { name: kernel.name, items, grain: grainOf(items, work, together), work, scratchBytes: 0 };
};

/** 10 microseconds; if there are more pieces than MANY, ten times as much. */
const PIECE = 5e5;
const MANY = 16;

/** Equal parts for two threads. */
const even = (pieces: number): number => (pieces < 2 ? 1 : 2 * Math.round(pieces / 2));

const grainOf = (items: number, work: number, together: number): number => {
  const pieces = even(Math.min(work / PIECE, Math.max(MANY, work / (10 * PIECE))));
  return Math.max(1, Math.ceil(items / pieces / together) * together);
};

/** The other factor is packed for every piece: of a long product four, or as many as have MOST rows or columns; of a short
 *  one as many as take 20 microseconds and have LEAST. */
const MOST = 256;
const LEAST = 16;
const FOUR = 4;

const grainOfProduct = (product: Product, work: number): number => {
  const lines = countOf(product.batch) * countOf(product[product.split]);
  const pieces = even(Math.min(work / (2 * PIECE), Math.max(FOUR, lines / MOST), lines / LEAST));
  const batch = itemsPerBatch(product);
  const items = Math.max(1, Math.ceil(product.items / pieces));
  // Whole batches, or equal parts of one.
  return items >= batch ? Math.round(items / batch) * batch : Math.ceil(batch / Math.ceil(batch / items));
};

const addProduct = (kernel: Kernel, { product: contraction, rest }: ProductKernel, table: FunctionTable): WasmKernel => {
  const product = table.fused ? fusedProduct(contraction) : contraction;
  const { name, inputs } = kernel;
  const { batch, rows, columns, depth, items } = product;
  const work = 2 * [batch, rows, columns, depth].reduce((count, axes) => count * countOf(axes), 1);
  const spec = { name, items, grain: grainOfProduct(product, work), work };
  if (rest === null) {
    table.add(emitProduct(name, product, inputs.length, table.shared));
    return { ...spec, scratchBytes: scratchBytes(product) };
  }
  const lines = countOf(batch) * countOf(rows);
  const finish = emitKernel({ ...rest, name: `${name}_rest` }, table, { exported: false, placedAs: inputs.length });
  const epilogue = { func: table.add(finish.func), perLine: finish.items / lines };
  if (hasWholeRows(product)) {
    table.add(emitProduct(name, product, inputs.length, table.shared, { epilogue }));
    return { ...spec, scratchBytes: scratchBytes(product, true) };
  }
  const first = table.add(emitProduct(`${name}_product`, product, inputs.length, table.shared, { exported: false }));
  table.add(inTurn(name, inputs.length, first, epilogue, product));
  return { ...spec, scratchBytes: scratchBytes(product) };
};

/** All of the product, then what remains: for rows that are too wide to be finished one block after the other. */
const inTurn = (name: string, inputs: number, first: number, { func, perLine }: Epilogue, product: Product): WasmFunction => {
  const pointers = ["out", ...Array.from({ length: inputs }, (_, i) => `in${i}`)];
  const f = new FunctionBuilder(name, [...pointers, "begin", "end", "scratch"].map((parameter) => ({ name: parameter, type: "i32" })));
  const pass = (names: readonly string[]): void => names.forEach((each) => f.get(f.parameter(each)));
  pass([...pointers, "begin", "end", "scratch"]);
  f.op("call", first);
  pass([...pointers, "out"]);
  const rows = countOf(product.rows);
  for (const bound of ["begin", "end"]) {
    const item = f.parameter(bound);
    const row = f.local("i32", "row");
    f.get(item).i32(itemsPerBatch(product)).op("i32.rem_u").i32(product.tile.rows).op("i32.mul").set(row);
    f.get(item).i32(itemsPerBatch(product)).op("i32.div_u").i32(rows).op("i32.mul").get(row).op("i32.add").i32(perLine).op("i32.mul");
  }
  f.op("call", func);
  return f.finish(true);
};
