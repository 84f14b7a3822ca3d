/** @file The generator: exact in float32, statistically uniform and independent along every input, and fixed for ever. */

import { describe, expect, it } from "vitest";
import { COUNTER_HIGH_LIMIT, COUNTER_LOW_LIMIT, draw, highAxes, NUMBERS, SITE_LIMIT, UNIT } from "../../ir/random.ts";
import type { Arithmetic, Words } from "../../ir/random.ts";
import { evaluateOp } from "../../ir/interpret.ts";
import { randomAt, randomUniform } from "../../ir/ops/index.ts";
import { tensor } from "../../ir/types.ts";
import { source } from "./support.ts";

const COUNT = 40_000;
type Stream = (i: number) => number;

const uniform = (key: Words<number>, site: number, high: number, low: number): number =>
  draw(NUMBERS, key, site, high, low) * UNIT;

/** The keys of successive draws of one program: key' = floor(2^16 u(key)), as dropout makes them. */
const CHAIN: readonly Words<number>[] = Array.from({ length: COUNT }).reduce<Words<number>[]>((keys) => {
  const key = keys.at(-1) ?? [3, 1, 4, 1];
  const word = (at: number): number => Math.floor(uniform(key, 1, 0, at) * 2 ** 16);
  keys.push([word(0), word(1), word(2), word(3)]);
  return keys;
}, []);

/** One input of the generator counts, the others stand still: a weak generator shows its pattern in one of these. */
const STREAMS: Readonly<Record<string, Stream>> = {
  "counters, key 0": (i) => uniform([0, 0, 0, 0], 0, 0, i),
  "counters, a large key": (i) => uniform([65535, 40503, 12345, 54321], 7, 3, i),
  "counters in steps of 4096": (i) => uniform([1, 0, 0, 0], 1, 0, (i % 4096) * 4096 + Math.floor(i / 4096)),
  "high counters and sites": (i) => uniform([1, 2, 3, 4], i % 4096, Math.floor(i / 4096), 5),
  "first key words": (i) => uniform([i, 0, 0, 0], 0, 0, 0),
  "second key words": (i) => uniform([0, i, 0, 0], 0, 0, 0),
  "third key words": (i) => uniform([0, 0, i, 0], 0, 0, 0),
  "fourth key words": (i) => uniform([0, 0, 0, i], 0, 0, 0),
  "one element along chained keys": (i) => uniform(CHAIN[i]!, 0, 0, 9),
  "the words of chained keys": (i) => CHAIN[i]![i % 4]! / 2 ** 16 + uniform(CHAIN[i]!, 0, 0, 0) / 2 ** 16,
};

const take = (stream: Stream): readonly number[] => Array.from({ length: COUNT }, (_, i) => stream(i));

/** Of numbers below `count`, each as likely: (chi^2 - df) / sqrt(2 df), about standard normal. */
const score = (which: readonly number[], count: number): number => {
  const bins = new Array<number>(count).fill(0);
  for (const bin of which) bins[bin]! += 1;
  const expected = which.length / count;
  const chi = bins.reduce((sum, hits) => sum + (hits - expected) ** 2 / expected, 0);
  return (chi - (count - 1)) / Math.sqrt(2 * (count - 1));
};

/** For the largest of some 300 scores of fixed data: above what chance gives, far below what a weak generator does. */
const BOUND = 4.5;

it("chained keys do not repeat", () => {
  expect(new Set(CHAIN.map(String)).size).toBe(COUNT);
});

describe.each(Object.entries(STREAMS))("%s", (_, stream) => {
  const u = take(stream);
  const cells = (lag: number, scale: number): readonly number[] =>
    u.slice(lag).map((x, i) => (Math.floor(x * scale) % 16) * 16 + (Math.floor(u[i]! * scale) % 16));

  it("has the moments of the uniform distribution", () => {
    const mean = u.reduce((sum, x) => sum + x, 0) / COUNT;
    const variance = u.reduce((sum, x) => sum + (x - 0.5) ** 2, 0) / COUNT;
    expect(Math.abs(mean - 0.5) * Math.sqrt(12 * COUNT)).toBeLessThan(BOUND);
    expect(Math.abs(variance - 1 / 12) * Math.sqrt(180 * COUNT)).toBeLessThan(BOUND);
    expect(Math.min(...u)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...u)).toBeLessThan(1);
  });

  it("fills bins evenly, by its high, middle and low bits", () => {
    for (const scale of [256, 2 ** 14, 2 ** 20])
      expect(Math.abs(score(u.map((x) => Math.floor(x * scale) % 256), 256))).toBeLessThan(BOUND);
  });

  it("fills pairs evenly, near and far, by their high and low bits", () => {
    for (const lag of [1, 2, 3, 8, 64, 256, 1024, 4096]) {
      expect(Math.abs(score(cells(lag, 16), 256)), `lag ${lag}`).toBeLessThan(BOUND);
      expect(Math.abs(score(cells(lag, 2 ** 24), 256)), `lag ${lag}, low bits`).toBeLessThan(BOUND);
      const differences = u.slice(lag).map((x, i) => Math.floor(((x - u[i]! + 1) % 1) * 256));
      expect(Math.abs(score(differences, 256)), `lag ${lag}, differences`).toBeLessThan(BOUND);
    }
  });

  it("does not correlate with itself later", () => {
    for (const lag of [1, 2, 3, 16, 64, 256]) {
      const sum = u.slice(lag).reduce((total, x, i) => total + (x - 0.5) * (u[i]! - 0.5), 0);
      expect(Math.abs((12 * sum) / Math.sqrt(COUNT - lag)), `lag ${lag}`).toBeLessThan(BOUND);
    }
  });

  it("jumps over a small interval with geometric gaps", () => {
    const hits = u.flatMap((x, i) => (x < 1 / 8 ? [i] : []));
    const gaps = hits.slice(1).map((hit, i) => hit - hits[i]!);
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    expect(Math.abs(mean - 8) / Math.sqrt(56 / gaps.length)).toBeLessThan(BOUND);
  });
});

it("changes half of the output's bits when one input bit changes", () => {
  const next = source(5);
  const word = (limit: number): number => Math.floor(next() * limit);
  const bits = (of: "low" | "key", length: number): readonly { of: "low" | "key"; bit: number }[] =>
    Array.from({ length }, (_, bit) => ({ of, bit }));
  const flips = [...bits("low", 24), ...bits("key", 64)];
  for (const { of, bit } of flips) {
    let changed = 0;
    for (let trial = 0; trial < 200; trial++) {
      const key = [word(65536), word(65536), word(65536), word(65536)] as const;
      const low = word(2 ** 24);
      const flipped = (i: 0 | 1 | 2 | 3): number => (of === "key" && i === bit >> 4 ? key[i] ^ (1 << (bit & 15)) : key[i]);
      const other = [flipped(0), flipped(1), flipped(2), flipped(3)] as const;
      const a = draw(NUMBERS, key, 0, 0, low);
      const b = draw(NUMBERS, other, 0, 0, of === "low" ? low ^ (1 << bit) : low);
      changed += (a ^ b).toString(2).replaceAll("0", "").length;
    }
    expect(Math.abs(changed / 200 - 12), `${of} bit ${bit}`).toBeLessThan(4.5 * Math.sqrt(6 / 200));
  }
});

it("a congruence would fail these tests", () => {
  const weak = Array.from({ length: COUNT }, (_, i) => ((i * 3373) % 4096) / 4096);
  const cells = weak.slice(1).map((x, i) => Math.floor(weak[i]! * 16) * 16 + Math.floor(x * 16));
  expect(Math.abs(score(cells, 256))).toBeGreaterThan(BOUND);
});

it("never leaves the integers that float32 holds", () => {
  let largest = 0;
  const watched = (x: number): number => {
    expect(Number.isInteger(x) && x >= 0).toBe(true);
    largest = Math.max(largest, x);
    return x;
  };
  const n: Arithmetic<number> = {
    constant: watched,
    add: (a, b) => watched(a + b),
    mul: (a, b) => watched(a * b),
    mod: (a, divisor) => watched(a % divisor),
    idiv: (a, divisor) => watched(Math.floor(a / divisor)),
    share: (value, body) => body(value),
  };
  const next = source(9);
  const extremes = [0, 65535];
  for (let i = 0; i < 400; i++) {
    const word = (): number => (i < 40 ? extremes[Math.floor(next() * 2)]! : Math.floor(next() * 65536));
    const high = i < 40 ? COUNTER_HIGH_LIMIT - 1 : Math.floor(next() * COUNTER_HIGH_LIMIT);
    const low = i < 40 ? COUNTER_LOW_LIMIT - 1 : Math.floor(next() * COUNTER_LOW_LIMIT);
    draw(n, [word(), word(), word(), word()], i < 40 ? SITE_LIMIT - 1 : i, high, low);
  }
  expect(largest).toBeLessThan(2 ** 24);
});

it("is fixed: golden values", () => {
  const first = [0, 1, 2, 2 ** 24 - 1].map((low) => draw(NUMBERS, [0, 0, 0, 0], 0, 0, low));
  expect(first).toEqual([9298166, 5336003, 7580489, 3747172]);
  expect(draw(NUMBERS, [1, 2, 3, 4], 5, 6, 7)).toBe(12753955);
  expect(draw(NUMBERS, [65535, 65535, 65535, 65535], 4095, 4095, 2 ** 24 - 1)).toBe(12769824);
});

describe("random_uniform", () => {
  it("draws by the row-major index", () => {
    const type = tensor("f32", [2, 3]);
    const key = Float64Array.of(9, 8, 7, 6);
    const [y] = evaluateOp(randomUniform, [key], [tensor("i32", [4])], [type], { site: 2, type }).results;
    expect([...y!]).toEqual([0, 1, 2, 3, 4, 5].map((i) => uniform([9, 8, 7, 6], 2, 0, i)));
  });

  it("counts the leading axes in the high word only where the low one overflows", () => {
    expect(highAxes([4096, 4096])).toBe(0);
    expect(highAxes([2, 4096, 4096])).toBe(1);
    expect(highAxes([3, 2, 4096, 4097])).toBe(3);
    expect(highAxes([])).toBe(0);
  });

  it("refuses keys, sites and sizes it cannot honour", () => {
    const type = tensor("f32", [2]);
    expect(randomUniform.infer([tensor("i32", [3])], { site: 0, type })).toMatchObject({ constraint: "C1" });
    expect(randomUniform.infer([tensor("i32", [4])], { site: SITE_LIMIT, type })).toMatchObject({ constraint: "C2" });
    const ints = { site: 0, type: tensor("i32", [2]) };
    expect(randomUniform.infer([tensor("i32", [4])], ints)).toMatchObject({ constraint: "C3" });
    const key = Float64Array.of(0, 0, 0, 65536);
    const run = (): unknown => evaluateOp(randomUniform, [key], [tensor("i32", [4])], [type], { site: 0, type });
    expect(run).toThrow("four whole numbers below 65536");
  });
});

describe("random_at", () => {
  const key = Float64Array.of(9, 8, 7, 65535);
  const at = (high: readonly number[], low: readonly number[]): readonly number[] => {
    const types = [tensor("i32", [4]), tensor("i32", [low.length]), tensor("i32", [low.length])];
    const data = [key, Float64Array.from(high), Float64Array.from(low)];
    return [...evaluateOp(randomAt, data, types, [tensor("f32", [low.length])], { site: 5 }).results[0]!];
  };

  it("gives the numbers that random_uniform gives the elements with these counters", () => {
    const type = tensor("f32", [3, 2048, 8192]);
    const rows = [0, 5, 2047];
    const high = rows.map((_, b) => b);
    const low = rows.map((row, b) => row * 8192 + 100 * b);
    const all = evaluateOp(randomUniform, [key], [tensor("i32", [4])], [tensor("f32", [12])], { site: 5, type: tensor("f32", [12]) });
    expect(highAxes(type.shape)).toBe(1);
    expect(at(high, low)).toEqual(high.map((word, i) => uniform([9, 8, 7, 65535], 5, word, low[i]!)));
    expect(at(new Array<number>(12).fill(0), Array.from({ length: 12 }, (_, i) => i))).toEqual([...all.results[0]!]);
  });

  it("refuses counters that it cannot honour", () => {
    expect(() => at([COUNTER_HIGH_LIMIT], [0])).toThrow("high counter 4096");
    expect(() => at([0], [COUNTER_LOW_LIMIT])).toThrow("low counter 16777216");
    expect(() => at([0], [-1])).toThrow("low counter -1");
  });
});
