/** @file What the commands do when they are called rightly: `new`, `compile`, `opt`, `run`, `train`, `sample`, `fmt`, `doctor`. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { compare } from "../../compiler/node/compare.ts";
import { readSafetensors, writeSafetensors } from "../../runtime/safetensors.ts";
import { f32, i32 } from "../../runtime/tensors.ts";
import { scratch, SMALL, subquad, TEXT } from "./support.ts";

const file = scratch();
const model = file("small.sq", SMALL);
const text = file("text.txt", TEXT);
const cpu = ["--backend", "gpujs:cpu"];

const tensorsOf = (path: string) => readSafetensors(readFileSync(path)).tensors;

const succeed = async (argv: readonly string[], io: Parameters<typeof subquad>[1] = {}) => {
  const outcome = await subquad(argv, io);
  expect(outcome.err + outcome.out).not.toMatch(/^error/m);
  expect(outcome.code).toBe(0);
  return outcome;
};

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

describe("run", () => {
  const small = [...cpu];

  it("loss on drawn inputs: a table on stdout, the seed decides", async () => {
    const one = await succeed(["run", model, "loss", ...small]);
    expect(one.out).toMatch(/^output +shape +norm +first values\nloss +\[\] +5\.\d+ +5\.\d+\n$/);
    expect(one.err).toContain("ran on gpujs:cpu");
    expect((await succeed(["run", model, "loss", ...small])).out).toBe(one.out);
    expect((await succeed(["run", model, "loss", ...small, "--seed", "1"])).out).not.toBe(one.out);
  });

  it("a step's outputs, renamed to nothing, are the next step's inputs", async () => {
    const tokens = i32([2, 8], Array.from({ length: 16 }, (_, at) => 60 + at));
    const first = file("step-0.safetensors", writeSafetensors({ tokens, targets: tokens }));
    const losses: number[] = [];
    let inputs = first;
    for (let step = 1; step <= 3; step++) {
      const to = file(`step-${step}.safetensors`);
      const { err } = await succeed(["run", model, "step", "--inputs", inputs, "--outputs", to, ...small]);
      expect(err).toMatch(/wrote \d+ tensors to /);
      const { loss, grad_norm: norm, ...state } = tensorsOf(to);
      expect(Number(norm?.data[0])).toBeGreaterThan(0);
      losses.push(Number(loss?.data[0]));
      const next = { ...state, tokens, targets: tokens, lr: f32([], [0.01]), step: f32([], [step + 1]) };
      inputs = file(`inputs-${step}.safetensors`, writeSafetensors(next));
    }
    expect(losses[1]).toBeLessThan(losses[0] as number);
    expect(losses[2]).toBeLessThan(losses[1] as number);
  });

  it("--against agrees within the tolerance, or exits with 4", async () => {
    const good = await succeed(["run", model, "grad", ...small, "--against", "interpreter"]);
    expect(good.err).toMatch(/largest relative error against interpreter: \d\.\d+e-\d+ \(/);
    const { code, err } = await subquad(["run", model, "grad", ...small, "--against", "interpreter", "--tolerance", "1e-14"]);
    expect(code).toBe(4);
    expect(err).toMatch(/error: .*above the tolerance 1e-14/);
  });

  it("the interpreter runs too, in float64", async () => {
    const to = file("f64.safetensors");
    await succeed(["run", model, "forward", "--backend", "interpreter", "--outputs", to]);
    expect(tensorsOf(to)["result"]).toMatchObject({ dtype: "F64", shape: [2, 8, 256] });
  });

  const bad: readonly [string, Readonly<Record<string, ReturnType<typeof i32>>>, RegExp][] = [
    ["missing", { tokens: i32([2, 8], new Int32Array(16)) }, /SQ0601.*`targets` i32\[2, 8\] \(B, T\)/],
    ["extra", { tokens: i32([2, 8], new Int32Array(16)), targets: i32([2, 8], new Int32Array(16)), masks: i32([1], [1]) }, /SQ0608.*`masks`/],
    ["of another shape", { tokens: i32([16], new Int32Array(16)), targets: i32([2, 8], new Int32Array(16)) }, /SQ0602/],
    ["of another dtype", { tokens: f32([2, 8], new Float32Array(16)), targets: i32([2, 8], new Int32Array(16)) }, /SQ0603/],
    ["out of range", { tokens: i32([2, 8], new Int32Array(16).fill(256)), targets: i32([2, 8], new Int32Array(16)) }, /SQ0609/],
  ];
  it.each(bad)("an input that is %s is refused", async (name, tensors, says) => {
    const path = file(`${name}.safetensors`, writeSafetensors(tensors));
    for (const backend of ["gpujs:cpu", "interpreter"]) {
      const { code, err } = await subquad(["run", model, "loss", "--inputs", path, "--backend", backend]);
      expect(err).toMatch(says);
      expect(code).toBe(1);
    }
  });

  it("a file that is no safetensors file is refused, a backend that is not here exits with 3", async () => {
    const refused = await subquad(["run", model, "loss", "--inputs", text]);
    expect(refused).toMatchObject({ code: 1, err: expect.stringContaining("SQ0604") });
    const missing = await subquad(["run", model, "loss", "--backend", "gpujs:webgl2"]);
    expect(missing).toMatchObject({ code: 3, err: expect.stringContaining("SQ0702") });
  });

  it("a model without a loss has no gradient to run", async () => {
    const plain = file("plain.sq", "dim T = 4\nmodel M(x: [T]) -> [T] {\n  return x * 2\n}\n");
    expect((await succeed(["run", plain, "forward", ...small])).out).toContain("result");
    const { code, err } = await subquad(["run", plain, "grad", ...small]);
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining("SQ0706") });
  });
});

describe("compare", () => {
  const wide = f32([2], [3, 4]);
  it("is relative to the reference, and to the largest of the family where the reference is zero", () => {
    expect(compare({ "grad.a": f32([2], [3, 4.5]) }, { "grad.a": wide })).toEqual([{ name: "grad.a", error: 0.1 }]);
    const zero = { "grad.a": wide, "grad.b": { dtype: "F64" as const, shape: [2], data: Float64Array.of(1e-15, 0) } };
    expect(compare({ "grad.a": wide, "grad.b": f32([2], [0.5, 0]) }, zero)[0]).toMatchObject({ name: "grad.b", error: expect.closeTo(0.1, 12) });
    const small = { ...zero, "grad.b": { dtype: "F64" as const, shape: [2], data: Float64Array.of(1e-6, 0) } };
    expect(compare({ "grad.a": wide, "grad.b": f32([2], [2e-6, 0]) }, small)[0]?.error).toBeCloseTo(1, 5);
  });
  it("is infinite where it cannot be, and zero between zeros", () => {
    expect(compare({ a: wide }, {})[0]?.error).toBe(Infinity);
    expect(compare({ a: f32([2], [Number.NaN, 0]) }, { a: wide })[0]?.error).toBe(Infinity);
    expect(compare({ a: f32([1], [0]) }, { a: f32([1], [0]) })[0]?.error).toBe(0);
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
