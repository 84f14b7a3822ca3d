/** @file Attribute codecs: how an attribute is typed, printed, read back and checked, in one object each. */

import type { DType, TensorType } from "./core.ts";
import { identicalType } from "./types.ts";

/** What the textual form can say after `name =`. */
export type AttrNode =
  | { readonly kind: "int"; readonly value: number }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "unit" }
  | { readonly kind: "type"; readonly value: TensorType }
  | { readonly kind: "array"; readonly items: readonly AttrNode[] };

export interface AttrCodec<T> {
  /** What is accepted, for documents and error messages. */
  readonly expects: string;
  /** The node to print; null leaves the attribute out (its default). */
  readonly encode: (value: T) => AttrNode | null;
  /** The value; `undefined` if the node is not of this kind. An absent attribute is decoded from `null`. */
  readonly decode: (node: AttrNode | null) => T | undefined;
}

export const sameNode = (a: AttrNode | null, b: AttrNode | null): boolean => {
  if (a === null || b === null) return a === b;
  if (a.kind === "array" && b.kind === "array")
    return a.items.length === b.items.length && a.items.every((item, i) => sameNode(item, b.items[i] ?? null));
  if (a.kind === "type" && b.kind === "type") return identicalType(a.value, b.value);
  if (a.kind === "unit" || b.kind === "unit") return a.kind === b.kind;
  return a.kind === b.kind && "value" in a && "value" in b && Object.is(a.value, b.value);
};

export const i64: AttrCodec<number> = {
  expects: "an integer",
  encode: (value) => ({ kind: "int", value }),
  decode: (node) => (node?.kind === "int" ? node.value : undefined),
};

/** A float64 (scales, rates and constants are computed in float64 and rounded where a kernel uses them). */
export const f64: AttrCodec<number> = {
  expects: "a float",
  encode: (value) => ({ kind: "float", value }),
  decode: (node) => (node?.kind === "float" ? node.value : undefined),
};

export const string: AttrCodec<string> = {
  expects: "a string",
  encode: (value) => ({ kind: "string", value }),
  decode: (node) => (node?.kind === "string" ? node.value : undefined),
};

/** Present or absent. */
export const flag: AttrCodec<boolean> = {
  expects: "nothing (its presence is the fact)",
  encode: (value) => (value ? { kind: "unit" } : null),
  decode: (node) => (node === null ? false : node.kind === "unit" ? true : undefined),
};

export const type: AttrCodec<TensorType> = {
  expects: "a tensor type",
  encode: (value) => ({ kind: "type", value }),
  decode: (node) => (node?.kind === "type" ? node.value : undefined),
};

export const array = <T>(item: AttrCodec<T>): AttrCodec<readonly T[]> => ({
  expects: `an array; each item ${item.expects}`,
  encode: (values) => ({ kind: "array", items: values.map((value) => item.encode(value) ?? { kind: "unit" }) }),
  decode: (node) => {
    if (node?.kind !== "array") return undefined;
    const values = node.items.map((entry) => item.decode(entry));
    return values.every((value) => value !== undefined) ? (values as T[]) : undefined;
  },
});

export const i64s: AttrCodec<readonly number[]> = array(i64);
export const strings: AttrCodec<readonly string[]> = array(string);

export const oneOf = <const T extends string>(...choices: readonly T[]): AttrCodec<T> => ({
  expects: `one of ${choices.map((choice) => `"${choice}"`).join(", ")}`,
  encode: (value) => ({ kind: "string", value }),
  decode: (node) => (node?.kind === "string" ? choices.find((choice) => choice === node.value) : undefined),
});

/** `inner`, left out where the value equals `fallback`. */
export const withDefault = <T>(inner: AttrCodec<T>, fallback: T): AttrCodec<T> => ({
  expects: inner.expects,
  encode: (value) => {
    const node = inner.encode(value);
    return sameNode(node, inner.encode(fallback)) ? null : node;
  },
  decode: (node) => (node === null ? fallback : inner.decode(node)),
});

/** `inner`, or null where the attribute is absent. */
export const optional = <T>(inner: AttrCodec<T>): AttrCodec<T | null> => ({
  expects: inner.expects,
  encode: (value) => (value === null ? null : inner.encode(value)),
  decode: (node) => (node === null ? null : inner.decode(node)),
});

export const dtype: AttrCodec<DType> = oneOf("f32", "i32", "i1");
