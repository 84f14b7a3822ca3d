/** @file What the commands do when they are called rightly: `new`, `compile`, `opt`, `train`, `sample`, `fmt`, `doctor`. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { readSafetensors } from "../../runtime/safetensors.ts";
import { scratch, SMALL, subquad, succeed, TEXT } from "./support.ts";

const file = scratch();
const model = file("small.sq", SMALL);
const text = file("text.txt", TEXT);
const cpu = ["--backend", "gpujs:cpu"];

const tensorsOf = (path: string) => readSafetensors(readFileSync(path)).tensors;

describe("new", () => {
  it("makes a project whose model checks, compiles and trains", async () => {
    const folder = file("project");
    const { out, err } = await succeed(["new", folder]);
    expect(out.trimEnd().split("\n").map((path) => path.slice(folder.length + 1))).toEqual(["model.sq", "train.mjs", "package.json"]);
    expect(err).toMatch(/^next: cd /);
    const starter = join(folder, "model.sq");
    await succeed(["check", starter]);
    await succeed(["fmt", "--check", starter]);
    const small = ["--dim", "T=8", "--dim", "B=2", "--dim", "L=1", "--dim", "D=16"];
    await succeed(["train", starter, "--data", text, "--steps", "2", ...small, ...cpu]);
    expect((await subquad(["new", folder])).code).toBe(1);
  });
});

describe("compile", () => {
  it("lists the files it wrote on stdout, and says on stderr what they are", async () => {
    const folder = file("built");
    const { out, err } = await succeed(["compile", model, "-o", folder]);
    const names = ["small.model.ir", "small.gradient.ir", "small.kernels.ir", "small.ts", "manifest.json"];
    expect(out).toBe(names.map((name) => `${join(folder, name)}\n`).join(""));
    expect(readdirSync(folder).sort()).toEqual([...names].sort());
    expect(err).toMatch(/^\d+ kernels; launches: forward \d+, loss \d+, grad \d+, step \d+\n$/);
    for (const name of names.slice(0, 3)) expect((await subquad(["opt", join(folder, name)])).code, name).toBe(0);
  });

  it("--dump-ir: one numbered file a pass, and index.json", async () => {
    const folder = file("dumps");
    await succeed(["compile", model, "--dump-ir", folder]);
    const index = JSON.parse(readFileSync(join(folder, "index.json"), "utf8")) as { version: number; passes: { file: string; pass: string }[] };
    expect(index.version).toBe(1);
    expect(index.passes.map((entry) => entry.file)).toEqual(readdirSync(folder).filter((name) => name.endsWith(".ir")).sort());
    expect(index.passes[0]).toMatchObject({ file: "00-input.ir", pass: "input", changed: true });
    expect(index.passes.at(-1)).toMatchObject({ pass: "plan-memory" });
  });

  it("--stop-after ends early: IR is written, kernels are not", async () => {
    const folder = file("early");
    const { err } = await succeed(["compile", model, "-o", folder, "--stop-after", "differentiate"]);
    expect(readdirSync(folder).sort()).toEqual(["small.gradient.ir", "small.ir", "small.model.ir"]);
    expect(readFileSync(join(folder, "small.ir"), "utf8")).toContain("@grad(");
    expect(err).toContain("no kernels");
  });

  it("--print-ir goes to stderr: after a pass, after changes, as differences", async () => {
    const after = await succeed(["compile", model, "--print-ir", "after=differentiate"]);
    expect(after.err).toMatch(/^\/\/ \d+ after differentiate\n[^]*func\.func @grad\(/);
    expect(after.err.match(/^\/\/ \d+ after /gm)).toHaveLength(1);
    const changed = await succeed(["compile", model, "--print-ir", "changed", "--stop-after", "dce"]);
    expect(changed.err).toMatch(/^\/\/ 0 after input\n/);
    const diff = await succeed(["compile", model, "--print-ir", "diff", "--stop-after", "differentiate"]);
    expect(diff.err).toMatch(/^\+.*"sq\.attention_vjp"/m);
    expect([after.out, changed.out, diff.out]).toEqual(["", "", ""]);
  });

  it("--timing, --stats and --remarks are tables and lines on stderr", async () => {
    const { out, err } = await succeed(["compile", model, "--timing", "--stats", "--remarks"]);
    expect(out).toBe("");
    expect(err).toMatch(/^pass +ms +verify ms\ncheck and lower +\d+\.\d +0\.0\n/m);
    expect(err).toMatch(/^total +\d+\.\d +\d+\.\d$/m);
    expect(err).toMatch(/^pass +what +count\n/m);
    expect(err).toMatch(/^remark\[plan-memory\] analysis: @step: /m);
  });
});

describe("opt", () => {
  const module = `module {\n  func.func @f(%x: tensor<2xf32>) -> tensor<2xf32> {\n    %y = "sq.neg"(%x) : (tensor<2xf32>) -> tensor<2xf32>\n    %z = "sq.neg"(%x) : (tensor<2xf32>) -> tensor<2xf32>\n    return %y : tensor<2xf32>\n  }\n}\n`;

  it("reads a file or standard input, and writes to stdout or a file", async () => {
    const path = file("module.ir", module);
    const printed = await succeed(["opt", path, "--passes", "dce"]);
    expect(printed.out).not.toContain("%z");
    expect((await succeed(["opt", "-", "--passes", "dce"], { input: () => module })).out).toBe(printed.out);
    const to = file("out.ir");
    expect((await succeed(["opt", path, "--passes", "dce", "-o", to])).out).toBe("");
    expect(readFileSync(to, "utf8")).toBe(printed.out);
    expect((await succeed(["opt", path])).out).toContain("%z");
  });

  it("points into the text it was given", async () => {
    const { code, err } = await subquad(["opt", "-"], { input: () => module.replace('"sq.neg"(%x)', '"sq.neg"(%w)') });
    expect(code).toBe(1);
    expect(err).toMatch(/SQ04\d\d/);
    expect(err).toContain("%w");
  });
});

describe("train and sample", () => {
  const checkpoint = file("small.safetensors");
  const log = file("run.jsonl");
  const training = (...more: readonly string[]): readonly string[] => ["train", model, "--data", text, "--steps", "6", "--seed", "3", ...cpu, ...more];

  beforeAll(async () => {
    await succeed(training("--save", checkpoint, "--log", log));
  });

  it("reports plan, progress and result on stderr; logs a line a step; saves", async () => {
    const { out, err } = await succeed(training());
    expect(out).toBe("");
    expect(err).toMatch(/^Small: 2,304 parameters on gpujs:cpu; 16 tokens a step, objective: next token\n/);
    expect(err).toMatch(/unigram entropy \d\.\d{4}/);
    expect(err).toMatch(/^done after step 6: held-out loss \d\.\d{4} \(unigram entropy \d\.\d{4}\)/m);
    const lines = readFileSync(log, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line) as { step: number; loss: number });
    expect(lines.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(Object.keys(tensorsOf(checkpoint))).toContain("m.embed");
  });

  it("Ctrl-C saves after the step in hand, --resume ends where an uninterrupted run does", async () => {
    const half = file("half.safetensors");
    let interrupt = (): void => {};
    let written = "";
    const stopped = await subquad(training("--save", half, "--evaluate-every", "2"), {
      onInterrupt: (act) => {
        interrupt = act;
        return () => {};
      },
      err: (piece) => {
        written += piece;
        if (/step +2\/6|step 1\/6/.test(piece)) interrupt();
      },
    });
    expect(stopped.code).toBe(0);
    expect(written).toMatch(/stopped after step [12]: .*checkpoint in .*; --resume goes on\n/);
    await succeed(training("--save", half, "--resume"));
    expect(tensorsOf(half)).toEqual(tensorsOf(checkpoint));
  });

  it("--resume: a checkpoint that is missing, of another model, of other dims, of another run", async () => {
    const missing = await subquad(training("--save", file("nowhere.safetensors"), "--resume"));
    expect(missing).toMatchObject({ code: 1, err: expect.stringMatching(/SQ0001.*there is no checkpoint/) });
    const other = file("other.sq", SMALL.replaceAll("embed", "table"));
    const renamed = await subquad(["train", other, "--data", text, "--steps", "6", "--seed", "3", ...cpu, "--save", checkpoint, "--resume"]);
    expect(renamed).toMatchObject({ code: 1, err: expect.stringMatching(/SQ0605.*it lacks `table`/) });
    const wider = await subquad(training("--save", checkpoint, "--resume", "--dim", "D=16"));
    expect(wider).toMatchObject({ code: 1, err: expect.stringMatching(/SQ0605.*has shape/) });
    const longer = await subquad(training("--save", checkpoint, "--resume", "--seed", "4"));
    expect(longer).toMatchObject({ code: 1, err: expect.stringMatching(/SQ0606.*seed was 3, is 4/) });
    const noCheckpoint = await subquad(training("--save", text, "--resume"));
    expect(noCheckpoint).toMatchObject({ code: 1, err: expect.stringContaining("SQ0604") });
  });

  it("what cannot be saved or read is said before the first step", async () => {
    const unwritable = await subquad(training("--save", `${text}/x`));
    expect(unwritable).toMatchObject({ code: 1, err: expect.stringMatching(/^error\[SQ0011\]/) });
    const unread = await subquad(["train", model, "--data", file("nowhere"), "--steps", "1", ...cpu]);
    expect(unread).toMatchObject({ code: 1, err: expect.stringMatching(/SQ0001.*there is no such file/) });
    const short = await subquad(["train", model, "--data", file("short.txt", "ab"), "--steps", "1", ...cpu]);
    expect(short).toMatchObject({ code: 1, err: expect.stringContaining("SQ0607") });
  });

  it("sample writes the prompt and what follows, the same for the same seed", async () => {
    const sampling = ["sample", model, "--checkpoint", checkpoint, "--prompt", "the ", "--bytes", "12", ...cpu];
    const { out, err } = await succeed(sampling);
    expect(err).toBe("");
    expect(out).toMatch(/^the [^]+\n$/);
    expect((await succeed(sampling)).out).toBe(out);
    expect((await succeed([...sampling, "--temperature", "0", "--top-k", "1"])).out.startsWith("the ")).toBe(true);
  });

  it("sample refuses a checkpoint that does not fit, and a model that is none of text", async () => {
    const wrong = await subquad(["sample", model, "--checkpoint", checkpoint, "--dim", "D=16", ...cpu]);
    expect(wrong).toMatchObject({ code: 1, out: "", err: expect.stringContaining("SQ0605") });
    const missing = await subquad(["sample", model, "--checkpoint", file("nowhere.safetensors"), ...cpu]);
    expect(missing).toMatchObject({ code: 1, out: "", err: expect.stringContaining("SQ0001") });
    const plain = file("plain.sq", "dim T = 4\nmodel M(x: [T]) -> [T] {\n  return x * 2\n}\n");
    const untaught = await subquad(["sample", plain, "--checkpoint", checkpoint, ...cpu]);
    expect(untaught).toMatchObject({ code: 1, out: "", err: expect.stringContaining("SQ0612") });
  });
});

describe("fmt", () => {
  it("--check complains, --stdout prints, without either the file changes", async () => {
    const messy = file("messy.sq", SMALL.replace("dim B = 2", "dim   B=2"));
    expect(await subquad(["fmt", "--check", messy])).toMatchObject({ code: 1, err: expect.stringContaining("not formatted") });
    const { out } = await succeed(["fmt", "--stdout", messy]);
    expect(readFileSync(messy, "utf8")).not.toBe(out);
    await succeed(["fmt", messy]);
    expect(readFileSync(messy, "utf8")).toBe(out);
    await succeed(["fmt", "--check", messy]);
  });
});

describe("doctor", () => {
  it("names every backend, and how to add what is missing", async () => {
    const { out } = await succeed(["doctor"]);
    expect(out).toMatch(/^yes {2}interpreter$/m);
    expect(out).toMatch(/^yes {2}gpujs:cpu$/m);
    const { backends } = JSON.parse((await succeed(["doctor", "--json"])).out) as { backends: { name: string; available: boolean; hint: string }[] };
    for (const { available, hint } of backends) expect(available || hint !== "").toBe(true);
    expect(existsSync(model)).toBe(true);
  });
});
