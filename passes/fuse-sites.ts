/** @file Bookkeeping of `fuse`: which kernels compute or load a value, at how many different indices, how often. */

import type { AnyOp, Operation, Value } from "../ir/core.ts";
import {
  broadcast, bucketHeads, bucketNext, bucketSum, concat, constant, einsum, gather, iota, pad, randomUniform, reduceMax,
  reduceSum, reshape, slice, transpose,
} from "../ir/ops/index.ts";
import { elements } from "../ir/types.ts";
import { loopCount, readsOf } from "./kernel-cost.ts";

/** Arrays a kernel can read. */
const INPUTS = 7;
/** Operations in one kernel, each counted once an index at which it is computed. */
const NODES = 128;

/** One index at which a kernel needs a value. */
interface Site {
  readonly kernel: Kernel;
  /** The number of the index; uses of a value at one index of one kernel are one computation. */
  readonly at: number;
  /** Times the value is computed there, in all threads together. */
  readonly evals: number;
  readonly inLoop: boolean;
}

/** What is known about a kernel while its tree grows. */
interface Kernel {
  /** Values it reads: buffers, or operations that are not decided yet. */
  readonly leaves: Set<Value>;
  nodes: number;
  /** Has it an operation with a loop? */
  loops: boolean;
}

export interface Use {
  readonly evals: number;
  readonly inLoop: boolean;
}

/** Values that are computed from nothing and therefore never read from a buffer. */
export const isFree = ({ op }: Operation): boolean => op === constant || op === iota;

export class KernelSites {
  readonly #sites = new Map<Value, Map<Kernel, Site[]>>();
  readonly #free: ReadonlySet<Value>;
  readonly #indices = new IndexNumbers();

  constructor(free: ReadonlySet<Value>) {
    this.#free = free;
  }

  /** How the kernels decided so far use a value; null if none does. */
  useOf(value: Value): Use | null {
    let [evals, inLoop] = [0, false];
    for (const sites of this.#sites.get(value)?.values() ?? []) {
      for (const site of sites) {
        evals += site.evals;
        inLoop ||= site.inLoop;
      }
    }
    return this.#sites.has(value) ? { evals, inLoop } : null;
  }

  /** Operands of an operation that come from buffers. */
  loads(operation: Operation): number {
    return operation.operands.filter((operand) => !this.#free.has(operand)).length;
  }

  /** Would every kernel that uses the operation's result still be within the limits if it computed it? */
  fits(operation: Operation, result: Value): boolean {
    const loops = loopCount(operation) > 1;
    const needed = new Set(operation.operands.filter((operand) => !this.#free.has(operand)));
    for (const [kernel, sites] of this.#sites.get(result) ?? []) {
      let leaves = kernel.leaves.size - 1;
      for (const operand of needed) if (!kernel.leaves.has(operand)) leaves += 1;
      if (leaves > INPUTS || kernel.nodes + sites.length > NODES || (loops && kernel.loops)) return false;
    }
    return true;
  }

  /** The operation is a kernel of its own. */
  root(operation: Operation, result: Value): void {
    const kernel: Kernel = { leaves: new Set(), nodes: 1, loops: loopCount(operation) > 1 };
    this.#reach(operation, [{ kernel, at: ROOT, evals: elements(result.type), inLoop: false }]);
  }

  /** The operation is computed wherever its result is used. */
  inline(operation: Operation, result: Value): void {
    const sites = this.#sitesOf(result);
    for (const { kernel } of sites) {
      kernel.leaves.delete(result);
      kernel.nodes += 1;
      kernel.loops ||= loopCount(operation) > 1;
    }
    this.#reach(operation, sites);
  }

  #sitesOf(value: Value): readonly Site[] {
    return [...(this.#sites.get(value)?.values() ?? [])].flat();
  }

  /** The operands of an operation computed at `sites` are needed there. */
  #reach(operation: Operation, sites: readonly Site[]): void {
    const loops = loopCount(operation) > 1;
    operation.operands.forEach((operand, i) => {
      if (this.#free.has(operand)) return;
      const byKernel = this.#sites.get(operand) ?? new Map<Kernel, Site[]>();
      this.#sites.set(operand, byKernel);
      for (const site of sites) {
        const at = this.#indices.operand(operation, i, site.at);
        site.kernel.leaves.add(operand);
        const known = byKernel.get(site.kernel) ?? [];
        if (known.some((other) => other.at === at)) continue;
        known.push({ kernel: site.kernel, at, evals: site.evals * readsOf(operation, i), inLoop: site.inLoop || loops });
        byKernel.set(site.kernel, known);
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
  readonly #numbers = new Map<string, number>();
  readonly #operations = new Map<Operation, number>();

  operand(operation: Operation, i: number, at: number): number {
    const { op, operands, results } = operation;
    const operand = operands[i];
    if (operand !== undefined && elements(operand.type) === 1) return ONLY;
    if (!MOVES.has(op)) return at;
    const key = `${at}:${this.#move(operation, i)}:${operand?.type.shape.join()}:${results[0]?.type.shape.join()}`;
    const number = this.#numbers.get(key) ?? this.#numbers.size + 2;
    this.#numbers.set(key, number);
    return number;
  }

  /** Moves with equal texts lead from an index to the same index; an op with a loop has a variable of its own. */
  #move(operation: Operation, i: number): string {
    const { op, attrs } = operation;
    if (op === broadcast) return `broadcast ${(attrs as { readonly axes: readonly number[] }).axes.join()}`;
    if (op === transpose) return `transpose ${(attrs as { readonly perm: readonly number[] }).perm.join()}`;
    if (op === slice) return `slice ${(attrs as { readonly starts: readonly number[] }).starts.join()}`;
    if (op === reshape) return "reshape";
    const known = this.#operations.get(operation) ?? this.#operations.size;
    this.#operations.set(operation, known);
    return `operation ${known} ${i}`;
  }
}

/** Ops that read their operands at another index than their own; all others are elementwise. */
const MOVES: ReadonlySet<AnyOp> = new Set<AnyOp>([
  broadcast, transpose, slice, reshape, pad, concat, gather, reduceSum, reduceMax, einsum, bucketHeads, bucketNext,
  bucketSum, randomUniform,
]);
