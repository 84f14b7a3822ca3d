/** @file The backend `wasm` without the compiler: programs whose module is written here, and what happens when things are wrong. */

import { afterEach, describe, expect, it } from "vitest";
import { FunctionBuilder } from "../../compiler/codegen/wasm/builder.ts";
import { encodeModule } from "../../compiler/codegen/wasm/encode.ts";
import type { Executable, WasmProgram } from "../../runtime/abi.ts";
import { createExecutable, probeBackends } from "../../runtime/backends.ts";
import { f32, i32 } from "../../runtime/tensors.ts";
import { expectClose } from "./expect.ts";
import { chain, entry, input, launch, port } from "./programs.ts";

const open: Executable[] = [];
const executable = async (program: WasmProgram): Promise<Executable> => {
  const made = await createExecutable(program, "wasm");
  open.push(made);
  return made;
};
afterEach(() => open.splice(0).forEach((each) => each.destroy()));

/** out[i] = a[i] + b[i], four bytes each. */
const add = (scratch: boolean) => {
  const names = ["out", "in0", "in1", "begin", "end", ...(scratch ? ["scratch"] : [])];
  const f = new FunctionBuilder("add", names.map((name) => ({ name, type: "i32" })));
  const i = f.local("i32", "i");
  const at = (name: string): FunctionBuilder => f.get(f.parameter(name)).get(i).i32(2).op("i32.shl").op("i32.add");
  f.get(f.parameter("begin")).set(i).while(i, () => f.get(f.parameter("end")), 1, () => {
    at("out");
    at("in0").op("f32.load", 2, 0);
    at("in1").op("f32.load", 2, 0).op("f32.add").op("f32.store", 2, 0);
  });
  // What is scratch lies behind everything else: writing there harms nothing.
  if (scratch) f.get(f.parameter("scratch")).f32(-1).op("f32.store", 2, 4092);
  return f.finish(true);
};

const programOf = (more: { readonly scratchBytes?: number; readonly arenaBytes?: number } = {}): WasmProgram => {
  const { scratchBytes = 0, arenaBytes = 192 } = more;
  const memory = { from: "env", name: "memory", initial: 1, maximum: 65_536, shared: true };
  const made = entry("forward", [input("x", 0, [3]), input("ids", 1, [3], { dtype: "i32", below: 8 })], [port("y", 2, [3]), port("x", 0, [3]), port("z", 3, [3], "i32")], [launch(0, [0, 1], 2), launch(0, [1, 1], 3)], []);
  const values = [0, 16, 32, 48].map((offset) => ({ elements: 3, offset }));
  return {
    version: 1, backend: "wasm", model: "Fixture", dims: {}, parameters: [], optimizer: null, entries: { forward: { ...made, values, arenaBytes } },
    wasm: encodeModule({ memory, functions: [add(scratchBytes > 0)] }), kernels: [{ name: "add", items: 3, grain: 1, work: 3, scratchBytes }],
  };
};

const inputs = { x: f32([3], [1, 2, 3.5]), ids: i32([3], [1, 7, 0]) };
const expected = { y: [2, 9, 3.5], x: [1, 2, 3.5], z: [2, 14, 0] };

describe("wasm", () => {
  it.each([0, 4096])("runs launches over one memory, with %i bytes of scratch", async (scratchBytes) => {
    const it = await executable(programOf({ scratchBytes }));
    const first = await it.run("forward", inputs);
    expectClose(first, expected);
    expect(first["z"]?.dtype).toBe("I32");
    expectClose(await it.run("forward", { ...inputs, x: f32([3], [0, 0, 0]) }), { ...expected, x: [0, 0, 0], y: [1, 7, 0] });
    expectClose(first, expected);
    expect(it.backend).toBe("wasm (1 thread)");
  });

  it("checks what goes in, and stops when it is destroyed", async () => {
    const it = await executable(programOf());
    await expect(it.run("forward", { x: inputs.x })).rejects.toMatchObject({ code: "SQ0601" });
    await expect(it.run("forward", { ...inputs, ids: i32([3], [1, 8, 0]) })).rejects.toMatchObject({ code: "SQ0609" });
    await expect(it.run("grad", inputs)).rejects.toMatchObject({ code: "SQ0706" });
    it.destroy();
    await expect(it.run("forward", inputs)).rejects.toMatchObject({ code: "SQ0708" });
  });

  it("says how many bytes it lacks", async () => {
    await expect(executable(programOf({ arenaBytes: 2 ** 32 + 4 }))).rejects.toMatchObject({ code: "SQ0705", message: expect.stringContaining("4294967424 bytes") });
  });

  it("names a module the engine refuses", async () => {
    await expect(executable({ ...programOf(), wasm: Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 99) })).rejects.toMatchObject({ code: "SQ0704" });
  });

  it("runs no program of another backend, and no other backend runs its programs", async () => {
    await expect(createExecutable(chain(1, 4).program, "wasm")).rejects.toMatchObject({ code: "SQ0702" });
    await expect(createExecutable(programOf(), "gpujs:cpu")).rejects.toMatchObject({ code: "SQ0702" });
    await expect(createExecutable(programOf(), "gpujs")).rejects.toMatchObject({ code: "SQ0702" });
  });

  it("is there", async () => {
    expect((await probeBackends()).find(({ name }) => name === "wasm")).toMatchObject({ available: true, hint: "" });
  });
});
