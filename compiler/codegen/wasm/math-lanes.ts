/** @file Formulas over vectors: an expression is what pushes its value, so that a function reads like its formula and becomes
 *  instructions in one walk. Only instructions of fixed-width SIMD, whose results are the same on every machine. */

import type { FunctionBuilder } from "./builder.ts";
import type { OpcodeName } from "./instructions.ts";

/** Pushes one v128. */
export type Lanes = (f: FunctionBuilder) => void;

const unary = (op: OpcodeName) => (a: Lanes): Lanes => (f) => {
  a(f);
  f.op(op);
};

const binary = (op: OpcodeName) => (a: Lanes, b: Lanes): Lanes => (f) => {
  a(f);
  b(f);
  f.op(op);
};

const shift = (op: OpcodeName) => (a: Lanes, by: number): Lanes => (f) => {
  a(f);
  f.i32(by).op(op);
};

/** A constant in every lane. */
const float32 = (value: number): Lanes => (f) => void f.splat(value);

const float64 = (value: number): Lanes => {
  const bytes = new Uint8Array(Float64Array.of(value, value).buffer);
  return (f) => void f.op("v128.const", ...bytes);
};

const word = (bits: number): Lanes => (f) => void f.splatBits(bits);

const long = (bits: bigint): Lanes => {
  const bytes = new Uint8Array(BigUint64Array.of(bits, bits).buffer);
  return (f) => void f.op("v128.const", ...bytes);
};

/** Four float32 lanes. `smaller(a, b)` is b < a ? b : a and so keeps a where that is NaN; one instruction on every machine. */
export const f32 = {
  of: float32,
  add: binary("f32x4.add"), sub: binary("f32x4.sub"), mul: binary("f32x4.mul"), div: binary("f32x4.div"),
  smaller: binary("f32x4.pmin"), larger: binary("f32x4.pmax"),
  eq: binary("f32x4.eq"), lt: binary("f32x4.lt"), gt: binary("f32x4.gt"),
  abs: unary("f32x4.abs"), neg: unary("f32x4.neg"), sqrt: unary("f32x4.sqrt"), floor: unary("f32x4.floor"),
  fromI32: unary("f32x4.convert_i32x4_s"),
} as const;

/** Two float64 lanes. */
export const f64 = {
  of: float64,
  add: binary("f64x2.add"), sub: binary("f64x2.sub"), mul: binary("f64x2.mul"), div: binary("f64x2.div"),
  smaller: binary("f64x2.pmin"), larger: binary("f64x2.pmax"),
  gt: binary("f64x2.gt"), abs: unary("f64x2.abs"), nearest: unary("f64x2.nearest"),
  fromLow: unary("f64x2.promote_low_f32x4"), toLow: unary("f32x4.demote_f64x2_zero"),
} as const;

export const i32 = {
  of: word,
  add: binary("i32x4.add"), sub: binary("i32x4.sub"),
  shl: shift("i32x4.shl"), shrS: shift("i32x4.shr_s"), eq: binary("i32x4.eq"),
} as const;

export const i64 = {
  of: long,
  add: binary("i64x2.add"), shl: shift("i64x2.shl"),
} as const;

export const bits = {
  and: binary("v128.and"), or: binary("v128.or"), xor: binary("v128.xor"),
  /** a without the bits of b. */
  andNot: binary("v128.andnot"),
} as const;

/** In each lane whose mask is all ones `yes`, else `no`. */
export const choose = (mask: Lanes, yes: Lanes, no: Lanes): Lanes => (f) => {
  yes(f);
  no(f);
  mask(f);
  f.op("v128.bitselect");
};

/** The lanes `order` of the four of a and the four of b after them. */
export const shuffle = (a: Lanes, b: Lanes, order: readonly [number, number, number, number]): Lanes => (f) => {
  a(f);
  b(f);
  f.op("i8x16.shuffle", ...order.flatMap((lane) => [4 * lane, 4 * lane + 1, 4 * lane + 2, 4 * lane + 3]));
};

/** Computes a now and holds it in a local. */
export const keep = (f: FunctionBuilder, hint: string, a: Lanes): Lanes => {
  const local = f.local("v128", hint);
  a(f);
  f.set(local);
  return (g) => void g.get(local);
};

interface Ring {
  readonly of: (value: number) => Lanes;
  readonly add: (a: Lanes, b: Lanes) => Lanes;
  readonly mul: (a: Lanes, b: Lanes) => Lanes;
}

/** c0 + c1 x + c2 x^2 + … as (c0 + c1 x) + (c2 + c3 x) x^2 + …, and so on with the pairs (Estrin, "Organization of computer
 *  systems: the fixed plus variable structure computer", 1960): shorter chains than Horner's, a quarter faster in erf. */
export const polynomial = (f: FunctionBuilder, ring: Ring, x: Lanes, coefficients: readonly number[]): Lanes => {
  const sumOf = (terms: readonly Lanes[], power: Lanes): Lanes => {
    const [first = ring.of(0), ...others] = terms;
    if (others.length === 0) return first;
    const pairs = terms.flatMap((even, i) => {
      const odd = terms[i + 1];
      return i % 2 === 1 ? [] : [odd === undefined ? even : ring.add(even, ring.mul(odd, power))];
    });
    return sumOf(pairs, pairs.length === 1 ? power : keep(f, "power", ring.mul(power, power)));
  };
  return sumOf(coefficients.map((c) => ring.of(c)), x);
};

const SIGN = 0x80000000;

export const withSignOf = (size: Lanes, from: Lanes): Lanes => bits.or(size, bits.and(from, i32.of(SIGN)));

export const nan: Lanes = f32.of(Number.NaN);
