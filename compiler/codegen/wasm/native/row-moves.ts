/** @file Moves rows of a matrix: functions of constant widths and strides that native kernels call. */

import { FunctionBuilder } from "../builder.ts";
import type { LocalIndex } from "../builder.ts";
import type { WasmFunction } from "../module.ts";

const FLOAT = 4;
const LANES = 4;
const PANEL = 8;

/** Pushes four elements, or one. */
type Element = (width: 1 | 4) => void;

/** For each element of a row of `columns` (pushed anew), four at a time and then one by one; pointers advance and stand after the row. */
export const alongRow = (f: FunctionBuilder, count: LocalIndex, columns: () => void, pointers: readonly LocalIndex[], body: (width: 1 | 4) => void): void => {
  const step = (width: 1 | 4): void => {
    f.while(count, () => {
      columns();
      if (width === LANES) f.i32(LANES - 1).op("i32.sub");
    }, width, () => {
      body(width);
      for (const pointer of pointers) f.advance(pointer, width * FLOAT);
    });
  };
  f.i32(0).set(count);
  step(4);
  step(1);
};

export type RowMove =
  | "copy"
  /** to += from */
  | "add"
  /** to = factor · from */
  | { readonly factor: number };

/** rows_…(to, from, rows): `rows` rows of `width` elements; strides in bytes. Zero rows are fine. */
export const moveRows = (move: RowMove, width: number, toStride: number, fromStride: number): WasmFunction => {
  const verb = typeof move === "string" ? move : `times_${new Uint32Array(Float32Array.of(move.factor).buffer)[0] ?? 0}`;
  const names = ["to", "from", "rows"];
  const f = new FunctionBuilder(`rows_${verb}_${width}_${toStride}_${fromStride}`, names.map((name) => ({ name, type: "i32" })));
  const [to, from, rows] = names.map((name) => f.parameter(name)) as [number, number, number];
  const [row, column] = f.locals("i32", "index", 2) as [number, number];
  const element: Element = (lanes) => {
    const shape = lanes === 1 ? "f32" : "f32x4";
    const load = lanes === 1 ? "f32.load" : "v128.load";
    f.get(from).op(load, 2, 0);
    if (move === "add") f.get(to).op(load, 2, 0).op(`${shape}.add`);
    if (typeof move !== "string") (lanes === 1 ? f.f32(move.factor) : f.splat(move.factor)).op(`${shape}.mul`);
  };
  f.while(row, () => f.get(rows), 1, () => {
    alongRow(f, column, () => f.i32(width), [to, from], (lanes) => {
      f.get(to);
      element(lanes);
      f.op(lanes === 1 ? "f32.store" : "v128.store", 2, 0);
    });
    f.advance(to, toStride - width * FLOAT).advance(from, fromStride - width * FLOAT);
  });
  return f.finish(false);
};

/** panels_of_…(to, from, rows): row r, column x of `from` becomes element [floor(r / 8)][x][r mod 8]. Rows after the last one of a
 *  panel are not written. */
export const panelsOfRows = (width: number, stride: number): WasmFunction => {
  const names = ["to", "from", "rows"];
  const f = new FunctionBuilder(`panels_of_${width}_${stride}`, names.map((name) => ({ name, type: "i32" })));
  const [to, from, rows] = names.map((name) => f.parameter(name)) as [number, number, number];
  const [row, column, at] = f.locals("i32", "index", 3) as [number, number, number];
  const four = f.local("v128", "four");
  f.while(row, () => f.get(rows), 1, () => {
    f.get(to).get(row).i32(-PANEL).op("i32.and").i32(width * FLOAT).op("i32.mul").op("i32.add");
    f.get(row).i32(PANEL - 1).op("i32.and").i32(FLOAT).op("i32.mul").op("i32.add").set(at);
    alongRow(f, column, () => f.i32(width), [from], (lanes) => {
      if (lanes === 1) f.get(at).get(from).op("f32.load", 2, 0).op("f32.store", 2, 0);
      else {
        f.get(from).op("v128.load", 2, 0).set(four);
        for (let lane = 0; lane < LANES; lane++) f.get(at).get(four).op("v128.store32_lane", 2, lane * PANEL * FLOAT, lane);
      }
      f.advance(at, lanes * PANEL * FLOAT);
    });
    f.advance(from, stride - width * FLOAT);
  });
  return f.finish(false);
};
