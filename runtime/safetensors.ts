/** @file The safetensors format: 8 bytes of header length, a JSON header, one block of little-endian data. A file is
 *  trusted in nothing: a reader that believes offsets reads other tensors' bytes as weights. */

import type { HostTensor, Tensors } from "./abi.ts";
import { reasonOf, RuntimeError } from "./errors.ts";
import { duplicateKey } from "./json.ts";
import { elementCount } from "./tensors.ts";

export interface SafetensorsFile {
  readonly tensors: Tensors;
  /** `__metadata__`: strings by name. */
  readonly metadata: Readonly<Record<string, string>>;
}

type Data = HostTensor["data"];

interface DTypeCodec {
  readonly bytes: number;
  /** The dtype on the host: half precisions become F32. */
  readonly host: HostTensor["dtype"];
  /** From an aligned copy of the tensor's bytes. */
  readonly read: (buffer: ArrayBuffer) => Data;
}

const CODECS: Readonly<Record<string, DTypeCodec>> = {
  F64: { bytes: 8, host: "F64", read: (buffer) => new Float64Array(buffer) },
  I64: { bytes: 8, host: "I64", read: (buffer) => new BigInt64Array(buffer) },
  F32: { bytes: 4, host: "F32", read: (buffer) => new Float32Array(buffer) },
  I32: { bytes: 4, host: "I32", read: (buffer) => new Int32Array(buffer) },
  F16: { bytes: 2, host: "F32", read: (buffer) => Float32Array.from(new Uint16Array(buffer), fromHalf) },
  BF16: { bytes: 2, host: "F32", read: fromBrainFloat },
  U8: { bytes: 1, host: "U8", read: (buffer) => new Uint8Array(buffer) },
  BOOL: { bytes: 1, host: "BOOL", read: (buffer) => new Uint8Array(buffer) },
};

const PREFIX = 8;
/** What the reference implementation allows. */
const MAX_HEADER = 100_000_000;

interface Entry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** @throws RuntimeError SQ0604 with the precise reason when the bytes are not a well-formed safetensors file. */
export function readSafetensors(bytes: Uint8Array): SafetensorsFile {
  const { header, dataStart } = readHeader(bytes);
  const metadata = readMetadata(header["__metadata__"]);
  const entries = Object.entries(header).filter(([name]) => name !== "__metadata__");
  const parsed = entries.map(([name, value]) => readEntry(name, value));
  checkLayout(parsed, bytes.length - dataStart);
  const tensors = parsed.map((entry) => [entry.name, readTensor(entry, bytes, dataStart)] as const);
  return { tensors: Object.fromEntries(tensors), metadata };
}

function readHeader(bytes: Uint8Array): { header: Record<string, unknown>; dataStart: number } {
  if (bytes.length < PREFIX) throw malformed(`the file has ${bytes.length} bytes; a header length takes 8`);
  const length = new DataView(bytes.buffer, bytes.byteOffset, PREFIX).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER)) throw malformed(`header length ${length} is above the limit of ${MAX_HEADER}`);
  const dataStart = PREFIX + Number(length);
  if (dataStart > bytes.length) throw malformed(`header length ${length} goes beyond the end of the file (${bytes.length} bytes)`);
  const text = decodeHeader(bytes.subarray(PREFIX, dataStart));
  if (!text.startsWith("{")) throw malformed("the header is not a JSON object");
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch (thrown) {
    throw malformed(`the header is not JSON: ${reasonOf(thrown)}`);
  }
  const duplicate = duplicateKey(text);
  if (duplicate !== null) throw malformed(`the header has the key \`${duplicate}\` twice`);
  return { header: header as Record<string, unknown>, dataStart };
}

function decodeHeader(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw malformed("the header is not UTF-8");
  }
}

function readMetadata(value: unknown): Record<string, string> {
  if (value === undefined) return {};
  if (!isRecord(value)) throw malformed("`__metadata__` is not an object");
  for (const [name, text] of Object.entries(value)) {
    if (typeof text !== "string") throw malformed(`\`__metadata__\`: \`${name}\` is not a string`);
  }
  return value as Record<string, string>;
}

function readEntry(name: string, value: unknown): Entry {
  if (!isRecord(value)) throw malformed(`\`${name}\` is not described by an object`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== "string" || !Object.hasOwn(CODECS, dtype)) {
    throw malformed(`\`${name}\` has dtype ${JSON.stringify(dtype) ?? "missing"}; known are ${Object.keys(CODECS).join(", ")}`);
  }
  if (!isSizes(shape)) throw malformed(`\`${name}\`: shape is not a list of sizes`);
  if (!isSizes(offsets) || offsets.length !== 2) throw malformed(`\`${name}\`: data_offsets is not a pair of byte offsets`);
  const [begin, end] = offsets as [number, number];
  if (begin > end) throw malformed(`\`${name}\`: data_offsets [${begin}, ${end}] run backwards`);
  const wanted = elementCount(shape) * (CODECS[dtype] as DTypeCodec).bytes;
  if (!Number.isSafeInteger(wanted)) throw malformed(`\`${name}\`: shape [${shape.join(", ")}] is too large`);
  if (end - begin !== wanted) {
    throw malformed(`\`${name}\`: ${dtype} of shape [${shape.join(", ")}] takes ${wanted} bytes, data_offsets span ${end - begin}`);
  }
  return { name, dtype, shape, begin, end };
}

/** Tensors fill the data block exactly: no overlap, no gap, nothing before, nothing behind. */
function checkLayout(entries: readonly Entry[], dataLength: number): void {
  let at = 0;
  let before = "the start of the data";
  for (const { name, begin, end } of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (end > dataLength) throw malformed(`\`${name}\` ends at byte ${end}, the data has ${dataLength}`);
    if (begin < at) throw malformed(`\`${name}\` overlaps ${before} (bytes ${begin} to ${at})`);
    if (begin > at) throw malformed(`bytes ${at} to ${begin} between ${before} and \`${name}\` belong to no tensor`);
    at = end;
    before = `\`${name}\``;
  }
  if (at < dataLength) throw malformed(`the last ${dataLength - at} bytes belong to no tensor`);
}

function readTensor(entry: Entry, bytes: Uint8Array, dataStart: number): HostTensor {
  const codec = CODECS[entry.dtype] as DTypeCodec;
  // A copy in a buffer of its own: aligned, and not the whole file (which a slice of a Node `Buffer` would share).
  const data = codec.read(new Uint8Array(bytes.subarray(dataStart + entry.begin, dataStart + entry.end)).buffer);
  if (codec.host === "BOOL") {
    const wrong = (data as Uint8Array).findIndex((value) => value > 1);
    if (wrong >= 0) throw malformed(`\`${entry.name}\`: BOOL element ${wrong} is ${data[wrong]}, neither 0 nor 1`);
  }
  return { dtype: codec.host, shape: entry.shape, data };
}

/** The file's bytes. Wide dtypes come first, then names in order, so that all data is aligned and equal contents give
 *  equal bytes. */
export function writeSafetensors(tensors: Tensors, metadata: Readonly<Record<string, string>> = {}): Uint8Array {
  const width = ([, tensor]: readonly [string, HostTensor]): number => (CODECS[tensor.dtype] as DTypeCodec).bytes;
  const sorted = Object.entries(tensors).sort((a, b) => width(b) - width(a) || (a[0] < b[0] ? -1 : 1));
  const header: [string, unknown][] = Object.keys(metadata).length > 0 ? [["__metadata__", metadata]] : [];
  let end = 0;
  for (const [name, { dtype, shape, data }] of sorted) {
    if (data.length !== elementCount(shape)) throw new Error(`${name}: ${data.length} elements for shape [${shape.join(", ")}]`);
    const begin = end;
    end += data.byteLength;
    header.push([name, { dtype, shape, data_offsets: [begin, end] }]);
  }
  const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const headerLength = Math.ceil(text.length / 8) * 8;
  const file = new Uint8Array(PREFIX + headerLength + end).fill(0x20, PREFIX, PREFIX + headerLength);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerLength), true);
  file.set(text, PREFIX);
  let at = PREFIX + headerLength;
  for (const [, { data }] of sorted) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return file;
}

function malformed(reason: string): RuntimeError {
  return new RuntimeError("SQ0604", `not a well-formed safetensors file: ${reason}`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

/** IEEE 754 half precision: 1 sign, 5 exponent, 10 mantissa bits. */
function fromHalf(bits: number): number {
  const [sign, exponent, mantissa] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 0x1f, bits & 0x3ff];
  if (exponent === 0x1f) return mantissa === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * mantissa * 2 ** -24 : sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

/** bfloat16 is the upper half of a float32. */
function fromBrainFloat(buffer: ArrayBuffer): Float32Array {
  const words = Uint32Array.from(new Uint16Array(buffer), (bits) => bits * 65536);
  return new Float32Array(words.buffer);
}
