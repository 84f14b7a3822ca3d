/** @file Depth costs launches, not kernels: layers share theirs. And a GPT of the size of GPT-3's depth compiles. */

import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { compile } from "../../compiler/node/compile.ts";
import { programOf } from "../../compiler/node/execute.ts";
import type { Program } from "../../runtime/abi.ts";
import { ROOT } from "../tools.ts";
import { EXAMPLES, report } from "./support.ts";

const kernelsOf = ({ kernels, entries }: Program, name: string): number =>
  new Set(entries[name]?.launches.map(({ kernel }) => kernels[kernel]?.source)).size;

describe.each(EXAMPLES)("$name", ({ name, file, dims }) => {
  it("has as many kernels with 24 layers as with 2", async () => {
    const counts = [];
    for (const L of [2, 4, 8, 24]) {
      const program = programOf(await compile({ file, dims: { ...dims, L } }));
      counts.push(Object.fromEntries(Object.keys(program.entries).map((entry) => [entry, kernelsOf(program, entry)])));
    }
    report([`${name}: ${JSON.stringify(counts[0])}`]);
    expect(counts.slice(1)).toEqual([counts[0], counts[0], counts[0]]);
  });
});

it("a GPT of 96 layers compiles to kernels for each entry", async () => {
  const started = performance.now();
  const compiled = await compile({ file: join(ROOT, "examples/gpt.sq"), dims: { L: 96, D: 768, H: 12, T: 1024 } });
  const seconds = (performance.now() - started) / 1000;
  const program = programOf(compiled);
  report([`96 layers: ${program.kernels.length} kernels in ${seconds.toFixed(1)} s`, ...compiled.timings.map(({ pass, runMs, verifyMs }) => `${pass}: ${runMs.toFixed(0)} + ${verifyMs.toFixed(0)} ms`)]);
  const shallow = programOf(await compile({ file: join(ROOT, "examples/gpt.sq"), dims: { L: 2, D: 768, H: 12, T: 1024 } }));
  expect(program.kernels).toHaveLength(shallow.kernels.length);
  expect(program.parameters).toHaveLength(2 + 96 * 10 + 2);
  expect(program.entries["step"]?.launches.length).toBeGreaterThan(96 * 50);
});
