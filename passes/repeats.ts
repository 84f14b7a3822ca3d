/** @file Finds operations that compute what an earlier one of the same function computed. Every op is a pure function of
 *  its operands and attributes (randomness is an operand), so equal means interchangeable. Passes meet tens of thousands
 *  of operations here: attributes are hashed and compared as they are, without a text or an encoding in between. */

import type { Operation, Value } from "../ir/core.ts";

export class Repeats {
  readonly #numbers = new Map<Value, number>();
  readonly #seen = new Map<number, Operation>();
  readonly #ops = new Map<object, number>();

  /** The first operation like this one; undefined where this is the first, which is then remembered. */
  earlier(operation: Operation): Operation | undefined {
    let hash = mix(this.#opNumber(operation.op), hashOf(operation.attrs));
    for (const operand of operation.operands) hash = mix(hash, this.#numberOf(operand));
    for (;;) {
      const other = this.#seen.get(hash);
      if (other === undefined) {
        this.#seen.set(hash, operation);
        return undefined;
      }
      if (isSame(other, operation)) return other;
      hash = (hash + 1) | 0;
    }
  }

  #numberOf(value: Value): number {
    let number = this.#numbers.get(value);
    if (number === undefined) this.#numbers.set(value, (number = this.#numbers.size));
    return number;
  }

  #opNumber(op: object): number {
    let number = this.#ops.get(op);
    if (number === undefined) this.#ops.set(op, (number = this.#ops.size));
    return number;
  }
}

const mix = (hash: number, by: number): number => {
  const product = Math.imul(hash ^ by, 0x9e3779b1);
  return product ^ (product >>> 15);
};

/** Types are compared by dtype and shape: how a dimension is spelled does not change what is computed. */
const SPELLING = "dims";

const hashOf = (attr: unknown): number => {
  if (typeof attr === "number") return Number.isInteger(attr) ? attr | 0 : hashOf(`${attr}`);
  if (typeof attr === "string") {
    let hash = attr.length;
    for (let i = 0; i < attr.length; i++) hash = (Math.imul(hash, 31) + attr.charCodeAt(i)) | 0;
    return hash;
  }
  if (typeof attr !== "object" || attr === null) return attr === true ? 1 : 0;
  let hash = 0;
  if (Array.isArray(attr)) for (const item of attr) hash = mix(hash, hashOf(item));
  else for (const key in attr) if (key !== SPELLING) hash = (hash + mix(key.length, hashOf(read(attr, key)))) | 0;
  return hash;
};

const isSame = (a: Operation, b: Operation): boolean => {
  if (a.op !== b.op || a.operands.length !== b.operands.length) return false;
  for (let i = 0; i < a.operands.length; i++) if (a.operands[i] !== b.operands[i]) return false;
  return isSameAttr(a.attrs, b.attrs);
};

const isSameAttr = (a: unknown, b: unknown): boolean => {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return Object.is(a, b);
  if (a === b) return true;
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, i) => isSameAttr(item, b[i]));
  for (const key in a) if (key !== SPELLING && !isSameAttr(read(a, key), read(b, key))) return false;
  for (const key in b) if (!(key in a)) return false;
  return true;
};

const read = (attrs: object, key: string): unknown => (attrs as Readonly<Record<string, unknown>>)[key];
