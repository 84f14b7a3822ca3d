/** @file The functions of the kernel form that SIMD has no instruction for, on four float32 lanes at a time. Each is within
 *  2 ulp over all floats and gives what IEEE 754 (and JavaScript) says at zeros, infinities and NaN; none can trap.
 *
 *  They do not call each other, so they may stand anywhere in a module; a kernel calls `math_exp` by its index, or writes
 *  `MATH.exp.lanes` into its own loop. */

import { FunctionBuilder } from "./builder.ts";
import { erf } from "./math-erf.ts";
import { exp, logistic, tanh } from "./math-exp.ts";
import type { Lanes } from "./math-lanes.ts";
import { log, rsqrt } from "./math-log.ts";
import { pow } from "./math-pow.ts";
import { cos, sin } from "./math-trig.ts";
import type { Local, WasmFunction } from "./module.ts";

export interface MathFunction {
  readonly operands: readonly string[];
  /** The value, of operands that are cheap to push (locals). What it keeps is computed at once. */
  readonly lanes: (f: FunctionBuilder, ...operands: readonly [Lanes, Lanes]) => Lanes;
}

const ofOne = (lanes: (f: FunctionBuilder, x: Lanes) => Lanes): MathFunction => ({ operands: ["x"], lanes });

export const MATH = {
  exp: ofOne(exp), log: ofOne(log), rsqrt: ofOne(rsqrt), logistic: ofOne(logistic), tanh: ofOne(tanh), erf: ofOne(erf), sin: ofOne(sin), cos: ofOne(cos),
  pow: { operands: ["x", "y"], lanes: pow },
} as const satisfies Readonly<Record<string, MathFunction>>;

export type MathName = keyof typeof MATH;

export const MATH_NAMES = Object.keys(MATH) as readonly MathName[];

/** `math_<name>`: v128 parameters, one v128 result. */
export const mathFunction = (name: MathName): WasmFunction => {
  const { operands, lanes }: MathFunction = MATH[name];
  const f = new FunctionBuilder(`math_${name}`, operands.map((operand): Local => ({ name: operand, type: "v128" })));
  const [x, y = x] = operands.map((operand): Lanes => (g) => void g.get(f.parameter(operand)));
  if (x === undefined || y === undefined) throw new RangeError(`math_${name} has no operand`);
  lanes(f, x, y)(f);
  return f.finish(false, ["v128"]);
};

/** One function a name, in the order of the names: where the first is function number `base` of the module, `names[i]` is
 *  number `base + i`. */
export const mathFunctions = (names: readonly MathName[]): readonly WasmFunction[] => names.map(mathFunction);

/** The number of each function of `mathFunctions(names)` in a module where they start at `base`. */
export const mathIndices = (names: readonly MathName[], base: number): ReadonlyMap<MathName, number> =>
  new Map(names.map((name, i) => [name, base + i]));
