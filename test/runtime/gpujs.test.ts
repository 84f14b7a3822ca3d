/** @file Every fixture program on the backends of Node, against plain JavaScript; and what happens when things are wrong. */

import { afterEach, describe, expect, it } from "vitest";
import type { Executable, Program, Tensors } from "../../runtime/abi.ts";
import { createExecutable } from "../../runtime/backends.ts";
import { f32, i32 } from "../../runtime/tensors.ts";
import { expectClose } from "./expect.ts";
import { chain, FIXTURES } from "./programs.ts";

const open: Executable[] = [];
async function executable(program: Program, backend: string): Promise<Executable> {
  const made = await createExecutable(program, backend);
  open.push(made);
  return made;
}
afterEach(() => open.splice(0).forEach((each) => each.destroy()));

describe.each(["gpujs:cpu", "gpujs:webasm"])("%s", (backend) => {
  it.each([...FIXTURES, chain(1200, 4), chain(3, 20_000)])("$name", async ({ program, entry, inputs, expected }) => {
    const it = await executable(program, backend);
    expectClose(await it.run(entry, inputs), expected);
    expectClose(await it.run(entry, inputs), expected);
    expect(it.backend).toContain(backend);
  });

  it("uses what it is given at every call, and gives out memory of its own", async () => {
    const { program } = chain(2, 3);
    const it = await executable(program, backend);
    const x = f32([3], [1, 2, 3]);
    const first = await it.run("forward", { x, y: f32([3], [1, 1, 1]) });
    const second = await it.run("forward", { x, y: f32([3], [2, 2, 2]) });
    expect([...(first["result"]?.data ?? [])]).toEqual([3, 4, 5]);
    expect([...(second["result"]?.data ?? [])]).toEqual([5, 6, 7]);
    expect([...x.data]).toEqual([1, 2, 3]);
  });

  it("answers a kernel that cannot be built with SQ0704 or SQ0703, naming the entry or the reason", async () => {
    const { program, inputs } = chain(1, 3);
    const broken = { ...program, kernels: [{ ...program.kernels[0]!, source: "function add(a, b) { return nonsense(a, b); }" }] };
    const it = await executable(broken, backend);
    await expect(it.run("forward", inputs)).rejects.toMatchObject({ code: expect.stringMatching(/^SQ070[34]$/) });
  });
});

describe("inputs", () => {
  const { program, inputs } = FIXTURES.find((each) => each.name === "pass-through")!;
  const cases: readonly [string, string, Tensors, RegExp][] = [
    ["missing", "SQ0601", { unused: inputs["unused"]! }, /`ids` i32\[3\].*not given/],
    ["extra", "SQ0608", { ...inputs, more: f32([], [1]) }, /has no input `more`/],
    ["shape", "SQ0602", { ...inputs, ids: i32([1, 3], [1, 2, 3]) }, /shape \[1, 3\]/],
    ["length", "SQ0602", { ...inputs, ids: i32([3], [1, 2]) }, /2 elements/],
    ["dtype", "SQ0603", { ...inputs, ids: f32([3], [1, 2, 3]) }, /holds F32/],
    ["too large", "SQ0609", { ...inputs, ids: i32([3], [1, 8, 0]) }, /element 1 is 8.*0\.\.7/],
    ["negative", "SQ0609", { ...inputs, ids: i32([3], [1, 2, -1]) }, /element 2 is -1/],
  ];
  it.each(cases)("%s", async (_, code, given, message) => {
    const it = await executable(program, "gpujs:cpu");
    await expect(it.run("forward", given)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it("unknown entry, unknown backend, absent backend, destroyed", async () => {
    const it = await executable(program, "gpujs:cpu");
    await expect(it.run("grad", inputs)).rejects.toMatchObject({ code: "SQ0706" });
    await expect(createExecutable(program, "gpujs:abacus")).rejects.toMatchObject({ code: "SQ0701" });
    await expect(createExecutable(program, "gpujs:webgl2")).rejects.toMatchObject({ code: "SQ0702" });
    it.destroy();
    it.destroy();
    await expect(it.run("forward", inputs)).rejects.toMatchObject({ code: "SQ0708" });
  });
});

describe("no silent fallback", () => {
  it("webasm refuses what gpu.js could only run on its cpu", async () => {
    const { program, inputs } = chain(1, 4);
    const recursive = "function add(a, b) { const t = [1, 2, 3, 4, 5, 6]; return a[this.thread.x] + t[2] * b[this.thread.x]; }";
    const it = await executable({ ...program, kernels: [{ ...program.kernels[0]!, source: recursive }] }, "gpujs:webasm");
    await expect(it.run("forward", inputs)).rejects.toMatchObject({ code: expect.stringMatching(/^SQ070[34]$/) });
  });

  it("indices that float32 cannot hold are refused", async () => {
    const { program, inputs } = chain(1, 4);
    const forward = program.entries["forward"]!;
    const large = { ...forward, values: [...forward.values, { elements: 2 ** 24 + 1, offset: 0 }] };
    const it = await executable({ ...program, entries: { forward: large } }, "gpujs:webasm");
    await expect(it.run("forward", inputs)).rejects.toMatchObject({ code: "SQ0705" });
  });

  it("`gpujs` is the best there is", async () => {
    const { program, entry, inputs, expected } = chain(1, 4);
    const it = await executable(program, "gpujs");
    expectClose(await it.run(entry, inputs), expected);
    expect(it.backend).toMatch(/^gpujs:(webasm|webgpu|headlessgl)/);
  });
});
