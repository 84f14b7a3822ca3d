/** @file Policies of the gradient of attention on the command line: flags, remarks, `opt`, training and its log. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { expectedOutput } from "../filetest/bless.ts";
import { ROOT, filesBelow } from "../tools.ts";
import { SMALL, scratch, subquad, succeed } from "./support.ts";

const file = scratch();
const model = file("small.sq", SMALL);
const text = file("text.txt", "the quick brown fox jumps over the lazy dog. ".repeat(60));
const cpu = ["--backend", "gpujs:cpu"];

describe("remarks", () => {
  it("--remarks tells what was done, --why-not what was not", async () => {
    const done = await succeed(["compile", model, "--attention-backward", "sus:c=3", "--remarks"]);
    expect(done.err).toMatch(/small\.sq:\d+:\d+: remark\[rewrite-attention-backward\] applied at Attention: sus\(c: 3\): n = 8, d = 4; /);
    expect((await succeed(["compile", model, "--attention-backward", "sus:c=3", "--why-not"])).err).toContain("nothing was missed\n");
    const missed = await succeed(["compile", model, "--attention-backward", "auto", "--why-not", "Attention"]);
    expect(missed.err).toMatch(/missed at Attention: auto leaves the gradient exact: no limit/);
    expect(missed.err).not.toContain("plan-memory");
    expect((await succeed(["compile", model, "--attention-backward", "auto", "--why-not", "Block.*"])).err).toContain("nothing was missed at Block.*\n");
  });

  it("inspect cost counts the operations of the rewritten functions", async () => {
    const { out } = await succeed(["inspect", model, "cost", "--attention-backward", "sus:c=2"]);
    expect(out).toMatch(/attention_vjp_sampled/);
    expect(out).not.toMatch(/attention_vjp /);
  });
});

describe("opt", () => {
  const goldens = filesBelow("test/passes/rewrite-attention-backward", ".ir").filter((path) => readFileSync(join(ROOT, path), "utf8").includes("// output:"));

  it.each(goldens)("rewrites %s as the file test says", async (path) => {
    const content = readFileSync(join(ROOT, path), "utf8");
    const passes = /passes=(.*)/.exec(content)?.[1] ?? "";
    const { out, err } = await succeed(["opt", join(ROOT, path), "--passes", passes, "--remarks"]);
    expect(out.trimEnd()).toBe(expectedOutput(content));
    expect(err).toMatch(/^remark\[rewrite-attention-backward\] applied at Attn: /m);
  });

  it("says what is wrong with the policy of an option or of a module", async () => {
    const given = join(ROOT, goldens[0] ?? "");
    expect(await subquad(["opt", given, "--passes", 'rewrite-attention-backward{policy="sus(c: 0)"}'])).toMatchObject({ code: 1, err: expect.stringMatching(/SQ0503.*`c` must be positive/) as string });
    const odd = file("odd.ir", readFileSync(given, "utf8").replace(/site = "Attn"/g, 'backward = "often", site = "Attn"'));
    expect((await subquad(["opt", odd, "--passes", "rewrite-attention-backward"])).err).toMatch(/SQ0503.*`often` is no policy/);
  });
});

describe("running", () => {
  it.each(["sus:c=3", "sus:c=3,sampler=bernoulli", "lowrank:degree=2,guard=0.5", "hybrid:c=3,degree=0"])("%s agrees with the interpreter", async (policy) => {
    const { err } = await succeed(["run", model, "step", "--attention-backward", policy, "--against", "interpreter", ...cpu]);
    expect(err).toMatch(/largest relative error against interpreter: \d/);
  });

  it("a run with samples is the same every time, and when it is resumed", async () => {
    const training = (log: string, steps: string, ...more: readonly string[]): readonly string[] => [
      "train", model, "--data", text, "--steps", steps, "--seed", "3", "--warmup", "1", ...cpu, "--attention-backward", "sus:c=2", "--log", log, ...more,
    ];
    const lines = (log: string): readonly string[] => readFileSync(log, "utf8").replace(/,"seconds":[\d.]+/g, "").trimEnd().split("\n");
    const [whole, again, parts] = [file("whole.jsonl"), file("again.jsonl"), file("parts.jsonl")];
    await succeed(training(whole, "4"));
    await succeed(training(again, "4"));
    expect(lines(again)).toEqual(lines(whole));
    const checkpoint = file("ck.safetensors");
    let steps = 0;
    const interrupting = { onInterrupt: (handler: () => void) => ((steps += 1), handler(), () => {}) };
    await subquad(training(parts, "4", "--save", checkpoint), interrupting);
    expect(steps).toBe(1);
    await succeed(training(parts, "4", "--save", checkpoint, "--resume"));
    expect(lines(parts)).toEqual(lines(whole));
    await succeed(["train", model, "--data", text, "--steps", "4", "--seed", "3", "--warmup", "1", ...cpu, "--log", again]);
    expect(lines(again)).not.toEqual(lines(whole));
  });

  it("training logs the share of guarded heads and shows its mean", async () => {
    const log = file("guarded.jsonl");
    const { err } = await succeed(["train", model, "--data", text, "--steps", "2", ...cpu, "--attention-backward", "lowrank:degree=2,guard=0.05", "--log", log]);
    const shares = readFileSync(log, "utf8").trimEnd().split("\n").map((line) => (JSON.parse(line) as { readonly guarded: Record<string, number> }).guarded["Attention"]);
    expect(shares).toHaveLength(2);
    for (const share of shares) expect(share).toBeGreaterThanOrEqual(0);
    expect(err).toMatch(/\d+ % of heads exact/);
    expect(err).toContain("gradient of attention: rewritten at 1 of 1 sites with a policy\n");
    const auto = await succeed(["train", model, "--data", text, "--steps", "1", ...cpu, "--attention-backward", "auto"]);
    expect(auto.err).toContain("rewritten at 0 of 1 sites with a policy; `compile --why-not` says");
  });
});
