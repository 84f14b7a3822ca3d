/** @file What a builtin is, and the arguments of one call as it asks for them. An accessor that finds the wrong thing
 *  reports it and answers null. */

import * as poly from "../../../ir/poly.ts";
import type { DType, TensorType } from "../../../ir/core.ts";
import type { Span } from "../../../ir/span.ts";
import type { Poly } from "../../../ir/poly.ts";
import { assign } from "../arguments.ts";
import type { Assigned, Formal, Given } from "../arguments.ts";
import type { Context } from "../context.ts";
import { printType } from "../dims.ts";
import type { Written } from "../operators.ts";
import type { Form, Node, Value } from "../program.ts";
import { asTensor, describeValue, normalAxis } from "../shapes.ts";
import type { Operand } from "../shapes.ts";

export interface Builtin {
  readonly name: string;
  /** As documents show it: `softmax(x, axis = -1)`. The names of the arguments are read from it: `name = …` may be left
   *  out, `name?` too; `…s...` stands for any number of positional arguments, `name: ...` for any named ones. */
  readonly signature: string;
  readonly summary: string;
  readonly check: (ctx: Context, call: BuiltinCall) => Value;
}

interface Parsed {
  readonly formals: readonly Formal[];
  readonly rest: boolean;
  readonly open: boolean;
}

const parsed = new WeakMap<Builtin, Parsed>();

/** `f(x, ys..., axis = -1, keep?, name: ...)` as data. */
export const parseSignature = (signature: string): Parsed => {
  const inside = signature.slice(signature.indexOf("(") + 1, signature.lastIndexOf(")"));
  const parts = inside === "" ? [] : inside.split(", ");
  const formals = parts
    .filter((part) => !part.includes("..."))
    .map((part) => ({ name: /^\w+/.exec(part)?.[0] ?? "", optional: part.includes("=") || part.endsWith("?") }));
  return {
    formals,
    rest: parts.some((part) => /^\w+\.\.\.$/.test(part)),
    open: parts.some((part) => part.endsWith(": ...")),
  };
};

const interfaceOf = (builtin: Builtin): Parsed => {
  const known = parsed.get(builtin) ?? parseSignature(builtin.signature);
  parsed.set(builtin, known);
  return known;
};

export const bindArguments = (ctx: Context, builtin: Builtin, given: readonly Given[], at: Span): Assigned | null => {
  const { formals, rest, open } = interfaceOf(builtin);
  // Positional arguments fill `rest` where there is one; everything else then goes by name.
  const positional = rest ? formals.filter((formal) => !formal.optional) : formals;
  const names = [...positional, ...formals.filter((formal) => !positional.includes(formal))];
  const count = given.filter(({ arg }) => arg.name === null).length;
  if (!rest || count <= positional.length) return assign(ctx, { name: builtin.name, formals: names, rest, open, declared: null }, given, at);
  const surplus = new Set(given.filter(({ arg }) => arg.name === null).slice(positional.length));
  const assigned = assign(ctx, { name: builtin.name, formals: names, rest, open, declared: null }, given.filter((g) => !surplus.has(g)), at);
  return assigned === null ? null : { ...assigned, rest: [...surplus] };
};

export class BuiltinCall {
  readonly #ctx: Context;
  readonly #builtin: Builtin;
  readonly #assigned: Assigned;
  /** Of the builtin's name, and of the whole call. */
  readonly at: Span;
  readonly span: Span;

  constructor(ctx: Context, builtin: Builtin, assigned: Assigned, at: Span, span: Span) {
    this.#ctx = ctx;
    this.#builtin = builtin;
    this.#assigned = assigned;
    this.at = at;
    this.span = span;
  }

  get what(): string {
    return `\`${this.#builtin.name}\``;
  }

  has(name: string): boolean {
    return this.#assigned.named.has(name);
  }

  written(name: string): Written | null {
    const entry = this.#assigned.named.get(name);
    return entry === undefined ? null : { value: entry.value, span: entry.arg.value.span };
  }

  /** Positional arguments beyond the named ones. */
  get rest(): readonly Written[] {
    return this.#assigned.rest.map((entry) => ({ value: entry.value, span: entry.arg.value.span }));
  }

  /** Named arguments the builtin leaves open (`h: H`). */
  get extra(): ReadonlyMap<string, Written> {
    return new Map([...this.#assigned.extra].map(([name, entry]) => [name, { value: entry.value, span: entry.arg.value.span }]));
  }

  operand(name: string, dtype: DType = "f32"): Operand | null {
    const written = this.written(name);
    return written === null ? null : this.asOperand(written, dtype);
  }

  asOperand(written: Written, dtype: DType = "f32"): Operand | null {
    const node = asTensor(this.#ctx, written.value, written.span, dtype === "i32" ? "i32" : "f32");
    if (node === null) return null;
    if (node.type.dtype === dtype) return { node, span: written.span };
    this.#ctx.error("SQ0306", `${this.what} needs ${DTYPE_WORDS[dtype]}`, written.span, {
      here: `this is ${printType(node.type)}`,
      hint: CONVERSIONS[dtype],
    });
    return null;
  }

  /** Any dtype. */
  anyOperand(name: string): Operand | null {
    const written = this.written(name);
    const node = written === null ? null : asTensor(this.#ctx, written.value, written.span);
    return written === null || node === null ? null : { node, span: written.span };
  }

  number(name: string, fallback: number): number | null {
    const written = this.written(name);
    if (written === null) return fallback;
    if (written.value.kind === "number") return written.value.value;
    const code = written.value.kind !== "tensor" ? "SQ0322" : written.value.node.type.dims.length > 0 ? "SQ0307" : "SQ0318";
    this.#ctx.error(code, `\`${name}\` of ${this.what} is a number known when compiled, not ${describeValue(written.value)}`, written.span);
    return null;
  }

  flag(name: string): boolean | null {
    const written = this.written(name);
    if (written === null) return false;
    if (written.value.kind === "bool") return written.value.value;
    this.#ctx.error("SQ0322", `\`${name}\` of ${this.what} is true or false, not ${describeValue(written.value)}`, written.span);
    return null;
  }

  text(name: string): string | null {
    const written = this.written(name);
    if (written?.value.kind === "string") return written.value.value;
    if (written !== null)
      this.#ctx.error("SQ0322", `\`${name}\` of ${this.what} is a string, not ${describeValue(written.value)}`, written.span);
    return null;
  }

  /** One axis of a tensor: a number, or the dim that spells exactly one of its axes. */
  axis(name: string, x: TensorType, fallback: number): number | null {
    const written = this.written(name);
    return written === null ? normalAxis(this.#ctx, fallback, x.dims.length, this.at) : this.#axis(written, x);
  }

  /** Several, in a tuple; every axis where the argument is left out. Sorted. */
  axes(name: string, x: TensorType): readonly number[] | null {
    const written = this.written(name);
    if (written === null) return x.dims.map((_, i) => i);
    const items = written.value.kind === "tuple" ? written.value.items : [written.value];
    const axes = items.map((value) => this.#axis({ value, span: written.span }, x));
    if (!axes.every((axis) => axis !== null)) return null;
    if (new Set(axes).size === axes.length) return [...axes].sort((a, b) => a - b);
    this.#ctx.error("SQ0308", "an axis is given twice", written.span);
    return null;
  }

  #axis({ value, span }: Written, x: TensorType): number | null {
    if (value.kind !== "number") {
      const code = value.kind === "tensor" ? "SQ0318" : "SQ0322";
      this.#ctx.error(code, `an axis is a number or a dim, not ${describeValue(value)}`, span);
      return null;
    }
    if (value.dim === null || poly.isConstant(value.dim)) return normalAxis(this.#ctx, value.value, x.dims.length, span);
    return this.#axisNamed(value.dim, x, span);
  }

  #axisNamed(dim: Poly, x: TensorType, span: Span): number | null {
    const found = x.dims.flatMap((axis, i) => (this.#ctx.dims.same(axis, dim) ? [i] : []));
    if (found.length === 1) return found[0] ?? null;
    const count = found.length === 0 ? "no axis" : `${found.length} axes`;
    this.#ctx.error("SQ0309", `${count} of ${printType(x)} ${found.length === 0 ? "is" : "are"} ${poly.print(dim)}`, span, {
      hint: "give the number of the axis",
    });
    return null;
  }

  /** The node of the result. */
  emit(form: Form, operands: readonly Node[], dtype: DType, axes: readonly Poly[]): Node {
    return this.#ctx.emit(form, operands, this.#ctx.dims.type(dtype, axes), this.span);
  }

  result(form: Form, operands: readonly Node[], dtype: DType, axes: readonly Poly[]): Value {
    return { kind: "tensor", node: this.emit(form, operands, dtype, axes) };
  }
}

const DTYPE_WORDS: { readonly [D in DType]: string } = { f32: "float", i32: "int", i1: "bool" };

const CONVERSIONS: { readonly [D in DType]: string } = {
  f32: "convert it with `float(…)`",
  i32: "convert it with `int(…)`",
  i1: "compare it: `x > 0`",
};
