/** @file How the command line is called: help, mistakes, exit codes, formats of what it says. */

import { chmodSync, mkdirSync, readFileSync } from "node:fs";
import { describe, expect, it, vi } from "vitest";
import { InternalError } from "../../ir/diagnostic.ts";
import { VERSION } from "../../compiler/version.ts";
import { dce } from "../../passes/dce.ts";
import { filesBelow, ROOT } from "../tools.ts";
import { scratch, SMALL, subquad } from "./support.ts";

const file = scratch();
const model = file("small.sq", SMALL);
const broken = file("broken.sq", SMALL.replace("x + Attention(x)", "x + Atention(x)"));
const COMMANDS = filesBelow("compiler/cli/commands", ".ts").map((path) => path.replace(/^.*\/(.*)\.ts$/, "$1"));

describe("help", () => {
  it("lists every command, and every command has a summary and an example", async () => {
    const { code, out } = await subquad(["--help"]);
    expect(code).toBe(0);
    for (const command of COMMANDS) {
      expect(out).toMatch(new RegExp(`^  ${command} `, "m"));
      const page = await subquad([command, "--help"]);
      expect(page.code).toBe(0);
      expect(page.out).toContain(`Usage: subquad ${command}`);
      expect(page.out).toMatch(new RegExp(`Examples:\n  subquad ${command}`));
    }
  });

  it("the examples of every page name flags that exist", async () => {
    for (const command of COMMANDS) {
      const { out } = await subquad([command, "--help"]);
      const [page = "", examples = ""] = out.split("Examples:\n");
      for (const flag of examples.match(/(?<= )--?[a-z][\w-]*/g) ?? []) expect(page).toContain(flag);
    }
  });

  it("without a command: the help, and exit 2", async () => {
    const { code, out, err } = await subquad([]);
    expect(code).toBe(2);
    expect(out + err).toContain("Commands:");
  });

  it("says its version, package.json's", async () => {
    expect((await subquad(["--version"])).out).toBe(`${VERSION}\n`);
    expect(JSON.parse(readFileSync(`${ROOT}/package.json`, "utf8"))).toMatchObject({ version: VERSION });
  });
});

describe("mistakes in the call exit with 2 and say what is wrong", () => {
  const cases: readonly [argv: readonly string[], says: RegExp][] = [
    [["chek", model], /unknown command 'chek'\n\(Did you mean check\?\)/],
    [["check"], /missing required argument 'files'/],
    [["check", model, "--colour"], /unknown option '--colour'/],
    [["check", model, "--dimm", "T=2"], /unknown option '--dimm'\n\(Did you mean --dim\?\)/],
    [["check", model, "--format", "xml"], /Allowed choices are human, json, github/],
    [["check", model, "--color", "sometimes"], /Allowed choices are auto, always, never/],
    [["check", model, "--dim", "T"], /SQ0008.*`--dim T` is not NAME=SIZE/],
    [["check", model, "--dim", "T=-1"], /SQ0008/],
    [["check", model, "--dim", "T=1.5"], /SQ0008/],
    [["check", model, "--backward", "exact"], /SQ0007.*is not PATH=policy/],
    [["check", model, "--backward", "Attention=sus(c: 2)"], /SQ0007.*is not a rule/],
    [["compile", model, "--passes", "canonicalise"], /SQ0408.*no pass `canonicalise`[^]*did you mean `canonicalize`/],
    [["compile", model, "--passes", "dce{deep=1}"], /SQ0409/],
    [["compile", model, "--stop-after", "dse"], /SQ0408.*no pass `dse` is run[^]*did you mean/],
    [["compile", model, "--print-ir", "always"], /SQ0007.*`--print-ir always`[^]*after=PASS, changed or diff/],
    [["compile", model, "--print-ir", "after=nothing"], /SQ0408/],
    [["inspect", model], /missing required argument 'view'/],
    [["inspect", model, "costs"], /Allowed choices are cost, memory, kernels, diff/],
    [["inspect", model, "kernels", "--source", "nothing"], /SQ0007.*no kernel's name contains `nothing`/],
    [["inspect", model, "diff", "--pass", "nothing"], /SQ0408/],
    [["run", model, "backward"], /Allowed choices are forward, loss, grad, step/],
    [["run", model, "loss", "--seed", "-1"], /whole number, 0 or more/],
    [["run", model, "loss", "--tolerance", "tight"], /a number above 0/],
    [["run", model, "loss", "--backend", "cuda"], /SQ0701.*no backend `cuda`/],
    [["train", model], /required option '--data/],
    [["train", model, "--data", model, "--steps", "0"], /whole number, 1 or more/],
    [["train", model, "--data", model, "--steps", "1", "--floor", "2"], /a number from 0 to 1/],
    [["train", model, "--data", model, "--steps", "1", "--resume"], /SQ0007/],
    [["sample", model], /required option '--checkpoint/],
    [["sample", model, "--checkpoint", "x", "--temperature", "-1"], /a number, 0 or more/],
    [["sample", model, "--checkpoint", "x", "--temperature", "warm"], /a number, 0 or more/],
    [["sample", model, "--checkpoint", "x", "--top-k", "0"], /whole number, 1 or more/],
  ];
  it.each(cases)("%j", async (argv, says) => {
    const { code, out, err } = await subquad(argv);
    expect(err).toMatch(says);
    expect(err).not.toMatch(/\n\s+at /);
    expect({ code, out }).toEqual({ code: 2, out: "" });
  });
});

describe("mistakes in what is given exit with 1", () => {
  mkdirSync(file("folder"));
  const cases: readonly [argv: readonly string[], says: RegExp][] = [
    [["check", file("nothing.sq")], /SQ0001.*there is no such file/],
    [["check", file("folder")], /SQ0001.*it is a directory/],
    [["check", file("image.sq", Uint8Array.of(0xff, 0xd8, 0xff))], /SQ0002/],
    [["check", file("empty.sq", "")], /SQ0004/],
    [["check", broken], /SQ02\d\d[^]*did you mean `Attention`/],
    [["check", model, "--dim", "Q=3"], /SQ0009/],
    [["check", model, "--dim", "T=0"], /SQ0310/],
    [["check", model, "--attention-backward", "sus:c=many"], /SQ0503[^]*`\*\*=sus:c=many`/],
    [["check", model, "--attention-backward", "sus"], /SQ0503/],
    [["check", model, "--attention-backward", "magic"], /SQ0502/],
    [["compile", model, "--backward", "Attention=lowrank:degree=3"], /SQ0503[^]*`Attention=lowrank:degree=3`/],
    [["check", model, "--backward", "Attention#1=exact"], /SQ0218/],
    [["compile", model, "--attention-backward", "lowrank:degree=2"], /SQ0509[^]*at Attention: .*unbounded[^]*guard: R/],
    [["compile", model, "--attention-backward", "lowrank:degree=2,guard=4"], /SQ0509[^]*smaller guard/],
    [["compile", model, "--statistics", file("odd.json", "{}")], /SQ0510.*version/],
    [["compile", model, "--statistics", file("other.json", '{ "version": 1, "model": "Other", "sites": [] }')], /SQ0510.*`Other`/],
    [["check", model, "--backward", "Nowhere=exact"], /SQ0218/],
    [["compile", model, "-o", `${model}/x`], /SQ0011/],
    [["compile", model, "--dump-ir", `${model}/x`], /SQ0011/],
    [["opt", file("nothing.ir")], /SQ0001/],
    [["opt", model], /SQ04\d\d/],
    [["opt", file("empty.ir", "module {\n}\n"), "-o", `${model}/x`], /SQ0011/],
    [["fmt", file("nothing.sq")], /SQ0001/],
    [["explain", "SQ9999"], /SQ0012/],
    [["new", ROOT], /SQ0011.*it is not empty/],
    [["new", `${model}/x`], /SQ0011/],
    [["inspect", model, "cost", "--entry", "nothing"], /SQ0706/],
    [["inspect", model, "diff", "--entry", "nothing"], /SQ0706/],
  ];
  it.each(cases)("%j", async (argv, says) => {
    const { code, out, err } = await subquad(argv);
    expect(err).toMatch(says);
    expect(err).not.toMatch(/\n\s+at /);
    expect({ code, out }).toEqual({ code: 1, out: "" });
  });

  it("an unwritable file is said, whatever the command", async () => {
    const messy = file("messy.sq", SMALL.replace("dim B = 2", "dim   B=2"));
    chmodSync(messy, 0o444);
    const { code, err } = await subquad(["fmt", messy]);
    // root may write everything
    if (process.getuid?.() === 0) expect(code).toBe(0);
    else expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining("SQ0011") });
  });
});

describe("what is said", () => {
  it("human: a code frame on stderr, nothing on stdout", async () => {
    const { out, err } = await subquad(["check", broken]);
    expect(out).toBe("");
    expect(err).toMatch(/error\[SQ\d{4}\]: .*\n +--> .*broken\.sq:\d+:\d+\n/);
    expect(err).not.toContain("\u001b[");
  });

  it("--color always colours, never does not", async () => {
    expect((await subquad(["check", broken, "--color", "always"])).err).toContain("\u001b[");
    expect((await subquad(["check", broken, "--color", "never"], { terminal: true })).err).not.toContain("\u001b[");
  });

  it("json: one object a line with code and place, and nothing else", async () => {
    const { err } = await subquad(["check", broken, model, "--format", "json"]);
    const lines = err.trimEnd().split("\n").map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ schema: 1, severity: "error", line: 20, file: expect.stringContaining("broken.sq") });
    const usage = await subquad(["compile", model, "--stop-after", "dse", "--format=json"]);
    expect(JSON.parse(usage.err)).toMatchObject({ code: "SQ0408", severity: "error" });
  });

  it("github: a workflow command", async () => {
    const { err } = await subquad(["check", broken, "--format", "github"]);
    expect(err).toMatch(/^::error file=.*broken\.sq,line=20,endLine=20,col=\d+,endColumn=\d+,title=SQ\d{4}::/);
  });

  it("several files: the worst exit code, every file named", async () => {
    const { code, err } = await subquad(["check", model, broken, model]);
    expect(code).toBe(1);
    expect(err.match(/small\.sq: ok/g)).toHaveLength(2);
  });

  it("explain: one page, or the list", async () => {
    expect((await subquad(["explain", "sq0301"])).out).toMatch(/^SQ0301: /);
    expect((await subquad(["explain"])).out).toMatch(/^SQ0001 {2}.*\n(SQ\d{4} {2}.*\n)+$/);
  });

  it("--attention-backward and --backward override what the file asks for", async () => {
    const asking = file("asking.sq", `${SMALL}\nbackward {\n  Attention: sus(c: 5)\n}\n`);
    const policies = async (...flags: readonly string[]): Promise<readonly string[]> => {
      const { err } = await subquad(["compile", asking, "--print-ir", "after=recognize-attention", "--stop-after", "recognize-attention", ...flags]);
      return [...new Set([...err.matchAll(/backward = "([^"]*)"/g)].map((match) => match[1] ?? ""))];
    };
    expect(await policies()).toEqual(["sus(c: 5)"]);
    expect(await policies("--attention-backward", "exact")).toEqual([]);
    expect(await policies("--attention-backward", "sus:c=3,sampler=bernoulli")).toEqual(["sus(c: 3, sampler: bernoulli)"]);
    expect(await policies("--attention-backward", "exact", "--backward", "Attention#0=hybrid:c=4,degree=0")).toEqual(["hybrid(c: 4, degree: 0)"]);
  });
});

describe("a fault of the compiler", () => {
  it("exits with 70, says so in one breath, and leaves a reproducer", async () => {
    const failing = vi.spyOn(dce, "run").mockImplementation(() => {
      throw new InternalError("the test broke this pass");
    });
    const { code, err } = await subquad(["compile", model, "--dim", "T=4"]);
    failing.mockRestore();
    expect(code).toBe(70);
    expect(err).toMatch(/^internal error: in pass dce: the test broke this pass\nThis is a fault of subquad, not of your model\./);
    expect(err).not.toMatch(/\n\s+at /);
    const path = /\n {2}(.*reproducer\.json)\n$/.exec(err)?.[1] ?? "";
    const report = JSON.parse(readFileSync(path, "utf8")) as { error: { message: string } };
    expect(report).toMatchObject({ version: 1, subquad: VERSION, argv: ["compile", model, "--dim", "T=4"], sources: { [model]: SMALL } });
    expect(report.error.message).toContain('"sq.attention"');
  });

  it("memory that a model has not is no fault of the compiler", async () => {
    const failing = vi.spyOn(dce, "run").mockImplementation(() => {
      throw new RangeError("Array buffer allocation failed");
    });
    const { code, err } = await subquad(["compile", model]);
    failing.mockRestore();
    expect({ code, err }).toEqual({ code: 3, err: expect.stringContaining("SQ0707") });
  });
});
