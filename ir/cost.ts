/** @file What operations cost: floating-point operations, and bytes that a kernel for each would move, as polynomials in
 *  the model's dimensions. The interpreter counts the same numbers while it runs, and tests hold the two together. */

import type { CostContext, Func, Operation, TensorType, Value } from "./core.ts";
import { BYTES_PER_ELEMENT } from "./core.ts";
import * as poly from "./poly.ts";
import type { Poly } from "./poly.ts";
import { bytesOf, elements, tensor } from "./types.ts";

export interface Cost {
  readonly flops: Poly;
  readonly bytes: Poly;
}

export interface KindCost extends Cost {
  readonly count: number;
}

export interface FuncCost extends Cost {
  /** By mnemonic, in order of first appearance. */
  readonly byOp: ReadonlyMap<string, KindCost>;
}

const typesOf = (values: readonly Value[]): readonly TensorType[] => values.map((value) => value.type);

const bytesIn = (operation: Operation, ctx: CostContext<object>): Poly =>
  operation.op.bytes?.(ctx) ?? poly.add(...ctx.operandTypes.map(bytesOf), ...ctx.resultTypes.map(bytesOf));

/** The cost of one operation; without a rule of its own an op reads every operand once and writes every result once. */
export const costOf = (operation: Operation): Cost => {
  const ctx = { operandTypes: typesOf(operation.operands), resultTypes: typesOf(operation.results), attrs: operation.attrs };
  return { flops: operation.op.flops(ctx), bytes: bytesIn(operation, ctx) };
};

/** The same type with every axis spelled by its size. */
const numeric = (type: TensorType): TensorType => tensor(type.dtype, type.shape);

const bytesAt = (types: readonly TensorType[]): number =>
  types.reduce((sum, type) => sum + elements(type), 0) * BYTES_PER_ELEMENT;

/** Bytes moved by an operation at the sizes it has. (The interpreter asks this for every operation it runs.) */
export const bytesOfOperation = ({ op, operands, results, attrs }: Operation): number => {
  const [operandTypes, resultTypes] = [typesOf(operands), typesOf(results)];
  if (op.bytes === undefined) return bytesAt(operandTypes) + bytesAt(resultTypes);
  const ctx = { operandTypes: operandTypes.map(numeric), resultTypes: resultTypes.map(numeric), attrs };
  return poly.evaluate(op.bytes(ctx), new Map());
};

const total = (costs: readonly Cost[]): Cost => ({
  flops: poly.add(...costs.map((cost) => cost.flops)),
  bytes: poly.add(...costs.map((cost) => cost.bytes)),
});

/** The cost of a function: in all, and by kind of operation. */
export const costOfFunc = (func: Func): FuncCost => {
  const costs = new Map<string, Cost[]>();
  for (const operation of func.ops) {
    const kind = costs.get(operation.op.mnemonic) ?? [];
    kind.push(costOf(operation));
    costs.set(operation.op.mnemonic, kind);
  }
  const byOp = new Map([...costs].map(([name, kind]): [string, KindCost] => [name, { count: kind.length, ...total(kind) }]));
  return { ...total([...byOp.values()]), byOp };
};
