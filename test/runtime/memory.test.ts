/** @file Memory stays flat over training: what a step allocates, the next ones give back. */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { createExecutable } from "../../runtime/backends.ts";
import { prepareTraining } from "../../runtime/train/loop.ts";
import { startState } from "../../runtime/train/state.ts";
import { bigram, plainText } from "./bigram.ts";

/** The least of some steps: what else runs in this process, V8's compiler too, holds some now and then. */
const [EARLY, LATE] = [[100, 130, 160, 200], [500, 530, 560, 600]] as const;
const STEPS = 600;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** What is still reachable, on the heap and in buffers beside it: how much more a process holds is up to V8. */
const live = (): number => {
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
};

it.each(["gpujs:cpu", "gpujs:webasm"])(`%s: after ${STEPS} steps as much is alive as after 200`, async (backend) => {
  const program = bigram();
  const executable = await createExecutable(program, backend);
  const training = prepareTraining(program, executable, plainText(2000), { steps: STEPS, seed: 1, evaluateEvery: STEPS });
  const after = new Map<number, number>();
  for await (const { step } of training.run(startState(program, 1))) if ([...EARLY, ...LATE].some((each) => each === step)) after.set(step, live());
  const [early, late] = [EARLY, LATE].map((steps) => Math.min(...steps.map((step) => after.get(step) ?? Number.NaN))) as [number, number];
  console.log(`${backend}: ${(early / 1e6).toFixed(2)} MB, then ${(late / 1e6).toFixed(2)} MB`);
  expect(late / early).toBeLessThan(1.02);
  executable.destroy();
});
