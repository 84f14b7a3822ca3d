/** @file A module as text (WebAssembly core specification, "Text Format"): what people read, and what wabt reads back. */

import { OPCODES } from "./instructions.ts";
import type { Instruction } from "./instructions.ts";
import type { WasmFunction, WasmModule } from "./module.ts";

/** A float that a reader parses to the same bits. */
const floatText = (value: number): string => {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  return Object.is(value, -0) ? "-0" : `${value}`;
};

const laneText = (bytes: readonly number[]): string => {
  const words = new Uint32Array(Uint8Array.from(bytes).buffer);
  return `i32x4 ${Array.from(words, (word) => `0x${word.toString(16).padStart(8, "0")}`).join(" ")}`;
};

const operandsText = ({ op, values, type }: Instruction, func: WasmFunction, module: WasmModule): string => {
  const [first = 0, second = 0, third = 0] = values;
  switch (OPCODES[op].immediate) {
    case "none":
    case "zero":
    case "two-zeros":
      return "";
    case "local":
      return `$${[...func.parameters, ...func.locals][first]?.name ?? first}`;
    case "function":
      return `$${module.functions[first]?.name ?? first}`;
    case "memory":
      return [...(second === 0 ? [] : [`offset=${second}`]), `align=${2 ** first}`].join(" ");
    case "memory-lane":
      return [...(second === 0 ? [] : [`offset=${second}`]), `align=${2 ** first}`, `${third}`].join(" ");
    case "v128":
      return laneText(values);
    case "f32":
      return floatText(Math.fround(first));
    case "block":
      return type === undefined || type === "" ? "" : `(result ${type})`;
    case "label":
    case "lane":
    case "shuffle":
    case "i32":
      return values.join(" ");
  }
};

const OPENS = new Set(["block", "loop", "if", "else"]);
const CLOSES = new Set(["end", "else"]);

const functionText = (func: WasmFunction, module: WasmModule): readonly string[] => {
  const parameters = func.parameters.map(({ name, type }) => ` (param $${name} ${type})`).join("");
  const results = func.results.length === 0 ? "" : ` (result ${func.results.join(" ")})`;
  const lines = [`  (func $${func.name}${func.exported ? ` (export "${func.name}")` : ""}${parameters}${results}`];
  for (const { name, type } of func.locals) lines.push(`    (local $${name} ${type})`);
  let depth = 2;
  for (const instruction of func.body) {
    if (CLOSES.has(instruction.op)) depth -= 1;
    const operands = operandsText(instruction, func, module);
    lines.push(`${"  ".repeat(depth)}${instruction.op}${operands === "" ? "" : ` ${operands}`}`);
    if (OPENS.has(instruction.op)) depth += 1;
  }
  return [...lines, "  )"];
};

export const printFunction = (func: WasmFunction, module: WasmModule): string => functionText(func, module).join("\n");

export const printWat = (module: WasmModule): string => {
  const { from, name, initial, maximum, shared } = module.memory;
  const memory = `  (import "${from}" "${name}" (memory ${initial} ${maximum}${shared ? " shared" : ""}))`;
  return ["(module", memory, ...module.functions.flatMap((func) => functionText(func, module)), ")", ""].join("\n");
};
