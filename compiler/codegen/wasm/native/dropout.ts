/** @file The draws of attention's dropout, four entries at a time: z_ij of a block of pairs, by the generator of ir/random.ts.
 *
 *  A round needs two numbers that depend on the key alone. They, and constants, are computed once into a table (`dropoutTable`),
 *  four equal lanes each, so that a draw (`dropoutBlock`) loads them; what belongs there follows from the generator's own
 *  definition, by which the arithmetic here knows what is made of key and constants only. */

import { draw } from "../../../../ir/random.ts";
import type { Arithmetic } from "../../../../ir/random.ts";
import { DROPOUT_SITE, rowsToAHighWord } from "../../../../ir/ops/attention-draw.ts";
import { factor, leastKept } from "../../../../ir/ops/attention-dropout.ts";
import { FunctionBuilder } from "../builder.ts";
import type { LocalIndex } from "../builder.ts";
import { bits, i32 } from "../math-lanes.ts";
import type { Lanes } from "../math-lanes.ts";
import type { WasmFunction } from "../module.ts";
import { add, held, keep, modulo, of, over, times } from "./integers.ts";

const FLOAT = 4;
const LANES = 4;
const VECTOR = 16;

/** Whole numbers in four lanes; `fixed` where they are made of the key and of constants. */
interface Drawn {
  readonly lanes: Lanes;
  readonly fixed: boolean;
}

const product = (a: Lanes, b: Lanes): Lanes => (f) => {
  a(f);
  b(f);
  f.op("i32x4.mul");
};

/** Numbers are not negative and divisors powers of two. `fixedTo` says where a fixed number that meets another is to be had. */
const arithmetic = (f: FunctionBuilder, fixedTo: (value: Lanes) => Lanes): Arithmetic<Drawn> => {
  const meet = (of: (a: Lanes, b: Lanes) => Lanes) => (a: Drawn, b: Drawn): Drawn => {
    const fixed = a.fixed && b.fixed;
    const lanesOf = (x: Drawn): Lanes => (x.fixed && !fixed ? fixedTo(x.lanes) : x.lanes);
    return { lanes: of(lanesOf(a), lanesOf(b)), fixed };
  };
  return {
    constant: (value) => ({ lanes: i32.of(value), fixed: true }),
    add: meet(i32.add),
    mul: meet(product),
    mod: ({ lanes, fixed }, divisor) => ({ lanes: bits.and(lanes, i32.of(divisor - 1)), fixed }),
    idiv: ({ lanes, fixed }, divisor) => ({ lanes: i32.shrS(lanes, Math.log2(divisor)), fixed }),
    share: ({ lanes, fixed }, body) => {
      const local = f.local("v128", "drawn");
      lanes(f);
      f.set(local);
      return body({ lanes: (g) => void g.get(local), fixed });
    },
  };
};

/** Writes the draw of a counter into `f`; hands back what the table must hold, in order. */
const writeDraw = (f: FunctionBuilder, table: LocalIndex, high: Lanes, low: Lanes): { readonly lanes: Lanes; readonly fixed: readonly Lanes[] } => {
  const fixed: Lanes[] = [];
  const word = (index: number): Drawn => ({ lanes: keyWord(index), fixed: true });
  const n = arithmetic(f, (value) => {
    const at = VECTOR * (fixed.push(value) - 1);
    return (g) => void g.get(table).op("v128.load", 2, at);
  });
  const { lanes } = draw(n, [word(0), word(1), word(2), word(3)], DROPOUT_SITE, { lanes: high, fixed: false }, { lanes: low, fixed: false });
  return { lanes, fixed };
};

/** Word of the key at the pointer `key`, a float32 in memory as all numbers. */
const keyWord = (word: number): Lanes => (f) => void f.get(f.parameter("key")).op("v128.load32_splat", 2, word * FLOAT).op("i32x4.trunc_sat_f32x4_s");

const parameters = (names: readonly string[]): ConstructorParameters<typeof FunctionBuilder>[1] => names.map((name) => ({ name, type: "i32" }));

const fixedParts = (): readonly Lanes[] => {
  const f = new FunctionBuilder("draw", parameters(["table", "key"]));
  return writeDraw(f, f.parameter("table"), i32.of(0), i32.of(0)).fixed;
};

export const dropoutTableBytes = (): number => fixedParts().length * VECTOR;

/** dropout_table(table, key) */
export const dropoutTable = (): WasmFunction => {
  const f = new FunctionBuilder("dropout_table", parameters(["table", "key"]));
  fixedParts().forEach((value, i) => {
    f.get(f.parameter("table"));
    value(f);
    f.op("v128.store", 2, VECTOR * i);
  });
  return f.finish(false);
};

/** Pushes z of four pairs, whose counters are the lanes of `high` and `low`. */
export const dropoutLanes = (f: FunctionBuilder, table: LocalIndex, high: Lanes, low: Lanes, rate: number): void => {
  writeDraw(f, table, high, low).lanes(f);
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
