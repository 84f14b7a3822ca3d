/** @file A training process killed twenty times at random moments while it writes checkpoints: what it leaves always loads,
 *  always resumes, and ends where a run that was left alone is. */

import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rolldown } from "rolldown";
import { expect, it } from "vitest";
import { createExecutable } from "../../runtime/backends.ts";
import { readBytes } from "../../runtime/node/checkpoint.ts";
import { randomStream } from "../../runtime/random.ts";
import { prepareTraining } from "../../runtime/train/loop.ts";
import { decodeCheckpoint, startState } from "../../runtime/train/state.ts";
import { bigram, plainText } from "./bigram.ts";

const KILLS = 20;

/** Starts the child and kills it `delay` milliseconds after its first step; the signal cannot be caught. */
function runAndKill(script: string, folder: string, resume: boolean, delay: number): Promise<void> {
  return new Promise((ended, failed) => {
    const child = spawn(process.execPath, [script, folder, resume ? "resume" : "fresh"], { cwd: process.cwd() });
    let errors = "";
    child.stderr.on("data", (text: Buffer) => (errors += text.toString()));
    child.stdout.once("data", () => setTimeout(() => child.kill("SIGKILL"), delay));
    child.on("exit", (code, signal) => (signal === "SIGKILL" ? ended() : failed(new Error(`exit ${code}: ${errors}`))));
  });
}

async function bundleChild(): Promise<string> {
  const build = await rolldown({ input: new URL("./kill-child.ts", import.meta.url).pathname, platform: "node", external: ["gpu.js"], logLevel: "silent" });
  const file = join(process.cwd(), "node_modules", ".cache", `subquad-kill-${process.pid}.mjs`);
  await build.write({ file, format: "esm", codeSplitting: false });
  await build.close();
  return file;
}

it(`a kill at any moment leaves a checkpoint that loads (${KILLS} kills)`, { timeout: 120_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "subquad-kill-"));
  const script = await bundleChild();
  const program = bigram();
  const random = randomStream(Date.now(), "kill");
  let last = 0;
  try {
    for (let kill = 0; kill < KILLS; kill += 1) {
      await runAndKill(script, folder, kill > 0, random.below(60));
      const { state } = decodeCheckpoint(program, readBytes(join(folder, "ck")));
      expect(state.step).toBeGreaterThan(last);
      last = state.step;
    }
    expect(readdirSync(folder).filter((name) => !/^(ck|log\.jsonl|\.ck\.tmp|\.log\.jsonl\.tmp)$/.test(name))).toEqual([]);
    const executable = await createExecutable(program, "gpujs:cpu");
    const settings = { steps: 100_000, seed: 3, warmup: 10, evaluateEvery: 1000, evaluationBatches: 1 };
    const training = prepareTraining(program, executable, plainText(1000), settings);
    const losses: number[] = [];
    for await (const event of training.run(startState(program, 3))) {
      losses.push(event.loss);
      if (event.step < last) continue;
      expect(event.state()).toEqual(decodeCheckpoint(program, readBytes(join(folder, "ck"))).state);
      break;
    }
    const logged = readFileSync(join(folder, "log.jsonl"), "utf8").split("\n").slice(0, last);
    expect(logged.map((line) => (JSON.parse(line) as { loss: number }).loss)).toEqual(losses);
    executable.destroy();
  } finally {
    rmSync(folder, { recursive: true, force: true });
    rmSync(script, { force: true });
  }
});
