/** @file The data model of the IR: one module, straight-line functions, one uniform operation record, all immutable.
 *
 *  - A `Value` is an object; identity is the object itself. Its name is a hint for the printer.
 *  - An `Operation` points at its operand values and owns its result values. A pass returns a new `Func`.
 *  - There are no blocks or regions: layers are unrolled, and an operation remembers the layer it came from (`path`).
 *  - Everything an operation means (types, text, evaluation, derivative, cost) is in its `Op` record, in `ops/`. */

import type { AttrCodec, AttrNode } from "./attrs.ts";
import type { Builder } from "./builder.ts";
import type { Poly } from "./poly.ts";
import type { Loc } from "./span.ts";

export type DType = "f32" | "i32" | "i1";

/** Bytes an element takes in a kernel's buffer: every backend keeps one element, of whatever dtype, in a 32-bit lane. */
export const BYTES_PER_ELEMENT = 4;

/** A tensor's type. Sizes are known; `dims[i]` is how the model spells `shape[i]`, used for costs and messages only. */
export interface TensorType {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly dims: readonly Poly[];
}

export interface Value {
  readonly type: TensorType;
  /** A name to print, made unique by the printer; "" where nothing better than a number is known. */
  readonly name: string;
}

export interface Operation {
  readonly op: AnyOp;
  readonly operands: readonly Value[];
  readonly attrs: object;
  readonly results: readonly Value[];
  /** The layer instance it belongs to (`Block.2.SelfAttention`), "" at the top. */
  readonly path: string;
  readonly loc: Loc;
  /** Set by `fuse`: this operation has no buffer of its own; its consumers compute it in place. */
  readonly inline: boolean;
}

/** What the host passes for a parameter of a function.
 *  parameter: trained, has an initialiser; state: the optimizer's, starts at zero; input: the entry's own argument;
 *  scalar: a number the training loop supplies each step (`lr`, `step`); key: the random generator's key. */
export type ParamRole = "parameter" | "state" | "input" | "scalar" | "key";

export interface Param {
  readonly value: Value;
  /** Name on the outside: a path (`Block.0.Mlp.up`) or an argument's name. */
  readonly name: string;
  readonly role: ParamRole;
  /** How a parameter starts, in the language's own spelling: `normal(std: 0.02)`. "" for the other roles. */
  readonly init: string;
}

export interface Result {
  readonly value: Value;
  /** Name on the outside: `loss`, `grad.Block.0.Mlp.up`, `result`. */
  readonly name: string;
}

export interface Func {
  readonly name: string;
  readonly params: readonly Param[];
  readonly ops: readonly Operation[];
  readonly results: readonly Result[];
}

export interface Module {
  readonly name: string;
  /** Values of the dimension names at which this module was specialised. */
  readonly dims: ReadonlyMap<string, number>;
  readonly funcs: readonly Func[];
  /** Facts about the whole program that passes need (`optimizer`), by name. */
  readonly attrs: Readonly<Record<string, AttrNode>>;
}

/** Why `infer` rejects operands or attributes: the label of the constraint (C1, C2, …) and the facts. */
export interface Violation {
  readonly constraint: string;
  readonly message: string;
}

export const violates = (constraint: string, message: string): Violation => ({ constraint, message });

export const isViolation = (x: readonly TensorType[] | Violation): x is Violation => !Array.isArray(x);

/** Elements of a tensor in row-major order. Reference evaluation holds every dtype in float64 (i1 as 0 and 1). */
export type Data = Float64Array;

export interface EvaluateContext<A> {
  readonly operands: readonly Data[];
  readonly operandTypes: readonly TensorType[];
  readonly resultTypes: readonly TensorType[];
  readonly attrs: A;
  /** Add the floating-point operations performed, as they are performed; `flops` of the record must predict the sum. */
  readonly tally: { flops: number };
}

export interface CostContext<A> {
  readonly operandTypes: readonly TensorType[];
  readonly resultTypes: readonly TensorType[];
  readonly attrs: A;
}

export interface VjpContext<O extends readonly Value[], A> {
  readonly b: Builder;
  readonly operands: O;
  readonly results: readonly Value[];
  readonly attrs: A;
  /** One per result; null where the loss does not depend on that result. At least one is not null. */
  readonly cotangents: readonly (Value | null)[];
  /** Per operand: is its gradient wanted? A rule may return null for the others and save the work. */
  readonly wanted: readonly boolean[];
}

/** One contribution per operand, null where none flows (integer operands, or not wanted). */
export type VjpRule<O extends readonly Value[], A> = (
  ctx: VjpContext<O, A>,
) => { readonly [I in keyof O]: Value | null };

/** How test loops instantiate an op: operand types with the distribution of their elements, and the attributes. */
export interface Example<A> {
  readonly operands: readonly ExampleOperand[];
  readonly attrs: A;
}

export interface ExampleOperand {
  readonly type: TensorType;
  /** normal: N(0,1); positive: uniform in [0.5, 2]; index: integers below `below`; bool: 0 or 1; key: a generator key;
   *  distinct: a random permutation of well-separated values (no ties within finite-difference reach). */
  readonly elements: "normal" | "positive" | "index" | "bool" | "key" | "distinct";
  readonly below?: number;
  /** These very elements, where not every draw means something (linked lists). */
  readonly values?: readonly number[];
}

/** One operation kind: everything there is to know about it. */
export interface Op<O extends readonly Value[], A extends object> {
  readonly mnemonic: string;
  readonly summary: string;
  /** Operand names in order, for documents and messages. A last name ending in `...` stands for any number more. */
  readonly operands: readonly string[];
  readonly results: readonly string[];
  readonly attrs: { readonly [K in keyof A]-?: AttrCodec<A[K]> };
  /** The result types; or which labelled constraint fails. This is also the verifier. */
  readonly infer: (operands: readonly TensorType[], attrs: A) => readonly TensorType[] | Violation;
  /** The meaning, in float64. */
  readonly evaluate: (ctx: EvaluateContext<A>) => readonly Data[];
  /** "inactive": no gradient flows through it. "by-expansion": differentiate what `expand` builds. */
  readonly vjp: VjpRule<O, A> | "inactive" | "by-expansion";
  /** The same meaning in simpler ops; null for the ops that kernels are made of. `decompose` applies it. */
  readonly expand: ((b: Builder, operands: O, attrs: A) => readonly Value[]) | null;
  /** Is this instance one that a backend may compute whole, instead of what it expands to? Absent: none is. */
  readonly whole?: (operandTypes: readonly TensorType[], attrs: A) => boolean;
  readonly flops: (ctx: CostContext<A>) => Poly;
  /** Bytes read and written; absent: every operand once and every result once. */
  readonly bytes?: (ctx: CostContext<A>) => Poly;
  readonly examples: readonly Example<A>[];
}

// The one existential type of the tree: an op whose operand tuple and attributes are its own business.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type AnyOp = Op<any, any>;

/** Annotate the constant (`export const neg: Op<[x: Value], {}> = defineOp({…})`): inference runs from the annotation. */
export const defineOp = <O extends AnyOp>(record: NoInfer<O>): O => record as O;
