/** @file A whole contraction as one WebAssembly function: cut into blocks that fit the caches, packed, multiplied.
 *
 *      name(out, in0, in1, …, begin, end, scratch)      all i32; pointers in bytes
 *
 *  Computes the items (`Product.items`) from begin to end. `scratch` is a region of `scratchBytes` that no
 *  other thread uses meanwhile, aligned to 16 bytes. It holds, for the blocks at hand, where rows, columns and steps of the
 *  depth lie (tables of byte offsets), a tile for edges, and the packed factors.
 *
 *      for each batch, block of columns, block of the depth: pack b
 *        for each block of rows: pack a
 *          for each panel of columns: multiply the block of rows with it
 *          after the last steps of the depth: what remains to be done with these rows
 *
 *  Each element is summed along the depth in one order, whatever begin and end are. */

import { FunctionBuilder } from "./builder.ts";
import type { LocalIndex } from "./builder.ts";
import type { Shared } from "./function-table.ts";
import { gemmEdge, gemmPanel } from "./gemm.ts";
import type { Rows } from "./gemm.ts";
import type { WasmFunction } from "./module.ts";
import { pack } from "./pack.ts";
import { directRows, neighboursOf, planOf } from "./product-plan.ts";
import type { Plan } from "./product-plan.ts";
import type { Neighbours } from "./pack.ts";
import { countOf, itemsPerBatch, together } from "./product.ts";
import type { Axis, Product } from "./product.ts";

const FLOAT = 4;

/** What remains to be done on rows of the result while they are in the cache: a function of the same pointers, with the result once
 *  more as its last input, over lines. */
export interface Epilogue {
  readonly func: number;
  /** Its items in one line. */
  readonly perLine: number;
}

export interface ProductOptions {
  readonly exported?: boolean;
  /** Only where `hasWholeRows`. */
  readonly epilogue?: Epilogue;
}

export const scratchBytes = (product: Product, epilogue = false): number => planOf(product, epilogue).at.end;

/** `inputs`: how many the kernel has. */
export const emitProduct = (name: string, product: Product, inputs: number, shared: Shared, options: ProductOptions = {}): WasmFunction =>
  new ProductEmitter(name, product, inputs, shared, options.epilogue ?? null).emit(options.exported ?? true);

type Range = Readonly<Record<"first" | "limit", LocalIndex>>;

class ProductEmitter {
  readonly #f: FunctionBuilder;
  readonly #product: Product;
  readonly #plan: Plan;
  readonly #shared: Shared;
  /** How a is read where it is not packed first. */
  readonly #direct: Rows | null;

  readonly #inputs: readonly string[];
  readonly #epilogue: Epilogue | null;

  constructor(name: string, product: Product, inputs: number, shared: Shared, epilogue: Epilogue | null) {
    this.#inputs = ["out", ...Array.from({ length: inputs }, (_, i) => `in${i}`)];
    this.#epilogue = epilogue;
    this.#f = new FunctionBuilder(name, [...this.#inputs, "begin", "end", "scratch"].map((parameter) => ({ name: parameter, type: "i32" })));
    this.#product = product;
    this.#plan = planOf(product, epilogue !== null);
    this.#shared = shared;
    this.#direct = directRows(product);
  }

  emit(exported: boolean): WasmFunction {
    const { batch, columns, depth, rows } = this.#product;
    const f = this.#f;
    const [out, a, b] = f.locals("i32", "base", 3) as [number, number, number];
    const allSteps = this.#constants("step", countOf(depth));
    this.#blocks("batch", this.#batches(), 1, (index) => {
      const rowRange = this.#range("rows", index);
      const columnRange = this.#range("columns", index);
      this.#pointer(out, f.parameter("out"), 0, index, batch, "out");
      this.#pointer(a, f.parameter(`in${this.#product.a}`), this.#product.aStart, index, batch, "a");
      this.#pointer(b, f.parameter(`in${this.#product.b}`), this.#product.bStart, index, batch, "b");
      this.#blocks("column", columnRange, this.#plan.columns, (firstColumn, width) => {
        this.#table(firstColumn, width, this.#product.tile.columns, columns, { columnsB: "b", columnsOut: "out" });
        this.#blocks("step", allSteps, this.#plan.depth, (firstStep, steps) => {
          this.#table(firstStep, steps, 1, depth, { depthA: "a", depthB: "b" });
          this.#pack("b", b, width, steps);
          if (this.#direct === null) this.#tiles(steps);
          this.#blocks("row", rowRange, this.#plan.rows, (firstRow, height) => {
            this.#table(firstRow, height, this.#product.tile.rows, rows, { rowsA: "a", rowsOut: "out" });
            if (this.#direct === null) this.#pack("a", a, height, steps);
            this.#multiply(out, a, height, width, steps, firstStep);
            this.#finish(index, firstRow, height, firstStep);
          });
        });
      });
    });
    return f.finish(exported);
  }

  #constants(hint: string, count: number): Range {
    const [first, limit] = this.#f.locals("i32", hint, 2) as [number, number];
    this.#f.i32(0).set(first).i32(count).set(limit);
    return { first, limit };
  }

  /** The batches that items from begin to end are in. */
  #batches(): Range {
    const f = this.#f;
    const [first, limit] = f.locals("i32", "batch", 2) as [number, number];
    const items = itemsPerBatch(this.#product);
    f.get(f.parameter("begin")).i32(items).op("i32.div_u").set(first);
    f.get(f.parameter("end")).i32(items - 1).op("i32.add").i32(items).op("i32.div_u").set(limit);
    return { first, limit };
  }

  /** The rows or columns of one batch that items from begin to end are: all, unless they are what is split. */
  #range(group: "rows" | "columns", batch: LocalIndex): Range {
    const f = this.#f;
    const count = countOf(this.#product[group]);
    if (group !== this.#product.split) return this.#constants(group, count);
    const [first, limit] = f.locals("i32", group, 2) as [number, number];
    const within = (bound: "begin" | "end", to: LocalIndex, other: number, keep: "i32.gt_s" | "i32.lt_s"): void => {
      f.get(f.parameter(bound)).get(batch).i32(itemsPerBatch(this.#product)).op("i32.mul").op("i32.sub").i32(together(this.#product)).op("i32.mul").tee(to).i32(other);
      f.get(to).i32(other).op(keep).op("select").set(to);
    };
    within("begin", first, 0, "i32.gt_s");
    within("end", limit, count, "i32.lt_s");
    return { first, limit };
  }

  /** What remains to be done, after the last steps of the depth. */
  #finish(batch: LocalIndex, firstRow: LocalIndex, height: LocalIndex, firstStep: LocalIndex): void {
    const f = this.#f;
    const { rows, depth } = this.#product;
    if (this.#epilogue === null) return;
    const { func, perLine } = this.#epilogue;
    const line = f.local("i32", "line");
    f.get(firstStep).i32(countOf(depth) - this.#plan.depth).op("i32.ge_s");
    f.block("if", () => {
      f.get(batch).i32(countOf(rows)).op("i32.mul").get(firstRow).op("i32.add").set(line);
      for (const name of [...this.#inputs, "out"]) f.get(f.parameter(name));
      f.get(line).i32(perLine).op("i32.mul").get(line).get(height).op("i32.add").i32(perLine).op("i32.mul").op("call", func);
    });
  }

  /** For each block: where it starts, and how many indices it has. */
  #blocks(hint: string, { first, limit }: Range, size: number, body: (index: LocalIndex, count: LocalIndex) => void): void {
    const f = this.#f;
    const index = f.local("i32", hint);
    const count = f.local("i32", `${hint}s`);
    f.get(first).set(index);
    f.while(index, () => f.get(limit), size, () => {
      const rest = (): FunctionBuilder => f.get(limit).get(index).op("i32.sub");
      rest().i32(size);
      rest().i32(size).op("i32.lt_s").op("select").set(count);
      body(index, count);
    });
  }

  /** Pushes the byte offset of a flat index in one tensor. */
  #offset(index: LocalIndex, axes: readonly Axis[], tensor: "a" | "b" | "out"): void {
    const f = this.#f;
    f.i32(0);
    let below = 1;
    axes.toReversed().forEach(({ extent, [tensor]: stride }, i) => {
      if (stride !== 0) {
        f.get(index);
        if (below > 1) f.i32(below).op("i32.div_u");
        if (i + 1 < axes.length) f.i32(extent).op("i32.rem_u");
        f.i32(stride * FLOAT).op("i32.mul").op("i32.add");
      }
      below *= extent;
    });
  }

  #pointer(to: LocalIndex, base: LocalIndex, start: number, index: LocalIndex, axes: readonly Axis[], tensor: "a" | "b" | "out"): void {
    this.#offset(index, axes, tensor);
    this.#f.get(base).i32(start * FLOAT).op("i32.add").op("i32.add").set(to);
  }

  /** Fills tables for `count` indices from `first` on, and repeats the last entry up to a multiple of `unit`. */
  #table(first: LocalIndex, count: LocalIndex, unit: number, axes: readonly Axis[], tables: Partial<Record<keyof Plan["at"], "a" | "b" | "out">>): void {
    const f = this.#f;
    const [i, index, place] = f.locals("i32", "entry", 3) as [number, number, number];
    f.i32(0).set(i);
    f.while(i, () => this.#upTo(count, unit), 1, () => {
      f.get(i).get(count).i32(1).op("i32.sub");
      f.get(i).get(count).op("i32.lt_s").op("select").get(first).op("i32.add").set(index);
      f.get(f.parameter("scratch")).get(i).i32(FLOAT).op("i32.mul").op("i32.add").set(place);
      for (const [table, tensor] of Object.entries(tables)) {
        f.get(place);
        this.#offset(index, axes, tensor);
        f.op("i32.store", 2, this.#plan.at[table as keyof Plan["at"]]);
      }
    });
  }

  /** Pushes the multiple of `unit` that is not below `count`. */
  #upTo(count: LocalIndex, unit: number): FunctionBuilder {
    return this.#f.get(count).i32(unit - 1).op("i32.add").i32(unit).op("i32.div_u").i32(unit).op("i32.mul");
  }

  #scratch(table: keyof Plan["at"]): FunctionBuilder {
    return this.#f.get(this.#f.parameter("scratch")).i32(this.#plan.at[table]).op("i32.add");
  }

  #pack(factor: "a" | "b", base: LocalIndex, count: LocalIndex, steps: LocalIndex): void {
    const f = this.#f;
    const { depth, tile } = this.#product;
    const [width, lanes, table, depths] =
      factor === "a" ? ([tile.rows, this.#product.rows, "rowsA", "depthA"] as const) : ([tile.columns, this.#product.columns, "columnsB", "depthB"] as const);
    const neighbours = neighboursOf(lanes, depth, factor, width);
    const groups = f.local("i32", "groups");
    const copy = (kind: Neighbours, from: LocalIndex | null, number: () => void): void => {
      const at = (start: keyof Plan["at"], bytes: () => void): void => {
        this.#scratch(start);
        if (from === null) return;
        f.get(from);
        bytes();
        f.op("i32.mul").op("i32.add");
      };
      at(factor, () => f.get(steps).i32(width * FLOAT).op("i32.mul"));
      f.get(base);
      at(table, () => f.i32(width * FLOAT));
      this.#scratch(depths);
      number();
      f.get(steps).op("call", this.#shared(() => pack(kind, width)));
    };
    if (neighbours !== "lanes") return copy(neighbours, null, () => f.get(count).i32(width - 1).op("i32.add").i32(width).op("i32.div_u"));
    f.get(count).i32(width).op("i32.div_u").set(groups);
    copy("lanes", null, () => f.get(groups));
    f.get(count).i32(width).op("i32.rem_u");
    f.block("if", () => copy("neither", groups, () => f.i32(1)));
  }

  /** Where each tile of the packed a starts. */
  #tiles(steps: LocalIndex): void {
    const f = this.#f;
    const i = f.local("i32", "tile");
    const { tile } = this.#product;
    f.i32(0).set(i);
    f.while(i, () => f.i32(this.#plan.rows), tile.rows, () => {
      f.get(f.parameter("scratch")).get(i).i32(FLOAT).op("i32.mul").op("i32.add");
      f.get(i).get(steps).op("i32.mul").i32(FLOAT).op("i32.mul").op("i32.store", 2, this.#plan.at.tiles);
    });
  }

  /** Whole panels of neighbouring columns, and tiles at the edges. */
  #multiply(out: LocalIndex, base: LocalIndex, height: LocalIndex, width: LocalIndex, steps: LocalIndex, firstStep: LocalIndex): void {
    const f = this.#f;
    const { at } = this.#plan;
    const { tile } = this.#product;
    const rows = this.#direct ?? "together";
    const panel = this.#shared(() => gemmPanel(rows, tile));
    const edge = this.#shared(() => gemmEdge(rows, tile, panel));
    const [column, row, b, columns, a] = f.locals("i32", "tile", 5) as [number, number, number, number, number];
    const stride = this.#direct === null ? tile.rows * FLOAT : (this.#product.depth[0]?.a ?? 0) * FLOAT;
    if (this.#direct === null) this.#scratch("a").set(a);
    else f.get(base).get(firstStep).i32(stride).op("i32.mul").op("i32.add").set(a);
    const sources = (): FunctionBuilder => this.#scratch(this.#direct === null ? "tiles" : "rowsA");
    const atRow = (): FunctionBuilder => f.get(row).i32(FLOAT).op("i32.mul").op("i32.add");
    const rest = (limit: LocalIndex, index: LocalIndex, unit: number): void => {
      f.get(limit).get(index).op("i32.sub").i32(unit);
      f.get(limit).get(index).op("i32.sub").i32(unit).op("i32.lt_s").op("select");
    };
    this.#scratch("b").set(b).i32(0).set(column);
    f.while(column, () => f.get(width), tile.columns, () => {
      f.get(f.parameter("scratch")).get(column).i32(FLOAT).op("i32.mul").op("i32.add").set(columns);
      f.i32(0).set(row);
      f.get(width).get(column).op("i32.sub").i32(tile.columns).op("i32.ge_s");
      f.get(columns).op("i32.load", 2, at.columnsOut + (tile.columns - 1) * FLOAT).get(columns).op("i32.load", 2, at.columnsOut).op("i32.sub").i32((tile.columns - 1) * FLOAT).op("i32.eq");
      f.op("i32.and").get(height).i32(tile.rows).op("i32.ge_s").op("i32.and");
      f.block("if", () => {
        f.get(a).get(b).get(out).get(columns).op("i32.load", 2, at.columnsOut).op("i32.add");
        sources();
        this.#scratch("rowsOut").get(height).i32(tile.rows).op("i32.div_u").get(steps).i32(stride);
        f.get(firstStep).op("i32.eqz").op("call", panel);
        f.get(height).get(height).i32(tile.rows).op("i32.rem_u").op("i32.sub").set(row);
      });
      f.while(row, () => f.get(height), tile.rows, () => {
        f.get(a).get(b).get(out);
        sources();
        atRow();
        this.#scratch("rowsOut");
        atRow().get(columns).i32(at.columnsOut).op("i32.add");
        rest(height, row, tile.rows);
        rest(width, column, tile.columns);
        f.get(steps).i32(stride).get(firstStep).op("i32.eqz");
        this.#scratch("tile").op("call", edge);
      });
      f.get(b).get(steps).i32(tile.columns * FLOAT).op("i32.mul").op("i32.add").set(b);
    });
  }
}
