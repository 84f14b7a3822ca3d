/** @file What is used of `@jax-js/jax`, so that this repository compiles where the package is not installed. Arguments are
 *  consumed: `.ref` is another reference to the same array. */

export interface JaxArray {
  readonly ref: JaxArray;
  add(other: JaxArray | number): JaxArray;
  sub(other: JaxArray | number): JaxArray;
  mul(other: JaxArray | number): JaxArray;
  div(other: JaxArray | number): JaxArray;
  reshape(shape: readonly number[]): JaxArray;
  data(): Promise<ArrayLike<number>>;
}

export type JaxTree = Readonly<Record<string, JaxArray>>;

/** What a compiled function takes and gives: arrays, in lists and records. */
export type JaxValue = JaxArray | readonly JaxValue[] | { readonly [name: string]: JaxValue };

interface OfArray {
  readonly axis?: number;
  readonly keepdims?: boolean;
}

export interface Jax {
  init(device: string): Promise<readonly string[]>;
  defaultDevice(device: string): void;
  jit<A extends readonly JaxValue[], R extends JaxValue>(f: (...args: A) => R): (...args: A) => R;
  valueAndGrad<A extends readonly JaxValue[], G extends JaxValue>(f: (...args: A) => JaxArray, options?: { readonly argnums: readonly number[] }): (...args: A) => readonly [JaxArray, G];
  blockUntilReady<T extends JaxValue>(value: T): Promise<T>;
  readonly tree: { dispose(value: JaxValue): void; ref<T extends JaxValue>(value: T): T };
  readonly numpy: {
    readonly float32: string;
    readonly int32: string;
    array(data: Float32Array | Int32Array | readonly number[], options: { readonly shape?: readonly number[]; readonly dtype: string }): JaxArray;
    einsum(subscripts: string, ...operands: readonly JaxArray[]): JaxArray;
    matmul(a: JaxArray, b: JaxArray): JaxArray;
    sum(x: JaxArray, axis?: number | null, options?: OfArray): JaxArray;
    sqrt(x: JaxArray): JaxArray;
    minimum(a: JaxArray | number, b: JaxArray | number): JaxArray;
    transpose(x: JaxArray, axes: readonly number[]): JaxArray;
  };
  readonly nn: {
    dotProductAttention(q: JaxArray, k: JaxArray, v: JaxArray, options: { readonly isCausal: boolean }): JaxArray;
    gelu(x: JaxArray, options: { readonly approximate: boolean }): JaxArray;
    standardize(x: JaxArray, axis: number, options: { readonly epsilon: number }): JaxArray;
    logSoftmax(x: JaxArray, axis: number): JaxArray;
    oneHot(x: JaxArray, classes: number): JaxArray;
  };
}
