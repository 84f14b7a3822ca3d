/** @file A thousand training steps of a compiled model take no more memory than the first two hundred. */

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { builtCompiler } from "./built.ts";
import { scratch, SMALL, TEXT } from "./support.ts";

const STEPS = 1000;
const file = scratch();

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

it.each(["gpujs:webasm", "gpujs:cpu"])(`%s: ${STEPS} steps, and the last 100 within 5 percent of steps 100 to 200`, async (backend) => {
  const child = join(builtCompiler(), "test/cli/memory-child.js");
  const { stdout } = await promisify(execFile)(process.execPath, ["--expose-gc", child, backend, `${STEPS}`, file("small.sq", SMALL), file("text.txt", TEXT)]);
  const rss = JSON.parse(stdout) as number[];
  expect(rss).toHaveLength(STEPS);
  const [early, late] = [median(rss.slice(100, 200)), median(rss.slice(-100))];
  console.log(`${backend}: ${(early / 1e6).toFixed(1)} MB, then ${(late / 1e6).toFixed(1)} MB`);
  expect(late / early).toBeLessThan(1.05);
}, 180_000);
