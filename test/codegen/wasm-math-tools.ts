/** @file Runs a vector function over arrays, and measures in units in the last place. */

import { FunctionBuilder } from "../../compiler/codegen/wasm/builder.ts";
import { encodeModule } from "../../compiler/codegen/wasm/encode.ts";
import { MATH, mathFunctions, mathIndices } from "../../compiler/codegen/wasm/math.ts";
import type { MathFunction, MathName } from "../../compiler/codegen/wasm/math.ts";
import type { WasmFunction } from "../../compiler/codegen/wasm/module.ts";

const PAGE = 65536;

/** map_<name>(out, in0, in1, count): a function of every vector; count is a multiple of 4. */
const mapFunction = (name: MathName, index: number): WasmFunction => {
  const { operands }: MathFunction = MATH[name];
  const f = new FunctionBuilder(`map_${name}`, ["out", "x", "y", "bytes"].map((parameter) => ({ name: parameter, type: "i32" })));
  const [out, bytes] = [f.parameter("out"), f.parameter("bytes")];
  const at = f.local("i32", "at");
  f.while(at, () => f.get(bytes), 16, () => {
    f.get(out).get(at).op("i32.add");
    for (const operand of operands) f.get(f.parameter(operand)).get(at).op("i32.add").op("v128.load", 2, 0);
    f.op("call", index).op("v128.store", 2, 0);
  });
  return f.finish(true);
};

export type VectorMap = (x: Float32Array, y?: Float32Array) => Float32Array;

/** Each function as a map over arrays of at most `capacity` elements. */
export const mathMaps = (names: readonly MathName[], capacity: number): Readonly<Record<string, VectorMap>> => {
  const indices = mathIndices(names, 0);
  const maps = names.map((name) => mapFunction(name, indices.get(name) ?? -1));
  const pages = Math.ceil((capacity * 4 * 3) / PAGE) + 1;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const shape = { from: "env", name: "memory", initial: pages, maximum: pages, shared: false };
  const bytes = encodeModule({ memory: shape, functions: [...mathFunctions(names), ...maps] });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  const region = (index: number): Float32Array => new Float32Array(memory.buffer, index * capacity * 4, capacity);
  const callable = (name: MathName): VectorMap => (x, y) => {
    region(1).set(x);
    region(2).set(y ?? []);
    const run = exports[`map_${name}`] as (out: number, x: number, y: number, bytes: number) => void;
    run(0, capacity * 4, capacity * 8, Math.ceil(x.length / 4) * 16);
    return region(0).slice(0, x.length);
  };
  return Object.fromEntries(names.map((name) => [name, callable(name)]));
};

const LEAST_EXPONENT = -149;

/** How far `got` is from the exact value, in units in the last place of the float32 nearest to the exact value. */
export const ulps = (got: number, exact: number): number => {
  if (Object.is(got, exact) || (Number.isNaN(got) && Number.isNaN(exact))) return 0;
  const rounded = Math.fround(exact);
  if (got === rounded) return Number.isFinite(rounded) ? Math.abs(got - exact) / unit(rounded) : 0;
  return Number.isFinite(got) && Number.isFinite(rounded) ? Math.abs(got - exact) / unit(rounded) : Infinity;
};

const WORD = new Uint32Array(1);
const FLOAT = new Float32Array(WORD.buffer);

/** The distance of neighbours at a float32. */
const unit = (value: number): number => {
  FLOAT[0] = value;
  const exponent = ((WORD[0] ?? 0) >>> 23) & 0xff;
  return 2 ** Math.max(LEAST_EXPONENT, exponent - 150);
};
