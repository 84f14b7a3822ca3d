/** @file 2^(s - top) of eight rows, and its sums. Scores are in bits (the scale of q includes log2 e), so that the exponent
 *  is their difference rounded and nothing has to be reduced by ln 2. */

import { FunctionBuilder } from "../builder.ts";
import { bits, f32, i32, keep, polynomial } from "../math-lanes.ts";
import type { Lanes } from "../math-lanes.ts";
import type { WasmFunction } from "../module.ts";
import { LANE_BYTES } from "./rows-product.ts";

/** Added, leaves a whole number in the low bits. */
const ROUND = 1.5 * 2 ** 23;
/** 2^r for |r| <= 1/2, minimax; relative error 2^-27.4, and 2^0 is 1. */
const POWER = [1, 0.6931472420692444, 0.24022653698921204, 0.055502891540527344, 0.009617900475859642, 0.0013409635284915566, 0.00015483015158679336];
/** Below, 2^x is 0 here: it is nothing beside the 1 of the row's largest, and no product of it is denormal. */
const LEAST = -80;

/** 2^x for x <= 0; 0 below LEAST. */
export const powerDown = (f: FunctionBuilder, x: Lanes): Lanes => {
  const rounded = keep(f, "rounded", f32.add(x, f32.of(ROUND)));
  const r = keep(f, "r", f32.sub(x, f32.sub(rounded, f32.of(ROUND))));
  const power = i32.add(polynomial(f, f32, r, POWER), i32.shl(rounded, 23));
  return bits.andNot(power, f32.lt(x, f32.of(LEAST)));
};

/** rows_power(s, to, count, top, total): to[j][8] = 2^(s[j][8] - top), for `count` >= 1 keys; adds their sum to `total`. */
export const rowsPower = (): WasmFunction => {
  const names = ["s", "to", "count", "top", "total"];
  const f = new FunctionBuilder("rows_power", names.map((name) => ({ name, type: "i32" })));
  const [s, to, count, top, total] = names.map((name) => f.parameter(name)) as [number, number, number, number, number];
  const tops = f.locals("v128", "most", 2);
  const sums = f.locals("v128", "sum", 2);
  const values = f.locals("v128", "e", 2);
  const end = f.local("i32", "end");
  tops.forEach((local, v) => f.get(top).op("v128.load", 2, 16 * v).set(local));
  f.get(s).get(count).i32(LANE_BYTES).op("i32.mul").op("i32.add").set(end);
  f.block("loop", () => {
    values.forEach((value, v) => {
      const x = keep(f, "x", (g) => void g.get(s).op("v128.load", 2, 16 * v).get(tops[v] ?? 0).op("f32x4.sub"));
      powerDown(f, x)(f);
      f.set(value).get(to).get(value).op("v128.store", 2, 16 * v);
      f.get(sums[v] ?? 0).get(value).op("f32x4.add").set(sums[v] ?? 0);
    });
    f.advance(to, LANE_BYTES).advance(s, LANE_BYTES).get(s).get(end).op("i32.lt_u").op("br_if", 0);
  });
  sums.forEach((sum, v) => f.get(total).get(total).op("v128.load", 2, 16 * v).get(sum).op("f32x4.add").op("v128.store", 2, 16 * v));
  return f.finish(false);
};
