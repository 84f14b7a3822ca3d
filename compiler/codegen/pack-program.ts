/** @file Writes entry points as the compact text that `runtime/packed.ts` describes and reads back. */

import type { Entry, InputPort, Launch, ParameterSpec, Port, ProgramHead } from "../../runtime/abi.ts";
import type { PackedEntry } from "../../runtime/packed.ts";

export const packEntry = (entry: Entry, program: ProgramHead): PackedEntry => {
  const specs = new Map(program.parameters.map((spec) => [spec.name, spec]));
  const { inputs, outputs, launches, values, arenaBytes } = entry;
  return {
    values: values.map(({ elements, offset }) => `${elements}@${offset}`).join(" "),
    inputs: inputs.map((port) => packInput(port, specs)).join(" "),
    outputs: outputs.map((port) => `${port.value}:${packType(port, specs)}:${port.name}`).join(" "),
    launches: packLaunches(launches),
    arenaBytes,
  };
};

const packInput = (port: InputPort, specs: ReadonlyMap<string, ParameterSpec>): string =>
  `${port.value}:${port.role}:${port.below ?? ""}:${packType(port, specs)}:${port.name}`;

const packType = ({ name, dtype, shape, dims }: Port, specs: ReadonlyMap<string, ParameterSpec>): string => {
  const spec = specs.get(name) ?? specs.get(name.slice(name.indexOf(".") + 1));
  const inherited = spec !== undefined && dtype === "f32" && spec.shape.join() === shape.join() && spec.dims.join() === dims.join();
  return inherited ? "" : `${dtype}[${shape.join("x")}]{${dims.join(",").replaceAll(" ", "~")}}`;
};

const packLaunches = (launches: readonly Launch[]): string => {
  let path = "";
  const words = launches.flatMap((launch) => {
    const { kernel, result, also = [], args, part } = launch;
    const word = [kernel, [result, ...also].join(), args.join(), ...(part === undefined ? [] : [part])].join(":");
    if (launch.path === path) return [word];
    path = launch.path;
    return [`@${path}`, word];
  });
  return words.join(" ");
};

/** Words on lines of at most `width` characters. */
export const wrapWords = (text: string, width: number): readonly string[] => {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + word.length + 1 > width) {
      lines.push(line);
      line = "";
    }
    line += line === "" ? word : ` ${word}`;
  }
  return line === "" ? lines : [...lines, line];
};
