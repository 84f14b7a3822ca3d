/** @file Expressions of the kernel form as instructions that push their value: one value, or four lanes of it. */

import { InternalError } from "../../../ir/diagnostic.ts";
import type { Expr, KernelInput } from "../kernel.ts";
import type { FunctionBuilder, LocalIndex } from "./builder.ts";
import { emitBinary, emitUnary } from "./emit-arithmetic.ts";
import { isCheap, localType, splitOffset } from "./expression-form.ts";
import type { Held } from "./expression-form.ts";
import type { FunctionTable } from "./function-table.ts";
import type { Kind, Kinds } from "./kinds.ts";
import { indexOf, isSafe, LaneView } from "./lanes.ts";
import { binaryOpcode, convert, lane, replaceLane, spread } from "./operations.ts";
import type { Width } from "./operations.ts";
import { acrossLanes, costAcross } from "./reduce-lanes.ts";

export interface Setting {
  readonly f: FunctionBuilder;
  readonly kinds: Kinds;
  readonly inputs: readonly KernelInput[];
  readonly table: FunctionTable;
  /** The local that holds the address of each input. */
  readonly pointers: readonly LocalIndex[];
  /** How elements are computed in vectors; null where they are not. */
  readonly lanes: LaneView | null;
}

const LOWEST_INTEGER = -(2 ** 31);

export class ExpressionEmitter {
  readonly setting: Setting;
  readonly #names = new Map<string, Held>();
  /** Vectors of results that are at hand. */
  readonly #known = new Map<Expr, LocalIndex>();
  /** The vectors at hand, and which of their lanes a single value is for. */
  #view: LaneView | null;
  #lane = 0;

  constructor(setting: Setting) {
    this.setting = setting;
    this.#view = setting.lanes;
  }

  hold(name: string, local: LocalIndex, kind: Kind, width: Width = 1): void {
    this.#names.set(name, { local, kind, width });
  }

  /** Within `body`, four lanes of `expr` are in a local. */
  withKnown(expr: Expr, local: LocalIndex, body: () => void): void {
    this.#known.set(expr, local);
    body();
    this.#known.delete(expr);
  }

  withoutLanes(body: () => void): void {
    this.#within(null, body);
  }

  define(name: string, value: Expr, width: Width): void {
    const kind = this.setting.kinds.nameKind(name);
    const own = this.#widthOf(value, width);
    const stride = own === 4 && kind === "i32" ? (this.#view?.stride(value) ?? null) : null;
    if (stride !== null) return this.#defineAddress(name, value, stride);
    const local = this.setting.f.local(localType(kind, own), name);
    this.value(value, kind, own);
    this.setting.f.set(local);
    this.hold(name, local, kind, own);
  }

  /** Of an index that grows evenly from lane to lane, the first lane says all. */
  #defineAddress(name: string, value: Expr, stride: number): void {
    const local = this.setting.f.local("i32", name);
    this.value(value, "i32", 1);
    this.setting.f.set(local);
    this.#names.set(name, { local, kind: "i32", width: 1, stride });
  }

  /** Defines what an expression names first; what remains. */
  unlet(expr: Expr, width: Width): Expr {
    if (expr.kind !== "let") return expr;
    this.define(expr.name, expr.value, width);
    return this.unlet(expr.body, width);
  }

  value(expr: Expr, want: Kind, width: Width): void {
    const { f } = this.setting;
    const known = this.#known.get(expr);
    if (known !== undefined && width === 4) {
      f.get(known);
      return convert(f, "f32", want, 4);
    }
    if (width === 4 && this.#widthOf(expr, 4) === 1) {
      if (expr.kind === "const") return this.#constant(expr.value, want, 4);
      if (expr.kind === "load" && want === "f32") return this.#load(expr, "v128.load32_splat");
      this.value(expr, want, 1);
      return spread(f, want, () => f.local("i32", "truth"));
    }
    if (width === 4 && this.#view?.isLanewise(expr) === true) return this.#eachLane(expr, want);
    switch (expr.kind) {
      case "const":
        return this.#constant(expr.value, want, width);
      case "var":
        return this.#variable(expr.name, want, width);
      case "load":
        this.#load(expr, width === 1 ? "f32.load" : "v128.load");
        return convert(f, "f32", want, width);
      case "unary":
        return emitUnary(this, expr, want, width);
      case "binary":
        return emitBinary(this, expr, want, width);
      case "let":
        return this.value(this.unlet(expr, width), want, width);
      case "select":
        return this.#select(expr, want, width);
      case "reduce":
        return this.#reduce(expr, want, width);
      case "walk":
        return this.#walk(expr, want, width);
      case "fold":
        return this.#fold(expr, want, width);
    }
  }

  #widthOf(expr: Expr, width: Width): Width {
    return width === 4 && this.#view?.varies(expr) === true ? 4 : 1;
  }

  #within(view: LaneView | null, body: () => void): void {
    const [outer, outerLane] = [this.#view, this.#lane];
    [this.#view, this.#lane] = [view, 0];
    body();
    [this.#view, this.#lane] = [outer, outerLane];
  }

  #constant(value: number, want: Kind, width: Width): void {
    const { f } = this.setting;
    const truth = value !== 0;
    if (want === "f32") width === 1 ? f.f32(value) : f.splat(value);
    else if (width === 1) f.i32(want === "bool" ? Number(truth) : Math.trunc(value));
    else f.splatBits(want === "bool" ? (truth ? -1 : 0) : Math.trunc(value));
  }

  #variable(name: string, want: Kind, width: Width): void {
    const { f } = this.setting;
    const held = this.#names.get(name);
    if (held === undefined) throw new InternalError(`${name} is used before it is computed`);
    f.get(held.local);
    const stride = name === this.#view?.axis ? 1 : held.stride;
    if (stride !== undefined) {
      if (width === 4) f.op("i32x4.splat").op("v128.const", ...new Uint8Array(Int32Array.of(0, stride, 2 * stride, 3 * stride).buffer)).op("i32x4.add");
      else if (this.#lane > 0) f.i32(this.#lane * stride).op("i32.add");
    } else if (width === 1 && held.width === 4) lane(f, held.kind, this.#lane);
    convert(f, held.kind, want, width);
  }

  #load(expr: Expr & { kind: "load" }, op: "f32.load" | "v128.load" | "v128.load32_splat"): void {
    const { f, kinds, pointers } = this.setting;
    const [index, offset] = splitOffset(indexOf(expr), kinds);
    f.get(pointers[expr.input] ?? 0);
    if (index !== null) {
      this.value(index, "i32", 1);
      f.i32(2).op("i32.shl").op("i32.add");
    }
    f.op(op, 2, 4 * offset);
  }

  #eachLane(expr: Expr, want: Kind): void {
    const { f } = this.setting;
    const kind = want === "bool" ? "i32" : want;
    for (let k = 0; k < 4; k++) {
      this.#lane = k;
      this.value(expr, kind, 1);
      if (k === 0) f.op(kind === "f32" ? "f32x4.splat" : "i32x4.splat");
      else f.op(replaceLane(kind), k);
    }
    this.#lane = 0;
    convert(f, kind, want, 4);
  }

  #select(expr: Expr & { kind: "select" }, want: Kind, width: Width): void {
    const { f, kinds, inputs } = this.setting;
    const kind = want === "i32" && kinds.range(expr) !== null ? "i32" : kinds.kind(expr);
    const both = (): void => [expr.then, expr.otherwise].forEach((branch) => this.value(branch, kind, width));
    if (this.#widthOf(expr.cond, width) === 4) {
      both();
      this.value(expr.cond, "bool", 4);
      f.op("v128.bitselect");
    } else if (width === 1 && [expr.then, expr.otherwise].every((e) => isCheap(e) && isSafe(e, kinds, inputs))) {
      both();
      this.value(expr.cond, "bool", 1);
      f.op("select");
    } else {
      this.value(expr.cond, "bool", 1);
      f.block("if", () => this.value(expr.then, kind, width), () => this.value(expr.otherwise, kind, width), localType(kind, width));
    }
    convert(f, kind, want, width);
  }

  #reduce(expr: Expr & { kind: "reduce" }, want: Kind, width: Width): void {
    const { f, kinds, inputs, lanes } = this.setting;
    const loop = expr.loops[0] ?? { name: "", extent: 0 };
    const index = f.local("i32", loop.name);
    this.hold(loop.name, index, "i32");
    if (width === 1 && lanes?.varies(expr) !== true && costAcross(expr, kinds, inputs) !== null) {
      const view = new LaneView(loop.name, kinds, inputs);
      const term = (terms: Width): void => this.#within(terms === 4 ? view : null, () => this.value(expr.body, "f32", terms));
      acrossLanes({ f, reduce: expr, index, extent: loop.extent, term });
      return convert(f, "f32", want, 1);
    }
    const kind = kinds.kind(expr) === "i32" ? "i32" : "f32";
    const total = f.local(localType(kind, width), expr.fn);
    const lowest = kind === "i32" ? LOWEST_INTEGER : Number.NEGATIVE_INFINITY;
    this.#constant(expr.fn === "sum" ? 0 : lowest, kind, width);
    f.set(total);
    if (loop.extent > 0) f.repeat(index, loop.extent, 1, () => this.#accumulate(total, expr, kind, width));
    f.get(total);
    convert(f, kind, want, width);
  }

  /** totals[v] = fn over the loop of what `body` is for the vth vector; `vector(v)` moves the index there. The order is that of one. */
  reduceVectors(expr: Expr & { kind: "reduce" }, totals: readonly LocalIndex[], vector: (v: number) => void): void {
    const { f } = this.setting;
    const loop = expr.loops[0] ?? { name: "", extent: 0 };
    const index = f.local("i32", loop.name);
    this.hold(loop.name, index, "i32");
    for (const total of totals) {
      this.#constant(expr.fn === "sum" ? 0 : Number.NEGATIVE_INFINITY, "f32", 4);
      f.set(total);
    }
    f.repeat(index, loop.extent, 1, () =>
      totals.forEach((total, v) => {
        vector(v);
        this.#accumulate(total, expr, "f32", 4);
      }));
  }

  #accumulate(total: LocalIndex, { fn, body }: Expr & { kind: "reduce" }, kind: Kind, width: Width): void {
    const { f } = this.setting;
    const op = binaryOpcode(fn === "sum" ? "add" : "max", kind, width);
    if (op !== null) {
      f.get(total);
      this.value(body, kind, width);
      return void f.op(op).set(total);
    }
    const term = f.local("i32", "term");
    this.value(body, kind, width);
    f.tee(term).get(total).get(term).get(total).op("i32.gt_s").op("select").set(total);
  }

  #walk(expr: Expr & { kind: "walk" }, want: Kind, width: Width): void {
    const { f } = this.setting;
    const cursor = f.local("i32", expr.cursor);
    const own = this.#widthOf(expr.body, width);
    const total = f.local(localType("f32", own), "sum");
    this.value(expr.head, "i32", 1);
    f.set(cursor);
    this.hold(expr.cursor, cursor, "i32");
    this.#constant(0, "f32", own);
    f.set(total).block("block", () => {
      f.block("loop", () => {
        f.get(cursor).i32(0).op("i32.lt_s").op("br_if", 1).get(total);
        this.value(expr.body, "f32", own);
        f.op(own === 4 ? "f32x4.add" : "f32.add").set(total);
        this.value(expr.next, "i32", 1);
        f.set(cursor).op("br", 0);
      });
    });
    f.get(total);
    if (own !== width) f.op("f32x4.splat");
    convert(f, "f32", want, width);
  }

  #fold(expr: Expr & { kind: "fold" }, want: Kind, width: Width): void {
    const { f, kinds } = this.setting;
    const { loop, halving } = expr;
    const kind = kinds.nameKind(expr.accumulator);
    const total = f.local(localType(kind, width), expr.accumulator);
    this.value(expr.init, kind, width);
    f.set(total);
    this.hold(expr.accumulator, total, kind, width);
    const index = f.local("i32", loop.name);
    this.hold(loop.name, index, "i32");
    const turn = (): void => {
      this.value(expr.next, kind, width);
      f.set(total);
    };
    if (!halving) f.repeat(index, loop.extent, 1, turn);
    else {
      f.i32(2 ** (loop.extent - 1)).set(index).block("loop", () => {
        turn();
        f.get(index).i32(1).op("i32.shr_u").tee(index).op("br_if", 0);
      });
    }
    f.get(total);
    convert(f, kind, want, width);
  }
}
