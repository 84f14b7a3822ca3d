/** @file One kernel out of an operation and the `inline` operations that feed it. */

import type { Operation, TensorType, Value } from "../../ir/core.ts";
import { InternalError } from "../../ir/diagnostic.ts";
import type { Expr, Kernel, KernelInput } from "./kernel.ts";
import { ExprPool } from "./expr-pool.ts";
import { loopName, LOWERINGS } from "./lower.ts";
import { identifier } from "./names.ts";
import { schedule } from "./schedule.ts";

/** gpu.js on WebGPU takes at most this many arrays; `fuse` keeps within it. */
export const MAX_INPUTS = 7;

export interface BuiltKernel {
  readonly kernel: Kernel;
  /** For each kernel input, which of the tree's leaves it is (a leaf that no element needs is not an input). */
  readonly leaves: readonly number[];
}

/** `root` and, in place, every operation that `inlineProducer` names; the other operands are `leaves`, in that order. */
export const buildKernel = (
  root: Operation,
  leaves: readonly Value[],
  inlineProducer: (value: Value) => Operation | undefined,
  name: string,
): BuiltKernel => {
  const pool = new ExprPool();
  const names = leaves.map((leaf, i) => pool.declare(identifier(leaf.name) || (leaves.length === 1 ? "x" : `x${i}`)));
  const used: number[] = [];
  const inputOf = (leaf: number): number => {
    const known = used.indexOf(leaf);
    return known >= 0 ? known : used.push(leaf) - 1;
  };
  const known = new Map<string, Expr>();
  const numbers = new Map<Value, number>();
  const element = (value: Value, at: readonly Expr[]): Expr => {
    const producer = inlineProducer(value);
    if (producer === undefined) {
      const leaf = indexOf(leaves, value);
      const loaded = pool.load(inputOf(leaf), at);
      pool.suggest(loaded, `${names[leaf] ?? "x"}_at`);
      return loaded;
    }
    if (!numbers.has(value)) numbers.set(value, numbers.size);
    const key = `${numbers.get(value)}:${at.map((e) => pool.id(e)).join()}`;
    const found = known.get(key) ?? compute(producer, at);
    known.set(key, found);
    pool.suggest(found, identifier(value.name));
    return found;
  };
  const compute = (operation: Operation, at: readonly Expr[]): Expr => {
    const lower = LOWERINGS.get(operation.op);
    if (lower === undefined) throw new InternalError(`sq.${operation.op.mnemonic} is not a kernel-stage op`);
    return lower({
      pool,
      attrs: operation.attrs,
      operands: operation.operands.map((value) => (inner) => element(value, inner)),
      operandTypes: operation.operands.map((value) => value.type),
      type: resultType(operation),
      at,
    });
  };
  const type = resultType(root);
  const { loops, at } = outputAxes(pool, type);
  const graph = compute(root, at);
  if (used.length > MAX_INPUTS) throw new InternalError(`${name} reads ${used.length} tensors; at most ${MAX_INPUTS} are possible`);
  const body = schedule(pool, graph, loops);
  const inputs = used.map((leaf): KernelInput => inputFor(leaves[leaf], names[leaf]));
  return { kernel: { name, inputs, axes: loops, dtype: type.dtype, body }, leaves: used };
};

/** Axes of one element need no loop; the others are called as the model calls them. */
const outputAxes = (pool: ExprPool, type: TensorType): ReturnType<ExprPool["loops"]> =>
  pool.loops(type.shape.map((extent, axis) => ({ name: loopName(type, axis), extent })));

const resultType = (operation: Operation): TensorType => {
  const [result] = operation.results;
  if (result === undefined) throw new InternalError(`sq.${operation.op.mnemonic} has no result`);
  return result.type;
};

const indexOf = (leaves: readonly Value[], value: Value): number => {
  const index = leaves.indexOf(value);
  if (index < 0) throw new InternalError(`%${value.name} is no leaf of the kernel`);
  return index;
};

const inputFor = (leaf: Value | undefined, name: string | undefined): KernelInput => {
  if (leaf === undefined || name === undefined) throw new InternalError("a kernel input without a leaf");
  return { name, shape: leaf.type.shape, dtype: leaf.type.dtype };
};
