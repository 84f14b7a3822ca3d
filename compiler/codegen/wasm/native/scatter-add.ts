/** @file y[i] = sum of updates[s] over the positions s with ids[s] = i, in time linear in the updates and the rows (ir/ops/gather.ts):
 *
 *      lists   the positions sorted by id, by one thread (counting sort, as in sampled-backward-lists.ts)
 *      rows    row by row, the updates on its list, ascending, four at a time
 *
 *  Every row is written once, by one thread. Positions whose id is no row are on a list that nobody reads. */

import { elements } from "../../../../ir/types.ts";
import { FunctionBuilder } from "../builder.ts";
import type { LocalIndex } from "../builder.ts";
import type { WasmFunction } from "../module.ts";
import { eachColumn, element, FLOAT, runningSums } from "./columns.ts";
import type { NativeEmitter } from "./native.ts";

interface Sizes {
  readonly rows: number;
  readonly positions: number;
  readonly width: number;
}

const PARAMETERS = ["y", "table", "list", "ids", "updates", "begin", "end"] as const;
/** Additions worth a thread's way to the next rows. */
const GRAIN = 2 ** 14;

const functionOf = (name: string): FunctionBuilder => new FunctionBuilder(name, PARAMETERS.map((parameter) => ({ name: parameter, type: "i32" })));

/** list `i` is from table[i] to table[i + 1], in bytes of `list`; list `rows` is that of the other ids. */
const tableLength = ({ rows }: Sizes): number => rows + 3;

export const emitScatterAdd: NativeEmitter = ({ operands: [ids], results: [y] }) => {
  const rows = y?.shape[0] ?? 0;
  const sizes: Sizes = { rows, positions: ids === undefined ? 0 : elements(ids), width: y === undefined ? 0 : elements(y) / rows };
  const { positions, width } = sizes;
  return {
    temporaries: [tableLength(sizes), positions],
    phases: [
      { suffix: "lists", items: 1, grain: 1, work: positions, scratchBytes: 0, emit: (name) => emitLists(name, sizes) },
      { suffix: "", items: rows, grain: Math.ceil((GRAIN * rows) / ((positions + rows) * width)), work: positions * width, scratchBytes: 0, emit: (name) => emitRows(name, sizes) },
    ],
  };
};

/** table[id + 2] counts, then table[id + 1] says where the next position of `id` goes. */
const emitLists = (name: string, sizes: Sizes): WasmFunction => {
  const f = functionOf(name);
  const { rows, positions } = sizes;
  const [table, list, ids] = ["table", "list", "ids"].map((parameter) => f.parameter(parameter)) as [number, number, number];
  const [position, id, at, place] = f.locals("i32", "position", 4) as [number, number, number, number];
  const eachPosition = (body: () => void): void =>
    void f.repeat(position, positions, 1, () => {
      element(f, ids, position, FLOAT).op("f32.load", 2, 0).op("i32.trunc_sat_f32_s").set(id);
      f.get(id).i32(rows).get(id).i32(rows).op("i32.lt_u").op("select").set(id);
      element(f, table, id, FLOAT).set(at);
      body();
    });
  f.block("block", () => {
    f.get(f.parameter("begin")).get(f.parameter("end")).op("i32.ge_s").op("br_if", 0);
    f.get(table).i32(0).i32(tableLength(sizes) * FLOAT).op("memory.fill", 0);
    eachPosition(() => f.get(at).get(at).op("i32.load", 2, 2 * FLOAT).i32(FLOAT).op("i32.add").op("i32.store", 2, 2 * FLOAT));
    runningSums(f, table, tableLength(sizes));
    eachPosition(() => {
      f.get(at).op("i32.load", 2, FLOAT).set(place);
      f.get(list).get(place).op("i32.add").get(position).op("i32.store", 2, 0);
      f.get(at).get(place).i32(FLOAT).op("i32.add").op("i32.store", 2, FLOAT);
    });
  });
  return f.finish(true);
};

const emitRows = (name: string, { width }: Sizes): WasmFunction => {
  const f = functionOf(name);
  const p = (parameter: string): LocalIndex => f.parameter(parameter);
  const [item, y, at, end, from, own, turns] = f.locals("i32", "row", 7) as [number, number, number, number, number, number, number];
  const walk = (count: 1 | 4): void => {
    const pointers = f.locals("i32", "update", count);
    f.block("block", () => {
      f.block("loop", () => {
        f.get(end).get(at).op("i32.sub").i32(count * FLOAT).op("i32.lt_s").op("br_if", 1);
        pointers.forEach((pointer, i) => f.get(at).op("i32.load", 2, i * FLOAT).i32(width * FLOAT).op("i32.mul").get(p("updates")).op("i32.add").set(pointer));
        f.get(y).set(own);
        eachColumn(f, width, [...pointers, own], turns, ({ load, vectors, store }) => {
          for (const byte of vectors)
            store(own, byte, () => {
              f.get(own).op(load, 2, byte);
              for (const pointer of pointers) f.get(pointer).op(load, 2, byte).op("f32x4.add");
            });
        });
        f.advance(at, count * FLOAT).op("br", 0);
      });
    });
  };
  f.get(p("begin")).set(item);
  f.while(item, () => f.get(p("end")), 1, () => {
    element(f, p("y"), item, width * FLOAT).tee(y).i32(0).i32(width * FLOAT).op("memory.fill", 0);
    element(f, p("table"), item, FLOAT).set(from);
    f.get(p("list")).get(from).op("i32.load", 2, 0).op("i32.add").set(at);
    f.get(p("list")).get(from).op("i32.load", 2, FLOAT).op("i32.add").set(end);
    walk(4);
    walk(1);
  });
  return f.finish(true);
};
