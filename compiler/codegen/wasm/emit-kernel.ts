/** @file Kernel → WebAssembly: a function over loops, `name(out, in0, in1, …, begin, end)`.
 *
 *  Pointers are bytes; begin and end bound the outermost axis, so that threads can share a kernel. Four neighbouring elements
 *  are computed at a time where that pays: of the innermost axis, or else of a sum's own loop, which then has partial sums in
 *  a fixed order (`reduce-lanes.ts`). Either way an element is the same whoever computes it: no result depends on begin
 *  and end. */

import { InternalError } from "../../../ir/diagnostic.ts";
import type { Expr, Kernel, Loop } from "../kernel.ts";
import { childrenOf } from "../schedule.ts";
import { FunctionBuilder } from "./builder.ts";
import type { LocalIndex } from "./builder.ts";
import { ExpressionEmitter } from "./emit-expression.ts";
import type { FunctionTable } from "./function-table.ts";
import { Kinds } from "./kinds.ts";
import { LaneView, scalarCost, sizeOf } from "./lanes.ts";
import type { Local, WasmFunction } from "./module.ts";
import { loopNest } from "./nest.ts";
import type { LoopNest } from "./nest.ts";
import type { Width } from "./operations.ts";
import { costAcross } from "./reduce-lanes.ts";

export interface EmittedKernel {
  readonly func: WasmFunction;
  /** What begin and end count: turns of the outermost axis (several of the kernel's, where the first alone is short); 1 for a scalar. */
  readonly items: number;
  /** Items that should not be parted: those of a line of the cache. */
  readonly together: number;
  /** The time of all items in floating-point operations of a product, about. */
  readonly work: number;
}

export interface KernelOptions {
  readonly exported?: boolean;
  /** The number of the input that the result takes the place of; see `loopNest`. Begin and end then count the kernel's own first axis. */
  readonly placedAs?: number;
}

const FLOAT = 4;
const LANES = 4;
/** Floats in a line of the cache. */
const LINE = 16;

const i32 = (name: string): Local => ({ name, type: "i32" });

export const emitKernel = (kernel: Kernel, table: FunctionTable, { exported = true, placedAs }: KernelOptions = {}): EmittedKernel => {
  if (placedAs !== undefined) return emitNest(kernel.name, loopNest(kernel, { placedAs }), table, exported);
  const plain = emitNest(kernel.name, loopNest(kernel), table, exported);
  if (plain.work < SHARED || plain.items >= FEW) return plain;
  return emitNest(kernel.name, loopNest(kernel, { joined: true }), table, exported);
};

/** From here on threads may share the work, and have to be given enough items. */
const SHARED = 1e6;
const FEW = 32;

const emitNest = (name: string, { inputs, axes, body, place }: LoopNest, table: FunctionTable, exported: boolean): EmittedKernel => {
  const names = inputs.map((_, i) => `in${i}`);
  const f = new FunctionBuilder(name, ["out", ...names, "begin", "end"].map(i32));
  const kinds = new Kinds(inputs, body, place);
  const inner = axes.at(-1);
  const lanes = inner === undefined || inner.extent < LANES ? null : new LaneView(inner.name, kinds, inputs);
  const element = elementOf(body, axes.length);
  const alone = (e: Expr): number => scalarCost(e, (reduce) => costAcross(reduce, kinds, inputs));
  const inLanes = lanes === null || (place !== null && lanes.stride(place) !== 1) ? Number.POSITIVE_INFINITY : lanes.cost(element, alone) / LANES;
  const cost = Math.min(inLanes, alone(element));
  const plan = inLanes < 0.9 * alone(element) ? lanes : null;
  const emitter = new ExpressionEmitter({ f, kinds, inputs, table, pointers: names.map((each) => f.parameter(each)), lanes: plan });
  new NestEmitter(f, axes, emitter, plan, place).emit(body);
  const work = workOf(axes.reduce((product, { extent }) => product * extent, 1), cost, inputs);
  return { func: f.finish(exported), items: axes[0]?.extent ?? 1, together: axes.length === 1 ? LINE : 1, work };
};

/** An instruction takes a tenth of a nanosecond or so, a byte of memory a thirtieth, an operation of a product a fiftieth. */
const workOf = (elements: number, cost: number, inputs: Kernel["inputs"]): number => {
  const bytes = FLOAT * (elements + inputs.reduce((sum, input) => sum + sizeOf(input), 0));
  return Math.round(50 * Math.max((elements * cost) / 10, bytes / 30));
};

/** What is evaluated at every turn of the innermost axis. */
const elementOf = (body: Expr, depth: number): Expr => {
  if (depth === 0) return body;
  if (body.kind === "let") return elementOf(body.body, depth);
  if (body.kind === "reduce") return elementOf(body.body, depth - 1);
  throw new InternalError("a kernel without its axes");
};

type Sum = Expr & { kind: "reduce" };

/** The outermost loops of an expression, walks and folds among them as sums of nothing. */
const reductionsIn = (expr: Expr): readonly Sum[] => {
  if (expr.kind === "reduce") return [expr];
  if (expr.kind === "walk" || expr.kind === "fold") return [{ kind: "reduce", fn: "sum", loops: [], body: expr }];
  return childrenOf(expr).flatMap(reductionsIn);
};

/** Is it evaluated whenever `expr` is, and outside of everything that names values? */
const isCertain = (sum: Sum, expr: Expr): boolean => {
  if (expr === sum) return true;
  if (expr.kind === "select") return isCertain(sum, expr.cond);
  return (expr.kind === "unary" || expr.kind === "binary") && childrenOf(expr).some((child) => isCertain(sum, child));
};

class NestEmitter {
  readonly #f: FunctionBuilder;
  readonly #axes: readonly Loop[];
  readonly #emitter: ExpressionEmitter;
  readonly #lanes: LaneView | null;
  readonly #place: Expr | null;
  readonly #out: LocalIndex;

  constructor(f: FunctionBuilder, axes: readonly Loop[], emitter: ExpressionEmitter, lanes: LaneView | null, place: Expr | null) {
    this.#f = f;
    this.#axes = axes;
    this.#emitter = emitter;
    this.#lanes = lanes;
    this.#place = place;
    this.#out = f.parameter("out");
  }

  emit(body: Expr): void {
    const f = this.#f;
    const inner = this.#axes.slice(1).reduce((product, { extent }) => product * extent, 1);
    if (this.#axes.length > 0 && this.#place === null) f.get(this.#out).get(f.parameter("begin")).i32(inner * FLOAT).op("i32.mul").op("i32.add").set(this.#out);
    this.#level(body, 0);
  }

  #level(body: Expr, depth: number): void {
    if (body.kind === "let" && depth < this.#axes.length) {
      this.#emitter.define(body.name, body.value, 1);
      return this.#level(body.body, depth);
    }
    const axis = this.#axes[depth];
    if (axis === undefined) return this.#store(body, 1);
    if (body.kind !== "reduce") throw new InternalError("a kernel without its axes");
    const index = this.#f.local("i32", axis.name);
    this.#emitter.hold(axis.name, index, "i32");
    const isInner = depth === this.#axes.length - 1;
    if (isInner && this.#lanes !== null) this.#vectors(body.body, index, depth === 0 ? null : axis.extent);
    else this.#loop(body.body, index, axis, depth);
  }

  #loop(body: Expr, index: LocalIndex, { extent }: Loop, depth: number): void {
    const f = this.#f;
    const turn = (): void => this.#level(body, depth + 1);
    if (depth > 0) f.repeat(index, extent, 1, turn);
    else f.get(f.parameter("begin")).set(index).while(index, () => f.get(f.parameter("end")), 1, turn);
  }

  /** Four elements at a time, then one by one. `extent` null: from begin to end. Each element is stored once, after all that it
   *  reads is read, so that `out` may be an input which is read at the element's own place. */
  #vectors(body: Expr, index: LocalIndex, extent: number | null): void {
    const f = this.#f;
    const begin = f.parameter("begin");
    const limit = (less: number): void => void (extent === null ? f.get(f.parameter("end")).i32(less).op("i32.sub") : f.i32(extent - less));
    if (extent === null) f.get(begin);
    else f.i32(0);
    f.set(index);
    const sum = this.#columnSum(body);
    if (sum !== null) f.while(index, () => limit(LINE - 1), LINE, () => this.#line(body, sum, index));
    f.while(index, () => limit(LANES - 1), LANES, () => this.#store(body, LANES));
    if (extent !== null && extent % LANES === 0) return;
    f.while(index, () => limit(0), 1, () => this.#emitter.withoutLanes(() => this.#store(body, 1)));
  }

  /** A sum down the columns: a turn reads a row's neighbouring elements. */
  #columnSum(body: Expr): Sum | null {
    const { kinds } = this.#emitter.setting;
    const sums = reductionsIn(body);
    const [sum] = sums;
    if (sum === undefined || sums.length > 1 || !isCertain(sum, body) || this.#lanes?.varies(sum.body) !== true) return null;
    return sum.loops.length === 1 && (sum.loops[0]?.extent ?? 0) > 1 && kinds.kind(sum) === "f32" && reductionsIn(sum.body).length === 0 ? sum : null;
  }

  /** A line of the cache at a time, so that each is read once: as many partial sums as it has vectors. */
  #line(body: Expr, sum: Sum, index: LocalIndex): void {
    const f = this.#f;
    const totals = f.locals("v128", sum.fn, LINE / LANES);
    const start = f.local("i32", "start");
    f.get(index).set(start);
    const vector = (v: number): void => void f.get(start).i32(v * LANES).op("i32.add").set(index);
    this.#emitter.reduceVectors(sum, totals, vector);
    totals.forEach((total, v) => {
      vector(v);
      this.#emitter.withKnown(sum, total, () => this.#store(body, LANES));
    });
    f.get(start).set(index);
  }

  #store(body: Expr, width: Width): void {
    const f = this.#f;
    const element = this.#emitter.unlet(body, width);
    f.get(this.#out);
    if (this.#place !== null) {
      this.#emitter.value(this.#place, "i32", 1);
      f.i32(2).op("i32.shl").op("i32.add");
    }
    this.#emitter.value(element, "f32", width);
    f.op(width === 1 ? "f32.store" : "v128.store", 2, 0);
    if (this.#place === null) f.advance(this.#out, width * FLOAT);
  }
}
