/** @file What the functions of the kernel form are in instructions: of one value, or of four lanes. */

import type { BinaryFn } from "../kernel.ts";
import type { FunctionBuilder } from "./builder.ts";
import type { OpcodeName } from "./instructions.ts";
import type { Kind } from "./kinds.ts";

/** One value, or four. */
export type Width = 1 | 4;

type Pair = readonly [one: OpcodeName, four: OpcodeName];

const at = (pair: Pair, width: Width): OpcodeName => pair[width === 1 ? 0 : 1];

const FLOAT: Readonly<Partial<Record<BinaryFn, Pair>>> = {
  add: ["f32.add", "f32x4.add"],
  sub: ["f32.sub", "f32x4.sub"],
  mul: ["f32.mul", "f32x4.mul"],
  div: ["f32.div", "f32x4.div"],
  max: ["f32.max", "f32x4.max"],
  min: ["f32.min", "f32x4.min"],
  eq: ["f32.eq", "f32x4.eq"],
  ne: ["f32.ne", "f32x4.ne"],
  lt: ["f32.lt", "f32x4.lt"],
  le: ["f32.le", "f32x4.le"],
  gt: ["f32.gt", "f32x4.gt"],
  ge: ["f32.ge", "f32x4.ge"],
};

const INTEGER: Readonly<Partial<Record<BinaryFn, Pair>>> = {
  add: ["i32.add", "i32x4.add"],
  sub: ["i32.sub", "i32x4.sub"],
  mul: ["i32.mul", "i32x4.mul"],
  eq: ["i32.eq", "i32x4.eq"],
  ne: ["i32.ne", "i32x4.ne"],
  lt: ["i32.lt_s", "i32x4.lt_s"],
  le: ["i32.le_s", "i32x4.le_s"],
  gt: ["i32.gt_s", "i32x4.gt_s"],
  ge: ["i32.ge_s", "i32x4.ge_s"],
};

const LOGIC: Readonly<Partial<Record<BinaryFn, Pair>>> = {
  and: ["i32.and", "v128.and"],
  or: ["i32.or", "v128.or"],
};

/** The one instruction that computes `fn` of two such values; null where there is none. */
export const binaryOpcode = (fn: BinaryFn, kind: Kind, width: Width): OpcodeName | null => {
  const pair = (kind === "f32" ? FLOAT : kind === "i32" ? INTEGER : LOGIC)[fn];
  if (kind === "i32" && width === 4 && fn === "max") return "i32x4.max_s";
  if (kind === "i32" && width === 4 && fn === "min") return "i32x4.min_s";
  return pair === undefined ? null : at(pair, width);
};

/** What is on the stack, turned from one kind into another. */
export const convert = (f: FunctionBuilder, from: Kind, to: Kind, width: Width): void => {
  if (from === to) return;
  if (width === 1) {
    if (to === "bool") void (from === "f32" ? f.f32(0).op("f32.ne") : f.i32(0).op("i32.ne"));
    else if (to === "f32") f.op("f32.convert_i32_s");
    else if (from === "f32") f.op("i32.trunc_sat_f32_s");
    return;
  }
  if (to === "bool") void (from === "f32" ? f.splat(0).op("f32x4.ne") : f.splatBits(0).op("i32x4.ne"));
  else if (from === "bool") (to === "f32" ? f.splat(1) : f.splatBits(1)).op("v128.and");
  else f.op(to === "f32" ? "f32x4.convert_i32x4_s" : "i32x4.trunc_sat_f32x4_s");
};

/** Four lanes of the one value on the stack. */
export const spread = (f: FunctionBuilder, kind: Kind, scratch: () => number): void => {
  if (kind === "f32") return void f.op("f32x4.splat");
  if (kind === "i32") return void f.op("i32x4.splat");
  const truth = scratch();
  f.set(truth).i32(0).get(truth).op("i32.sub").op("i32x4.splat");
};

/** One lane of the four on the stack. */
export const lane = (f: FunctionBuilder, kind: Kind, index: number): void => {
  f.op(kind === "f32" ? "f32x4.extract_lane" : "i32x4.extract_lane", index);
  if (kind === "bool") f.i32(1).op("i32.and");
};

export const replaceLane = (kind: Kind): OpcodeName => (kind === "f32" ? "f32x4.replace_lane" : "i32x4.replace_lane");
