/** @file Functions over monomials of a chunk of positions: rows in memory are monomials (or variables), four positions in a vector.
 *  Weighted monomials are multiplied by factors of their runs, as the table has them (lowrank-plan.ts). */

import { FunctionBuilder } from "../builder.ts";
import type { LocalIndex } from "../builder.ts";
import type { Local, WasmFunction } from "../module.ts";
import type { LowRankPlan } from "./lowrank-plan.ts";
import { FLOAT, RECORD } from "./lowrank-plan.ts";

export const VECTOR = 16;

type Type = Local["type"];

/** A function in the making, and its parameters in order. */
export const routine = (name: string, parameters: readonly string[], gain = false): { readonly f: FunctionBuilder; readonly p: (name: string) => LocalIndex } => {
  const f = new FunctionBuilder(`lowrank_${name}`, [...parameters.map((each) => ({ name: each, type: "i32" as Type })), ...(gain ? [{ name: "gain", type: "f32" as Type }] : [])]);
  return { f, p: (each) => f.parameter(each) };
};

/** do body, counter -= 1 while counter > 0. `counter` is at least 1. */
export const countDown = (f: FunctionBuilder, counter: LocalIndex, body: () => void): void => {
  f.block("loop", () => {
    body();
    f.advance(counter, -1).get(counter).op("br_if", 0);
  });
};

/** For each group of `most` vectors of a row, or fewer where a row has fewer: `body` with the local that holds its offset. */
const forGroups = (f: FunctionBuilder, { chunk }: LowRankPlan, most: number, body: (offset: LocalIndex, vectors: number) => void): void => {
  const vectors = Math.min(most, chunk / 4);
  const offset = f.local("i32", "offset");
  f.repeat(offset, chunk * FLOAT, vectors * VECTOR, () => body(offset, vectors));
};

const plus = (f: FunctionBuilder, to: LocalIndex, ...locals: readonly LocalIndex[]): void => {
  locals.forEach((local, i) => {
    f.get(local);
    if (i > 0) f.op("i32.add");
  });
  f.set(to);
};

/** A walk over runs: pointers of the variable's row and of the head's, the count, and the factor with the gain in it. */
const forRuns = (f: FunctionBuilder, p: (name: string) => LocalIndex, weighted: boolean, body: (at: { variable: LocalIndex; head: LocalIndex; count: LocalIndex; factor: LocalIndex }) => void): void => {
  const [variable, head, count] = f.locals("i32", "run_", 3) as [number, number, number];
  const factor = f.local("v128", "factor");
  countDown(f, p("runs"), () => {
    f.get(p("run")).op("i32.load", 2, 0).set(variable);
    f.get(p("run")).op("i32.load", 2, 4).set(head);
    f.get(p("run")).op("i32.load", 2, 8).set(count);
    f.get(p("gain"));
    if (weighted) f.get(p("run")).op("f32.load", 2, 12).op("f32.mul");
    f.op("f32x4.splat").set(factor);
    body({ variable, head, count, factor });
    f.advance(p("run"), RECORD);
  });
};

const nameOf = ({ chunk }: LowRankPlan, weighted: boolean): string => `${chunk}${weighted ? "_weighted" : ""}`;

/** features(out, heads, x, run, runs, gain): row after row of `out`, gain · head · variable. `runs` at least 1. */
export const featuresRoutine = (plan: LowRankPlan, weighted: boolean): WasmFunction => {
  const { f, p } = routine(`features_${nameOf(plan, weighted)}`, ["out", "heads", "x", "run", "runs"], true);
  const { rowBytes } = plan;
  const [from, to, left] = f.locals("i32", "at", 3) as [number, number, number];
  const own = f.locals("v128", "x_", Math.min(8, plan.chunk / 4));
  forRuns(f, p, weighted, ({ variable, head, count, factor }) => {
    forGroups(f, plan, 8, (offset) => {
      plus(f, from, p("x"), variable, offset);
      own.forEach((x, i) => f.get(from).op("v128.load", 2, i * VECTOR).get(factor).op("f32x4.mul").set(x));
      plus(f, from, p("heads"), head, offset);
      plus(f, to, p("out"), offset);
      f.get(count).set(left);
      countDown(f, left, () => {
        own.forEach((x, i) => f.get(to).get(from).op("v128.load", 2, i * VECTOR).get(x).op("f32x4.mul").op("v128.store", 2, i * VECTOR));
        f.advance(from, rowBytes).advance(to, rowBytes);
      });
    });
    f.get(p("out")).get(count).i32(rowBytes).op("i32.mul").op("i32.add").set(p("out"));
  });
  return f.finish(false);
};

/** features_vjp(d, heads, d_heads, x, d_x, run, runs, gain): with d the gradient of what `features` writes,
 *  d_heads += gain · d · variable and d_x += gain · d · head. `runs` at least 1. */
export const featuresVjpRoutine = (plan: LowRankPlan, weighted: boolean): WasmFunction => {
  const { f, p } = routine(`features_vjp_${nameOf(plan, weighted)}`, ["d", "heads", "d_heads", "x", "d_x", "run", "runs"], true);
  const { rowBytes } = plan;
  const [at, from, to, left] = f.locals("i32", "at", 4) as [number, number, number, number];
  const own = f.locals("v128", "x_", Math.min(4, plan.chunk / 4));
  const sums = f.locals("v128", "sum", own.length);
  const d = f.local("v128", "d_");
  forRuns(f, p, weighted, ({ variable, head, count, factor }) => {
    forGroups(f, plan, 4, (offset) => {
      plus(f, from, p("x"), variable, offset);
      own.forEach((x, i) => {
        f.get(from).op("v128.load", 2, i * VECTOR).get(factor).op("f32x4.mul").set(x);
        f.splat(0).set(sums[i] ?? 0);
      });
      plus(f, from, p("heads"), head, offset);
      plus(f, to, p("d_heads"), head, offset);
      plus(f, at, p("d"), offset);
      f.get(count).set(left);
      countDown(f, left, () => {
        own.forEach((x, i) => {
          const sum = sums[i] ?? 0;
          f.get(at).op("v128.load", 2, i * VECTOR).set(d);
          f.get(sum).get(d).get(from).op("v128.load", 2, i * VECTOR).op("f32x4.mul").op("f32x4.add").set(sum);
          f.get(to).get(to).op("v128.load", 2, i * VECTOR).get(d).get(x).op("f32x4.mul").op("f32x4.add").op("v128.store", 2, i * VECTOR);
        });
        f.advance(at, rowBytes).advance(from, rowBytes).advance(to, rowBytes);
      });
      plus(f, to, p("d_x"), variable, offset);
      sums.forEach((sum, i) => f.get(to).get(to).op("v128.load", 2, i * VECTOR).get(sum).get(factor).op("f32x4.mul").op("f32x4.add").op("v128.store", 2, i * VECTOR));
    });
    f.get(p("d")).get(count).i32(rowBytes).op("i32.mul").op("i32.add").set(p("d"));
  });
  return f.finish(false);
};

/** scaled(out, from, rows, gain): rows times a number. */
export const scaledRoutine = (plan: LowRankPlan): WasmFunction => {
  const { f, p } = routine(`scaled_${plan.chunk}`, ["out", "from", "rows"], true);
  const factor = f.local("v128", "factor");
  f.get(p("gain")).op("f32x4.splat").set(factor);
  countDown(f, p("rows"), () => {
    for (let byte = 0; byte < plan.chunk * FLOAT; byte += VECTOR)
      f.get(p("out")).get(p("from")).op("v128.load", 2, byte).get(factor).op("f32x4.mul").op("v128.store", 2, byte);
    f.advance(p("out"), plan.rowBytes).advance(p("from"), plan.rowBytes);
  });
  return f.finish(false);
};

/** The sum of four lanes, on the stack. */
const laneSum = (f: FunctionBuilder, lanes: LocalIndex): void => {
  for (let lane = 0; lane < 4; lane++) {
    f.get(lanes).op("f32x4.extract_lane", lane);
    if (lane % 2 === 1) f.op("f32.add");
  }
  f.op("f32.add");
};

/** into_column(column, phi, x, rows): column[m] += sum over positions of phi[m] x; `column` one of a state. */
export const intoColumnRoutine = (plan: LowRankPlan): WasmFunction => {
  const { f, p } = routine(`into_column_${plan.chunk}_${plan.width}`, ["column", "phi", "x", "rows"]);
  const sums = f.locals("v128", "sum", 2);
  const sum = sums[0] ?? 0;
  countDown(f, p("rows"), () => {
    for (const each of sums) f.splat(0).set(each);
    for (let i = 0; i < plan.chunk / 4; i++) {
      const each = sums[i % 2] ?? 0;
      f.get(each).get(p("phi")).op("v128.load", 2, i * VECTOR).get(p("x")).op("v128.load", 2, i * VECTOR).op("f32x4.mul").op("f32x4.add").set(each);
    }
    f.get(sum).get(sums[1] ?? 0).op("f32x4.add").set(sum);
    f.get(p("column")).get(p("column")).op("f32.load", 2, 0);
    laneSum(f, sum);
    f.op("f32.add").op("f32.store", 2, 0);
    f.advance(p("column"), plan.width * FLOAT).advance(p("phi"), plan.rowBytes);
  });
  return f.finish(false);
};

/** from_column(out, phi, column, rows): out += sum over monomials of phi[m] column[m], a number for each position. */
export const fromColumnRoutine = (plan: LowRankPlan): WasmFunction => {
  const { f, p } = routine(`from_column_${plan.chunk}_${plan.width}`, ["out", "phi", "column", "rows"]);
  const [from, to, at, left] = f.locals("i32", "at", 4) as [number, number, number, number];
  const sums = f.locals("v128", "sum", Math.min(8, plan.chunk / 4));
  const element = f.local("v128", "element");
  forGroups(f, plan, 8, (offset) => {
    plus(f, to, p("out"), offset);
    plus(f, from, p("phi"), offset);
    sums.forEach((sum, i) => f.get(to).op("v128.load", 2, i * VECTOR).set(sum));
    f.get(p("column")).set(at).get(p("rows")).set(left);
    countDown(f, left, () => {
      f.get(at).op("v128.load32_splat", 2, 0).set(element);
      sums.forEach((sum, i) => f.get(sum).get(from).op("v128.load", 2, i * VECTOR).get(element).op("f32x4.mul").op("f32x4.add").set(sum));
      f.advance(at, plan.width * FLOAT).advance(from, plan.rowBytes);
    });
    sums.forEach((sum, i) => f.get(to).get(sum).op("v128.store", 2, i * VECTOR));
  });
  return f.finish(false);
};
