/** @file Evaluates a kernel directly, in float64: what its data says, with nothing in between. Tests compare it with the
 *  ops' own evaluation and with what the emitted source computes; it also checks that every load is within bounds. */

import { InternalError } from "../../ir/diagnostic.ts";
import { strides } from "../../ir/types.ts";
import type { Expr, Kernel, Loop } from "./kernel.ts";
import { BINARY, UNARY } from "./scalar-functions.ts";

type Scope = Map<string, number>;

interface Input {
  readonly data: Float64Array;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

export const evaluateKernel = (kernel: Kernel, inputs: readonly Float64Array[]): Float64Array => {
  const tensors = kernel.inputs.map((input, i): Input => {
    const data = inputs[i];
    if (data === undefined) throw new InternalError(`${kernel.name}: input ${i} is missing`);
    return { data, shape: input.shape, strides: strides(input.shape) };
  });
  const out = new Float64Array(kernel.axes.reduce((product, axis) => product * axis.extent, 1));
  let next = 0;
  forEach(kernel.axes, new Map(), (scope) => {
    out[next++] = evaluate(kernel.body, tensors, scope);
  });
  return out;
};

const forEach = (loops: readonly Loop[], scope: Scope, body: (scope: Scope) => void): void => {
  const [loop, ...inner] = loops;
  if (loop === undefined) return body(scope);
  for (let i = 0; i < loop.extent; i++) forEach(inner, new Map(scope).set(loop.name, i), body);
};

const evaluate = (expr: Expr, inputs: readonly Input[], scope: Scope): number => {
  const value = (e: Expr): number => evaluate(e, inputs, scope);
  switch (expr.kind) {
    case "const":
      return expr.value;
    case "var":
      return known(scope.get(expr.name), expr.name);
    case "load":
      return load(known(inputs[expr.input], `input ${expr.input}`), expr.at.map(value));
    case "unary":
      return UNARY[expr.fn](value(expr.arg));
    case "binary":
      return BINARY[expr.fn](value(expr.left), value(expr.right));
    case "select":
      return value(expr.cond) !== 0 ? value(expr.then) : value(expr.otherwise);
    case "let":
      return evaluate(expr.body, inputs, new Map(scope).set(expr.name, value(expr.value)));
    case "reduce": {
      let total = expr.fn === "sum" ? 0 : Number.NEGATIVE_INFINITY;
      forEach(expr.loops, scope, (inner) => {
        const term = evaluate(expr.body, inputs, inner);
        total = expr.fn === "sum" ? total + term : Math.max(total, term);
      });
      return total;
    }
    case "walk":
      return walk(expr, inputs, scope);
    case "fold": {
      let last = value(expr.init);
      for (let i = 0; i < expr.loop.extent; i++) {
        const index = expr.halving ? 2 ** (expr.loop.extent - 1 - i) : i;
        last = evaluate(expr.next, inputs, new Map(scope).set(expr.loop.name, index).set(expr.accumulator, last));
      }
      return last;
    }
  }
};

const walk = (expr: Expr & { kind: "walk" }, inputs: readonly Input[], scope: Scope): number => {
  let total = 0;
  let cursor = evaluate(expr.head, inputs, scope);
  for (let hops = 0; cursor >= 0; hops++) {
    if (hops >= expr.limit) throw new InternalError("a list is longer than its limit");
    const inner = new Map(scope).set(expr.cursor, cursor);
    total += evaluate(expr.body, inputs, inner);
    cursor = evaluate(expr.next, inputs, inner);
  }
  return total;
};

const load = (input: Input, at: readonly number[]): number => {
  let place = 0;
  at.forEach((index, axis) => {
    const size = input.shape[axis] ?? 0;
    if (!(index >= 0 && index < size)) throw new InternalError(`load at [${at.join(", ")}] of [${input.shape.join(", ")}]`);
    place += index * (input.strides[axis] ?? 0);
  });
  return known(input.data[place], "element");
};

const known = <T>(value: T | undefined, what: string): T => {
  if (value === undefined) throw new InternalError(`unknown ${what} in a kernel`);
  return value;
};
