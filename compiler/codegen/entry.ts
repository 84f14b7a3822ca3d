/** @file One entry point: which values have buffers, and the kernels that fill them, in order. */

import type { AnyOp, Func, Operation, Result, TensorType, Value } from "../../ir/core.ts";
import { InternalError } from "../../ir/diagnostic.ts";
import { bucketHeads, gather, reshape, slice, transpose, broadcast } from "../../ir/ops/index.ts";
import * as poly from "../../ir/poly.ts";
import { UNKNOWN } from "../../ir/span.ts";
import { elements } from "../../ir/types.ts";
import type { Entry, InputPort, Launch, LaunchPart, Port } from "../../runtime/abi.ts";
import type { KernelTable } from "./kernel-table.ts";
import { layOut } from "./layout.ts";

/** What an entry does with each operation of its function. */
export interface Plan {
  /** Operations that are kernels, in order. */
  readonly roots: readonly Operation[];
  /** Reshapes of buffers: the same buffer under another type. */
  readonly aliases: readonly Operation[];
  readonly inlineProducer: (value: Value) => Operation | undefined;
}

export const planEntry = (func: Func): Plan => {
  const results = new Set(func.results.map((result) => result.value));
  const inline = new Map<Value, Operation>();
  const roots: Operation[] = [];
  const aliases: Operation[] = [];
  for (const operation of func.ops) {
    const [result, ...more] = operation.results;
    if (result === undefined || (more.length > 0 && !isWhole(operation))) throw new InternalError(`sq.${operation.op.mnemonic} is no kernel: it does not have one result`);
    const [operand] = operation.operands;
    if (operation.inline && !results.has(result)) inline.set(result, operation);
    else if (operation.op === reshape && operand !== undefined && !inline.has(operand)) aliases.push(operation);
    else roots.push(operation);
  }
  return { roots, aliases, inlineProducer: (value) => inline.get(value) };
};

/** Is it computed by a kernel of the backend's own, which may have several results? */
export const isWhole = ({ op }: Operation): boolean => op.expand !== null;

const partOf = ({ op }: Operation): LaunchPart => (/_vjp(_|$)/.test(op.mnemonic) ? "attention_vjp" : "attention");

export const generateEntry = <P>(func: Func, table: KernelTable<P>): Entry => {
  const { roots, aliases, inlineProducer } = planEntry(func);
  const aliased = new Map<Value, Value>(aliases.flatMap(({ operands: [from], results: [to] }) => (from && to ? [[to, from]] : [])));
  const base = (value: Value): Value => {
    const source = aliased.get(value);
    return source === undefined ? value : base(source);
  };
  const buffers = new Map<Value, number>();
  const sizes: number[] = [];
  const allocate = (value: Value): number => {
    buffers.set(value, sizes.length);
    return sizes.push(elements(value.type)) - 1;
  };
  const bufferOf = (value: Value): number => {
    const buffer = buffers.get(base(value));
    if (buffer === undefined) throw new InternalError(`%${value.name} is used in @${func.name} before it is computed`);
    return buffer;
  };
  const launches: Launch[] = [];
  const launch = (root: Operation, result: Value): number => {
    const { kernel, args } = table.use(root, inlineProducer);
    const numbers = args.map(bufferOf);
    const buffer = allocate(result);
    launches.push({ kernel, args: numbers, result: buffer, path: root.path });
    return buffer;
  };
  const launchWhole = (operation: Operation): void => {
    const { kernels, temporaries } = table.useWhole(operation);
    const args = operation.operands.map(bufferOf);
    const [result = 0, ...more] = operation.results.map(allocate);
    const also = [...more, ...temporaries.map((size) => sizes.push(size) - 1)];
    for (const kernel of kernels) launches.push({ kernel, args, result, also, part: partOf(operation), path: operation.path });
  };

  const inputs = func.params.map(({ value, name, role }): InputPort => {
    const below = role === "input" ? tableRows(func, value) : null;
    return { ...port(name, value.type, allocate(value)), role, ...(below === null ? {} : { below }) };
  });
  for (const root of roots) {
    if (isWhole(root)) launchWhole(root);
    else launch(root, root.results[0] ?? missing(root));
  }
  const taken = new Set(inputs.map((input) => input.value));
  const outputs = func.results.map((result): Port => {
    const own = bufferOf(result.value);
    const value = taken.has(own) ? launch(copyOf(result), { type: result.value.type, name: result.name }) : own;
    taken.add(value);
    return port(result.name, result.value.type, value);
  });
  const { offsets, bytes } = layOut(sizes, launches, inputs, outputs);
  const values = sizes.map((size, i) => ({ elements: size, offset: offsets[i] ?? 0 }));
  return { name: func.name, inputs, outputs, launches, values, arenaBytes: bytes };
};

const missing = (operation: Operation): never => {
  throw new InternalError(`sq.${operation.op.mnemonic} has no result`);
};

/** Outputs have buffers of their own: one that is an input, or another output too, is copied. */
const copyOf = ({ value, name }: Result): Operation => ({
  op: reshape,
  operands: [value],
  attrs: { type: value.type },
  results: [{ type: value.type, name }],
  path: "",
  loc: UNKNOWN,
  inline: false,
});

const port = (name: string, type: TensorType, value: number): Port => ({
  name,
  value,
  dtype: type.dtype,
  shape: type.shape,
  dims: type.dims.map((dim) => poly.print(dim)),
});

/** Ops whose result has only elements of their operand. */
const MOVERS: ReadonlySet<AnyOp> = new Set<AnyOp>([reshape, transpose, slice, broadcast]);

/** Rows of the smallest table that a parameter's elements index; null where none is known. */
export const tableRows = (func: Func, param: Value): number | null => {
  if (param.type.dtype !== "i32") return null;
  const moved = new Set([param]);
  let rows = Number.POSITIVE_INFINITY;
  for (const { op, operands, results, attrs } of func.ops) {
    const [first, second] = operands;
    if (first !== undefined && MOVERS.has(op) && moved.has(first)) for (const result of results) moved.add(result);
    if (op === gather && second !== undefined && moved.has(second)) rows = Math.min(rows, first?.type.shape[0] ?? rows);
    if (op === bucketHeads && first !== undefined && moved.has(first)) rows = Math.min(rows, (attrs as { readonly rows: number }).rows);
  }
  return Number.isFinite(rows) ? rows : null;
};
