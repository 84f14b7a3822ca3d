/** @file What checking makes of a program: for every entry a straight list of typed nodes, in the order they are computed.
 *
 *  Layers are instantiated and functions inlined; what is left of the language are the forms below. A type is the IR's:
 *  sizes are known, and `dims` spells every axis in the declared dims. Operands broadcast implicitly, as in the language;
 *  lowering makes that explicit. */

import type { AttrNode } from "../../ir/attrs.ts";
import type { TensorType } from "../../ir/core.ts";
import type { Poly } from "../../ir/poly.ts";
import type { Span } from "../../ir/span.ts";

export type UnaryOp =
  | "neg" | "exp" | "log" | "sqrt" | "rsqrt" | "tanh" | "erf" | "logistic" | "sin" | "cos" | "abs" | "sign" | "floor" | "not";

export type BinaryOp = "add" | "sub" | "mul" | "div" | "pow" | "max" | "min" | "idiv" | "mod" | "and" | "or";

export type Direction = "eq" | "ne" | "lt" | "le" | "gt" | "ge";

export type Extra = "lengths" | "mask" | "bias";

export type Form =
  | { readonly kind: "parameter"; readonly name: string; readonly init: string }
  | { readonly kind: "input"; readonly name: string }
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "unary"; readonly op: UnaryOp }
  | { readonly kind: "binary"; readonly op: BinaryOp }
  | { readonly kind: "compare"; readonly direction: Direction }
  /** Operands: condition, then, else. */
  | { readonly kind: "select" }
  /** To the dtype of the node's type. */
  | { readonly kind: "convert" }
  | { readonly kind: "iota"; readonly axis: number }
  | { readonly kind: "reduce"; readonly op: "sum" | "max"; readonly axes: readonly number[] }
  | { readonly kind: "softmax"; readonly axis: number; readonly log: boolean }
  /** Labels per operand; labels that no other operand and not the output has are summed away. */
  | { readonly kind: "einsum"; readonly inputs: readonly (readonly string[])[]; readonly output: readonly string[] }
  | { readonly kind: "transpose"; readonly perm: readonly number[] }
  | { readonly kind: "reshape" }
  /** Broadcast to the node's type, trailing axes aligned. */
  | { readonly kind: "expand" }
  | { readonly kind: "slice"; readonly starts: readonly number[]; readonly limits: readonly number[] }
  | { readonly kind: "concat"; readonly axis: number }
  /** Operands: table, ids. */
  | { readonly kind: "gather" }
  /** Operands: q, k, v, then the extras in the order of `extras`. Any leading axes; the node is the output. */
  | {
      readonly kind: "attention";
      readonly causal: boolean;
      readonly window: number;
      readonly scale: number;
      /** Probability that a weight is dropped; 0 where this is not training. */
      readonly dropout: number;
      readonly extras: readonly Extra[];
    }
  | { readonly kind: "dropout"; readonly rate: number }
  /** Operands: logits, targets. The node is the loss of every target, 0 where ignored. */
  | { readonly kind: "cross_entropy"; readonly ignore: number | null };

export interface Node {
  readonly form: Form;
  readonly operands: readonly Node[];
  readonly type: TensorType;
  /** The expression that computes it. */
  readonly span: Span;
  /** The layer instance it belongs to, "" for the model itself. */
  readonly path: string;
}

export interface Entry {
  readonly name: "forward" | "loss" | "train_loss";
  readonly nodes: readonly Node[];
  readonly inputs: readonly Node[];
  readonly result: Node;
  /** What `let`, parameters and arguments call a node. */
  readonly names: ReadonlyMap<Node, string>;
}

/** A place where attention is computed, by name: the layer's path, with `#0`, `#1`, … where a layer has several. */
export interface Site {
  readonly name: string;
  readonly path: string;
  readonly span: Span;
}

export interface Parameter {
  readonly name: string;
  readonly type: TensorType;
  /** Canonical: `normal(std: 0.02)`. */
  readonly init: string;
  readonly span: Span;
}

export interface TypedProgram {
  readonly name: string;
  /** Every dim the program has, with its value. */
  readonly dims: ReadonlyMap<string, number>;
  readonly parameters: readonly Parameter[];
  /** Empty for a file of layers and functions only. */
  readonly entries: readonly Entry[];
  /** How the gradient of a site is computed: the last rule of `backward { }` that matches it, or `exact`. */
  readonly policyOf: (site: string) => string;
  readonly attrs: Readonly<Record<string, AttrNode>>;
  /** The text of every file that was read, for places and messages. */
  readonly sources: ReadonlyMap<string, string>;
}

/** What an expression evaluates to while a program is elaborated. */
export type Value =
  | { readonly kind: "tensor"; readonly node: Node }
  /** A number known when compiled. `dim` is its polynomial in dims where it has one: then it can be a size. */
  | { readonly kind: "number"; readonly value: number; readonly dim: Poly | null }
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "tuple"; readonly items: readonly Value[] }
  /** All parts hold; none: nothing is masked. */
  | { readonly kind: "mask"; readonly parts: readonly Mask[] }
  /** Something was reported; whatever uses this says nothing more. */
  | { readonly kind: "error" };

export type Mask =
  | { readonly kind: "causal" }
  | { readonly kind: "window"; readonly width: number }
  | { readonly kind: "padding"; readonly lengths: Node }
  /** True where attention may look. */
  | { readonly kind: "tensor"; readonly node: Node };

export const ERROR: Value = { kind: "error" };
