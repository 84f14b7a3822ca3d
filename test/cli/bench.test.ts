/** @file `bench` at tiny sizes: tables, JSON, page, baseline, and how it refuses. */

import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { bench } from "../../compiler/node/bench.ts";
import { readBench } from "../../compiler/node/bench-file.ts";
import type { BenchReport } from "../../compiler/bench/schema.ts";
import { scratch, SMALL, subquad, succeed } from "./support.ts";
import type { Outcome } from "./support.ts";

const file = scratch();
const model = file("small.sq", SMALL);
const quick = ["--backend", "gpujs:cpu", "--repeat", "2", "--warmup", "0"];

const entriesOf = ({ results }: BenchReport): readonly string[] => [...new Set(results.map(({ entry }) => entry))];

/** A clock on which every look takes a second. */
const ticking = (): (() => number) => {
  let time = 0;
  return () => (time += 1);
};

describe("a sweep over two forms", () => {
  const [json, html] = [file("bench.json"), file("bench.html")];
  let outcome: Outcome;
  let report: BenchReport;
  beforeAll(async () => {
    outcome = await succeed(["bench", model, ...quick, "--dim", "B=1", "--sweep", "T=16,8", "--forms", "exact,sus:c=4", "lowrank(degree: 2)", "--json", json, "--html", html]);
    report = readBench(json);
  }, 120_000);

  it("prints tables on stdout and progress on stderr", () => {
    expect(outcome.out).toMatch(/^Small \(B=1 T=16 .*\) on gpujs:cpu.*; medians and quartiles of 2 rounds/);
    for (const title of ["time of one call", "attention: time of the backward over the forward", "exponents in T"]) expect(outcome.out).toContain(title);
    expect(outcome.err).toMatch(/^T = 8, exact: forward [\d.]+ [µm]?s, [\d.e-]+ GFLOP\/s, [\d.]+ % of the peak$/m);
  });

  it("times everything at every size in every form", () => {
    expect(entriesOf(report)).toEqual(["forward", "grad", "step", "attention forward", "attention backward"]);
    expect(report.results).toHaveLength(5 * 3 * 2);
    expect(report).toMatchObject({ version: 1, kind: "bench", model: "Small", file: model, threads: 1, repeat: 2, warmup: 0, seed: 0, sweep: "T", dims: { B: 1, T: 16 }, notes: [] });
    expect([...new Set(report.results.map(({ form, size }) => `${form} ${size}`))]).toEqual([8, 16].flatMap((T) => ["exact", "sus(c: 4)", "lowrank(degree: 2)"].map((form) => `${form} ${T}`)));
    for (const { seconds, share, flops, arenaBytes, residentBytes } of report.results) {
      expect(seconds.samples).toHaveLength(2);
      expect(Math.min(...seconds.samples, flops, arenaBytes, residentBytes, ...(share?.samples ?? [0]))).toBeGreaterThan(0);
    }
    expect(report.slopes).toHaveLength(18);
    expect(report.results.filter(({ tokens }) => tokens !== null).map(({ tokens }) => tokens)).toEqual([8, 16].flatMap((T) => Array<number>(9).fill(T)));
  });

  it("counts operations as the cost polynomials do", () => {
    const of = (form: string, entry: string): number | undefined => report.slopes.find((slope) => slope.form === form && slope.entry === entry)?.flops;
    expect(of("sus(c: 4)", "attention backward")).toBeLessThan(1.05);
    expect(of("exact", "attention backward")).toBeGreaterThan(1.7);
  });

  it("the page holds the same numbers", () => {
    const [, inside = ""] = /<script type="application\/json" id="bench">([^<]*)<\/script>/.exec(readFileSync(html, "utf8")) ?? [];
    expect(JSON.parse(inside)).toEqual(report);
  });

  it("a baseline is read back and stands beside; failing is only for who asks", async () => {
    const call = ["bench", model, ...quick, "--dim", "B=1", "--sweep", "T=8", "--forms", "exact", "--entries", "loss,attention", "--baseline"];
    const beside = await succeed([...call, json]);
    expect(beside.out).toMatch(/against the baseline\n\n *T +form +what +then +now/);
    expect(beside.out).toContain("note: 1 of 3 results are not in the baseline");
    const fast = file("fast.json", JSON.stringify({ ...report, peak: null, results: report.results.map((result) => ({ ...result, seconds: { median: 1e-9, lower: 1e-9, upper: 1e-9, samples: [1e-9] } })) }));
    await succeed([...call, fast]);
    const failed = await subquad([...call, fast, "--fail-slower", "1.2", "--json", "-"]);
    expect(failed.code).toBe(4);
    expect(failed.err).toMatch(/error: .* more than 1\.2 times the baseline's\n {2}8, exact: attention /);
    expect((JSON.parse(failed.out) as BenchReport).kind).toBe("bench");
  }, 60_000);
});

describe("attention by itself", () => {
  it("needs no file, on wasm as on the interpreter", async () => {
    const call = ["bench", "attention", "--dim", "T=8", "--dim", "K=4", "--repeat", "1", "--warmup", "0", "--json", "-", "--backend"];
    const [wasm, exact] = await Promise.all(["wasm", "interpreter"].map(async (backend) => JSON.parse((await succeed([...call, backend])).out) as BenchReport));
    for (const report of [wasm, exact]) expect(report && entriesOf(report)).toEqual(["attention forward", "attention backward"]);
    expect(exact).toMatchObject({ model: "Attention", backend: "interpreter", threads: 1, sweep: null, slopes: [] });
    expect(wasm?.results.map(({ flops }) => flops)).toEqual(exact?.results.map(({ flops }) => flops));
  }, 60_000);

  it("on a clock of ours the numbers are ours", async () => {
    const report = await bench({ file: "attention", dims: { T: 8, K: 4 }, backend: "interpreter", repeat: 3, warmup: 0, now: ticking() });
    expect(report.results.map(({ seconds }) => seconds.samples)).toEqual([[1, 1, 1], [1, 1, 1]]);
    expect(report.peak?.median).toBe(100_000 * 64);
    expect(report.results[0]?.share?.median).toBeCloseTo((report.results[0]?.flops ?? 0) / 6_400_000, 12);
  });
});

it("what the compiler refuses is left out with a note, as long as something is left", async () => {
  const alibi = file("alibi.sq", SMALL.replace("mask: causal", "mask: causal, bias: alibi(H, T, T)"));
  const { out } = await succeed(["bench", alibi, ...quick, "--entries", "attention", "--forms", "lowrank:degree=2", "--json", "-"]);
  expect((JSON.parse(out) as BenchReport).notes.join()).toMatch(/^lowrank\(degree: 2\) is not what Attention does: /);
  const odd = file("odd.sq", SMALL.replace("[D, H, K]", "[D, H, D / H]"));
  const swept = await succeed(["bench", odd, ...quick, "--entries", "loss", "--sweep", "H=2,3", "--json", "-"]);
  expect((JSON.parse(swept.out) as BenchReport).notes).toEqual([expect.stringMatching(/^not at H = 3 with declared: /)]);
}, 60_000);

describe("refusals", () => {
  const plain = file("plain.sq", SMALL.replace("x + Attention(x)", "x"));
  const cases: readonly [string, readonly string[], number, RegExp][] = [
    ["no attention", ["bench", plain, "--entries", "attention"], 1, /SQ0614.*no attention to time by itself/],
    ["an entry that is not there", ["bench", file("fixed.sq", SMALL.replace(/optimizer.*\n/, "")), "--entries", "step"], 1, /SQ0706.*no entry point `step`/],
    ["an entry that is none", ["bench", model, "--entries", "backward"], 2, /it must be a list of forward, loss, grad, step, attention/],
    ["a form that is none", ["bench", model, "--forms", "sus"], 2, /SQ0007.*`sus` is no form: `sus` needs c/],
    ["a sweep without sizes", ["bench", model, "--sweep", "T"], 2, /such as T=512,1024,2048/],
    ["a size of nothing", ["bench", model, "--sweep", "T=0,8"], 2, /SQ0007.*sizes of T are whole numbers above 0/],
    ["two sweeps", ["bench", model, "--sweep", "T=8", "--sweep", "B=1"], 2, /one dimension is swept at a time/],
    ["a dimension that is given and swept", ["bench", model, "--dim", "T=8", "--sweep", "T=8,16"], 2, /SQ0007.*swept and given a size/],
    ["a dimension that is not there", ["bench", model, "--sweep", "N=8,16"], 1, /SQ0009.*no dim `N`/],
    ["no rounds", ["bench", model, "--repeat", "0"], 2, /a whole number, 1 or more/],
    ["threads of gpu.js", ["bench", model, "--backend", "gpujs:cpu", "--threads", "2"], 2, /SQ0007.*takes no number of threads/],
    ["an unknown backend", ["bench", model, "--backend", "cuda"], 2, /SQ0701/],
    ["a baseline that is none", ["bench", model, "--baseline", file("none.json", "{}")], 1, /SQ0615.*is no benchmark: version is not 1/],
    ["a baseline that is not there", ["bench", model, "--baseline", file("absent.json")], 1, /SQ0001/],
    ["a limit without a baseline", ["bench", model, "--fail-slower", "1.2"], 2, /SQ0007.*needs a baseline/],
    ["statistics of no model", ["bench", "attention", "--statistics", model], 2, /SQ0007.*no model of yours/],
    ["a model with mistakes", ["bench", file("wrong.sq", SMALL.replace("[B, T, V]", "[B, T, D]"))], 1, /SQ03/],
  ];
  it.each(cases)("%s", async (_, argv, code, says) => {
    const outcome = await subquad(argv);
    expect(outcome.err).toMatch(says);
    expect({ code: outcome.code, out: outcome.out }).toEqual({ code, out: "" });
  });
});
