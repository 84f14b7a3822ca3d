/** @file WebGPU in Node, where the optional package `webgpu` and a driver are there; otherwise says what is missing. */

import { afterAll, describe, expect, it } from "vitest";
import { createExecutable, probeBackends } from "../../runtime/backends.ts";
import { reasonOf } from "../../runtime/errors.ts";
import { installWebGpu } from "../../runtime/node/webgpu.ts";
import { expectClose } from "./expect.ts";
import { FIXTURES } from "./programs.ts";

async function missing(): Promise<string | null> {
  try {
    await installWebGpu();
  } catch (thrown) {
    return reasonOf(thrown);
  }
  const report = (await probeBackends()).find(({ name }) => name === "gpujs:webgpu");
  return report?.available === true ? null : (report?.reason ?? "unknown");
}

const reason = await missing();
if (reason !== null) console.warn(`skipped: gpujs:webgpu in Node: ${reason}`);

describe.skipIf(reason !== null)("gpujs:webgpu in Node", () => {
  afterAll(() => Reflect.deleteProperty(globalThis, "navigator"));

  it.each(FIXTURES)("$name", async ({ program, entry, inputs, expected }) => {
    const executable = await createExecutable(program, "gpujs:webgpu");
    expectClose(await executable.run(entry, inputs), expected);
    expectClose(await executable.run(entry, inputs), expected);
    expect(executable.backend).toContain("gpujs:webgpu");
    executable.destroy();
  });
});
