/** @file The safetensors reader takes what is right, gives the reason for what is wrong, and never anything else. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { HostTensor, Tensors } from "../../runtime/abi.ts";
import { RuntimeError } from "../../runtime/errors.ts";
import { readSafetensors, writeSafetensors } from "../../runtime/safetensors.ts";
import { elementCount } from "../../runtime/tensors.ts";

/** A file from a header (an object, or text to be wrong on purpose) and data bytes. */
function file(header: unknown, data: readonly number[] | number = 0, length?: bigint): Uint8Array {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = typeof data === "number" ? new Array<number>(data).fill(0) : data;
  const whole = new Uint8Array(8 + text.length + bytes.length);
  new DataView(whole.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  whole.set(text, 8);
  whole.set(bytes, 8 + text.length);
  return whole;
}

const tensor = (dtype: string, shape: readonly number[], begin: number, end: number): unknown => ({ dtype, shape, data_offsets: [begin, end] });
const f4 = (begin: number, end: number): unknown => tensor("F32", [(end - begin) / 4], begin, end);

const malformed: readonly [string, Uint8Array, RegExp][] = [
  ["empty", new Uint8Array(0), /0 bytes; a header length takes 8/],
  ["cut in the length", new Uint8Array(7), /7 bytes/],
  ["length beyond the file", file({}, 0, 3n), /header length 3 goes beyond the end/],
  ["absurd length", file({}, 0, 2n ** 63n), /above the limit/],
  ["not JSON", file("{oops}"), /not JSON/],
  ["an array", file("[]"), /not a JSON object/],
  ["text before the object", file(" {}"), /not a JSON object/],
  ["not UTF-8", (() => { const it = file('{"a":1}'); it[10] = 0xff; return it; })(), /not UTF-8/],
  ["duplicate tensor", file('{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}'), /key `a` twice/],
  ["duplicate behind an escape", file('{"__metadata__":{"a":"1","\\u0061":"2"}}'), /key `a` twice/],
  ["duplicate field", file('{"a":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}}'), /key `dtype` twice/],
  ["metadata of numbers", file({ __metadata__: { a: 1 } }), /`a` is not a string/],
  ["metadata list", file({ __metadata__: [] }), /not an object/],
  ["tensor is a number", file({ a: 1 }), /`a` is not described by an object/],
  ["unknown dtype", file({ a: tensor("F8_E4M3", [1], 0, 1) }, 1), /dtype "F8_E4M3"; known are/],
  ["dtype of Object.prototype", file({ a: tensor("constructor", [1], 0, 1) }, 1), /dtype "constructor"/],
  ["no dtype", file({ a: { shape: [], data_offsets: [0, 0] } }), /dtype missing/],
  ["negative size", file({ a: tensor("U8", [-1], 0, 0) }), /shape is not a list of sizes/],
  ["fractional size", file({ a: tensor("U8", [1.5], 0, 1) }, 1), /shape is not a list of sizes/],
  ["one offset", file({ a: { dtype: "U8", shape: [0], data_offsets: [0] } }), /not a pair/],
  ["backwards", file({ a: tensor("U8", [1], 2, 1) }, 2), /run backwards/],
  ["wrong size", file({ a: tensor("F32", [3], 0, 8) }, 8), /takes 12 bytes, data_offsets span 8/],
  ["product beyond 2^53", file({ a: tensor("U8", [2 ** 40, 2 ** 40], 0, 0) }), /too large/],
  ["beyond the data", file({ a: f4(0, 8) }, 4), /ends at byte 8, the data has 4/],
  ["overlap", file({ a: f4(0, 8), b: f4(4, 12) }, 12), /`b` overlaps `a`/],
  ["same place", file({ a: f4(0, 8), b: f4(0, 8) }, 8), /`b` overlaps `a`/],
  ["gap", file({ a: f4(0, 4), b: f4(8, 12) }, 12), /bytes 4 to 8 between `a` and `b` belong to no tensor/],
  ["gap at the start", file({ a: f4(4, 8) }, 8), /bytes 0 to 4/],
  ["rest", file({ a: f4(0, 4) }, 7), /last 3 bytes belong to no tensor/],
  ["boolean of 2", file({ a: tensor("BOOL", [2], 0, 2) }, [1, 2]), /BOOL element 1 is 2/],
];

describe("refused", () => {
  it.each(malformed)("%s", (_, bytes, reason) => {
    expect(() => readSafetensors(bytes)).toThrow(reason);
    expect(() => readSafetensors(bytes)).toThrow(RuntimeError);
  });
});

const shape = fc.array(fc.nat(4), { maxLength: 4 });
const data: Readonly<Record<HostTensor["dtype"], (count: number) => fc.Arbitrary<HostTensor["data"]>>> = {
  F64: (n) => fc.float64Array({ minLength: n, maxLength: n }),
  F32: (n) => fc.float32Array({ minLength: n, maxLength: n }),
  I64: (n) => fc.bigInt64Array({ minLength: n, maxLength: n }),
  I32: (n) => fc.int32Array({ minLength: n, maxLength: n }),
  U8: (n) => fc.uint8Array({ minLength: n, maxLength: n }),
  BOOL: (n) => fc.uint8Array({ minLength: n, maxLength: n, max: 1 }),
};
const hostTensor = fc
  .tuple(fc.constantFrom<HostTensor["dtype"]>("F64", "F32", "I64", "I32", "U8", "BOOL"), shape)
  .chain(([dtype, sizes]) => data[dtype](elementCount(sizes)).map((values): HostTensor => ({ dtype, shape: sizes, data: values })));
const name = fc.string({ maxLength: 8 }).filter((text) => text !== "__metadata__");
const tensors: fc.Arbitrary<Tensors> = fc.uniqueArray(fc.tuple(name, hostTensor), { maxLength: 6, selector: ([key]) => key }).map((pairs) => Object.fromEntries(pairs));
const metadata = fc.dictionary(fc.string(), fc.string(), { maxKeys: 3, noNullPrototype: true });

describe("taken", () => {
  it("what was written, to the bit, whatever the names, dtypes and shapes", () => {
    fc.assert(
      fc.property(tensors, metadata, (written, notes) => {
        const read = readSafetensors(writeSafetensors(written, notes));
        expect({ ...read.tensors }).toEqual({ ...written });
        expect({ ...read.metadata }).toEqual({ ...notes });
      }),
      { numRuns: 300 },
    );
  });

  it("from any place in a larger buffer, and into memory of its own", () => {
    const bytes = writeSafetensors({ a: { dtype: "F32", shape: [2], data: Float32Array.of(1, 2) } });
    const inside = new Uint8Array(bytes.length + 3);
    inside.set(bytes, 3);
    const { tensors: read } = readSafetensors(inside.subarray(3));
    inside.fill(0);
    expect([...(read["a"]?.data ?? [])]).toEqual([1, 2]);
  });

  it("data aligned to its width, equal contents as equal bytes", () => {
    const parts: Tensors = { b: { dtype: "U8", shape: [3], data: Uint8Array.of(1, 2, 3) }, a: { dtype: "F64", shape: [1], data: Float64Array.of(1) } };
    const bytes = writeSafetensors(parts);
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + (bytes[0] as number)))) as Record<string, { data_offsets: number[] }>;
    expect((8 + (bytes[0] as number)) % 8).toBe(0);
    expect(header["a"]?.data_offsets).toEqual([0, 8]);
    expect(writeSafetensors(Object.fromEntries(Object.entries(parts).reverse()))).toEqual(bytes);
  });

  it("half precisions, as float32", () => {
    const half = [0x3c00, 0xc000, 0x0001, 0x7c00, 0xfc00, 0x3555, 0x8000].flatMap((bits) => [bits & 255, bits >> 8]);
    const read = readSafetensors(file({ h: tensor("F16", [7], 0, 14), b: tensor("BF16", [2], 14, 18) }, [...half, 0x80, 0x3f, 0x49, 0x40])).tensors;
    expect(read["h"]?.dtype).toBe("F32");
    expect([...(read["h"]?.data ?? [])]).toEqual([1, -2, 2 ** -24, Infinity, -Infinity, 0.333251953125, -0]);
    expect([...(read["b"]?.data ?? [])]).toEqual([1, 3.140625]);
  });
});

describe("fuzz", () => {
  const good = writeSafetensors({ a: { dtype: "F32", shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) }, b: { dtype: "BOOL", shape: [3], data: Uint8Array.of(0, 1, 1) } }, { note: "x" });
  const outcome = (bytes: Uint8Array): void => {
    try {
      for (const { shape: sizes, data: values } of Object.values(readSafetensors(bytes).tensors)) expect(values.length).toBe(elementCount(sizes));
    } catch (thrown) {
      expect(thrown).toMatchObject({ code: "SQ0604" });
    }
  };

  it("every cut of a file is refused", () => {
    for (let end = 0; end < good.length; end += 1) expect(() => readSafetensors(good.subarray(0, end))).toThrow(RuntimeError);
  });

  it("changed bytes and noise give tensors of the right size or SQ0604, nothing else", () => {
    const edit = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(edit, (changes) => {
        const bytes = good.slice();
        for (const [at, value] of changes) bytes[at] = value;
        outcome(bytes);
      }),
      { numRuns: 3000 },
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), outcome), { numRuns: 1000 });
    fc.assert(fc.property(fc.json(), (text) => outcome(file(text, 8))), { numRuns: 1000 });
  });
});
