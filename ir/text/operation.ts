/** @file Reads one operation: `%r, … = "sq.op"(%a, …) {attributes} : (types) -> types loc(…)`. */

import type { AttrNode } from "../attrs.ts";
import type { AnyOp, Operation, TensorType, Value } from "../core.ts";
import { opByName } from "../ops/index.ts";
import type { Span } from "../span.ts";
import { UNIT, readDictionary, readNode } from "./attr.ts";
import type { LocReader } from "./loc.ts";
import type { Reader } from "./reader.ts";
import { checkType, keptName } from "./scope.ts";
import type { Scope, Use } from "./scope.ts";
import type { TypeReader } from "./type.ts";

/** What the lines of a text share. */
export interface Context {
  readonly reader: Reader;
  readonly types: TypeReader;
  readonly locs: LocReader;
}

interface Target {
  readonly name: string;
  readonly count: number;
  readonly span: Span;
}

/** Reads an operation and defines its results in `scope`; on a mistake its results are poisoned and the error goes on. */
export const readOperation = (context: Context, scope: Scope): Operation => {
  const { reader } = context;
  const targets = readTargets(reader);
  try {
    const operation = readRest(context, scope, targets);
    let at = 0;
    for (const { name, count, span } of targets) scope.define(reader, name, operation.results.slice(at, (at += count)), span);
    return operation;
  } catch (error) {
    for (const { name, span } of targets) scope.poison(name, span);
    throw error;
  }
};

const readTargets = (reader: Reader): Target[] => {
  const targets: Target[] = [];
  if (reader.kind !== "value") return targets;
  do {
    const start = reader.start;
    const name = reader.take("value", "a result");
    const count = reader.acceptPunct(":") ? reader.takeInteger("how many results") : 1;
    targets.push({ name, count, span: reader.spanFrom(start) });
  } while (reader.acceptPunct(","));
  reader.expectPunct("=");
  return targets;
};

const readRest = (context: Context, scope: Scope, targets: readonly Target[]): Operation => {
  const { reader, types } = context;
  const start = reader.start;
  const op = readOp(reader);
  const opSpan = reader.spanFrom(start);
  reader.expectPunct("(");
  const uses = reader.list(")", () => scope.use(reader));
  const nodes = readDictionary(reader, () => readNode(reader, types), UNIT);
  const { path, inline } = takeDiscardable(reader, nodes, opSpan);
  const attrs = decodeAttrs(reader, op, nodes, opSpan);
  reader.expectPunct(":");
  readOperandTypes(context, uses);
  reader.expectPunct("->");
  const results = readResults(context, targets);
  const loc = context.locs.readOptional(reader);
  return { op, operands: uses.map((use) => use.value), attrs, results, path, loc, inline };
};

const readOp = (reader: Reader): AnyOp => {
  const at = reader.span;
  const name = reader.takeText("string", 'an operation (`"sq.add"(…)`)');
  const op = name.startsWith("sq.") ? opByName(name.slice(3)) : undefined;
  return op ?? reader.fail("SQ0402", `there is no operation \`${name}\``, at);
};

const takeDiscardable = (reader: Reader, nodes: Map<string, AttrNode>, span: Span): { path: string; inline: boolean } => {
  const path = nodes.get("sq.path");
  const inline = nodes.get("sq.inline");
  if (path !== undefined && path.kind !== "string") reader.fail("SQ0407", "attribute `sq.path` is a string", span);
  if (inline !== undefined && inline.kind !== "unit") reader.fail("SQ0407", "attribute `sq.inline` has no value", span);
  nodes.delete("sq.path");
  nodes.delete("sq.inline");
  return { path: path?.value ?? "", inline: inline !== undefined };
};

const decodeAttrs = (reader: Reader, op: AnyOp, nodes: Map<string, AttrNode>, span: Span): object => {
  const attrs: Record<string, unknown> = {};
  for (const key in op.attrs) {
    const codec = op.attrs[key];
    const node = nodes.get(key) ?? null;
    const value: unknown = codec?.decode(node);
    if (value === undefined) {
      const what = `attribute \`${key}\` of sq.${op.mnemonic}`;
      const expects = codec?.expects ?? "";
      reader.fail("SQ0407", node === null ? `${what} is missing; it is ${expects}` : `${what} is not ${expects}`, span);
    }
    attrs[key] = value;
    nodes.delete(key);
  }
  const [unknown] = nodes.keys();
  if (unknown !== undefined) reader.fail("SQ0407", `sq.${op.mnemonic} has no attribute \`${unknown}\``, span);
  return attrs;
};

const readOperandTypes = ({ reader, types }: Context, uses: readonly Use[]): void => {
  const start = reader.start;
  reader.expectPunct("(");
  let n = 0;
  reader.list(")", () => {
    const at = reader.start;
    const written = types.read(reader);
    const use = uses[n++];
    if (use !== undefined) checkType(reader, use, written, reader.spanFrom(at));
  });
  if (n !== uses.length)
    reader.fail("SQ0405", `${uses.length} operands but ${n} operand types`, reader.spanFrom(start));
};

const readResults = ({ reader, types }: Context, targets: readonly Target[]): Value[] => {
  const start = reader.start;
  const written: TensorType[] = reader.acceptPunct("(") ? reader.list(")", () => types.read(reader)) : [types.read(reader)];
  const names = targets.flatMap(({ name, count }) => new Array<string>(count).fill(name));
  if (names.length !== written.length && targets.length > 0)
    reader.fail("SQ0405", `${names.length} results but ${written.length} result types`, reader.spanFrom(start));
  return written.map((type, i): Value => ({ type, name: keptName(names[i] ?? "") }));
};
