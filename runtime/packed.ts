/** @file Entry points as compact text, as a compiled module carries them: a deep model launches thousands of kernels, which
 *  should be data on a few lines and not thousands of lines of code.
 *
 *  Every field is a list of words separated by white space:
 *      values    `elements@offset`
 *      inputs    `value:role:below:type:name`      outputs    `value:type:name`
 *      launches  `kernel:result,also:arg,arg:part`, and `@path` before the launches of a layer
 *  `below` and `type` may be empty: no bound, and the type of the parameter that `name` or `name` after its first dot is
 *  (`grad.Mlp.up` is shaped like `Mlp.up`). A type reads `f32[2x8]{B,4*D}`; `~` stands for a space in a dimension. */

import type { Entry, InputPort, KernelSource, Launch, LaunchPart, OptimizerSpec, ParameterSpec, Port, PortRole, ProgramHead } from "./abi.ts";

export interface PackedEntry {
  readonly values: string;
  readonly inputs: string;
  readonly outputs: string;
  readonly launches: string;
  readonly arenaBytes: number;
}

/** A program with packed entries; its kernels are whatever they are. */
export interface PackedHead {
  readonly model: string;
  readonly dims: Readonly<Record<string, number>>;
  readonly parameters: readonly ParameterSpec[];
  readonly optimizer: OptimizerSpec | null;
  readonly entries: Readonly<Record<string, PackedEntry>>;
}

export interface PackedProgram extends PackedHead {
  readonly kernels: readonly KernelSource[];
}

export const unpackProgram = <const P extends PackedHead>(packed: P): Omit<P, "entries"> & ProgramHead => {
  const specs = new Map(packed.parameters.map((spec) => [spec.name, spec]));
  const entries = Object.entries(packed.entries).map(([name, entry]) => [name, unpackEntry(name, entry, specs)] as const);
  return { ...packed, version: 1, entries: Object.fromEntries(entries) };
};

type Specs = ReadonlyMap<string, ParameterSpec>;

const words = (text: string): readonly string[] => text.split(/\s+/).filter((word) => word !== "");

const unpackEntry = (name: string, packed: PackedEntry, specs: Specs): Entry => ({
  name,
  inputs: words(packed.inputs).map((word) => unpackInput(word, specs)),
  outputs: words(packed.outputs).map((word) => unpackOutput(word, specs)),
  launches: unpackLaunches(packed.launches),
  values: words(packed.values).map((word) => {
    const [elements, offset] = word.split("@");
    return { elements: Number(elements), offset: Number(offset) };
  }),
  arenaBytes: packed.arenaBytes,
});

/** The first `count` fields of a word, and the rest, which may contain the separator. */
const fields = (word: string, count: number): readonly string[] => {
  const parts = word.split(":");
  return [...parts.slice(0, count), parts.slice(count).join(":")];
};

const unpackInput = (word: string, specs: Specs): InputPort => {
  const [value, role, below = "", type = "", name = ""] = fields(word, 4);
  const port = unpackPort(Number(value), type, name, specs);
  return { ...port, role: role as PortRole, ...(below === "" ? {} : { below: Number(below) }) };
};

const unpackOutput = (word: string, specs: Specs): Port => {
  const [value, type = "", name = ""] = fields(word, 2);
  return unpackPort(Number(value), type, name, specs);
};

const unpackPort = (value: number, type: string, name: string, specs: Specs): Port => {
  if (type === "") {
    const spec = specs.get(name) ?? specs.get(name.slice(name.indexOf(".") + 1));
    return { name, value, dtype: "f32", shape: spec?.shape ?? [], dims: spec?.dims ?? [] };
  }
  const [dtype = "", shape = "", dims = ""] = type.split(/[[\]{}]+/);
  return {
    name,
    value,
    dtype: dtype as Port["dtype"],
    shape: shape === "" ? [] : shape.split("x").map(Number),
    dims: dims === "" ? [] : dims.replaceAll("~", " ").split(","),
  };
};

const unpackLaunches = (text: string): readonly Launch[] => {
  const launches: Launch[] = [];
  let path = "";
  for (const word of words(text)) {
    if (word.startsWith("@")) path = word.slice(1);
    else {
      const [kernel, results = "", args = "", part] = word.split(":");
      const [result = 0, ...also] = results.split(",").map(Number);
      launches.push({
        kernel: Number(kernel),
        args: args === "" ? [] : args.split(",").map(Number),
        result,
        ...(also.length === 0 ? {} : { also }),
        ...(part === undefined ? {} : { part: part as LaunchPart }),
        path,
      });
    }
  }
  return launches;
};
