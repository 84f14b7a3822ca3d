/** @file What a benchmark prints, and how it compares with an earlier one, on made-up times. */

import { describe, expect, it } from "vitest";
import { changeTable, compareBench, slower } from "../../compiler/bench/compare.ts";
import { benchPage } from "../../compiler/bench/page.ts";
import { duration, printBench, printTable, progressLine } from "../../compiler/bench/print.ts";
import { benchReport } from "../../compiler/bench/schema.ts";
import type { BenchReport, BenchResult } from "../../compiler/bench/schema.ts";
import { readJson } from "../../ir/read-json.ts";
import { madeUp } from "./report.ts";

const report = madeUp();

describe("tables", () => {
  it("as they are printed", async () => {
    await expect(printBench(report)).toMatchFileSnapshot("golden/bench.txt");
  });

  it("say where the peak scatters", () => {
    const busy: BenchReport = { ...report, peak: { median: 50e9, lower: 30e9, upper: 51e9, samples: [30e9, 50e9, 51e9] } };
    expect(printBench(busy)).toContain("unsteady: the machine does something else too");
  });

  it("leave out what there is nothing of: sizes, shares, ratios, exponents", () => {
    const [result] = report.results;
    const plain: BenchReport = { ...report, sweep: null, peak: null, slopes: [], notes: [], results: [{ ...(result as BenchResult), size: null, share: null, arenaBytes: 0 }] };
    const text = printBench(plain);
    expect(text).not.toMatch(/of peak|exponents|backward\/forward|note:|arena/);
    expect(text).toContain("form   what   time       quartiles  FLOPs  GFLOP/s  tokens/s\nexact  step  12 ms");
  });

  it("name the site where there are several kinds of attention", () => {
    const results = report.results.map((result, i): BenchResult => ({ ...result, ...(result.site === null ? {} : { site: i % 2 === 0 ? "A" : "B", sites: 3 }) }));
    expect(printBench({ ...report, results })).toContain("A and 2 more");
  });

  it("a line of progress", () => {
    expect(progressLine(report.results[3] as BenchResult, "T")).toBe("T = 256, sus(c: 25): attention forward 1.05 ms, 40.4 GFLOP/s, 80.8 % of the peak");
  });

  it.each([[12.345, "12.3 s"], [0.0123, "12.3 ms"], [4.56e-5, "45.6 µs"], [1e-8, "0.01 µs"]])("%d s is %s", (seconds, text) => {
    expect(duration(seconds)).toBe(text);
  });
});

describe("a file of results", () => {
  const text = JSON.stringify(report);

  it("is read as it was written; a newer writer may say more", () => {
    expect(readJson(text, benchReport)).toEqual(report);
    expect(readJson(JSON.stringify({ ...report, more: 1 }), benchReport)).toEqual(report);
  });

  it.each([
    ["{", /^not JSON/],
    ["[]", /^the file is not an object/],
    [text.replace('"version":1', '"version":2'), /^version is not 1/],
    [text.replace('"kind":"bench"', '"kind":"audit"'), /^kind is not bench/],
    [text.replace('"flops":40000000', '"flops":null'), /^results\[1\]\.flops is not a number/],
    [text.replace('"T":1024', '"T":"long"'), /^dims\.T is not a number/],
  ])("%.20s… is refused", (json, says) => {
    expect(readJson(json, benchReport)).toMatch(says);
  });
});

describe("against a baseline", () => {
  it("as it is printed: what changed by more than it scatters is marked", async () => {
    const comparison = compareBench(madeUp(1.3), report);
    await expect(printTable(changeTable(comparison, "T"))).toMatchFileSnapshot("golden/baseline.txt");
    expect(comparison.notes).toEqual([]);
    expect(slower(comparison, 1.2)).toHaveLength(12);
    expect(slower(comparison, 1.4)).toEqual([]);
  });

  it("what scatters more than it changed is not marked, and does not fail", () => {
    const wide = (at: number): BenchReport => ({ ...report, results: report.results.map((result) => ({ ...result, seconds: { ...result.seconds, median: at * result.seconds.median, lower: 0.5 * result.seconds.median, upper: 2 * result.seconds.median } })) });
    const comparison = compareBench(wide(1.5), wide(1));
    expect(comparison.changes.map(({ beyond }) => beyond)).not.toContain(true);
    expect(slower(comparison, 1.2)).toEqual([]);
  });

  it("a machine that is as much slower as the program is no failure", () => {
    const busy: BenchReport = { ...madeUp(1.5), peak: { median: 50e9 / 1.5, lower: 33e9, upper: 34e9, samples: [33e9, 34e9] } };
    const comparison = compareBench(busy, report);
    expect(comparison.changes[0]).toMatchObject({ ratio: expect.closeTo(1.5, 10) as number, normalised: expect.closeTo(1, 10) as number, beyond: true });
    expect(slower(comparison, 1.2)).toEqual([]);
    expect(comparison.notes).toEqual(["the peak of the machine is 0.667 of what it was in the baseline"]);
  });

  it("says what makes them hard to compare", () => {
    const other: BenchReport = { ...report, model: "Other", backend: "gpujs:cpu", dims: { ...report.dims, K: 64 }, results: report.results.slice(1) };
    expect(compareBench(report, other).notes).toEqual([
      "the baseline has another model: Other, now Net",
      "the baseline has another backend: gpujs:cpu, now wasm (1 thread)",
      "the baseline has another dims: H=4 K=64, now H=4 K=16",
      "1 of 15 results are not in the baseline",
    ]);
  });
});

describe("the page", () => {
  const page = benchPage(report, compareBench(madeUp(1.3), report));

  it("has the charts of every entry, the tables and the numbers, and needs nothing else", () => {
    expect(page).not.toMatch(/https?:(?!\/\/www\.w3\.org\/2000\/svg)/);
    expect([...page.matchAll(/aria-label="([^"]*)"/g)].map((match) => match[1])).toEqual([
      "Time of step", "Share of the peak: step", "Time of attention forward", "Share of the peak: attention forward",
      "Time of attention backward", "Share of the peak: attention backward", "Attention: time of the backward / time of the forward",
    ]);
    expect(page).not.toContain("NaN");
    expect(page).toContain("Against the baseline");
    const [, inside = ""] = /<script type="application\/json" id="bench">([^<]*)<\/script>/.exec(page) ?? [];
    expect(JSON.parse(inside)).toEqual(report);
  });

  it("draws the baseline dashed, in the colour of its form", () => {
    const time = page.slice(page.indexOf("Time of attention forward"), page.indexOf("Share of the peak: attention forward"));
    expect(time.match(/<g class="s[0-9]"><polyline[^>]*class="line(?: dashed)?"/g)?.map((line) => /s\d/.exec(line)?.[0] + (line.includes("dashed") ? " dashed" : ""))).toEqual(["s0", "s1", "s0 dashed", "s1 dashed"]);
  });

  it("has no charts without a sweep", () => {
    expect(benchPage({ ...report, sweep: null })).not.toContain("<svg");
  });
});
