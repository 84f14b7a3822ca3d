/** @file A native kernel by itself, in a memory of its own, on one thread. */

import { encodeModule } from "../compiler/codegen/wasm/encode.ts";
import { FunctionTable } from "../compiler/codegen/wasm/function-table.ts";
import { phaseName } from "../compiler/codegen/wasm/native/native.ts";
import { NATIVE } from "../compiler/codegen/wasm/native/table.ts";
import { isViolation } from "../ir/core.ts";
import type { AnyOp, TensorType } from "../ir/core.ts";
import { elements } from "../ir/types.ts";

export interface NativeRun {
  readonly results: readonly Float32Array[];
  readonly resultTypes: readonly TensorType[];
  readonly operands: readonly Float32Array[];
  /** The phases' names ("" for the main one), and one run of each. */
  readonly phases: readonly (readonly [name: string, run: () => void])[];
  /** All phases, one after the other. */
  readonly run: () => void;
  /** Of temporaries and scratch memory. */
  readonly ownBytes: number;
}

const FLOAT = 4;
/** Elements of a line of the cache. */
const ALIGNMENT = 16;
const PAGE = 65_536;

export const nativeKernel = (op: AnyOp, operands: readonly TensorType[], attrs: object): NativeRun => {
  const results = op.infer(operands, attrs as never);
  const emitter = NATIVE[op.mnemonic];
  if (isViolation(results)) throw new Error(results.message);
  if (emitter === undefined) throw new Error(`sq.${op.mnemonic} has no native kernel`);
  const { temporaries, phases } = emitter({ op, attrs, operands, results });
  const table = new FunctionTable();
  for (const phase of phases) table.add(phase.emit(phaseName("kernel", phase), table));
  const sizes = [...results.map(elements), ...temporaries, ...operands.map(elements)];
  let end = 0;
  const starts = sizes.map((size) => {
    const start = end;
    end += Math.ceil(size / ALIGNMENT) * ALIGNMENT;
    return start;
  });
  const scratch = Math.max(0, ...phases.map(({ scratchBytes }) => scratchBytes));
  const pages = Math.ceil((FLOAT * end + scratch) / PAGE);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const bytes = encodeModule({ memory: { from: "env", name: "memory", initial: pages, maximum: pages, shared: false }, functions: table.functions });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  const buffers = starts.map((start, i) => new Float32Array(memory.buffer, FLOAT * start, sizes[i]));
  const runs = phases.map((phase): readonly [string, () => void] => {
    const call = exports[phaseName("kernel", phase)] as (...args: readonly number[]) => void;
    const args = [...starts.map((start) => FLOAT * start), 0, phase.items, ...(phase.scratchBytes === 0 ? [] : [FLOAT * end])];
    return [phase.suffix, () => call(...args)];
  });
  return {
    results: buffers.slice(0, results.length),
    resultTypes: results,
    operands: buffers.slice(-operands.length),
    phases: runs,
    run: () => runs.forEach(([, run]) => run()),
    ownBytes: temporaries.reduce((sum, count) => sum + FLOAT * count, scratch),
  };
};
