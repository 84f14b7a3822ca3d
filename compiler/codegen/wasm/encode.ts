/** @file A module as bytes (WebAssembly core specification, "Binary Format").
 *
 *  Written here rather than by a library: the compiler already has the functions as data, so all that is left is a table and
 *  five sections; wabt (5 MB) would parse text we just printed, and binaryen (104 MB) is larger than all else together. */

import { OPCODES } from "./instructions.ts";
import type { Immediate, Instruction, ValueType } from "./instructions.ts";
import type { MemoryImport, WasmFunction, WasmModule } from "./module.ts";

const VALUE_TYPES: Readonly<Record<ValueType | "", number>> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b, "": 0x40 };

const SECTIONS = { type: 1, import: 2, function: 3, export: 7, code: 10 } as const;

/** Grows by doubling; numbers in little-endian base 128. */
class Bytes {
  #data = new Uint8Array(1024);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  byte(value: number): void {
    if (this.#length === this.#data.length) {
      const larger = new Uint8Array(2 * this.#data.length);
      larger.set(this.#data);
      this.#data = larger;
    }
    this.#data[this.#length++] = value;
  }

  bytes(values: Iterable<number>): void {
    for (const value of values) this.byte(value);
  }

  unsigned(value: number): void {
    let rest = value >>> 0;
    for (; rest >= 0x80; rest >>>= 7) this.byte((rest & 0x7f) | 0x80);
    this.byte(rest);
  }

  signed(value: number): void {
    let rest = value | 0;
    for (;;) {
      const low = rest & 0x7f;
      rest >>= 7;
      if ((rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)) return this.byte(low);
      this.byte(low | 0x80);
    }
  }

  text(value: string): void {
    const encoded = new TextEncoder().encode(value);
    this.unsigned(encoded.length);
    this.bytes(encoded);
  }

  append(other: Bytes): void {
    this.unsigned(other.length);
    this.bytes(other.finish());
  }

  finish(): Uint8Array<ArrayBuffer> {
    return this.#data.slice(0, this.#length);
  }
}

const floatBytes = (value: number): Uint8Array => new Uint8Array(Float32Array.of(value).buffer);

/** How the immediates of an instruction are written. */
const IMMEDIATES: { readonly [I in Immediate]: (out: Bytes, instruction: Instruction) => void } = {
  none: () => undefined,
  zero: (out) => out.byte(0),
  "two-zeros": (out) => out.bytes([0, 0]),
  local: (out, { values: [index = 0] }) => out.unsigned(index),
  function: (out, { values: [index = 0] }) => out.unsigned(index),
  label: (out, { values: [index = 0] }) => out.unsigned(index),
  memory: (out, { values: [align = 0, offset = 0] }) => (out.unsigned(align), out.unsigned(offset)),
  "memory-lane": (out, { values: [align = 0, offset = 0, lane = 0] }) => (out.unsigned(align), out.unsigned(offset), out.byte(lane)),
  lane: (out, { values: [lane = 0] }) => out.byte(lane),
  shuffle: (out, { values }) => out.bytes(values),
  v128: (out, { values }) => out.bytes(values),
  i32: (out, { values: [value = 0] }) => out.signed(value),
  f32: (out, { values: [value = 0] }) => out.bytes(floatBytes(value)),
  block: (out, { type = "" }) => out.byte(VALUE_TYPES[type]),
};

const writeInstruction = (out: Bytes, instruction: Instruction): void => {
  const { bytes, immediate } = OPCODES[instruction.op];
  out.bytes(bytes);
  IMMEDIATES[immediate](out, instruction);
};

const section = (out: Bytes, id: number, write: (content: Bytes) => void): void => {
  const content = new Bytes();
  write(content);
  out.byte(id);
  out.append(content);
};

const signatureOf = ({ parameters, results }: WasmFunction): readonly number[] => {
  const types = parameters.map(({ type }) => VALUE_TYPES[type]);
  return [0x60, types.length, ...types, results.length, ...results.map((type) => VALUE_TYPES[type])];
};

const writeMemory = (out: Bytes, { from, name, initial, maximum, shared }: MemoryImport): void => {
  out.unsigned(1);
  out.text(from);
  out.text(name);
  out.bytes([0x02, shared ? 0x03 : 0x01]);
  out.unsigned(initial);
  out.unsigned(maximum);
};

const writeCode = (out: Bytes, { locals, body }: WasmFunction): void => {
  const code = new Bytes();
  const runs: { type: ValueType; count: number }[] = [];
  for (const { type } of locals) {
    const last = runs.at(-1);
    if (last?.type === type) last.count += 1;
    else runs.push({ type, count: 1 });
  }
  code.unsigned(runs.length);
  for (const { type, count } of runs) {
    code.unsigned(count);
    code.byte(VALUE_TYPES[type]);
  }
  for (const instruction of body) writeInstruction(code, instruction);
  code.byte(0x0b);
  out.append(code);
};

export const encodeModule = ({ memory, functions }: WasmModule): Uint8Array<ArrayBuffer> => {
  const out = new Bytes();
  out.bytes([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);
  const signatures = [...new Map(functions.map((func) => [signatureOf(func).join(), signatureOf(func)]))];
  const typeOf = new Map(signatures.map(([key], index) => [key, index]));
  section(out, SECTIONS.type, (content) => {
    content.unsigned(signatures.length);
    for (const [, bytes] of signatures) content.bytes(bytes);
  });
  section(out, SECTIONS.import, (content) => writeMemory(content, memory));
  section(out, SECTIONS.function, (content) => {
    content.unsigned(functions.length);
    for (const func of functions) content.unsigned(typeOf.get(signatureOf(func).join()) ?? 0);
  });
  section(out, SECTIONS.export, (content) => {
    const exported = functions.flatMap((func, index) => (func.exported ? [{ name: func.name, index }] : []));
    content.unsigned(exported.length);
    for (const { name, index } of exported) {
      content.text(name);
      content.byte(0x00);
      content.unsigned(index);
    }
  });
  section(out, SECTIONS.code, (content) => {
    content.unsigned(functions.length);
    for (const func of functions) writeCode(content, func);
  });
  return out.finish();
};
