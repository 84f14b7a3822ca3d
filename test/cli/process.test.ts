/** @file The executable as a process: streams, exit codes, closed pipes, signals. */

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { builtCompiler } from "./built.ts";
import { scratch, SMALL, TEXT } from "./support.ts";

const file = scratch();
const model = file("small.sq", SMALL);

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

interface Hooks {
  readonly input?: string;
  /** Sees stderr as it grows, and can end the process. */
  readonly onErr?: (err: string, kill: (signal: NodeJS.Signals) => void) => void;
  /** Closes our end of stdout at once. */
  readonly deaf?: boolean;
}

const subquad = (argv: readonly string[], { input = "", onErr, deaf = false }: Hooks = {}): Promise<Ended> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(builtCompiler(), "compiler/bin.js"), ...argv]);
    let [out, err] = ["", ""];
    if (deaf) child.stdout.destroy();
    child.stdout.on("data", (data: Buffer) => void (out += data.toString()));
    child.stderr.on("data", (data: Buffer) => {
      err += data.toString();
      onErr?.(err, (signal) => child.kill(signal));
    });
    child.on("error", reject).on("close", (code) => resolve({ code, out, err }));
    child.stdin.on("error", () => {}).end(input);
  });

it("data on stdout, notes on stderr, codes for the shell", async () => {
  const [good, bad, usage] = await Promise.all([subquad(["check", model]), subquad(["check", file("none.sq")]), subquad(["chek"])]);
  expect(good).toEqual({ code: 0, out: "", err: expect.stringMatching(/small\.sq: ok\n$/) });
  expect(bad).toEqual({ code: 1, out: "", err: expect.stringContaining("SQ0001") });
  expect(usage).toEqual({ code: 2, out: "", err: expect.stringContaining("Did you mean check?") });
}, 60_000);

it("opt reads standard input", async () => {
  const text = "module {\n}\n";
  expect(await subquad(["opt", "-"], { input: text })).toEqual({ code: 0, out: text, err: "" });
}, 60_000);

it("a reader that goes away is no failure", async () => {
  const { code, err } = await subquad(["inspect", model, "cost", "--each"], { deaf: true });
  expect({ code, err }).toEqual({ code: 0, err: "" });
}, 60_000);

it("SIGINT ends training after the step in hand, with a checkpoint", async () => {
  const save = file("interrupted.safetensors");
  const training = ["train", model, "--data", file("text.txt", TEXT), "--steps", "100000", "--evaluate-every", "1", "--save", save, "--backend", "gpujs:cpu"];
  let sent = false;
  const { code, err } = await subquad(training, {
    onErr: (sofar, kill) => {
      if (sent || !/^step /m.test(sofar)) return;
      sent = true;
      kill("SIGINT");
    },
  });
  expect(err).toMatch(/stopped after step \d+: .*--resume goes on/);
  expect(code).toBe(0);
  expect(existsSync(save)).toBe(true);
}, 60_000);
