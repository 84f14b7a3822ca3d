/** @file Four neighbouring values of one index at a time: what varies from lane to lane, which loads are then one vector,
 *  and what has to be done lane by lane. */

import type { Expr, KernelInput } from "../kernel.ts";
import { childrenOf } from "../schedule.ts";
import type { Definition, Kinds } from "./kinds.ts";

/** Functions that are a call. */
export const CALLED: ReadonlySet<string> = new Set(["exp", "log", "tanh", "erf", "logistic", "sin", "cos", "pow"]);

const CALL_COST = 60;
/** They take a divider that is not a pipeline. */
const SLOW: ReadonlySet<string> = new Set(["div", "sqrt", "rsqrt"]);
const SLOW_COST = 8;
const WALK_TURNS = 8;

type Loaded = Expr & { kind: "load" };

export const indexOf = (load: Loaded): Expr => load.at[0] ?? { kind: "const", value: 0 };

export const sizeOf = (input: KernelInput | undefined): number => (input?.shape ?? []).reduce((product, size) => product * size, 1);

/** May it be evaluated where its value is not wanted? Loads must be within bounds whatever the guard says. */
export const isSafe = (expr: Expr, kinds: Kinds, inputs: readonly KernelInput[]): boolean => {
  if (expr.kind === "walk") return false;
  if (expr.kind === "load") {
    const range = kinds.range(indexOf(expr));
    if (range === null || range.low < 0 || range.high >= sizeOf(inputs[expr.input])) return false;
  }
  return childrenOf(expr).every((child) => isSafe(child, kinds, inputs));
};

export class LaneView {
  /** The index whose neighbouring values the lanes are. */
  readonly axis: string;
  readonly #kinds: Kinds;
  readonly #inputs: readonly KernelInput[];
  readonly #names = new Map<string, boolean>();
  readonly #varies = new WeakMap<Expr, boolean>();

  constructor(axis: string, kinds: Kinds, inputs: readonly KernelInput[]) {
    this.axis = axis;
    this.#kinds = kinds;
    this.#inputs = inputs;
  }

  varies(expr: Expr): boolean {
    if (expr.kind === "const") return false;
    if (expr.kind === "var") return this.#nameVaries(expr.name);
    const known = this.#varies.get(expr);
    if (known !== undefined) return known;
    const varies = childrenOf(expr).some((child) => this.varies(child));
    this.#varies.set(expr, varies);
    return varies;
  }

  #nameVaries(name: string): boolean {
    if (name === this.axis) return true;
    const known = this.#names.get(name);
    if (known !== undefined) return known;
    // An accumulator that is met inside its own loop varies if anything else there does.
    this.#names.set(name, false);
    const varies = partsOf(this.#kinds.definition(name)).some((part) => this.#dependsOn(part));
    // What was concluded while the name was open may be wrong now.
    if (varies) for (const [other, is] of this.#names) if (!is) this.#names.delete(other);
    this.#names.set(name, varies);
    return varies;
  }

  /** As `varies`, but remembers nothing: what is concluded while a name is still open may not hold. */
  #dependsOn(expr: Expr): boolean {
    if (expr.kind === "var") return this.#nameVaries(expr.name);
    return childrenOf(expr).some((child) => this.#dependsOn(child));
  }

  /** By how much it grows from lane to lane; null where that is not known. */
  stride(expr: Expr): number | null {
    if (!this.varies(expr)) return 0;
    if (expr.kind === "var") {
      if (expr.name === this.axis) return 1;
      const definition = this.#kinds.definition(expr.name);
      return definition?.is === "let" ? this.stride(definition.value) : null;
    }
    if (expr.kind === "unary" && expr.fn === "neg") return scaled(this.stride(expr.arg), -1);
    if (expr.kind !== "binary") return null;
    const [left, right] = [this.stride(expr.left), this.stride(expr.right)];
    if (left === null || right === null) return null;
    if (expr.fn === "add") return left + right;
    if (expr.fn === "sub") return left - right;
    if (expr.fn !== "mul") return null;
    if (expr.right.kind === "const") return left * expr.right.value;
    return expr.left.kind === "const" ? right * expr.left.value : null;
  }

  isVector(load: Loaded): boolean {
    return this.stride(indexOf(load)) === 1;
  }

  /** Must it be computed for each lane alone (its operands may still be vectors)? */
  isLanewise(expr: Expr): boolean {
    if (!this.varies(expr)) return false;
    if (expr.kind === "load") return !this.isVector(expr);
    if (expr.kind === "walk") return this.#nameVaries(expr.cursor);
    if (expr.kind === "binary" && (expr.fn === "idiv" || expr.fn === "mod")) return this.#kinds.kind(expr) === "i32" && !isPowerOfTwo(expr.right);
    if (expr.kind !== "select" || !this.varies(expr.cond)) return false;
    return ![expr.then, expr.otherwise].every((branch) => isSafe(branch, this.#kinds, this.#inputs));
  }

  /** Instructions for four lanes, roughly. `alone` is what a node costs that does not vary. */
  cost(expr: Expr, alone: (e: Expr) => number): number {
    if (!this.varies(expr)) return alone(expr);
    if (this.isLanewise(expr)) return 4 * alone(expr) + 3;
    const own = childrenOf(expr).reduce((sum, child) => sum + this.cost(child, alone), ownCost(expr));
    return own * turns(expr);
  }
}

/** Instructions for one value, roughly; `shorter` may know better for a reduction. */
export const scalarCost = (expr: Expr, shorter: (reduce: Expr & { kind: "reduce" }) => number | null = () => null): number => {
  const better = expr.kind === "reduce" ? shorter(expr) : null;
  if (better !== null) return better;
  return childrenOf(expr).reduce((sum, child) => sum + scalarCost(child, shorter), ownCost(expr)) * turns(expr);
};

const ownCost = (expr: Expr): number => {
  if (expr.kind === "const") return 0.2;
  if (expr.kind === "var") return 0.2;
  if (expr.kind !== "unary" && expr.kind !== "binary") return 1;
  return CALLED.has(expr.fn) ? CALL_COST : SLOW.has(expr.fn) ? SLOW_COST : 1;
};

const turns = (expr: Expr): number => {
  if (expr.kind === "reduce") return expr.loops.reduce((product, { extent }) => product * extent, 1);
  if (expr.kind === "fold") return expr.loop.extent;
  return expr.kind === "walk" ? WALK_TURNS : 1;
};

export const isPowerOfTwo = (expr: Expr): expr is Expr & { kind: "const" } => expr.kind === "const" && expr.value >= 1 && Number.isInteger(Math.log2(expr.value));

/** What a name is computed from. */
const partsOf = (definition: Definition | undefined): readonly Expr[] => {
  if (definition?.is === "let") return [definition.value];
  if (definition?.is === "fold") return [definition.fold.init, definition.fold.next];
  return definition?.walk === undefined ? [] : [definition.walk.head, definition.walk.next];
};

const scaled = (stride: number | null, by: number): number | null => (stride === null ? null : stride * by);
