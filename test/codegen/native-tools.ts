/** @file Runs native kernels by themselves: buffers between guards of NaN, phases cut into pieces in any order. */

import { expect } from "vitest";
import { encodeModule } from "../../compiler/codegen/wasm/encode.ts";
import { FunctionTable } from "../../compiler/codegen/wasm/function-table.ts";
import { phaseName } from "../../compiler/codegen/wasm/native/native.ts";
import type { NativeCall, NativeEmitter } from "../../compiler/codegen/wasm/native/native.ts";
import { isViolation } from "../../ir/core.ts";
import type { AnyOp, Data, TensorType } from "../../ir/core.ts";
import { elements } from "../../ir/types.ts";

/** The pieces in which the items of a phase are computed, in this order. */
export type Cuts = (items: number) => readonly (readonly [begin: number, end: number])[];

export const WHOLE: Cuts = (items) => [[0, items]];

/** Single items, last first. */
export const BACKWARDS: Cuts = (items) => Array.from({ length: items }, (_, i) => [items - 1 - i, items - i] as const);

/** Pieces of three, the odd ones after the even ones. */
export const THREES: Cuts = (items) => {
  const pieces = Array.from({ length: Math.ceil(items / 3) }, (_, i) => [3 * i, Math.min(items, 3 * i + 3)] as const);
  return [...pieces.filter((_, i) => i % 2 === 0), ...pieces.filter((_, i) => i % 2 === 1)];
};

const GUARD = 16;
const PAGE = 65_536;

export const callOf = (op: AnyOp, operands: readonly TensorType[], attrs: object): NativeCall => {
  const results = op.infer(operands, attrs as never);
  if (isViolation(results)) throw new Error(`${op.mnemonic}: ${results.constraint} ${results.message}`);
  return { op, attrs, operands, results };
};

/** The results. Memory is full of NaN before, scratch memory too, and what lies between buffers stays so. */
export const runNative = (emitter: NativeEmitter, call: NativeCall, inputs: readonly ArrayLike<number>[], cuts: Cuts = WHOLE): readonly Float32Array[] => {
  const kernel = emitter(call);
  const sizes = [...call.results.map(elements), ...kernel.temporaries, ...call.operands.map(elements)];
  const starts: number[] = [];
  let next = GUARD;
  for (const size of sizes) {
    starts.push(next);
    next += Math.ceil(size / 4) * 4 + GUARD;
  }
  const scratch = Math.max(0, ...kernel.phases.map(({ scratchBytes }) => scratchBytes));
  const end = next + scratch / 4;
  const pages = Math.ceil((4 * (end + GUARD)) / PAGE);
  const table = new FunctionTable();
  for (const phase of kernel.phases) table.add(phase.emit(phaseName("native", phase), table));
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const bytes = encodeModule({ memory: { from: "env", name: "memory", initial: pages, maximum: pages, shared: false }, functions: table.functions });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  const data = new Float32Array(memory.buffer).fill(Number.NaN);
  const firstOperand = sizes.length - call.operands.length;
  inputs.forEach((input, i) => data.set(input, starts[firstOperand + i] ?? 0));
  const pointers = starts.map((start) => 4 * start);
  for (const phase of kernel.phases) {
    const run = exports[phaseName("native", phase)] as (...args: readonly number[]) => void;
    for (const [from, to] of cuts(phase.items)) run(...pointers, from, to, ...(phase.scratchBytes === 0 ? [] : [4 * next]));
  }
  const spans = sizes.map((size, i) => [starts[i] ?? 0, (starts[i] ?? 0) + size] as const);
  const gaps = spans.map(([, to], i) => data.subarray(to, spans[i + 1]?.[0] ?? next));
  if (![data.subarray(0, GUARD), ...gaps, data.subarray(end, end + GUARD)].every((gap) => gap.every(Number.isNaN))) throw new Error("a write outside of the buffers");
  return call.results.map((_, i) => data.slice(...(spans[i] as readonly [number, number])));
};

/** What the record of the operation says, in float64. */
export const reference = ({ op, operands, results, attrs }: NativeCall, inputs: readonly ArrayLike<number>[]): readonly Data[] =>
  op.evaluate({
    operands: inputs.map((input) => Float64Array.from(input)),
    operandTypes: operands,
    resultTypes: results,
    attrs: attrs as never,
    tally: { flops: 0 },
  });

/** |a - b| / |b| over all elements. */
export const relativeError = (actual: ArrayLike<number>, expected: ArrayLike<number>): number => {
  let [difference, size] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    difference += ((actual[i] ?? Number.NaN) - (expected[i] ?? 0)) ** 2;
    size += (expected[i] ?? 0) ** 2;
  }
  return Math.sqrt(difference / (size === 0 ? 1 : size));
};

/** Float32 numbers of the inputs give the results of the record, to `tolerance`, and the same bits however the items are cut. */
export const checkNative = (emitter: NativeEmitter, call: NativeCall, inputs: readonly ArrayLike<number>[], tolerance = 1e-5): readonly Float32Array[] => {
  const rounded = inputs.map((input) => Float32Array.from(input));
  const whole = runNative(emitter, call, rounded);
  reference(call, rounded).forEach((expected, i) => expect(relativeError(whole[i] ?? [], expected), `${call.op.mnemonic}, result ${i}`).toBeLessThan(tolerance));
  for (const cuts of [BACKWARDS, THREES])
    runNative(emitter, call, rounded, cuts).forEach((result, i) => expect(result, `${call.op.mnemonic}, result ${i}, cut`).toEqual(whole[i]));
  return whole;
};
