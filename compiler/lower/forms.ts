/** @file Every form of a checked program as operations of the IR: a total table, one entry a form. */

import type { Builder } from "../../ir/builder.ts";
import type { Op, TensorType, Value } from "../../ir/core.ts";
import { deriveKey } from "../../ir/derive-key.ts";
import { InternalError } from "../../ir/diagnostic.ts";
import * as ops from "../../ir/ops/index.ts";
import { scalar } from "../../ir/types.ts";
import type { BinaryOp, Form, Node, UnaryOp } from "../check/program.ts";
import { lowerAttention } from "./attention.ts";
import { broadcastTo, reshapeTo } from "./broadcast.ts";
import { lowerEinsum } from "./einsum.ts";

export interface Lowering {
  readonly b: Builder;
  /** The key of the last random draw; of the first one, before there is any (`freshKey`). */
  key: Value;
  drawn: boolean;
  readonly sites: ReadonlyMap<Node, string>;
  readonly policyOf: (site: string) => string;
  readonly names: ReadonlyMap<Node, string>;
  readonly values: Map<Node, Value>;
  readonly parameters: ReadonlyMap<string, Value>;
}

type FormOf<K extends Form["kind"]> = Extract<Form, { kind: K }>;
type Rule<K extends Form["kind"]> = (l: Lowering, node: Node, form: FormOf<K>) => Value;

const UNARY: { readonly [O in UnaryOp]: Op<[x: Value], Record<never, never>> } = {
  neg: ops.neg, exp: ops.exp, log: ops.log, sqrt: ops.sqrt, rsqrt: ops.rsqrt, tanh: ops.tanh, erf: ops.erf, logistic: ops.logistic,
  sin: ops.sin, cos: ops.cos, abs: ops.abs, sign: ops.sign, floor: ops.floor, not: ops.not,
};

const BINARY: { readonly [O in BinaryOp]: Op<[a: Value, b: Value], Record<never, never>> } = {
  add: ops.add, sub: ops.sub, mul: ops.mul, div: ops.div, pow: ops.pow, max: ops.max, min: ops.min,
  idiv: ops.idiv, mod: ops.mod, and: ops.and, or: ops.or,
};

/** The value of an operand. A number becomes a scalar constant where it is used. */
export const valueOf = (l: Lowering, node: Node | undefined): Value => {
  if (node === undefined) throw new InternalError("a form lacks an operand");
  if (node.form.kind === "number") return l.b.one(ops.constant, [], { value: node.form.value, type: scalar(node.type.dtype) });
  const value = l.values.get(node);
  if (value === undefined) throw new InternalError(`${node.form.kind} is used before it is computed`);
  return value;
};

/** The same, in the shape of `type`; a number fills it. */
const stretched = (l: Lowering, node: Node | undefined, type: TensorType): Value => {
  if (node?.form.kind === "number")
    return l.b.one(ops.constant, [], { value: node.form.value, type: { ...type, dtype: node.type.dtype } });
  return broadcastTo(l.b, valueOf(l, node), type);
};

const nameOf = (l: Lowering, node: Node): string => l.names.get(node) ?? "";

/** The two draws there are: numbers for a mask, and words for the next key. Sites are constants of kernels, so with these
 *  two only, all draws of a shape are one kernel, however deep the model. */
const MASK = 0;
const NEXT_KEY = 1;

/** A key for one draw: the entry's for the first, then each from the one before. */
const freshKey = (l: Lowering): Value => {
  if (l.drawn) l.key = deriveKey(l.b, l.key, NEXT_KEY);
  l.drawn = true;
  return l.key;
};

/** x ** n as products where n is a small whole number, or a root: `pow` is slow, and has no sign for negative x. */
const lowerPower = (l: Lowering, node: Node): Value | null => {
  const [base, exponent] = node.operands;
  if (exponent?.form.kind !== "number" || base?.form.kind === "number") return null;
  const { b } = l;
  const name = nameOf(l, node);
  const x = (): Value => stretched(l, base, node.type);
  switch (exponent.form.value) {
    case 0.5:
      return b.one(ops.sqrt, [x()], {}, name);
    case -0.5:
      return b.one(ops.rsqrt, [x()], {}, name);
    case -1:
      return b.one(ops.div, [b.one(ops.constant, [], { value: 1, type: node.type }), x()], {}, name);
    case 1:
      return x();
    case 2: {
      const value = x();
      return b.one(ops.mul, [value, value], {}, name);
    }
    case 3: {
      const value = x();
      return b.one(ops.mul, [b.one(ops.mul, [value, value], {}), value], {}, name);
    }
    default:
      return null;
  }
};

const RULES: { readonly [K in Form["kind"]]: Rule<K> | null } = {
  // Numbers have no operation of their own: what uses one knows the shape it wants.
  number: null,
  input: null,
  parameter: (l, _node, { name }) => {
    const value = l.parameters.get(name);
    if (value === undefined) throw new InternalError(`no parameter ${name}`);
    return value;
  },
  unary: (l, node, { op }) => l.b.one(UNARY[op], [valueOf(l, node.operands[0])], {}, nameOf(l, node)),
  binary: (l, node, { op }) => {
    const power = op === "pow" ? lowerPower(l, node) : null;
    if (power !== null) return power;
    const [x, y] = node.operands;
    return l.b.one(BINARY[op], [stretched(l, x, node.type), stretched(l, y, node.type)], {}, nameOf(l, node));
  },
  compare: (l, node, { direction }) => {
    const [x, y] = node.operands;
    return l.b.one(ops.compare, [stretched(l, x, node.type), stretched(l, y, node.type)], { direction }, nameOf(l, node));
  },
  select: (l, node) => {
    const [condition, x, y] = node.operands.map((operand) => stretched(l, operand, node.type));
    if (condition === undefined || x === undefined || y === undefined) throw new InternalError("a selection has three operands");
    return l.b.one(ops.select, [condition, x, y], {}, nameOf(l, node));
  },
  convert: (l, node) => l.b.one(ops.convert, [valueOf(l, node.operands[0])], { to: node.type.dtype }, nameOf(l, node)),
  iota: (l, node, { axis }) => l.b.one(ops.iota, [], { axis, type: node.type }, nameOf(l, node)),
  reduce: (l, node, { op, axes }) =>
    l.b.one(op === "sum" ? ops.reduceSum : ops.reduceMax, [valueOf(l, node.operands[0])], { axes }, nameOf(l, node)),
  softmax: (l, node, { axis, log }) =>
    l.b.one(log ? ops.logSoftmax : ops.softmax, [valueOf(l, node.operands[0])], { axis }, nameOf(l, node)),
  einsum: (l, node, { inputs, output }) =>
    lowerEinsum(l.b, node.operands.map((operand) => valueOf(l, operand)), inputs, output, nameOf(l, node)),
  transpose: (l, node, { perm }) => l.b.one(ops.transpose, [valueOf(l, node.operands[0])], { perm }, nameOf(l, node)),
  reshape: (l, node) => reshapeTo(l.b, valueOf(l, node.operands[0]), node.type),
  expand: (l, node) => stretched(l, node.operands[0], node.type),
  slice: (l, node, { starts, limits }) => l.b.one(ops.slice, [valueOf(l, node.operands[0])], { starts, limits }, nameOf(l, node)),
  concat: (l, node, { axis }) => l.b.one(ops.concat, node.operands.map((operand) => valueOf(l, operand)), { axis }, nameOf(l, node)),
  gather: (l, node) => l.b.one(ops.gather, [valueOf(l, node.operands[0]), valueOf(l, node.operands[1])], {}, nameOf(l, node)),
  attention: (l, node, form) => {
    const site = l.sites.get(node) ?? node.path;
    const operands = node.operands.map((operand) => valueOf(l, operand));
    const key = form.dropout > 0 ? freshKey(l) : null;
    return lowerAttention(l.b, operands, form, key, { site, backward: l.policyOf(site), name: nameOf(l, node) }, node.type);
  },
  /** y = x / (1 - rate) where u >= rate, else 0. */
  dropout: (l, node, { rate }) => {
    const { b } = l;
    const { type } = node;
    const filled = (value: number): Value => b.one(ops.constant, [], { value, type });
    const u = b.one(ops.randomUniform, [freshKey(l)], { site: MASK, type });
    const kept = b.one(ops.compare, [u, filled(rate)], { direction: "ge" }, "kept");
    const scaled = b.one(ops.mul, [stretched(l, node.operands[0], type), filled(1 / (1 - rate))], {});
    return b.one(ops.select, [kept, scaled, filled(0)], {}, nameOf(l, node));
  },
  cross_entropy: (l, node, { ignore }) =>
    l.b.one(ops.crossEntropy, [valueOf(l, node.operands[0]), valueOf(l, node.operands[1])], { ignore }, nameOf(l, node) || "nll"),
};

/** Builds a node's operations and remembers its value. */
export const lowerNode = (l: Lowering, node: Node): void => {
  // The table maps each kind to a rule for that kind; TypeScript cannot follow the pair through an index.
  const rule = RULES[node.form.kind] as Rule<Form["kind"]> | null;
  if (rule !== null) l.values.set(node, rule(l, node, node.form));
};
