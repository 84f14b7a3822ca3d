/** @file An op and its expansion mean the same: evaluated and interpreted results agree, types included, and an expansion
 *  ends in the ops that kernels are made of. */

import { describe, expect, it } from "vitest";
import type { AnyOp, Operation } from "../../ir/core.ts";
import { evaluateOp, interpret } from "../../ir/interpret.ts";
import { OPS } from "../../ir/ops/index.ts";
import { sameType } from "../../ir/types.ts";
import { casesOf, dataOf, makeFunc, namedInputs, relativeError, resultTypesOf, typesOf } from "./support.ts";

const EXPANDABLE = OPS.filter((op) => op.expand !== null);

/** Ops that appear when everything that can expand does. */
const opsBelow = (operations: readonly Operation[]): readonly AnyOp[] =>
  operations.flatMap(({ op, operands, attrs }) => {
    if (op.expand === null) return [op];
    const inner = makeFunc(operands.map(({ type }) => type), (b, params) => op.expand?.(b, params, attrs) ?? []);
    return opsBelow(inner.ops);
  });

describe.each(EXPANDABLE.map((op) => [op.mnemonic, op] as const))("%s", (_, op) => {
  it.each(casesOf(op).map((c, i) => [i, c] as const))("equals its expansion on example %i", (_i, c) => {
    const operands = typesOf(c.example);
    const data = dataOf(c.example);
    const types = resultTypesOf(c);
    const whole = evaluateOp(op, data, operands, types, c.example.attrs);
    const func = makeFunc(operands, (b, params) => op.expand?.(b, params, c.example.attrs) ?? []);
    expect(func.results.length).toBe(types.length);
    func.results.forEach(({ value }, i) => expect(sameType(value.type, types[i]!)).toBe(true));
    const parts = [...interpret(func, namedInputs(data)).results.values()];
    parts.forEach((part, i) => expect(relativeError(part, whole.results[i]!), `result ${i}`).toBeLessThan(1e-12));
    expect(opsBelow(func.ops).every((below) => below.expand === null)).toBe(true);
  });
});
