/** @file The vector functions against float64: every STEPth of all floats, both signs, all exponents; edges by table.
 *  MATH_STEP=97 looks closer (minutes). */

import { describe, expect, it } from "vitest";
import { BINARY, UNARY } from "../../compiler/codegen/scalar-functions.ts";
import { MATH_NAMES, mathFunctions, mathIndices } from "../../compiler/codegen/wasm/math.ts";
import type { MathName } from "../../compiler/codegen/wasm/math.ts";
import { mathMaps, ulps } from "./wasm-math-tools.ts";
import type { VectorMap } from "./wasm-math-tools.ts";

const CHUNK = 1 << 16;
/** Prime, so that all bits of the mantissa take part. */
const STEP = Number(process.env["MATH_STEP"] ?? 4999);
const maps = mathMaps(MATH_NAMES, CHUNK);

const mapOf = (name: MathName): VectorMap => {
  const map = maps[name];
  if (map === undefined) throw new Error(name);
  return map;
};

/** The worst error in units in the last place: what MATH_STEP=97 measures, rounded up. */
const UNARY_BOUNDS = { exp: 1, log: 0.9, rsqrt: 1.5, logistic: 1.8, tanh: 1.1, erf: 1.4, sin: 1.6, cos: 1.6 } as const;

type UnaryName = keyof typeof UNARY_BOUNDS;
const UNARY_NAMES = Object.keys(UNARY_BOUNDS) as readonly UnaryName[];

const POW_BOUND = 0.6;

/** The floats whose bits are start, start + step, … */
const floatsFrom = (start: number, step: number, count: number): Float32Array =>
  new Float32Array(Uint32Array.from({ length: count }, (_, i) => start + i * step).buffer);

interface Worst {
  readonly error: number;
  readonly at: readonly number[];
}

const worstOf = (worst: Worst, got: Float32Array, exact: (at: readonly number[]) => number, ...operands: readonly Float32Array[]): Worst =>
  got.reduce((known, y, i) => {
    const at = operands.map((operand) => operand[i] ?? Number.NaN);
    const error = ulps(y, exact(at));
    return error > known.error ? { error, at } : known;
  }, worst);

/** The worst error over all 2^32 bit patterns in steps, NaN included. */
const sweep = (name: UnaryName): Worst => {
  let worst: Worst = { error: 0, at: [] };
  for (let start = 0; start < 2 ** 32; start += STEP * CHUNK) {
    const x = floatsFrom(start, STEP, Math.min(CHUNK, Math.ceil((2 ** 32 - start) / STEP)));
    worst = worstOf(worst, mapOf(name)(x), ([value = 0]) => UNARY[name](value), x);
  }
  return worst;
};

describe("units in the last place, over all floats", () => {
  for (const name of UNARY_NAMES) {
    it(`${name}: at most ${UNARY_BOUNDS[name]}`, () => {
      const { error, at } = sweep(name);
      expect(error, `at ${at.join()}`).toBeLessThan(UNARY_BOUNDS[name]);
    });
  }
});

const LEAST = 2 ** -149;
const MOST = Math.fround(3.4028234663852886e38);
const MAGNITUDES = [0, LEAST, 3 * LEAST, 2 ** -127, 2 ** -126, 1e-20, 1e-4, 0.5, 1, 1.5, 2, 3, 9, 88.7, 88.8, 104, 2 ** 20, 2 ** 24, 1e20, MOST, Infinity];
const EDGES = Float32Array.from([...MAGNITUDES, ...MAGNITUDES.map((value) => -value), Number.NaN]);

/** Zeros with their sign, infinities and NaN as they are; 2 ulp elsewhere. */
const expectEdge = (got: number, exact: number, what: string): void => {
  const rounded = Math.fround(exact);
  if (rounded === 0 || !Number.isFinite(rounded)) expect(got, what).toBe(rounded);
  else expect(ulps(got, exact), `${what} = ${got}`).toBeLessThanOrEqual(2);
};

describe("edges", () => {
  for (const name of UNARY_NAMES) {
    it(name, () => {
      const y = mapOf(name)(EDGES);
      EDGES.forEach((x, i) => expectEdge(y[i] ?? 0, UNARY[name](x), `${name}(${x})`));
    });
  }

  it("pow: every pair", () => {
    const pairs = Array.from(EDGES, (x) => Array.from(EDGES, (y): readonly [number, number] => [x, y])).flat();
    const got = mapOf("pow")(Float32Array.from(pairs, ([x]) => x), Float32Array.from(pairs, ([, y]) => y));
    pairs.forEach(([x, y], i) => expectEdge(got[i] ?? 0, BINARY.pow(x, y), `${x} ** ${y}`));
  });

  it("exp underflows gradually, log takes denormals", () => {
    const [tiny = 0] = mapOf("exp")(Float32Array.of(-100));
    expect(tiny).toBeGreaterThan(0);
    expect(tiny).toBeLessThan(2 ** -126);
    expect(mapOf("log")(Float32Array.of(LEAST))[0]).toBe(Math.fround(Math.log(LEAST)));
  });

  it("each lane is on its own", () => {
    const x = Float32Array.of(1, Number.NaN, 1e30, -0.5);
    for (const name of UNARY_NAMES) {
      const alone = Array.from(x, (value) => mapOf(name)(Float32Array.of(value))[0]);
      expect(Array.from(mapOf(name)(x)), name).toEqual(alone);
    }
  });
});

describe("sin, cos", () => {
  /** 16367173 2^72 is the float whose distance to a multiple of pi/2 is least, 2^-29.2. */
  it("next to multiples of pi/2, where nearly all bits cancel", () => {
    const near = Float32Array.from({ length: CHUNK }, (_, i) => Math.fround((i < CHUNK / 2 ? i : i * 1013) * (Math.PI / 2)));
    near[0] = 16367173 * 2 ** 72;
    for (const name of ["sin", "cos"] as const) {
      const { error, at } = worstOf({ error: 0, at: [] }, mapOf(name)(near), ([x = 0]) => UNARY[name](x), near);
      expect(error, `${name} at ${at.join()}`).toBeLessThan(UNARY_BOUNDS[name]);
    }
  });

  it("a lane far out does not change its neighbours", () => {
    const x = Float32Array.from({ length: 4000 }, (_, i) => (i - 2000) / 7);
    for (const name of ["sin", "cos"] as const) {
      const mixed = mapOf(name)(Float32Array.from(x, (value, i) => (i % 4 === 1 ? 1e30 : value)));
      const alone = mapOf(name)(x);
      expect(mixed.filter((_, i) => i % 4 !== 1)).toEqual(alone.filter((_, i) => i % 4 !== 1));
    }
  });
});

describe("pow", () => {
  it(`at most ${POW_BOUND} units in the last place`, () => {
    let worst: Worst = { error: 0, at: [] };
    /** Exponents for which x^y spreads over all floats, and a few small ones. */
    for (let turn = 0; turn < 24; turn++) {
      const x = floatsFrom(turn * 101, 33791, CHUNK).map(Math.abs);
      const y = x.map((value, i) => (turn < 16 ? (((i * 7919) % 3001) / 1500 - 1) * (104 / Math.abs(Math.log(value))) : (turn - 20) / 2));
      worst = worstOf(worst, mapOf("pow")(x, y), ([base = 0, exponent = 0]) => BINARY.pow(base, exponent), x, y);
    }
    expect(worst.error, `at ${worst.at.join(" ** ")}`).toBeLessThan(POW_BOUND);
  });

  it("small whole numbers are exact", () => {
    const x = Float32Array.from({ length: 31 }, (_, i) => i - 15);
    for (const exponent of [0, 1, 2, 3, 5]) {
      expect(Array.from(mapOf("pow")(x, x.map(() => exponent)))).toEqual(Array.from(x, (value) => value ** exponent));
    }
  });
});

describe("functions of a module", () => {
  it("are numbered as they are listed", () => {
    const names = ["tanh", "pow"] as const;
    expect(mathFunctions(names).map((func) => func.name)).toEqual(["math_tanh", "math_pow"]);
    expect([...mathIndices(names, 3)]).toEqual([["tanh", 3], ["pow", 4]]);
  });

  it("call nothing, so they may stand anywhere", () => {
    const calls = mathFunctions(MATH_NAMES).flatMap(({ body }) => body.filter(({ op }) => op === "call"));
    expect(calls).toEqual([]);
  });

  it("use no relaxed instruction", () => {
    const relaxed = mathFunctions(MATH_NAMES).flatMap(({ body }) => body.filter(({ op }) => op.includes("relaxed")));
    expect(relaxed).toEqual([]);
  });
});
