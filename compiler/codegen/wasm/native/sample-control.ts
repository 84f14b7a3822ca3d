/** @file What the rows are drawn from beside a control variate (attention-sampled-row.ts), eight rows side by side:
 *
 *      p = P(x),  x = (s - s of the centre) ln 2       rho = w - p / sum p          r = sum |rho|
 *      gate: sum |rho| max(r / c - |rho|, 0) < sum w max(1 / c - w, 0)
 *
 *  y = rho where the gate is open, with factor = c / r and cap = r / c; else y = w with factor = c and cap = 1 / c. */

import type { SampledAttrs } from "../../../../ir/ops/attention-sampled-attrs.ts";
import { TINY } from "../../../../ir/ops/attention-sampled-row.ts";
import { FunctionBuilder } from "../builder.ts";
import type { LocalIndex } from "../builder.ts";
import { bits, choose, f32, keep } from "../math-lanes.ts";
import type { Lanes } from "../math-lanes.ts";
import type { WasmFunction } from "../module.ts";
import { rowOf } from "./rows-lanes.ts";
import { FLOAT, LANE_BYTES } from "./rows-product.ts";
import { SAMPLE } from "./sample.ts";

/** Keys whose terms are summed by themselves, so that long rows lose nothing to rounding. */
const PART = 64;

/** rows_control(s, e, first, end, total, center, sample, gate, i): from the scores and powers of keys first <= j < end, y in place of s, and what sample.ts needs
 *  in `sample`. total, center: eight numbers. `gate`: row 0 of the head. */
export const rowsControl = ({ c, control }: SampledAttrs, rows: number): WasmFunction => {
  const names = ["s", "e", "first", "end", "total", "center", "sample", "gate", "i"];
  const f = new FunctionBuilder(`rows_control_${rows}_${[c, ...control].map((x) => new Uint32Array(Float32Array.of(x).buffer)[0] ?? 0).join("_")}`, names.map((name) => ({ name, type: "i32" })));
  const [s, e, first, end, total, center, sample, gate, i] = names.map((name) => f.parameter(name)) as [number, number, number, number, number, number, number, number, number];
  for (const half of [0, 1]) {
    const at = (base: LocalIndex, byte = 0): Lanes => (g) => void g.get(base).op("v128.load", 2, 16 * half + byte);
    const keys = keysOf(f, { s, e, first, end, half });
    const whole = keep(f, "total_", at(total));
    const unit = keep(f, "unit", f32.div(f32.of(1), choose(f32.eq(whole, f32.of(0)), f32.of(1), whole)));
    const middle = keep(f, "middle", at(center));
    const polynomial = ({ score }: Key): Lanes => {
      const x = keep(f, "x", f32.mul(f32.sub(score, middle), f32.of(Math.LN2)));
      return bits.and(horner(control, x), f32.gt(score, f32.of(-Infinity)));
    };
    const [sum = f32.of(0)] = keys.sums(1, (key) => [polynomial(key)]);
    const share = keep(f, "share", f32.div(f32.of(1), choose(f32.eq(sum, f32.of(0)), f32.of(1), sum)));
    const rest = (y: Lanes, limit: Lanes): Lanes => f32.mul(y, f32.larger(f32.sub(limit, y), f32.of(0)));
    const [r = f32.of(0), plain = f32.of(0)] = keys.sums(2, (key) => {
      const w = keep(f, "w", f32.mul(key.power, unit));
      const rho = keep(f, "rho", f32.sub(w, f32.mul(polynomial(key), share)));
      key.replace(rho);
      return [f32.abs(rho), rest(w, f32.of(1 / c))];
    });
    const cap = keep(f, "cap", f32.mul(r, f32.of(1 / c)));
    const [controlled = f32.of(0)] = keys.sums(1, ({ score: rho }) => [rest(keep(f, "size", f32.abs(rho)), cap)]);
    const open = keep(f, "open", f32.lt(controlled, plain));
    keys.each(({ score: rho, power, replace }) => replace(choose(open, rho, f32.mul(power, unit))));
    const store = (name: "factor" | "unit" | "cap", value: Lanes): void => {
      f.get(sample);
      value(f);
      f.op("v128.store", 2, SAMPLE[name] + 16 * half);
    };
    store("factor", choose(open, f32.div(f32.of(c), f32.larger(r, f32.of(TINY))), f32.of(c)));
    store("unit", f32.of(1));
    store("cap", choose(open, cap, f32.of(1 / c)));
    for (let lane = 0; lane < 4; lane++) {
      f.get(gate);
      rowOf(f, i, 4 * half + lane, rows);
      f.i32(FLOAT).op("i32.mul").op("i32.add");
      bits.and(open, f32.of(1))(f);
      f.op("f32x4.extract_lane", lane).op("f32.store", 2, 0);
    }
  }
  return f.finish(false);
};

/** a_0 + x (a_1 + x (…)) */
const horner = ([lowest = 0, ...others]: readonly number[], x: Lanes): Lanes =>
  others.length === 0 ? f32.of(lowest) : f32.add(f32.of(lowest), f32.mul(x, horner(others, x)));

interface Key {
  readonly score: Lanes;
  readonly power: Lanes;
  /** Writes over the score. */
  readonly replace: (value: Lanes) => void;
}

interface Keys {
  readonly each: (body: (key: Key) => void) => void;
  /** `count` sums over the keys. */
  readonly sums: (count: number, terms: (key: Key) => readonly Lanes[]) => readonly Lanes[];
}

type Range = Readonly<Record<"s" | "e" | "first" | "end" | "half", number>>;

const keysOf = (f: FunctionBuilder, { s, e, first, end, half }: Range): Keys => {
  const [j, score, power] = f.locals("i32", "key", 3) as [number, number, number];
  const start = (): void => {
    f.get(first).set(j);
    for (const [to, base] of [[score, s], [power, e]] as const) f.get(base).get(first).i32(LANE_BYTES).op("i32.mul").op("i32.add").i32(16 * half).op("i32.add").set(to);
  };
  const loop = (limit: () => void, body: (key: Key) => void): void => {
    f.while(j, limit, 1, () => {
      body({
        score: keep(f, "score", (g) => void g.get(score).op("v128.load", 2, 0)),
        power: (g) => void g.get(power).op("v128.load", 2, 0),
        replace: (value) => {
          f.get(score);
          value(f);
          f.op("v128.store", 2, 0);
        },
      });
      f.advance(score, LANE_BYTES).advance(power, LANE_BYTES);
    });
  };
  return {
    each: (body) => {
      start();
      loop(() => f.get(end), body);
    },
    sums: (count, terms) => {
      const [totals, parts] = [f.locals("v128", "sum", count), f.locals("v128", "part", count)];
      const stop = f.local("i32", "stop");
      for (const total of totals) f.splat(0).set(total);
      start();
      f.block("block", () => {
        f.block("loop", () => {
          f.get(j).get(end).op("i32.ge_s").op("br_if", 1);
          for (const part of parts) f.splat(0).set(part);
          f.get(j).i32(PART).op("i32.add").get(end).get(j).i32(PART).op("i32.add").get(end).op("i32.lt_s").op("select").set(stop);
          loop(() => f.get(stop), (key) =>
            terms(key).forEach((term, n) => {
              const part = parts[n] ?? 0;
              f.get(part);
              term(f);
              f.op("f32x4.add").set(part);
            }));
          totals.forEach((total, n) => f.get(total).get(parts[n] ?? 0).op("f32x4.add").set(total));
          f.op("br", 0);
        });
      });
      return totals.map((total) => (g: FunctionBuilder): void => void g.get(total));
    },
  };
};
