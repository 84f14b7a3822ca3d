/** @file The arithmetic of benchmarks: quantiles, rounds on a clock of ours, exponents, ratios, forms. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseForm, splitForms } from "../../compiler/bench/forms.ts";
import { measure } from "../../compiler/bench/measure.ts";
import { createPeak } from "../../compiler/bench/peak.ts";
import { attentionRatios } from "../../compiler/bench/slopes.ts";
import { notchOf, quantile, ratioOf, spreadOf } from "../../compiler/bench/statistics.ts";
import { parsePolicy } from "../../ir/backward-policy.ts";
import { missingRelaxed } from "../../runtime/wasm/engine.ts";
import { allowRelaxed } from "../runtime/relaxed.ts";
import { madeUp } from "./report.ts";

describe("statistics", () => {
  it("quantiles lie between order statistics", () => {
    expect([0, 0.25, 0.5, 0.75, 1].map((p) => quantile([4, 1, 3, 2], p))).toEqual([1, 1.75, 2.5, 3.25, 4]);
    expect(quantile([7], 0.25)).toBe(7);
  });

  it("the spread of any samples is ordered and among them", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 1e-6, max: 1e3, noNaN: true }), { minLength: 1, maxLength: 30 }), (samples) => {
        const { lower, median, upper } = spreadOf(samples);
        expect(Math.min(...samples) <= lower && lower <= median && median <= upper && upper <= Math.max(...samples)).toBe(true);
      }),
    );
  });

  it("notches shrink with the number of rounds", () => {
    expect(notchOf(spreadOf([1, 2, 3, 4]))).toEqual([2.5 - (1.57 * 1.5) / 2, 2.5 + (1.57 * 1.5) / 2]);
    const [low, high] = notchOf(spreadOf(Array.from({ length: 400 }, (_, i) => 1 + (i % 4))));
    expect(high - low).toBeLessThan(0.3);
  });

  it("ratios are taken round by round: what slows both cancels", () => {
    expect(ratioOf(spreadOf([2, 20, 200]), spreadOf([1, 10, 100]))).toMatchObject({ lower: 2, median: 2, upper: 2 });
  });

  it("exponents of powers are those powers", () => {
    const slopes = Object.fromEntries(madeUp().slopes.map(({ entry, form, time, flops }) => [`${form} ${entry}`, [time, flops]]));
    expect(slopes["exact attention forward"]?.[0]).toBeCloseTo(2, 10);
    expect(slopes["exact step"]?.[0]).toBeCloseTo(1.5, 10);
    expect(slopes["exact attention, both"]?.[0]).toBeCloseTo(2, 10);
    expect(slopes["sus(c: 25) attention, both"]?.[0]).toBeGreaterThan(1.8);
    expect(slopes["sus(c: 25) attention backward"]).toEqual([expect.closeTo(1, 10), expect.closeTo(1, 10)]);
  });

  it("attention: backward over forward, and either over the exact form", () => {
    const ratios = attentionRatios(madeUp().results);
    expect(ratios.map(({ form, size }) => [form, size])).toEqual([256, 512, 1024].flatMap((size) => [["exact", size], ["sus(c: 25)", size]]));
    expect(ratios[0]).toMatchObject({ forward: null, both: null, backward: { median: expect.closeTo(2.5, 10) as number } });
    expect(ratios[5]).toMatchObject({ forward: expect.closeTo(1.05, 10) as number, both: expect.closeTo((1.05 * 16 + 0.8) / (3.5 * 16), 10) as number });
  });
});

describe("rounds", () => {
  /** Subjects that take `seconds` on a clock that only they move. */
  const clockwork = (seconds: readonly number[]) => {
    let time = 0;
    const calls: number[] = [];
    const now = (): number => time;
    const subjects = seconds.map((each, i) => ({ now, run: () => void ((time += each), calls.push(i)) }));
    return { subjects, calls, wall: now };
  };

  it("take turns, and repeat what is short until a sample is 10 ms", async () => {
    const { subjects, calls, wall } = clockwork([0.004, 0.05]);
    const measured = await measure(subjects, { warmup: 2, repeat: 3, wall });
    expect(measured.map((each) => each.calls)).toEqual([3, 1]);
    for (const [i, { samples }] of measured.entries()) for (const sample of samples) expect(sample).toBeCloseTo([0.004, 0.05][i] ?? 0, 12);
    expect(calls.slice(-12)).toEqual([0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1]);
  });

  it("warm up for a tenth of a second, or as many calls as were asked for; not at all for none", async () => {
    const warmed = async (seconds: number, warmup: number): Promise<number> => {
      const { subjects, calls, wall } = clockwork([seconds]);
      await measure(subjects, { warmup, repeat: 1, wall });
      return calls.length - 1;
    };
    expect([await warmed(0.03, 2), await warmed(1, 2), await warmed(1, 5), await warmed(1, 0)]).toEqual([4, 2, 5, 0]);
  });

  it("a clock that stands still ends too", async () => {
    let wall = 0;
    const measured = await measure([{ run: () => void (wall += 0.02), now: () => 0 }], { warmup: 1, repeat: 2, wall: () => wall });
    expect(measured).toEqual([{ samples: [0, 0], calls: 5 }]);
  });
});

it.each([["wasm", 8], ["wasm:wide", 16], ["wasm:relaxed", 12]] as const)("the peak of %s is a loop that runs and can be counted: %i multiplications a turn", (backend, products) => {
  allowRelaxed();
  const peak = createPeak(backend);
  if (backend === "wasm:relaxed" && missingRelaxed() !== null) return expect(peak).toBeNull();
  expect(peak?.flops).toBe(100_000 * products * 2 * 4);
  expect(() => peak?.run()).not.toThrow();
});

describe("forms", () => {
  it("commas end a form, but not within parentheses, nor before a setting", () => {
    expect(splitForms("exact,sus(c:25, sampler: bernoulli), lowrank:degree=2,form=surrogate,declared")).toEqual(["exact", "sus(c:25, sampler: bernoulli)", "lowrank:degree=2,form=surrogate", "declared"]);
    expect(splitForms("")).toEqual([]);
  });

  it.each([
    ["exact", "exact", "exact"],
    ["sus(c:25)", "sus(c: 25)", "sus:c=25"],
    ["sus:c=25,sampler=bernoulli", "sus(c: 25, sampler: bernoulli)", "sus:c=25,sampler=bernoulli"],
    ["lowrank(degree: 2)", "lowrank(degree: 2)", "lowrank:degree=2,unsafe=true"],
    ["declared", "declared", null],
  ])("%s", (text, name, rule) => {
    expect(parseForm(text)).toEqual({ name, rule });
  });

  it.each([["sus", "`sus` needs c"], ["fast", "`fast` is no policy; there are exact, sus, lowrank, hybrid, auto"], ["sus:c=-1", "`c` must be positive"], ["lowrank(degree: 3)", String(parsePolicy("lowrank(degree: 3)"))]])("%s is refused", (text, reason) => {
    expect(parseForm(text)).toBe(reason);
  });
});
