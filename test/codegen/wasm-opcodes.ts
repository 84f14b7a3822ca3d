/** @file What each instruction takes and leaves, by the rules of its name: enough to write a function around any of them. */

import { OPCODES } from "../../compiler/codegen/wasm/instructions.ts";
import type { Instruction, OpcodeName, ValueType } from "../../compiler/codegen/wasm/instructions.ts";
import type { WasmFunction } from "../../compiler/codegen/wasm/module.ts";

interface Signature {
  readonly takes: readonly ValueType[];
  readonly leaves: ValueType | "";
}

const SCALARS: Readonly<Record<string, ValueType>> = { i32: "i32", i64: "i64", f32: "f32", f64: "f64", i32x4: "i32", i64x2: "i64", f32x4: "f32", f64x2: "f64" };

const COMPARES = /^(eq|ne|lt|gt|le|ge)(_[su])?$/;
const UNARY = /^(abs|neg|sqrt|ceil|floor|trunc|nearest|not|ctz)$/;
const CONVERTS = /^(convert|promote|demote|reinterpret|trunc|trunc_sat|extend|wrap)_(.*_)?([if](32|64))(x[24])?(_[su])?(_zero)?$/;

const MEMORY: Readonly<Record<string, Signature>> = {
  "memory.copy": { takes: ["i32", "i32", "i32"], leaves: "" },
  "memory.fill": { takes: ["i32", "i32", "i32"], leaves: "" },
  "memory.atomic.notify": { takes: ["i32", "i32"], leaves: "i32" },
  "memory.atomic.wait32": { takes: ["i32", "i32", "i64"], leaves: "i32" },
};

const vectorSignature = (scalar: ValueType | undefined, name: string): Signature => {
  const of = (...takes: readonly ValueType[]): Signature => ({ takes, leaves: "v128" });
  if (name === "splat" && scalar !== undefined) return of(scalar);
  if (name === "extract_lane" && scalar !== undefined) return { takes: ["v128"], leaves: scalar };
  if (name === "replace_lane" && scalar !== undefined) return of("v128", scalar);
  if (/_true$|^bitmask$/.test(name)) return { takes: ["v128"], leaves: "i32" };
  if (/^sh[lr]/.test(name)) return of("v128", "i32");
  if (name === "bitselect" || /^relaxed_n?madd$/.test(name)) return of("v128", "v128", "v128");
  return UNARY.test(name) || CONVERTS.test(name) ? of("v128") : of("v128", "v128");
};

export const signatureOf = (op: OpcodeName): Signature => {
  const known = MEMORY[op];
  if (known !== undefined) return known;
  const [space = "", ...rest] = op.split(".");
  const name = rest.join(".");
  const type = space === "v128" || space.includes("x") ? "v128" : (SCALARS[space] ?? "i32");
  if (name === "const") return { takes: [], leaves: type };
  if (/load/.test(name)) return { takes: ["i32"], leaves: type };
  if (/store/.test(name)) return { takes: ["i32", type], leaves: "" };
  if (/^atomic\.rmw/.test(name)) return { takes: ["i32", type], leaves: type };
  if (type === "v128") return vectorSignature(SCALARS[space], name);
  if (name === "eqz") return { takes: [type], leaves: "i32" };
  if (COMPARES.test(name)) return { takes: [type, type], leaves: "i32" };
  const from = CONVERTS.exec(name)?.[3];
  if (from !== undefined) return { takes: [SCALARS[from] ?? type], leaves: type };
  return { takes: UNARY.test(name) ? [type] : [type, type], leaves: type };
};

const at = (op: OpcodeName, ...values: readonly number[]): Instruction => ({ op, values });
const opens = (op: OpcodeName, type: ValueType | "" = ""): Instruction => ({ op, values: [], type });

/** Bodies of functions from an i32 to an i32, each with the instructions that need others around them. */
const CONTROL: readonly (readonly Instruction[])[] = [
  [at("unreachable")],
  [opens("block", "i32"), at("local.get", 0), at("br", 0), at("end")],
  [opens("loop"), at("local.get", 0), at("br_if", 0), at("end"), at("local.get", 0)],
  [at("local.get", 0), opens("if", "i32"), at("i32.const", 1), at("else"), at("i32.const", 2), at("end")],
  [at("local.get", 0), at("local.tee", 1), at("local.set", 1), at("local.get", 1), at("return")],
  [at("local.get", 0), at("local.get", 0), at("drop"), at("call", 0)],
  [at("i32.const", 1), at("i32.const", 2), at("local.get", 0), at("select")],
];

const SIXTEEN = Array.from({ length: 16 }, (_, i) => 31 - 2 * i);

const valuesOf = (op: OpcodeName): readonly number[] => {
  const { immediate } = OPCODES[op];
  if (immediate === "v128" || immediate === "shuffle") return SIXTEEN;
  if (immediate === "memory") return [op.includes("atomic") ? 2 : 0, 4];
  return immediate === "memory-lane" ? [0, 4, 1] : immediate === "none" ? [] : [1];
};

const plainFunction = (op: OpcodeName): WasmFunction => {
  const { takes, leaves } = signatureOf(op);
  return {
    name: op.replaceAll(".", "_"),
    parameters: takes.map((type, i) => ({ name: `p${i}`, type })),
    results: leaves === "" ? [] : [leaves],
    locals: [],
    body: [...takes.map((_, i) => at("local.get", i)), { op, values: valuesOf(op) }],
    exported: false,
  };
};

const controlFunction = (body: readonly Instruction[], index: number): WasmFunction => ({
  name: `control${index}`,
  parameters: [{ name: "x", type: "i32" }],
  results: ["i32"],
  locals: [{ name: "y", type: "i32" }],
  body,
  exported: false,
});

/** One function for each instruction of the table, the first of them for those that steer. */
export const functionsOfAll = (): readonly WasmFunction[] => {
  const steering = new Set(CONTROL.flat().map(({ op }) => op));
  const others = (Object.keys(OPCODES) as OpcodeName[]).filter((op) => !steering.has(op) || op === "i32.const");
  return [...CONTROL.map(controlFunction), ...others.map(plainFunction)];
};
