/** @file The dims of a program: their values, and when two ways of spelling an axis mean the same.
 *
 *  Axes are polynomials in the declared names. To compare them, a derived dim (`K = D / H`) is replaced by what it stands
 *  for, so `H * K` is `D`. A derived dim that was overridden from outside stands for itself. Equal numbers alone prove
 *  nothing: they would differ at another size. */

import * as poly from "../../ir/poly.ts";
import type { Poly } from "../../ir/poly.ts";
import type { Span } from "../../ir/span.ts";
import type { DType, TensorType } from "../../ir/core.ts";

interface DimEntry {
  readonly value: number;
  readonly span: Span | null;
}

/** Tensors and dims stay below this many elements: every backend counts them in 32 bits. */
export const MAX_ELEMENTS = 2 ** 31;

const DTYPE_PREFIX: { readonly [D in DType]: string } = { f32: "", i32: "int", i1: "bool" };

export class DimTable {
  readonly #entries = new Map<string, DimEntry>();
  readonly #values = new Map<string, number>();
  readonly #expansions = new Map<string, Poly>();
  readonly #derivedBySpelling = new Map<string, Poly>();
  readonly #symbols = new Map<string, Poly>();
  // Axes are shared between the types of a program, so what is known about one is remembered by identity.
  readonly #expanded = new WeakMap<Poly, Poly>();
  readonly #sizes = new WeakMap<Poly, number>();

  /** `definition` is null for a dim that stands for itself. */
  define(name: string, value: number, definition: Poly | null, span: Span | null): void {
    this.#entries.set(name, { value, span });
    this.#values.set(name, value);
    this.#symbols.set(name, poly.symbol(name));
    if (definition === null || poly.isConstant(definition)) return;
    const expansion = poly.substitute(definition, this.#expansions);
    this.#expansions.set(name, expansion);
    const spelling = poly.print(expansion);
    if (!this.#derivedBySpelling.has(spelling)) this.#derivedBySpelling.set(spelling, this.#symbols.get(name) ?? poly.symbol(name));
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  get values(): ReadonlyMap<string, number> {
    return this.#values;
  }

  spanOf(name: string): Span | null {
    return this.#entries.get(name)?.span ?? null;
  }

  /** The polynomial of a declared dim; undefined if there is none of this name. */
  symbol(name: string): Poly | undefined {
    return this.#symbols.get(name);
  }

  /** NaN where a symbol has no value (the dim parameters of a layer that nothing uses). */
  valueOf(axis: Poly): number {
    const known = this.#sizes.get(axis);
    if (known !== undefined) return known;
    const size = poly.evaluate(axis, this.#values);
    this.#sizes.set(axis, size);
    return size;
  }

  /** The polynomial in base dims only. */
  expand(axis: Poly): Poly {
    const known = this.#expanded.get(axis);
    if (known !== undefined) return known;
    const result = poly.substitute(axis, this.#expansions);
    this.#expanded.set(axis, result);
    return result;
  }

  /** Do both spell the same size, whatever the dims are? */
  same(a: Poly, b: Poly): boolean {
    return a === b || poly.equal(a, b) || poly.equal(this.expand(a), this.expand(b));
  }

  /** `a / b` as a size; null where it is no polynomial. */
  divide(a: Poly, b: Poly): Poly | null {
    const quotient = poly.div(this.expand(a), this.expand(b));
    return quotient === null ? null : this.spell(quotient);
  }

  /** The declared dim that means the same, if there is one: `D * H^-1` is spelled `K`. */
  spell(axis: Poly): Poly {
    return this.#derivedBySpelling.get(poly.print(this.expand(axis))) ?? axis;
  }

  type(dtype: DType, axes: readonly Poly[]): TensorType {
    return { dtype, dims: axes, shape: axes.map((axis) => this.valueOf(axis)) };
  }
}

export const printAxis = (axis: Poly): string => poly.print(axis);

/** `[B, T, 4*D]`, `int[B, T]`, `float` for a scalar. */
export const printType = (t: TensorType): string => {
  if (t.dims.length === 0) return DTYPE_PREFIX[t.dtype] === "" ? "float" : DTYPE_PREFIX[t.dtype];
  return `${DTYPE_PREFIX[t.dtype]}[${t.dims.map(printAxis).join(", ")}]`;
};

/** `T = 64`; a constant, or a dim without a value, alone. */
export const printSize = (size: number, axis: Poly): string =>
  poly.isConstant(axis) || Number.isNaN(size) ? printAxis(axis) : `${printAxis(axis)} = ${size}`;

/** `[B = 8, T = 64, 4*D = 256]`: the same with the sizes. */
export const printSizes = (t: TensorType): string =>
  t.dims.length === 0 ? printType(t) : `${DTYPE_PREFIX[t.dtype]}[${t.dims.map((axis, i) => printSize(t.shape[i] ?? Number.NaN, axis)).join(", ")}]`;
