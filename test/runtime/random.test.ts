/** @file The generator against the published answers of Philox, its distributions, and that nothing depends on order. */

import { describe, expect, it } from "vitest";
import { initialParameters } from "../../runtime/parameters.ts";
import { keyFor, philox, randomStream } from "../../runtime/random.ts";
import { program } from "./programs.ts";

const hex = (words: readonly number[]): string => words.map((word) => word.toString(16).padStart(8, "0")).join(" ");

describe("philox 4x32-10", () => {
  // The known-answer vectors that the authors publish with Random123.
  it.each([
    [[0, 0, 0, 0], [0, 0], "6627e8d5 e169c58d bc57ac4c 9b00dbd8"],
    [[0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff], "408f276d 41c83b0e a20bc7c6 6d5451fd"],
    [[0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], "d16cfe09 94fdcceb 5001e420 24126ea1"],
  ] as const)("%#", (counter, key, expected) => expect(hex(philox(counter, key))).toBe(expected));
});

describe("streams", () => {
  it("are reproducible, and differ by name and by every part of the seed", () => {
    const first = (seed: number, name: string): string => hex(Array.from({ length: 6 }, randomStream(seed, name).word));
    expect(first(1, "a")).toBe(first(1, "a"));
    const distinct = [first(1, "a"), first(1, "b"), first(2, "a"), first(1 + 2 ** 32, "a"), first(1, "")];
    expect(new Set(distinct).size).toBe(distinct.length);
  });

  it("uniform and normal have the moments of their names", () => {
    const stream = randomStream(5, "moments");
    const count = 100_000;
    const moments = (draw: () => number): number[] => {
      const values = Array.from({ length: count }, draw);
      return [1, 2, 3, 4].map((power) => values.reduce((sum, value) => sum + value ** power, 0) / count);
    };
    // Five standard errors each.
    moments(stream.uniform).forEach((value, at) => expect(Math.abs(value - 1 / (at + 2))).toBeLessThan(5 * 0.3 / Math.sqrt(count)));
    const expected = [0, 1, 0, 3];
    const errors = [1, Math.sqrt(2), Math.sqrt(15), Math.sqrt(96)];
    moments(stream.normal).forEach((value, at) => expect(Math.abs(value - (expected[at] as number))).toBeLessThan((5 * (errors[at] as number)) / Math.sqrt(count)));
  });

  it("normal is the polar method exactly: its logarithm is good to 1e-15", () => {
    const [a, b] = [randomStream(9, "log"), randomStream(9, "log")];
    for (let pair = 0; pair < 1000; pair += 1) {
      let [x, y, square] = [0, 0, 2];
      while (square >= 1 || square === 0) {
        [x, y] = [2 * b.uniform() - 1, 2 * b.uniform() - 1];
        square = x * x + y * y;
      }
      const scale = Math.sqrt((-2 * Math.log(square)) / square);
      expect(Math.abs(a.normal() - x * scale)).toBeLessThan(1e-14 * (1 + Math.abs(x * scale)));
      expect(Math.abs(a.normal() - y * scale)).toBeLessThan(1e-14 * (1 + Math.abs(y * scale)));
    }
  });

  it("below stays below", () => {
    const stream = randomStream(3, "below");
    const seen = new Set(Array.from({ length: 500 }, () => stream.below(7)));
    expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it("dropout keys are four words below 2^16, different at every step", () => {
    const keys = Array.from({ length: 200 }, (_, step) => keyFor(1, step));
    expect(keys.every((key) => key.length === 4 && key.every((word) => word >= 0 && word < 65536))).toBe(true);
    expect(new Set(keys.map((key) => key.join())).size).toBe(200);
  });
});

describe("initial parameters", () => {
  const spec = (name: string, init: Parameters<typeof program>[2]): unknown => ({ name, shape: [64, 64], dims: ["D", "D"], init });
  const normal = { kind: "normal", mean: 1, std: 0.02 };
  const all = [spec("a.w", normal as never), spec("b.w", normal as never), spec("c", { kind: "uniform", low: -1, high: 3 } as never), spec("d", { kind: "constant", value: 0.5 } as never)];
  const start = (parameters: unknown[], seed = 1): Record<string, { data: ArrayLike<number> }> => initialParameters(program([], [], { parameters: parameters as never }), seed) as never;

  it("are as declared, the same in any order and company, others for another path or seed", () => {
    const parameters = start(all);
    const mean = (name: string): number => Array.from(parameters[name]?.data ?? []).reduce((sum, value) => sum + value, 0) / 4096;
    expect(mean("a.w")).toBeCloseTo(1, 2);
    expect(mean("c")).toBeGreaterThan(0.9);
    expect(Math.min(...Array.from(parameters["c"]?.data ?? []))).toBeGreaterThanOrEqual(-1);
    expect(new Set(Array.from(parameters["d"]?.data ?? []))).toEqual(new Set([0.5]));
    expect(start([all[1], all[0]])["a.w"]).toEqual(parameters["a.w"]);
    expect(parameters["b.w"]).not.toEqual(parameters["a.w"]);
    expect(start(all, 2)["a.w"]).not.toEqual(parameters["a.w"]);
  });
});
