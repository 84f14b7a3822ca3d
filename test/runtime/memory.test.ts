/** @file Memory stays flat over training: what a step allocates, the next ones give back. */

import { expect, it } from "vitest";
import { createExecutable } from "../../runtime/backends.ts";
import { prepareTraining } from "../../runtime/train/loop.ts";
import { startState } from "../../runtime/train/state.ts";
import { bigram, plainText } from "./bigram.ts";

const STEPS = 600;

it.each(["gpujs:cpu", "gpujs:webasm"])(`%s: the last 100 of ${STEPS} steps take what steps 100 to 200 took`, async (backend) => {
  const program = bigram();
  const executable = await createExecutable(program, backend);
  const training = prepareTraining(program, executable, plainText(2000), { steps: STEPS, seed: 1, evaluateEvery: STEPS });
  const rss: number[] = [];
  for await (const event of training.run(startState(program, 1))) rss[event.step] = process.memoryUsage().rss;
  const peak = (from: number, to: number): number => Math.max(...rss.slice(from, to));
  const grown = peak(STEPS - 99, STEPS + 1) / peak(100, 201);
  console.log(`${backend}: ${(peak(100, 201) / 1e6).toFixed(0)} MB, then ${(peak(STEPS - 99, STEPS + 1) / 1e6).toFixed(0)} MB`);
  expect(grown).toBeLessThan(1.05);
  executable.destroy();
});
