/** @file Writes the body of a WebAssembly function: locals by number, instructions in stack order, loops closed for you. */

import type { Instruction, OpcodeName, ValueType } from "./instructions.ts";
import type { Local, WasmFunction } from "./module.ts";

/** A local's index. */
export type LocalIndex = number;

export class FunctionBuilder {
  readonly name: string;
  readonly #parameters: readonly Local[];
  readonly #locals: Local[] = [];
  readonly #names = new Set<string>();
  readonly #body: Instruction[] = [];

  constructor(name: string, parameters: readonly Local[]) {
    this.name = name;
    this.#parameters = parameters;
    for (const parameter of parameters) this.#names.add(parameter.name);
  }

  /** A parameter's local, by its name. */
  parameter(name: string): LocalIndex {
    const index = this.#parameters.findIndex((parameter) => parameter.name === name);
    if (index < 0) throw new RangeError(`${this.name} has no parameter ${name}`);
    return index;
  }

  local(type: ValueType, hint: string): LocalIndex {
    let name = hint;
    for (let i = 2; this.#names.has(name); i++) name = `${hint}${i}`;
    this.#names.add(name);
    this.#locals.push({ name, type });
    return this.#parameters.length + this.#locals.length - 1;
  }

  locals(type: ValueType, hint: string, count: number): readonly LocalIndex[] {
    return Array.from({ length: count }, () => this.local(type, hint));
  }

  op(op: OpcodeName, ...values: readonly number[]): this {
    this.#body.push({ op, values });
    return this;
  }

  get(local: LocalIndex): this {
    return this.op("local.get", local);
  }

  set(local: LocalIndex): this {
    return this.op("local.set", local);
  }

  tee(local: LocalIndex): this {
    return this.op("local.tee", local);
  }

  i32(value: number): this {
    return this.op("i32.const", value);
  }

  f32(value: number): this {
    return this.op("f32.const", value);
  }

  /** Four equal lanes. */
  splat(value: number): this {
    const bytes = new Uint8Array(Float32Array.of(value, value, value, value).buffer);
    return this.op("v128.const", ...bytes);
  }

  splatBits(word: number): this {
    const bytes = new Uint8Array(Uint32Array.of(word, word, word, word).buffer);
    return this.op("v128.const", ...bytes);
  }

  /** local += value */
  advance(local: LocalIndex, value: number): this {
    return this.get(local).i32(value).op("i32.add").set(local);
  }

  block(op: "block" | "loop" | "if", body: () => void, otherwise?: () => void, type: ValueType | "" = ""): this {
    this.#body.push({ op, values: [], type });
    body();
    if (otherwise !== undefined) {
      this.op("else");
      otherwise();
    }
    return this.op("end");
  }

  /** for (; index < limit; index += step) body, from what index holds. `limit` is pushed anew before every turn. */
  while(index: LocalIndex, limit: () => void, step: number, body: () => void): this {
    return this.block("block", () => {
      this.block("loop", () => {
        this.get(index);
        limit();
        this.op("i32.ge_s").op("br_if", 1);
        body();
        this.advance(index, step).op("br", 0);
      });
    });
  }

  /** for (index = 0; index < count; index += step) body; at least once. */
  repeat(index: LocalIndex, count: number, step: number, body: () => void): this {
    this.i32(0).set(index);
    return this.block("loop", () => {
      body();
      this.get(index).i32(step).op("i32.add").tee(index).i32(count).op("i32.lt_s").op("br_if", 0);
    });
  }

  finish(exported: boolean, results: readonly ValueType[] = []): WasmFunction {
    return { name: this.name, parameters: this.#parameters, results, locals: this.#locals, body: this.#body, exported };
  }
}
