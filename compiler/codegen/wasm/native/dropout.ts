/** @file The draws of attention's dropout, four entries at a time: z_ij of a block of pairs, by the generator of ir/random.ts. They load what the
 *  key alone decides from a table (draws.ts). */

import { DROPOUT_SITE, rowsToAHighWord } from "../../../../ir/ops/attention-draw.ts";
import { factor, leastKept } from "../../../../ir/ops/attention-dropout.ts";
import { FunctionBuilder } from "../builder.ts";
import type { LocalIndex } from "../builder.ts";
import type { Lanes } from "../math-lanes.ts";
import type { WasmFunction } from "../module.ts";
import { drawTable, drawTableBytes, writeDraws } from "./draws.ts";
import { add, held, keep, modulo, of, over, times } from "./integers.ts";

const LANES = 4;
const VECTOR = 16;

const parameters = (names: readonly string[]): ConstructorParameters<typeof FunctionBuilder>[1] => names.map((name) => ({ name, type: "i32" }));

export const dropoutTableBytes = (): number => drawTableBytes(DROPOUT_SITE);

/** (table, key) */
export const dropoutTable = (): WasmFunction => drawTable(DROPOUT_SITE);

/** Pushes z of four pairs, whose counters are the lanes of `high` and `low`. */
export const dropoutLanes = (f: FunctionBuilder, table: LocalIndex, high: Lanes, low: Lanes, rate: number): void => {
  for (const lanes of writeDraws(f, DROPOUT_SITE, table, [{ high, low }]).lanes) lanes(f);
  f.splatBits(leastKept(rate)).op("i32x4.ge_s").splat(factor(rate)).op("v128.and");
};

export interface DropoutExtents {
  readonly N: number;
  readonly M: number;
  /** Of dropping. */
  readonly rate: number;
  /** Bytes from row to row of the block. */
  readonly stride: number;
}

/** dropout_block(to, table, head, i, j, rows, columns): z of queries i … i + rows - 1 and keys j … j + columns - 1 of head b H + h. `columns` is
 *  rounded up to a multiple of four. */
export const dropoutBlock = ({ N, M, rate, stride }: DropoutExtents): WasmFunction => {
  const f = new FunctionBuilder(`dropout_block_${N}_${M}_${rate}_${stride}`, parameters(["to", "table", "head", "i", "j", "rows", "columns"]));
  const p = (name: string): LocalIndex => f.parameter(name);
  const aWord = rowsToAHighWord(M);
  const words = Math.ceil(N / aWord);
  const [row, column, at] = f.locals("i32", "index", 3) as [number, number, number];
  const [low, high] = f.locals("v128", "counter", 2) as [number, number];
  const lanesOf = (local: LocalIndex): Lanes => (g) => void g.get(local);
  f.while(row, () => f.get(p("rows")), 1, () => {
    const i = held(keep(f, "query", add(held(p("i")), held(row))));
    const [within, word] = words === 1 ? [i, of(0)] : [modulo(i, aWord), over(i, aWord)];
    add(times(held(p("head")), words), word)(f);
    f.op("i32x4.splat").set(high);
    add(times(within, M), held(p("j")))(f);
    f.op("i32x4.splat").op("v128.const", ...new Uint8Array(Int32Array.of(0, 1, 2, 3).buffer)).op("i32x4.add").set(low);
    f.get(p("to")).set(at).i32(0).set(column);
    f.while(column, () => f.get(p("columns")), LANES, () => {
      f.get(at);
      dropoutLanes(f, p("table"), lanesOf(high), lanesOf(low), rate);
      f.op("v128.store", 2, 0);
      f.advance(at, VECTOR).get(low).splatBits(LANES).op("i32x4.add").set(low);
    });
    f.advance(p("to"), stride);
  });
  return f.finish(false);
};
