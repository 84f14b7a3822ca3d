/** @file sin and cos:  x = q pi/2 + r,  |r| <= pi/4;  the polynomial of r that q mod 4 names, with its sign.
 *
 *  r is made in float64, two lanes at a time, and is right to float32's last bit for every float.
 *  |x| <= 2^20: x - q HIGH - q LOW, the first product and difference exact.
 *  Beyond (only where some lane is there): x times the bits of 2/pi, 24 at a time, so that every product is exact; whole
 *  quarter turns are taken from each, the rest is added up (Payne and Hanek, "Radian reduction for trigonometric
 *  functions", 1983, without the choice of bits: all eight groups that a float can need). */

import type { FunctionBuilder, LocalIndex } from "./builder.ts";
import { bits, choose, f32, f64, i32, keep, polynomial, shuffle, withSignOf } from "./math-lanes.ts";
import type { Lanes } from "./math-lanes.ts";

/** pi/2 = HIGH + LOW + 2^-87.9. HIGH has 33 bits: exact when multiplied by a q below 2^20. */
const HALF_PI_HIGH = 1.5707963267341256;
const HALF_PI_LOW = 6.077100506506192e-11;
const NEAR = 2 ** 20;

/** Added, rounds to a whole number, which is then in the low 32 bits of the sum. */
const ROUND = 1.5 * 2 ** 52;

/** The first 192 bits of 2/pi. The floats nearest to a multiple of pi/2 are 2^-29 from it. */
const TWO_OVER_PI = [0xa2f983, 0x6e4e44, 0x1529fc, 0x2757d1, 0xf534dd, 0xc0db62, 0x95993c, 0x439041];

/** (sin r / r - 1) / r^2 and (cos r - 1 + r^2/2) / r^4 in r^2; relative errors 2^-27.9 and 2^-32.3, made like those of
 *  `math-exp.ts`. */
const SIN = [-0.16666655, 0.008332189, -0.00019518286];
const COS = [0.041666653, -0.0013887612, 0.000024462202];

/** Two float64 lanes of the reduction: `turns` holds q in its low 32 bits. */
interface Reduced {
  readonly turns: LocalIndex;
  readonly rest: LocalIndex;
}

const local = (index: LocalIndex): Lanes => (f) => void f.get(index);

const set = (f: FunctionBuilder, index: LocalIndex, value: Lanes): void => {
  value(f);
  f.set(index);
};

const reduceNear = (f: FunctionBuilder, x: Lanes, { turns, rest }: Reduced): void => {
  set(f, turns, f64.add(f64.mul(x, f64.of(2 / Math.PI)), f64.of(ROUND)));
  const q = keep(f, "q", f64.sub(local(turns), f64.of(ROUND)));
  set(f, rest, f64.sub(f64.sub(x, f64.mul(q, f64.of(HALF_PI_HIGH))), f64.mul(q, f64.of(HALF_PI_LOW))));
};

/** y - multiple nearest(y / multiple), exact. */
const remainder = (y: Lanes, multiple: number): Lanes => f64.sub(y, f64.mul(f64.nearest(f64.mul(y, f64.of(1 / multiple))), f64.of(multiple)));

/** A sum can lose bits only once the products are below 2^-5, and then to no whole number. Lanes that are near stay as they
 *  are: no lane's value depends on its neighbours. */
const reduceFar = (f: FunctionBuilder, x: Lanes, near: Reduced): void => {
  const [turns, rest, part, whole] = ["far_turns", "far_rest", "part", "whole"].map((hint) => f.local("v128", hint)) as [number, number, number, number];
  const takeWhole = (from: LocalIndex): void => {
    set(f, whole, f64.nearest(local(from)));
    set(f, from, f64.sub(local(from), local(whole)));
    set(f, turns, f64.add(local(turns), local(whole)));
  };
  set(f, turns, f64.of(ROUND));
  set(f, rest, f64.of(0));
  TWO_OVER_PI.forEach((group, i) => {
    set(f, part, remainder(f64.mul(x, f64.of(group * 2 ** (-24 * (i + 1)))), 4));
    takeWhole(part);
    set(f, rest, f64.add(local(rest), local(part)));
    takeWhole(rest);
  });
  const isFar = keep(f, "is_far", f64.gt(f64.abs(x), f64.of(NEAR)));
  set(f, near.turns, choose(isFar, local(turns), local(near.turns)));
  set(f, near.rest, choose(isFar, f64.mul(local(rest), f64.of(Math.PI / 2)), local(near.rest)));
};

const reduce = (f: FunctionBuilder, x: Lanes): { readonly quarter: Lanes; readonly r: Lanes } => {
  const halves = [x, shuffle(x, x, [2, 3, 2, 3])].map((pair) => keep(f, "half", f64.fromLow(pair)));
  const [low, high] = [0, 1].map((): Reduced => ({ turns: f.local("v128", "turns"), rest: f.local("v128", "rest") })) as [Reduced, Reduced];
  const both = (way: (g: FunctionBuilder, half: Lanes, to: Reduced) => void): void => halves.forEach((half, i) => way(f, half, i === 0 ? low : high));
  both(reduceNear);
  f32.gt(f32.abs(x), f32.of(NEAR))(f);
  f.op("v128.any_true").block("if", () => both(reduceFar));
  return {
    quarter: shuffle(local(low.turns), local(high.turns), [0, 2, 4, 6]),
    r: shuffle(f64.toLow(local(low.rest)), f64.toLow(local(high.rest)), [0, 1, 4, 5]),
  };
};

/** sin((q + ahead) pi/2 + r): odd quarters are cosines, quarters 2 and 3 negative. */
const sine = (ahead: number) => (f: FunctionBuilder, x: Lanes): Lanes => {
  const reduced = reduce(f, x);
  const quarter = keep(f, "quarter", i32.add(reduced.quarter, i32.of(ahead)));
  const r = keep(f, "r", reduced.r);
  const square = keep(f, "square", f32.mul(r, r));
  const sin = withSignOf(f32.add(f32.mul(f32.mul(r, square), polynomial(f, f32, square, SIN)), r), r);
  const tail = f32.mul(f32.mul(square, square), polynomial(f, f32, square, COS));
  const cos = f32.add(f32.sub(tail, f32.mul(square, f32.of(0.5))), f32.of(1));
  const odd = i32.eq(bits.and(quarter, i32.of(1)), i32.of(1));
  return bits.xor(choose(odd, cos, sin), i32.shl(bits.and(quarter, i32.of(2)), 30));
};

export const sin = sine(0);
export const cos = sine(1);
