/** @file `audit` of a tiny model: tables, JSON, the page, and how it refuses. */

import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { parseStatistics } from "../../ir/head-statistics.ts";
import type { AuditReport } from "../../compiler/audit/schema.ts";
import { scratch, SMALL, subquad, succeed, TEXT } from "./support.ts";
import type { Outcome } from "./support.ts";

const file = scratch();
const model = file("small.sq", SMALL.replace("dim T = 8", "dim T = 16"));
const text = file("text.txt", TEXT);
const small = ["--data", text, "--backend", "gpujs:cpu", "--sequences", "6"];
const number = expect.any(Number) as number;

describe("an audit of one layer", () => {
  const json = file("audit.json");
  const html = file("audit.html");
  let outcome: Outcome;
  let report: AuditReport;
  beforeAll(async () => {
    outcome = await succeed(["audit", model, ...small, "--c", "2,4", "--degree", "0,2", "--lengths", "8,16", "--json", json, "--html", html]);
    report = JSON.parse(readFileSync(json, "utf8")) as AuditReport;
  }, 120_000);

  it("prints tables on stdout and progress on stderr", () => {
    for (const title of ["attention weights", "variance of sus", "relative error of low-rank", "control variate", "expected entries kept", "the whole gradient", "each layer", "bias"]) {
      expect(outcome.out).toContain(title);
    }
    expect(outcome.out).toMatch(/^Small: 2,304 parameters, as they start, on gpujs:cpu/);
    expect(outcome.out).toMatch(/\n +16 {2}sus\(c: 2\) +\d[\d.e-]* ± \d/);
    expect(outcome.err).toMatch(/length 8: 6 exact gradients on gpujs:cpu/);
    expect(outcome.err).toMatch(/length 16: sus\(c: 4\), [\d.]+ s/);
  });

  it("the JSON is a file of head statistics too", () => {
    const statistics = parseStatistics(readFileSync(json, "utf8"));
    if (typeof statistics === "string") throw new Error(statistics);
    expect(statistics).toMatchObject({ version: 1, model: "Small", sites: [{ site: "Attention", queries: 16, keys: 16 }] });
    expect(statistics.sites[0]?.heads.map(({ head }) => head)).toEqual([0, 1]);
  });

  it("the JSON has every part of the schema", () => {
    expect(report).toMatchObject({
      version: 1, model: "Small", backend: expect.stringMatching(/^gpujs:cpu/) as string, seed: 0, checkpoint: null, parameters: 2304, heldOutBytes: 180,
      sequences: 6, headSequences: 6, draws: 2, cs: [2, 4], degrees: [0, 2], dims: { B: 1, T: 16, V: 256, D: 8, H: 2, K: 4 },
    });
    expect(report.lengths.map(({ length }) => length)).toEqual([8, 16]);
    const [short] = report.lengths;
    const [few, many] = (short?.approximations ?? []).map(({ groups }) => groups[0]?.rho?.value ?? Number.NaN);
    expect(short?.slope).toBeCloseTo(Math.log2((many as number) / (few as number)), 10);
    expect(short?.approximations.map(({ policy, kind, parameter }) => [policy, kind, parameter])).toEqual([
      ["sus(c: 2)", "sus", 2], ["sus(c: 4)", "sus", 4], ["lowrank(degree: 2)", "lowrank", 2],
    ]);
    expect(short?.kept).toEqual([2, 4].map((c) => ({ c, keptPerRow: number, keptOfSquare: number, keptOfMask: number })));
    const [sus, , lowrank] = short?.approximations ?? [];
    expect(sus?.groups.map(({ group }) => group)).toEqual(["all parameters", "Attention"]);
    expect(sus?.groups[0]).toMatchObject({ rho: { value: number, error: number }, maskVariance: number, batchVariance: number, z: { draws: 8, expected: number } });
    expect(lowrank?.groups[0]).toMatchObject({ rho: null, maskVariance: null, z: null, relativeError: { value: number } });
    expect(report.sites[0]?.heads[0]?.sampled.map(({ c, degree }) => [c, degree])).toEqual([[2, null], [4, null], [2, 0], [4, 0], [2, 2], [4, 2]]);
    expect(report.sites[0]?.heads[0]?.lowrank.map(({ degree, form }) => [degree, form])).toEqual([[0, "plugin"], [2, "plugin"], [2, "surrogate"]]);
    expect(report.keptMaps).toHaveLength(2);
    expect(report.cost.map(({ policy }) => policy)).toEqual(["exact", "forward alone", "sus(c: 2)", "lowrank(degree: 2)"]);
  });

  it("more kept is less variance; nothing is kept above c", () => {
    for (const { approximations, kept } of report.lengths) {
      const [few, many] = approximations.map(({ groups }) => groups[0]?.rho?.value ?? Number.NaN);
      expect(few).toBeGreaterThan(many as number);
      for (const { c, keptPerRow } of kept) expect(keptPerRow).toBeLessThanOrEqual(c);
    }
  });

  it("sus has no bias that shows, low rank has nothing but bias", () => {
    for (const { approximations } of report.lengths) {
      for (const { kind, groups } of approximations) {
        const { squaredBias, relativeError } = groups[0]!;
        if (kind === "sus") expect(Math.abs(squaredBias.value)).toBeLessThan(5 * squaredBias.error);
        else expect(squaredBias.value / relativeError.value ** 2).toBeCloseTo(1, 5);
      }
    }
  });

  it("the page is well-formed, small, and holds the numbers", () => {
    const page = readFileSync(html, "utf8");
    expect(page.length).toBeLessThan(1_000_000);
    expect(page).not.toMatch(/https?:(?!\/\/www\.w3\.org\/2000\/svg)/);
    expect(unbalanced(page)).toEqual([]);
    expect(page.match(/<svg /g)).toHaveLength(6);
    const [, inside = ""] = /<script type="application\/json" id="audit">([^<]*)<\/script>/.exec(page) ?? [];
    expect(JSON.parse(inside)).toEqual(report);
  });
});

/** Elements that are not closed, or closed without being open. */
const unbalanced = (page: string): string[] => {
  const open: string[] = [];
  const wrong: string[] = [];
  for (const [, closing, name = "", , alone] of page.matchAll(/<(\/?)([a-z][\w-]*)((?:\s[^<>]*?)?)(\/?)>/g)) {
    if (alone === "/") continue;
    if (closing === "") open.push(name);
    else if (open.pop() !== name) wrong.push(name);
  }
  return [...wrong, ...open];
};

describe("other audits", () => {
  it("the model's own rules are one more gradient; draws 0 leaves whole gradients out; - is stdout", async () => {
    const own = await succeed(["audit", model, ...small, "--c", "2", "--degree", "0", "--attention-backward", "hybrid:c=2,degree=0", "--json", "-"]);
    const report = JSON.parse(own.out) as AuditReport;
    expect(report.lengths[0]?.approximations.map(({ policy }) => policy)).toEqual(["sus(c: 2)", "declared: hybrid(c: 2, degree: 0)"]);
    expect(report.lengths[0]?.approximations[1]?.groups[0]?.rho?.value).toBeGreaterThan(0);
    const heads = await succeed(["audit", model, ...small, "--draws", "0", "--json", "-"]);
    expect((JSON.parse(heads.out) as AuditReport).lengths[0]?.approximations).toEqual([]);
  }, 60_000);

  it("a checkpoint is used; the same seed gives the same numbers, on the interpreter too", async () => {
    const checkpoint = file("small.safetensors");
    await succeed(["train", model, "--data", text, "--steps", "3", "--save", checkpoint, "--backend", "gpujs:cpu"]);
    const call = ["audit", model, "--data", text, "--sequences", "3", "--c", "2", "--degree", "2", "--checkpoint", checkpoint, "--json", "-", "--backend"];
    const [one, two, exact] = await Promise.all(["gpujs:cpu", "gpujs:cpu", "interpreter"].map(async (backend) => JSON.parse((await succeed([...call, backend])).out) as AuditReport));
    expect(two).toEqual(one);
    expect(one?.checkpoint).toBe(checkpoint);
    const rho = (report: AuditReport | undefined): number => report?.lengths[0]?.approximations[0]?.groups[0]?.rho?.value ?? Number.NaN;
    expect(rho(exact)).toBeCloseTo(rho(one), 4);
    expect(exact?.sites[0]?.heads[0]?.entropy).toBeCloseTo(one?.sites[0]?.heads[0]?.entropy ?? Number.NaN, 5);
  }, 60_000);

  it("without text the tokens are random, and it says so", async () => {
    const { out } = await succeed(["audit", model, "--backend", "gpujs:cpu", "--sequences", "2", "--draws", "0"]);
    expect(out).toContain("2 sequences of random tokens");
    expect(out).toContain("note: no text was given");
  });

  it("says so where the held-out text holds fewer sequences than were asked for", async () => {
    const { out } = await succeed(["audit", model, "--data", text, "--backend", "gpujs:cpu", "--sequences", "12", "--draws", "0"]);
    expect(out).toContain("note: 180 bytes of held-out text are less than 12 sequences of 17: they overlap");
  });

  it("a bias is no low rank, and costs end where it gets too large", async () => {
    const alibi = file("alibi.sq", SMALL.replace("mask: causal", "mask: causal, bias: alibi(H, T, T)"));
    const { out } = await succeed(["audit", alibi, ...small, "--draws", "0", "--json", "-"]);
    const report = JSON.parse(out) as AuditReport;
    expect(report.sites[0]?.heads[0]?.lowrank).toEqual([]);
    expect(report.notes).toContain("no low-rank gradients: the attention has a bias that is data");
    expect(report.cost[0]?.points.at(-1)?.length).toBe(8192);
  });

  it("tables of positions are sliced, longer ones are not invented, and axes that are no positions are refused", async () => {
    const positions = file("positions.sq", SMALL.replace("let x = embed[tokens]", "param place: [T, D]\n  let x = embed[tokens] + place"));
    const call = (path: string): Promise<Outcome> => succeed(["audit", path, "--data", text, "--backend", "gpujs:cpu", "--sequences", "2", "--draws", "0", "--lengths", "4,8,16", "--json", "-"]);
    const sliced = JSON.parse((await call(positions)).out) as AuditReport;
    expect(sliced.lengths.map(({ length }) => length)).toEqual([4, 8]);
    expect(sliced.notes).toContain("not at T = 16: `place` knows 8 positions only");
    const odd = file("odd.sq", SMALL.replace("let x = embed[tokens]", "param place: [2 * T, D]\n  let x = embed[tokens] + place[0:T]"));
    const refused = await call(odd).then(({ out }) => JSON.parse(out) as AuditReport);
    expect(refused.lengths.map(({ length }) => length)).toEqual([8]);
    expect(refused.notes.join()).toMatch(/`place` has an axis of 2\*T, which is no table of positions/);
  });
});

describe("refusals", () => {
  const plain = file("plain.sq", SMALL.replace("x + Attention(x)", "x"));
  const other = file("other.sq", SMALL.replace("dim D = 8", "dim D = 16"));
  const cases: readonly [string, readonly string[], number, RegExp][] = [
    ["no attention", ["audit", plain, "--data", text], 1, /SQ0613.*no attention that its loss depends on/],
    ["a checkpoint of another model", ["audit", model, "--data", text, "--checkpoint", file("other.safetensors")], 1, /SQ0605.*does not fit/],
    ["text that is too short", ["audit", model, "--data", file("short.txt", "short")], 1, /SQ0607/],
    ["text that is not there", ["audit", model, "--data", file("none.txt")], 1, /SQ0001/],
    ["an unknown flag", ["audit", model, "--degrees", "2"], 2, /unknown option '--degrees'\n\(Did you mean --degree\?\)/],
    ["a c that is nothing", ["audit", model, "--c", "8,0"], 2, /it must be a list of numbers above 0/],
    ["a degree that is none", ["audit", model, "--degree", "1.5"], 2, /it must be a list of whole numbers from 0 to 12/],
    ["one draw", ["audit", model, "--draws", "1"], 2, /SQ0007.*one draw has no variance/],
    ["one sequence", ["audit", model, "--sequences", "1"], 2, /SQ0007.*at least 2/],
    ["lengths of a model without T", ["audit", file("fixed.sq", SMALL.replaceAll(/(?<!\.)\bT\b/g, "N")), "--lengths", "4"], 2, /SQ0007.*no dimension T/],
    ["an unknown backend", ["audit", model, "--backend", "cuda"], 2, /SQ0701/],
  ];
  beforeAll(async () => {
    await succeed(["train", other, "--data", text, "--steps", "1", "--save", file("other.safetensors"), "--backend", "gpujs:cpu"]);
  });
  it.each(cases)("%s", async (_, argv, code, says) => {
    const outcome = await subquad(argv);
    expect(outcome.err).toMatch(says);
    expect({ code: outcome.code, out: outcome.out }).toEqual({ code, out: "" });
  });
});
