/** @file Depth costs launches, not kernels: layers share theirs. And a GPT of the size of GPT-3's depth compiles. */

import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Compiled } from "../../compiler/driver.ts";
import { compile } from "../../compiler/node/compile.ts";
import { programOf } from "../../compiler/node/execute.ts";
import type { Program } from "../../runtime/abi.ts";
import { ROOT } from "../tools.ts";
import { EXAMPLES, report } from "./support.ts";

const kernelsOf = ({ kernels, entries }: Program, name: string): number =>
  new Set(entries[name]?.launches.map(({ kernel }) => kernels[kernel]?.source)).size;

/** One exception: the sum over all parameters in `step` is cut into kernels of so many terms, so its last one differs,
 *  for any depth, by how many are left. */
const isSteady = (entry: string): boolean => entry !== "step";

describe.each(EXAMPLES)("$name", ({ name, file, dims }) => {
  it("has as many kernels with 24 layers as with 2", async () => {
    const counts = [];
    for (const L of [2, 4, 8, 24]) {
      const program = programOf(await compile({ file, dims: { ...dims, L } }), "gpujs");
      const steady = Object.keys(program.entries).filter(isSteady);
      counts.push(Object.fromEntries(steady.map((entry) => [entry, kernelsOf(program, entry)])));
    }
    report([`${name}: ${JSON.stringify(counts[0])}`]);
    expect(Object.keys(counts[0] ?? {}).length).toBeGreaterThanOrEqual(2);
    expect(counts.slice(1)).toEqual([counts[0], counts[0], counts[0]]);
  });
});

it("a GPT of 96 layers compiles, to the kernels of one of 4", async () => {
  const gpt = (L: number): Promise<Compiled> => compile({ file: join(ROOT, "examples/gpt.sq"), dims: { L, D: 768, H: 12, T: 1024 } });
  const started = performance.now();
  const compiled = await gpt(96);
  const seconds = (performance.now() - started) / 1000;
  const [program, shallow] = [programOf(compiled, "gpujs"), programOf(await gpt(4), "gpujs")];
  const timings = compiled.timings.map(({ pass, runMs, verifyMs }) => `${pass}: ${runMs.toFixed(0)} + ${verifyMs.toFixed(0)} ms`);
  report([`96 layers: ${program.kernels.length} kernels in ${seconds.toFixed(1)} s`, ...timings]);
  for (const entry of ["forward", "loss", "grad"]) expect(kernelsOf(program, entry)).toBe(kernelsOf(shallow, entry));
  expect(Math.abs(kernelsOf(program, "step") - kernelsOf(shallow, "step"))).toBeLessThanOrEqual(2);
  expect(program.parameters).toHaveLength(2 + 96 * 10 + 2);
  expect(program.entries["step"]?.launches.length).toBeGreaterThan(96 * 20);
});
