/** @file Writing protocol buffers (protobuf.dev, "Encoding"): a message is its fields one after the other, each a tag
 *  (number · 8 + wire type), then a varint, or a length and that many bytes. */

export type Bytes = readonly number[] | Uint8Array;

const [VARINT, LENGTH] = [0, 2];

/** Seven bits a byte, least first, the highest bit set on all but the last. `value` is a whole number below 2^53. */
const varint = (value: number): readonly number[] => {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) + 128);
  }
};

const tag = (field: number, wireType: number): readonly number[] => varint(field * 8 + wireType);

/** Bytes one after the other. */
export const joined = (...parts: readonly Bytes[]): Uint8Array => {
  const all = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
};

export const whole = (field: number, value: number): Bytes => [...tag(field, VARINT), ...varint(value)];

export const bytes = (field: number, value: Bytes): Bytes => joined(tag(field, LENGTH), varint(value.length), value);

export const text = (field: number, value: string): Bytes => bytes(field, new TextEncoder().encode(value));

export const message = (field: number, ...parts: readonly Bytes[]): Bytes => bytes(field, joined(...parts));
