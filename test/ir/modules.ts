/** @file Modules to print and read: one from every example of every op, and random ones. */

import fc from "fast-check";
import type { AttrNode } from "../../ir/attrs.ts";
import type { AnyOp, Func, Module, Operation, Param, TensorType, Value } from "../../ir/core.ts";
import { isViolation } from "../../ir/core.ts";
import { OPS } from "../../ir/ops/index.ts";
import * as poly from "../../ir/poly.ts";
import { UNKNOWN } from "../../ir/span.ts";
import type { Loc } from "../../ir/span.ts";

/** The operation that `op`'s example number `index` describes, on fresh operands. */
export const exampleOperation = (op: AnyOp, index: number): Operation => {
  const example = op.examples[index];
  if (example === undefined) throw new Error(`sq.${op.mnemonic} has no example ${index}`);
  const operands = example.operands.map(({ type }, i): Value => ({ type, name: (op.operands[i] ?? "").replace("...", "") }));
  return applied(op, operands, example.attrs as object);
};

const applied = (op: AnyOp, operands: readonly Value[], attrs: object): Operation => {
  const types = op.infer(operands.map((value) => value.type), attrs);
  if (isViolation(types)) throw new Error(`sq.${op.mnemonic}: ${types.constraint}: ${types.message}`);
  const results = types.map((type, i): Value => ({ type, name: op.results[i] ?? "" }));
  return { op, operands, attrs, results, path: "", loc: UNKNOWN, inline: false };
};

const inputs = (values: readonly Value[]): Param[] =>
  values.map((value, i) => ({ value, name: `in.${i}`, role: "input", init: "" }));

/** A function that applies one operation to its parameters. */
export const functionOf = (operation: Operation): Func => ({
  name: operation.op.mnemonic,
  params: inputs(operation.operands),
  ops: [operation],
  results: operation.results.map((value, i) => ({ value, name: `out.${i}` })),
});

const moduleWith = (func: Func): Module => ({ name: "example", dims: new Map(), funcs: [func], attrs: {} });

/** Every example of every op, labelled. */
export const exampleModules = (): [label: string, module: Module][] =>
  OPS.flatMap((op) =>
    op.examples.map((_, i): [string, Module] => [`sq.${op.mnemonic} ${i}`, moduleWith(functionOf(exampleOperation(op, i)))]),
  );

const dim = fc.oneof(
  fc.constantFrom("B", "T", "4*D", "D*H^-1", "2*M - 1", "B*T^2 + 4*D", "0.5*D").map((text) => poly.parse(text) ?? poly.ONE),
  fc.integer({ min: 1, max: 9 }).map(poly.constant),
);

const type: fc.Arbitrary<TensorType> = fc.record({
  dtype: fc.constantFrom("f32" as const, "i32" as const, "i1" as const),
  axes: fc.array(fc.record({ dim, size: fc.integer({ min: 1, max: 9 }) }), { maxLength: 4 }),
}).map(({ dtype, axes }) => ({ dtype, shape: axes.map((axis) => axis.size), dims: axes.map((axis) => axis.dim) }));

const text = fc.oneof(fc.string({ maxLength: 12 }), fc.string({ unit: "binary", maxLength: 12 })).filter((s) => !/\p{Surrogate}/u.test(s));
/** MLIR has no symbol and no file without a name. */
const someText = text.filter((s) => s !== "");

const name = fc.oneof(fc.constantFrom("", "h", "h_1", "d_h", "0", "a b", "Block.0.wq", "x-", "αβ"), text);

const number = fc.oneof(fc.double(), fc.constantFrom(0, -0, Infinity, -Infinity, NaN, 1e21, 1e-7, 0.1, 5e-324));

const leaf: fc.Arbitrary<AttrNode> = fc.oneof(
  fc.maxSafeInteger().map((value): AttrNode => ({ kind: "int", value: value === 0 ? 0 : value })),
  number.map((value): AttrNode => ({ kind: "float", value })),
  text.map((value): AttrNode => ({ kind: "string", value })),
  fc.boolean().map((value): AttrNode => ({ kind: "bool", value })),
  fc.constant<AttrNode>({ kind: "unit" }),
  type.map((value): AttrNode => ({ kind: "type", value })),
);

const node = fc.oneof(
  leaf,
  fc.array(leaf, { maxLength: 4 }).map((items): AttrNode => ({ kind: "array", items })),
);

const place = fc.record({
  kind: fc.constant("file" as const),
  file: someText,
  line: fc.integer({ min: 1, max: 99 }),
  column: fc.integer({ min: 1, max: 99 }),
});

const loc: fc.Arbitrary<Loc> = fc.oneof(
  fc.constant(UNKNOWN),
  place,
  fc.record({ kind: fc.constant("fused" as const), by: text, from: fc.array(place, { maxLength: 2 }) }),
);

interface Plan {
  readonly pick: number;
  readonly example: number;
  readonly names: readonly string[];
  readonly path: string;
  readonly loc: Loc;
  readonly inline: boolean;
}

const plan: fc.Arbitrary<Plan> = fc.record({
  pick: fc.nat(),
  example: fc.nat(),
  names: fc.array(name, { minLength: 6, maxLength: 6 }),
  path: fc.oneof(fc.constant(""), text),
  loc,
  inline: fc.boolean(),
});

/** A function whose operations take what fits among the values before them, and fresh parameters where nothing does. */
const funcOf = (funcName: string, plans: readonly Plan[]): Func => {
  const params: Param[] = [];
  const values: Value[] = [];
  const ops: Operation[] = [];
  for (const { pick, example, names, path, loc: at, inline } of plans) {
    const op = OPS[pick % OPS.length];
    const chosen = op?.examples[example % op.examples.length];
    if (op === undefined || chosen === undefined) continue;
    const operands = chosen.operands.map(({ type: wanted }, i) => {
      const fitting = values.filter((value) => value.type === wanted);
      const known = fitting[pick % (fitting.length + 1)];
      if (known !== undefined) return known;
      const value: Value = { type: wanted, name: names[i % names.length] ?? "" };
      params.push({ value, name: `p${params.length}`, role: i % 2 ? "input" : "parameter", init: i % 2 ? "" : `zeros # ${path}` });
      values.push(value);
      return value;
    });
    const plain = applied(op, operands, chosen.attrs as object);
    const results = plain.results.map((value, i) => ({ ...value, name: names[(i + 3) % names.length] ?? "" }));
    values.push(...results);
    ops.push({ ...plain, results, path, loc: at, inline });
  }
  const results = values.slice(-3).map((value, i) => ({ value, name: `${funcName}.${i}` }));
  return { name: funcName, params, ops, results };
};

export const randomModule: fc.Arbitrary<Module> = fc
  .record({
    name: text,
    dims: fc.dictionary(fc.constantFrom("B", "T", "D", "heads"), fc.integer({ min: 1, max: 99 })),
    funcs: fc.uniqueArray(fc.record({ name: someText, plans: fc.array(plan, { maxLength: 8 }) }), { maxLength: 3, selector: (f) => f.name }),
    attrs: fc.dictionary(fc.oneof(fc.constantFrom("optimizer", "x.y"), text).filter((key) => key !== "dims"), node),
  })
  .map(({ name: moduleName, dims, funcs, attrs }) => ({
    name: moduleName,
    dims: new Map(Object.entries(dims)),
    funcs: funcs.map((func) => funcOf(func.name, func.plans)),
    attrs,
  }));
