/** @file Bookkeeping of `fuse`: which kernels compute or load a value, at how many different indices, how often. */

import type { AnyOp, Operation, Value } from "../ir/core.ts";
import {
  broadcast, bucketHeads, bucketNext, bucketSum, concat, constant, dynamicSlice, dynamicUpdateSlice, einsum, gather, iota,
  lowerBound, mergeRuns,
  pad, randomAt, randomUniform, reduceMax, reduceSum, reshape, segmentSum, slice, systematic, takeAlong, takeRows,
  transpose,
} from "../ir/ops/index.ts";
import { elements } from "../ir/types.ts";
import { loopCount, readsOf } from "./kernel-cost.ts";

/** Arrays a kernel can read. */
const INPUTS = 7;
/** Operations in one kernel, each counted once an index at which it is computed. */
const NODES = 128;

/** One index at which a kernel needs a value. */
interface Site {
  /** The number of the index; uses of a value at one index of one kernel are one computation. */
  readonly at: number;
  /** Times the value is computed there, in all threads together. */
  readonly evals: number;
  readonly inLoop: boolean;
}

/** What is known about a kernel while its tree grows. */
interface Kernel {
  /** Values it reads (buffers, or operations that are not decided yet), and where. */
  readonly leaves: Map<Value, Site[]>;
  nodes: number;
  /** Has it an operation with a loop? */
  loops: boolean;
}

export interface Use {
  readonly evals: number;
  readonly inLoop: boolean;
  /** Kernels that use it. */
  readonly kernels: number;
}

/** Values that are computed from nothing and therefore never read from a buffer. */
export const isFree = ({ op }: Operation): boolean => op === constant || op === iota;

export class KernelSites {
  readonly #kernels = new Map<Value, Kernel[]>();
  readonly #free: ReadonlySet<Value>;
  readonly #indices = new IndexNumbers();

  constructor(free: ReadonlySet<Value>) {
    this.#free = free;
  }

  /** How the kernels decided so far use a value; null if none does. */
  useOf(value: Value): Use | null {
    const kernels = this.#kernels.get(value);
    if (kernels === undefined) return null;
    let [evals, inLoop] = [0, false];
    for (const kernel of kernels) {
      for (const site of kernel.leaves.get(value) ?? []) {
        evals += site.evals;
        inLoop ||= site.inLoop;
      }
    }
    return { evals, inLoop, kernels: kernels.length };
  }

  /** Operands of an operation that come from buffers. */
  loads(operation: Operation): number {
    return operation.operands.filter((operand) => !this.#free.has(operand)).length;
  }

  /** Would every kernel that uses the operation's result still be within the limits if it computed it? */
  fits(operation: Operation, result: Value): boolean {
    const loops = loopCount(operation) > 1;
    const needed = new Set(operation.operands.filter((operand) => !this.#free.has(operand)));
    for (const kernel of this.#kernels.get(result) ?? []) {
      let leaves = kernel.leaves.size - 1;
      for (const operand of needed) if (!kernel.leaves.has(operand)) leaves += 1;
      const nodes = kernel.nodes + (kernel.leaves.get(result)?.length ?? 0);
      if (leaves > INPUTS || nodes > NODES || (loops && kernel.loops)) return false;
    }
    return true;
  }

  /** The operation is a kernel of its own. */
  root(operation: Operation, result: Value): void {
    const loops = loopCount(operation) > 1;
    const kernel: Kernel = { leaves: new Map(), nodes: 1, loops };
    this.#reach(operation, kernel, { at: ROOT, evals: elements(result.type), inLoop: false }, loops);
  }

  /** The operation is computed wherever its result is used. */
  inline(operation: Operation, result: Value): void {
    const loops = loopCount(operation) > 1;
    for (const kernel of this.#kernels.get(result) ?? []) {
      const sites = kernel.leaves.get(result) ?? [];
      kernel.leaves.delete(result);
      kernel.nodes += sites.length;
      kernel.loops ||= loops;
      for (const site of sites) this.#reach(operation, kernel, site, loops);
    }
  }

  /** The operands of an operation computed at `site` are needed there. */
  #reach(operation: Operation, kernel: Kernel, site: Site, loops: boolean): void {
    operation.operands.forEach((operand, i) => {
      const reads = readsOf(operation, i);
      if (reads === 0 || this.#free.has(operand)) return;
      const at = this.#indices.operand(operation, i, site.at);
      const known = kernel.leaves.get(operand);
      if (known?.some((other) => other.at === at) === true) return;
      const reached: Site = { at, evals: site.evals * reads, inLoop: site.inLoop || loops };
      if (known !== undefined) known.push(reached);
      else {
        kernel.leaves.set(operand, [reached]);
        const kernels = this.#kernels.get(operand);
        if (kernels === undefined) this.#kernels.set(operand, [kernel]);
        else kernels.push(kernel);
      }
    });
  }
}

/** The index at which the kernel's own result is computed. */
const ROOT = 0;
/** The only index of a tensor with one element. */
const ONLY = 1;

/** Numbers for indices: the same number for the same index of the same kernel, as code generation will see it. */
class IndexNumbers {
  readonly #numbers = new Map<number, number>();
  readonly #texts = new Map<string, number>();
  readonly #moves = new Map<Operation, number[]>();

  operand(operation: Operation, i: number, at: number): number {
    const operand = operation.operands[i];
    if (operand !== undefined && isSingle(operand)) return ONLY;
    if (!MOVES.has(operation.op)) return at;
    // Its counters are read like an elementwise op's operands, only its key is not.
    if (operation.op === randomAt && i > 0) return at;
    const key = at * 2 ** 26 + this.#move(operation, i);
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    this.#numbers.set(key, this.#numbers.size + 2);
    return this.#numbers.size + 1;
  }

  /** A number for the way from the operation's index to its operand's: moves with equal texts are the same way. */
  #move(operation: Operation, i: number): number {
    const moves = this.#moves.get(operation) ?? [];
    this.#moves.set(operation, moves);
    const known = moves[i];
    if (known !== undefined) return known;
    const shapes = `${operation.operands[i]?.type.shape.join()}:${operation.results[0]?.type.shape.join()}`;
    const text = `${moveText(operation) ?? `operation ${this.#moves.size} ${i}`}:${shapes}`;
    const number = this.#texts.get(text) ?? this.#texts.size;
    this.#texts.set(text, number);
    moves[i] = number;
    return number;
  }
}

const isSingle = ({ type: { shape } }: Value): boolean => shape.every((size) => size === 1);

/** What determines the operand's index; null for an op with a loop, whose variable is its own. */
const moveText = ({ op, attrs }: Operation): string | null => {
  if (op === broadcast) return `broadcast ${(attrs as { readonly axes: readonly number[] }).axes.join()}`;
  if (op === transpose) return `transpose ${(attrs as { readonly perm: readonly number[] }).perm.join()}`;
  if (op === slice) return `slice ${(attrs as { readonly starts: readonly number[] }).starts.join()}`;
  return op === reshape ? "reshape" : null;
};

/** Ops that read their operands at another index than their own; all others are elementwise. */
const MOVES: ReadonlySet<AnyOp> = new Set<AnyOp>([
  broadcast, transpose, slice, reshape, pad, concat, gather, reduceSum, reduceMax, einsum, bucketHeads, bucketNext,
  bucketSum, randomUniform, randomAt, systematic, dynamicSlice, dynamicUpdateSlice,
  takeRows, takeAlong, mergeRuns, lowerBound, segmentSum,
]);
