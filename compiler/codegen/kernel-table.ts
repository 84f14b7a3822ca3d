/** @file The kernels of a program, each once: layers and entry points that compute the same thing share one.
 *
 *  Two keys. The tree key (ops, attributes and leaf types of an operation with what is inline in it) is cheap and spares
 *  building the kernel of every layer again; the structural key of the built kernel (names excluded) catches trees that
 *  turn out to compute the same. Both ignore what things are called; a kernel keeps the names of its first use. */

import type { Operation, Value } from "../../ir/core.ts";
import { InternalError } from "../../ir/diagnostic.ts";
import type { KernelSource } from "../../runtime/abi.ts";
import { buildKernel } from "./build-kernel.ts";
import { emitGpujs } from "./emit-gpujs.ts";
import type { Expr, Kernel } from "./kernel.ts";
import { kernelName, Namer } from "./names.ts";

/** The operation that is computed in place wherever a value is used; undefined for values that have a buffer. */
export type InlineProducer = (value: Value) => Operation | undefined;

export interface KernelUse {
  readonly kernel: number;
  /** The values to pass, in the order of the kernel's inputs. */
  readonly args: readonly Value[];
}

/** How a backend computes an operation whole: in phases, each a kernel that is passed all results, temporaries and operands. */
export interface WholeKernel<P> {
  /** Elements of buffers that the phases share. */
  readonly temporaries: readonly number[];
  readonly phases: readonly P[];
}

export interface WholeUse {
  /** One a phase. */
  readonly kernels: readonly number[];
  readonly temporaries: readonly number[];
}

/** A kernel of the program: a loop nest, or a phase of an operation computed whole, under the operation's name. */
export type TableEntry<P> = { readonly nest: Kernel } | { readonly phase: P; readonly name: string };

interface Known {
  readonly kernel: number;
  readonly leaves: readonly number[];
}

/** P: what a phase is to the backend; the table only numbers them. */
export class KernelTable<P = never> {
  readonly entries: TableEntry<P>[] = [];
  readonly #lowerWhole: ((operation: Operation) => WholeKernel<P>) | null;
  readonly #wholes = new Map<string, WholeUse>();
  readonly #byTree = new Map<string, Known>();
  readonly #byStructure = new Map<string, number>();
  readonly #namer = new Namer();

  constructor(lowerWhole: ((operation: Operation) => WholeKernel<P>) | null = null) {
    this.#lowerWhole = lowerWhole;
  }

  /** The loop nests, where there is nothing else. */
  get kernels(): readonly Kernel[] {
    return this.entries.map(nestOf);
  }

  /** The kernels as gpu.js takes them. */
  sources(): readonly KernelSource[] {
    return this.kernels.map(emitGpujs);
  }

  /** The kernel that computes `root`. */
  use(root: Operation, inlineProducer: InlineProducer): KernelUse {
    const { key, leaves } = treeOf(root, inlineProducer);
    const known = this.#byTree.get(key) ?? this.#add(root, leaves, inlineProducer);
    this.#byTree.set(key, known);
    return { kernel: known.kernel, args: known.leaves.flatMap((leaf) => leaves[leaf] ?? []) };
  }

  /** The kernels of an operation that was not taken apart. */
  useWhole(operation: Operation): WholeUse {
    if (this.#lowerWhole === null) throw new InternalError(`sq.${operation.op.mnemonic} is not of the stage kernel`);
    const key = wholeKey(operation);
    const known = this.#wholes.get(key);
    if (known !== undefined) return known;
    const { temporaries, phases } = this.#lowerWhole(operation);
    const name = this.#namer.unique(kernelName(operation.path, operation.results[0]?.name ?? "", operation.op.mnemonic));
    const use = { temporaries, kernels: phases.map((phase) => this.entries.push({ phase, name }) - 1) };
    this.#wholes.set(key, use);
    return use;
  }

  #add(root: Operation, leaves: readonly Value[], inlineProducer: InlineProducer): Known {
    const wanted = kernelName(root.path, root.results[0]?.name ?? "", root.op.mnemonic);
    const built = buildKernel(root, leaves, inlineProducer, wanted);
    const key = structuralKey(built.kernel);
    const same = this.#byStructure.get(key);
    if (same !== undefined) return { kernel: same, leaves: built.leaves };
    const kernel = { ...built.kernel, name: this.#namer.unique(wanted) };
    const index = this.entries.push({ nest: kernel }) - 1;
    this.#byStructure.set(key, index);
    return { kernel: index, leaves: built.leaves };
  }
}

const nestOf = <P>(entry: TableEntry<P>): Kernel => {
  if ("nest" in entry) return entry.nest;
  throw new InternalError(`${entry.name} is no loop nest`);
};

/** Equal for operations of different layers that compute the same thing. */
const wholeKey = ({ op, operands, attrs }: Operation): string => {
  const { site: _site, ...others } = attrs as { readonly site?: string };
  return `${op.mnemonic}${attrsKey(others)}(${operands.map(({ type }) => `${type.dtype}[${type.shape.join()}]`).join()})`;
};

interface Tree {
  readonly key: string;
  /** Values with buffers that the tree reads, each once, in order of appearance. */
  readonly leaves: readonly Value[];
}

const treeOf = (root: Operation, inlineProducer: InlineProducer): Tree => {
  const leaves = new Map<Value, number>();
  const inner = new Map<Operation, number>();
  const operationKey = (operation: Operation): string => {
    const seen = inner.get(operation);
    if (seen !== undefined) return `^${seen}`;
    inner.set(operation, inner.size);
    let operands = "";
    for (const operand of operation.operands) operands += `${valueKey(operand)},`;
    return `${operation.op.mnemonic}${attrsKey(operation.attrs)}(${operands})`;
  };
  const valueKey = (value: Value): string => {
    const producer = inlineProducer(value);
    if (producer !== undefined) return operationKey(producer);
    const seen = leaves.get(value);
    if (seen !== undefined) return `#${seen}`;
    leaves.set(value, leaves.size);
    return `${value.type.dtype}[${value.type.shape.join()}]`;
  };
  return { key: operationKey(root), leaves: [...leaves.keys()] };
};

/** Attributes without how the model spells dimensions. Every layer's operations come by here, so it is made to be quick. */
const attrsKey = (attrs: unknown): string => {
  if (typeof attrs === "string") return attrs;
  if (typeof attrs !== "object" || attrs === null) return Object.is(attrs, -0) ? "-0" : `${attrs}`;
  let key = "";
  if (Array.isArray(attrs)) for (const item of attrs) key += `${attrsKey(item)},`;
  else for (const name in attrs) if (name !== "dims") key += `${name}=${attrsKey((attrs as Readonly<Record<string, unknown>>)[name])};`;
  return `{${key}}`;
};

/** Equal for kernels that differ in names only. */
export const structuralKey = (kernel: Kernel): string => {
  const numbers = new Map<string, number>();
  const declare = (name: string): string => `${numbers.set(name, numbers.size).size}`;
  const text = (expr: Expr): string => {
    switch (expr.kind) {
      case "const":
        return Object.is(expr.value, -0) ? "-0" : `${expr.value}`;
      case "var":
        return `v${numbers.get(expr.name) ?? expr.name}`;
      case "load":
        return `l${expr.input}[${expr.at.map(text).join()}]`;
      case "unary":
        return `${expr.fn}(${text(expr.arg)})`;
      case "binary":
        return `${expr.fn}(${text(expr.left)},${text(expr.right)})`;
      case "select":
        return `select(${text(expr.cond)},${text(expr.then)},${text(expr.otherwise)})`;
      case "let":
        return `let(${text(expr.value)};${declare(expr.name)}:${text(expr.body)})`;
      case "reduce":
        return `${expr.fn}(${expr.loops.map((loop) => `${declare(loop.name)}<${loop.extent}`).join()}:${text(expr.body)})`;
      case "walk":
        return `walk(${text(expr.head)};${declare(expr.cursor)}:${text(expr.next)};${expr.limit};${text(expr.body)})`;
      case "fold":
        return `${expr.halving ? "halving" : "fold"}(${text(expr.init)};${declare(expr.accumulator)},${declare(expr.loop.name)}<${expr.loop.extent}:${text(expr.next)})`;
    }
  };
  const axes = kernel.axes.map((axis) => `${declare(axis.name)}<${axis.extent}`).join();
  const inputs = kernel.inputs.map((input) => `${input.dtype}${input.shape.join("x")}`).join();
  return `${kernel.dtype}(${inputs})[${axes}]${text(kernel.body)}`;
};
