/** @file A checked program to a module of the IR: every entry one straight-line function. Nothing can fail here. */

import { Builder } from "../../ir/builder.ts";
import type { Func, Module, Param, TensorType, Value } from "../../ir/core.ts";
import { tensor } from "../../ir/types.ts";
import type { Entry, Node, Parameter, TypedProgram } from "../check/program.ts";
import { sitesOf } from "../check/sites.ts";
import type { Lowering } from "./forms.ts";
import { lowerNode, valueOf } from "./forms.ts";
import { locator } from "./places.ts";

/** The key of the random generator: four words below 2^16. */
const KEY: TensorType = tensor("i32", [4]);

export const lowerProgram = (program: TypedProgram): Module => ({
  name: program.name,
  dims: program.dims,
  funcs: program.entries.map((entry) => lowerEntry(program, entry)),
  attrs: program.attrs,
});

const lowerEntry = (program: TypedProgram, entry: Entry): Func => {
  const locOf = locator(program.sources);
  const b = new Builder();
  const values = new Map<Node, Value>();
  const parameters = new Map(program.parameters.map((p) => [p.name, parameterOf(p)]));
  const inputs = entry.inputs.map((node) => inputOf(node, entry));
  const key: Param = { value: { type: KEY, name: "key" }, name: "key", role: "key", init: "" };
  inputs.forEach((param, i) => {
    const node = entry.inputs[i];
    if (node !== undefined) values.set(node, param.value);
  });
  const lowering: Lowering = {
    b,
    key: key.value,
    drawn: false,
    sites: sitesOf(entry.nodes, program.name).names,
    policyOf: program.policyOf,
    names: entry.names,
    values,
    parameters: new Map([...parameters].map(([name, param]) => [name, param.value])),
  };
  for (const node of entry.nodes) b.at({ path: node.path, loc: locOf(node.span) }, () => lowerNode(lowering, node));
  const result = valueOf(lowering, entry.result);
  return {
    name: entry.name,
    params: [...parameters.values(), ...inputs, ...(entry.name === "train_loss" ? [key] : [])],
    ops: b.ops,
    results: [{ value: result, name: entry.name === "forward" ? "result" : "loss" }],
  };
};

const parameterOf = ({ name, type, init }: Parameter): Param => ({
  value: { type, name: name.split(".").at(-1) ?? name },
  name,
  role: "parameter",
  init,
});

const inputOf = (node: Node, entry: Entry): Param => {
  const name = entry.names.get(node) ?? "input";
  return { value: { type: node.type, name }, name, role: "input", init: "" };
};
