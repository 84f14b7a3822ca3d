/** @file Patterns over operations, as data: `on(transpose, bind("inner", on(transpose, value("x"))))` reads like the
 *  expression it matches and knows, in its type, what it captures. Matching walks definitions downwards from one root
 *  operation, so whether a pattern matches depends on the root's operand tree alone; `passes/rewrite.ts` relies on it. */

import type { Op, AnyOp, Operation, Value } from "./core.ts";

declare const captured: unique symbol;

/** Matches a value; B maps the names it binds to what they are bound to. */
export interface Pattern<B extends object> {
  readonly node: PatternNode;
  readonly [captured]?: B;
}

/** Matches the first result of an operation of one kind, with attributes of type A. */
export interface OpPattern<A extends object, B extends object> extends Pattern<B> {
  readonly node: PatternNode & { readonly kind: "op" };
  readonly attrs?: A;
}

export type PatternNode =
  | { readonly kind: "value"; readonly name: string }
  | { readonly kind: "op"; readonly op: AnyOp; readonly operands: readonly PatternNode[]; readonly name: string };

/** A matched operation whose attributes have the type its op declares. */
export interface Matched<A extends object> extends Operation {
  readonly attrs: A;
}

type Intersection<U> = (U extends unknown ? (u: U) => void : never) extends (i: infer I) => void ? I : never;
type Captures<P> = P extends Pattern<infer B> ? B : never;
type Joined<P extends readonly unknown[]> = P["length"] extends 0 ? object : Intersection<Captures<P[number]>>;

/** Any value; the same name twice demands the same value. */
export const value = <N extends string>(name: N): Pattern<{ readonly [K in N]: Value }> => ({
  node: { kind: "value", name },
});

/** An operation of this kind with operands that match. */
export const on = <
  O extends readonly Value[],
  A extends object,
  P extends { readonly [I in keyof O]: Pattern<object> },
>(op: Op<O, A>, ...operands: P): OpPattern<A, Joined<P> & object> => ({
  node: { kind: "op", op, operands: (operands as readonly Pattern<object>[]).map((p) => p.node), name: "" },
});

/** The same pattern; the operation it matches is captured as well. */
export const bind = <N extends string, A extends object, B extends object>(
  name: N,
  pattern: OpPattern<A, B>,
): OpPattern<A, B & { readonly [K in N]: Matched<A> }> => ({ node: { ...pattern.node, name } });

/** The operation that computes a value; undefined for parameters. */
export type Definitions = (value: Value) => Operation | undefined;

export interface Match {
  readonly bindings: Readonly<Record<string, Value | Operation>>;
  /** The operations the pattern names, root first. */
  readonly operations: readonly Operation[];
}

type OpNode = PatternNode & { readonly kind: "op" };

interface Matching {
  readonly bindings: Record<string, Value | Operation>;
  readonly operations: Operation[];
}

/** What the pattern captures at `root`, null where it does not match. */
export const matchAt = (node: OpNode, root: Operation, defs: Definitions): Match | null => {
  if (!looksLike(node, root, defs)) return null;
  const match: Matching = { bindings: {}, operations: [] };
  return matchOperation(node, root, defs, match) ? match : null;
};

/** Do the kinds of operations agree? Most attempts end here, so nothing is allocated. */
const looksLike = (node: OpNode, operation: Operation, defs: Definitions): boolean => {
  if (operation.op !== node.op || operation.operands.length !== node.operands.length) return false;
  for (let i = 0; i < node.operands.length; i++) {
    const inner = node.operands[i];
    if (inner === undefined || inner.kind === "value") continue;
    const operand = operation.operands[i];
    const definition = operand === undefined ? undefined : defs(operand);
    if (definition === undefined || definition.results[0] !== operand || !looksLike(inner, definition, defs)) return false;
  }
  return true;
};

const matchOperation = (node: OpNode, operation: Operation, defs: Definitions, match: Matching): boolean => {
  if (operation.op !== node.op || operation.operands.length !== node.operands.length) return false;
  if (node.name !== "") match.bindings[node.name] = operation;
  match.operations.push(operation);
  return node.operands.every((inner, i) => {
    const operand = operation.operands[i];
    return operand !== undefined && matchValue(inner, operand, defs, match);
  });
};

const matchValue = (node: PatternNode, operand: Value, defs: Definitions, match: Matching): boolean => {
  if (node.kind === "value") {
    const before = match.bindings[node.name];
    match.bindings[node.name] = operand;
    return before === undefined || before === operand;
  }
  const definition = defs(operand);
  return definition?.results[0] === operand && matchOperation(node, definition, defs, match);
};
