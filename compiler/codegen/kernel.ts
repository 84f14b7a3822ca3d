/** @file The backend-neutral kernel form: one output tensor, defined by a scalar expression over its axes.
 *
 *  out[i0, i1, …] = body(i0, i1, …), where `body` may load inputs at computed indices and reduce over bounded loops.
 *  A kernel is pure data (JSON-serialisable): emitters turn it into gpu.js source, later into WebAssembly; a test
 *  evaluates it directly. Integers are exact below 2^24; every element of every dtype sits in one float32 lane. */

import type { DType } from "../../ir/core.ts";

export interface Kernel {
  /** From the model (`gelu_up`), unique within a program. */
  readonly name: string;
  readonly inputs: readonly KernelInput[];
  /** Output axes, outermost first; `body` refers to them by name. Empty for a scalar. */
  readonly axes: readonly Loop[];
  readonly dtype: DType;
  readonly body: Expr;
}

export interface KernelInput {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
}

/** A named index running from 0 to `extent` - 1. */
export interface Loop {
  readonly name: string;
  readonly extent: number;
}

export type UnaryFn =
  | "neg" | "exp" | "log" | "sqrt" | "rsqrt" | "tanh" | "erf" | "logistic" | "sin" | "cos" | "abs" | "sign" | "floor" | "not";

/** `idiv` and `mod`: floor division and remainder of non-negative integers. Comparisons give 0 or 1. */
export type BinaryFn =
  | "add" | "sub" | "mul" | "div" | "max" | "min" | "pow" | "idiv" | "mod" | "and" | "or"
  | "eq" | "ne" | "lt" | "le" | "gt" | "ge";

export type Expr =
  | { readonly kind: "const"; readonly value: number }
  /** The value of an output axis, a loop, a cursor, an accumulator or a `let`. */
  | { readonly kind: "var"; readonly name: string }
  /** inputs[input][at[0], at[1], …], one index an axis, always within bounds. */
  | { readonly kind: "load"; readonly input: number; readonly at: readonly Expr[] }
  | { readonly kind: "unary"; readonly fn: UnaryFn; readonly arg: Expr }
  | { readonly kind: "binary"; readonly fn: BinaryFn; readonly left: Expr; readonly right: Expr }
  /** Only the chosen branch is evaluated, so a guard may protect a load. */
  | { readonly kind: "select"; readonly cond: Expr; readonly then: Expr; readonly otherwise: Expr }
  | { readonly kind: "let"; readonly name: string; readonly value: Expr; readonly body: Expr }
  /** fn over all values of the loops, outermost first; empty sum 0, empty max -Infinity. */
  | { readonly kind: "reduce"; readonly fn: "sum" | "max"; readonly loops: readonly Loop[]; readonly body: Expr }
  /** Sum of `body` over a linked list: cursor = head; while cursor >= 0 { sum += body; cursor = next }. At most `limit` long. */
  | {
      readonly kind: "walk";
      readonly cursor: string;
      readonly head: Expr;
      readonly next: Expr;
      readonly limit: number;
      readonly body: Expr;
    }
  /** accumulator = init; for each index of the loop { accumulator = next }; its last value. Where it is halving, the loop's
   *  variable takes the values 2^(extent - 1), …, 4, 2, 1 instead: the steps of a binary search. */
  | {
      readonly kind: "fold";
      readonly accumulator: string;
      readonly init: Expr;
      readonly loop: Loop;
      readonly halving: boolean;
      readonly next: Expr;
    };
