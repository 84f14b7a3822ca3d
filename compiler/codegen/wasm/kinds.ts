/** @file Which expressions of a kernel are integers, and how large: index arithmetic runs on i32, all else on f32.
 *
 *  A tensor's element is a float32 whatever its dtype, so a loaded integer is a float that may be converted; what is made
 *  of axes and loops is an i32. Integers are exact below 2^24 (kernel.ts); products that could leave 32 bits are floats,
 *  except in indices, which wrap back into range because their sum is within bounds. */

import type { Expr, KernelInput } from "../kernel.ts";
import { childrenOf } from "../schedule.ts";

/** How a value is held. `bool`: an i32 that is 0 or 1; in vectors, lanes of all ones. */
export type Kind = "f32" | "i32" | "bool";

export interface Range {
  readonly low: number;
  readonly high: number;
}

const EXACT: Range = { low: -(2 ** 24), high: 2 ** 24 };
const TRUTH: Range = { low: 0, high: 1 };
const WORD = 2 ** 30;

type Fold = Expr & { kind: "fold" };

/** What a name stands for. A cursor is an index, of the walk it belongs to. */
export type Definition =
  | { readonly is: "let"; readonly value: Expr }
  | { readonly is: "index"; readonly range: Range; readonly walk?: Expr & { kind: "walk" } }
  | { readonly is: "fold"; readonly fold: Fold };

export const COMPARISONS: ReadonlySet<string> = new Set(["eq", "ne", "lt", "le", "gt", "ge"]);
export const LOGICAL: ReadonlySet<string> = new Set(["and", "or"]);

const hull = (a: Range, b: Range): Range => ({ low: Math.min(a.low, b.low), high: Math.max(a.high, b.high) });

const corners = (a: Range, b: Range, fn: (x: number, y: number) => number): Range => {
  const values = [fn(a.low, b.low), fn(a.low, b.high), fn(a.high, b.low), fn(a.high, b.high)];
  return { low: Math.min(...values), high: Math.max(...values) };
};

export class Kinds {
  readonly #inputs: readonly KernelInput[];
  readonly #definitions = new Map<string, Definition>();
  /** Names that addresses are made of. */
  readonly #addresses = new Set<string>();
  readonly #integers = new Map<string, boolean>();
  #ranges = new WeakMap<Expr, { readonly range: Range | null }>();
  #kinds = new WeakMap<Expr, Kind>();

  /** `place`: another index that is an address, in names of the body. */
  constructor(inputs: readonly KernelInput[], body: Expr, place: Expr | null = null) {
    this.#inputs = inputs;
    this.#collect(body);
    this.#collectAddresses(body);
    if (place !== null) this.#addAddress(place);
  }

  /** Bounds of an integer; null for what is not known to be one. */
  range(expr: Expr): Range | null {
    const known = this.#ranges.get(expr);
    if (known !== undefined) return known.range;
    const range = this.#range(expr);
    this.#ranges.set(expr, { range });
    return range;
  }

  /** Is it an integer that 32 bits hold? */
  fits(expr: Expr): boolean {
    const range = this.range(expr);
    return range !== null && range.low >= -WORD && range.high <= WORD;
  }

  /** How a value is computed unless something else is asked for. */
  kind(expr: Expr): Kind {
    const known = this.#kinds.get(expr);
    if (known !== undefined) return known;
    const kind = this.#kind(expr);
    this.#kinds.set(expr, kind);
    return kind;
  }

  /** How a name is held. */
  nameKind(name: string): Kind {
    const definition = this.#definitions.get(name);
    if (definition === undefined) return "f32";
    if (definition.is === "index") return "i32";
    if (definition.is === "fold") return this.#isIntegerFold(definition.fold) ? "i32" : "f32";
    const kind = this.kind(definition.value);
    return kind === "f32" && this.#addresses.has(name) && this.range(definition.value) !== null ? "i32" : kind;
  }

  definition(name: string): Definition | undefined {
    return this.#definitions.get(name);
  }

  #collect(expr: Expr): void {
    if (expr.kind === "let") this.#definitions.set(expr.name, { is: "let", value: expr.value });
    if (expr.kind === "reduce") for (const { name, extent } of expr.loops) this.#definitions.set(name, { is: "index", range: { low: 0, high: extent - 1 } });
    if (expr.kind === "walk") this.#definitions.set(expr.cursor, { is: "index", range: { low: 0, high: EXACT.high }, walk: expr });
    if (expr.kind === "fold") {
      const { loop, halving } = expr;
      this.#definitions.set(loop.name, { is: "index", range: halving ? { low: 1, high: 2 ** (loop.extent - 1) } : { low: 0, high: loop.extent - 1 } });
      this.#definitions.set(expr.accumulator, { is: "fold", fold: expr });
    }
    childrenOf(expr).forEach((child) => this.#collect(child));
  }

  #collectAddresses(expr: Expr): void {
    if (expr.kind === "load") for (const index of expr.at) this.#addAddress(index);
    childrenOf(expr).forEach((child) => this.#collectAddresses(child));
  }

  #addAddress(expr: Expr): void {
    if (expr.kind === "var" && !this.#addresses.has(expr.name)) {
      this.#addresses.add(expr.name);
      const definition = this.#definitions.get(expr.name);
      if (definition?.is === "let") this.#addAddress(definition.value);
    }
    if (expr.kind === "unary" || expr.kind === "binary") childrenOf(expr).forEach((child) => this.#addAddress(child));
  }

  #isIntegerFold(fold: Fold): boolean {
    const known = this.#integers.get(fold.accumulator);
    if (known !== undefined) return known;
    this.#integers.set(fold.accumulator, true);
    if (this.fits(fold.init) && this.fits(fold.next)) return true;
    // What was concluded from the assumption is void.
    this.#ranges = new WeakMap();
    this.#kinds = new WeakMap();
    this.#integers.set(fold.accumulator, false);
    return false;
  }

  #nameRange(name: string): Range | null {
    const definition = this.#definitions.get(name);
    if (definition === undefined) return null;
    if (definition.is === "index") return definition.range;
    if (definition.is === "let") return this.range(definition.value);
    return this.#isIntegerFold(definition.fold) ? EXACT : null;
  }

  #range(expr: Expr): Range | null {
    switch (expr.kind) {
      case "const":
        return Number.isInteger(expr.value) && Math.abs(expr.value) <= WORD && !Object.is(expr.value, -0) ? { low: expr.value, high: expr.value } : null;
      case "var":
        return this.#nameRange(expr.name);
      case "load": {
        const dtype = this.#inputs[expr.input]?.dtype;
        return dtype === "i32" ? EXACT : dtype === "i1" ? TRUTH : null;
      }
      case "unary":
        return this.#unaryRange(expr);
      case "binary":
        return this.#binaryRange(expr);
      case "select": {
        const [then, otherwise] = [this.range(expr.then), this.range(expr.otherwise)];
        return then !== null && otherwise !== null ? hull(then, otherwise) : null;
      }
      case "let":
        return this.range(expr.body);
      case "reduce":
        return this.#reduceRange(expr);
      case "walk":
        return null;
      case "fold":
        return this.#isIntegerFold(expr) ? EXACT : null;
    }
  }

  #unaryRange({ fn, arg }: Expr & { kind: "unary" }): Range | null {
    if (fn === "not") return TRUTH;
    const range = this.range(arg);
    if (range === null) return null;
    if (fn === "floor") return range;
    if (fn === "neg") return { low: -range.high, high: -range.low };
    return null;
  }

  #binaryRange({ fn, left, right }: Expr & { kind: "binary" }): Range | null {
    if (COMPARISONS.has(fn) || LOGICAL.has(fn)) return TRUTH;
    const [a, b] = [this.range(left), this.range(right)];
    if (a === null || b === null) return null;
    switch (fn) {
      case "add":
        return { low: a.low + b.low, high: a.high + b.high };
      case "sub":
        return { low: a.low - b.high, high: a.high - b.low };
      case "mul":
        return corners(a, b, (x, y) => x * y);
      case "max":
        return { low: Math.max(a.low, b.low), high: Math.max(a.high, b.high) };
      case "min":
        return { low: Math.min(a.low, b.low), high: Math.min(a.high, b.high) };
      case "idiv":
        return b.low >= 1 ? corners(a, b, (x, y) => Math.floor(x / y)) : hull(a, { low: -a.high, high: -a.low });
      case "mod":
        return { low: Math.min(b.low, 0), high: Math.max(b.high - 1, 0) };
      default:
        return null;
    }
  }

  #reduceRange({ fn, loops, body }: Expr & { kind: "reduce" }): Range | null {
    const range = this.range(body);
    if (range === null || fn === "max") return range;
    const count = loops.reduce((product, { extent }) => product * extent, 1);
    return { low: Math.min(range.low * count, 0), high: Math.max(range.high * count, 0) };
  }

  #kind(expr: Expr): Kind {
    switch (expr.kind) {
      case "const":
      case "load":
      case "walk":
        return "f32";
      case "var":
        return this.nameKind(expr.name);
      case "unary":
        if (expr.fn === "not") return "bool";
        return (expr.fn === "neg" || expr.fn === "floor") && this.kind(expr.arg) === "i32" && this.fits(expr) ? "i32" : "f32";
      case "binary":
        return this.#binaryKind(expr);
      case "select":
        return this.#isInteger(expr, [expr.then, expr.otherwise]) ? "i32" : "f32";
      case "let":
        return this.kind(expr.body) === "i32" ? "i32" : "f32";
      case "reduce":
        return this.#isInteger(expr, [expr.body]) ? "i32" : "f32";
      case "fold":
        return this.#isIntegerFold(expr) ? "i32" : "f32";
    }
  }

  #binaryKind(expr: Expr & { kind: "binary" }): Kind {
    const { fn, left, right } = expr;
    if (COMPARISONS.has(fn) || LOGICAL.has(fn)) return "bool";
    if (fn === "div" || fn === "pow") return "f32";
    if (fn === "idiv" || fn === "mod") return this.fits(left) && this.fits(right) ? "i32" : "f32";
    return this.#isInteger(expr, [left, right]) ? "i32" : "f32";
  }

  #isInteger(whole: Expr, parts: readonly Expr[]): boolean {
    return this.fits(whole) && parts.some((part) => this.kind(part) === "i32");
  }
}
