/** @file The threads of `wasm`: the same bits however many there are, whatever fails, and whenever it ends; and what stays in memory
 *  between runs, which must be what was copied in and out before. */

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { compile, programFor } from "../../compiler/driver.ts";
import { completeInputs } from "../../compiler/node/run.ts";
import type { Executable, ExecutableOptions, HostTensor, Tensors, WasmProgram } from "../../runtime/abi.ts";
import { createExecutable } from "../../runtime/backends.ts";
import { f32, scalar } from "../../runtime/tensors.ts";
import { builtCompiler } from "../cli/built.ts";
import { expectClose } from "./expect.ts";
import { COUNT, slow } from "./wasm-programs.ts";

const open: Executable[] = [];
const start = async (program: WasmProgram, options: ExecutableOptions): Promise<Executable> => {
  const made = await createExecutable(program, "wasm", options);
  open.push(made);
  return made;
};
afterEach(() => open.splice(0).forEach((each) => each.destroy()));

const read = (name: string): string => readFileSync(fileURLToPath(new URL(`../../examples/${name}`, import.meta.url)), "utf8");

/** Everything that has two items is shared, an item at a time. */
const finest = (program: WasmProgram): WasmProgram => ({ ...program, kernels: program.kernels.map((kernel) => ({ ...kernel, grain: 1 })) });

/** Names of tensors that are not the same to the bit, or are not in both. */
const different = (actual: Tensors, expected: Tensors): readonly string[] => {
  const bytes = ({ data }: HostTensor): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return [...new Set([...Object.keys(actual), ...Object.keys(expected)])].filter((name) => {
    const [one, other] = [actual[name], expected[name]];
    return one === undefined || other === undefined || one.dtype !== other.dtype || one.shape.join() !== other.shape.join() || Buffer.compare(bytes(one), bytes(other)) !== 0;
  });
};

describe.each(["gpt.sq", "llama.sq"])("%s", (file) => {
  const names = ["grad", "step"] as const;
  let program: WasmProgram;
  const inputs: Record<string, Tensors> = {};
  const alone: Record<string, Tensors> = {};

  beforeAll(async () => {
    const made = programFor(compile({ file, text: read(file), target: "wasm", dims: { B: 2 } }), "wasm");
    if (made === null) throw new Error("no program");
    program = made;
    const one = await createExecutable(program, "wasm", { threads: 1 });
    for (const name of names) {
      const entry = program.entries[name];
      if (entry === undefined) throw new Error(`no ${name}`);
      inputs[name] = completeInputs(program, entry, undefined, 5).all;
      alone[name] = await one.run(name, inputs[name]);
    }
    one.destroy();
  });

  it.each([1, 2, 3, 4])("gives with %i threads what one gives, to the bit, again and again", async (threads) => {
    const it = await start(finest(program), { threads, shareFrom: 0 });
    for (let time = 0; time < 3; time += 1) for (const name of names) expect(different(await it.run(name, inputs[name] as Tensors), alone[name] as Tensors)).toEqual([]);
    expect(it.backend).toBe(threads === 1 ? "wasm (1 thread)" : `wasm (${threads} threads)`);
  });

  it.each([1, 2])("steps in memory, with %i threads, as it does when the state is copied", async (threads) => {
    const it = await start(program, { threads, shareFrom: 0 });
    const names = new Set(program.entries["step"]?.inputs.filter(({ role }) => role === "parameter" || role === "state").map(({ name }) => name));
    const split = (tensors: Tensors, held: boolean): Tensors => Object.fromEntries(Object.entries(tensors).filter(([name]) => names.has(name) === held));
    const batch = split(inputs["grad"] as Tensors, false);
    let state = split(inputs["step"] as Tensors, true);
    const kept = await it.keep?.(state);
    if (kept === undefined) throw new Error("nothing is kept");
    expect(different(kept.read(), state)).toEqual([]);
    for (const step of [1, 2, 3, 4]) {
      const given = { ...split(inputs["step"] as Tensors, false), step: scalar(step) };
      const outputs = await it.run("step", { ...state, ...given });
      state = split(outputs, true);
      expect(different(await kept.run("step", given), split(outputs, false))).toEqual([]);
      expect(different(kept.read(), state)).toEqual([]);
      const parameters = Object.fromEntries(program.parameters.map(({ name }) => [name, state[name]])) as Tensors;
      expect(different(await kept.run("grad", batch), await it.run("grad", { ...parameters, ...batch }))).toEqual([]);
    }
  });

  it("counts the time of attention apart", async () => {
    const it = await start(program, { threads: 1 });
    await it.run("step", inputs["step"] as Tensors);
    const seconds = it.spent?.();
    expect(Object.keys(seconds ?? {}).sort()).toEqual(["attention", "attention_vjp", "rest"]);
    for (const part of Object.values(seconds ?? {})) expect(part).toBeGreaterThan(0);
  });
});

const numbers = (from: number): number[] => Array.from({ length: COUNT }, (_, at) => from + at);
const tensor = (from: number) => f32([COUNT], numbers(from));

describe("a pool of threads", () => {
  const program = slow(20_000);

  it("divides a launch, and lets nobody into the next one early", async () => {
    const it = await start(program, { threads: 3 });
    for (let time = 0; time < 50; time += 1) expectClose(await it.run("forward", { x: tensor(time) }), { y: numbers(time + 2) });
  });

  it("runs calls one after the other, whenever they are made", async () => {
    const it = await start(program, { threads: 2 });
    const calls = [0, 10, 20, 30].map((from) => it.run("forward", { x: tensor(from) }));
    (await Promise.all(calls)).forEach((outputs, at) => expectClose(outputs, { y: numbers(10 * at + 2) }));
  });

  it.each([1, 2, 3])("%i: a trap ends the run and the executable, and says why", async (threads) => {
    for (const bad of [0, 1, COUNT / 2, COUNT - 1]) {
      const it = await start(program, { threads });
      await it.run("forward", { x: tensor(0) });
      const x = f32([COUNT], numbers(0).map((value, at) => (at === bad ? -7 : value)));
      await expect(it.run("forward", { x })).rejects.toMatchObject({ code: "SQ0709", message: expect.stringContaining("unreachable") as string });
      await expect(it.run("forward", { x: tensor(0) })).rejects.toMatchObject({ code: "SQ0708" });
    }
  });

  it("ends while it rests, before it has begun, and while it starts", async () => {
    const [resting, fresh, starting] = [await start(program, { threads: 2 }), await start(program, { threads: 2 }), await start(program, { threads: 2 })];
    await resting.run("forward", { x: tensor(0) });
    const running = starting.run("forward", { x: tensor(0) });
    for (const each of [resting, fresh, starting]) each.destroy();
    await expect(running).rejects.toMatchObject({ code: "SQ0708" });
    for (const each of [resting, fresh, starting]) {
      each.destroy();
      await expect(each.run("forward", { x: tensor(0) })).rejects.toMatchObject({ code: "SQ0708" });
    }
  });

  it("keeps what is replaced, what shares a value with another, and what stays", async () => {
    const it = await start(program, { threads: 2 });
    const kept = await it.keep?.({ w: tensor(0), "m.w": tensor(100), v: tensor(200) });
    for (const step of [1, 2, 3]) {
      expectClose((await kept?.run("step", { x: tensor(step) })) ?? {}, { y: numbers(step + 2) });
      expectClose(kept?.read() ?? {}, { w: numbers(2 * step), "m.w": numbers(2 * step - 2), v: numbers(200) });
    }
    await expect(kept?.run("step", {})).rejects.toMatchObject({ code: "SQ0601" });
    await expect(kept?.run("step", { x: tensor(0), w: tensor(0) })).rejects.toMatchObject({ code: "SQ0608" });
    await expect(it.keep?.({ x: tensor(0) })).rejects.toMatchObject({ code: "SQ0608" });
    await expect(it.keep?.({ w: f32([1], [0]) })).rejects.toMatchObject({ code: "SQ0602" });
    expectClose(kept?.read() ?? {}, { w: numbers(6), "m.w": numbers(4), v: numbers(200) });
    await it.keep?.({ w: tensor(7) });
    await expect(kept?.run("step", { x: tensor(0) })).rejects.toMatchObject({ code: "SQ0708" });
    expect(() => kept?.read()).toThrow(/later call of `keep`/);
  });

  it("takes whole numbers of threads, and only on `wasm`", async () => {
    for (const threads of [0, 1.5, -1, Number.NaN, 1000]) await expect(createExecutable(program, "wasm", { threads })).rejects.toMatchObject({ code: "SQ0007" });
    await expect(createExecutable(program, "gpujs:cpu", { threads: 2 })).rejects.toMatchObject({ code: "SQ0007" });
  });

  it("starts no thread where nothing is worth sharing", async () => {
    const it = await start(program, { threads: 4, shareFrom: 2e6 });
    expectClose(await it.run("forward", { x: tensor(0) }), { y: numbers(2) });
    expect(it.backend).toBe("wasm (1 thread)");
  });
});

it("works as tsc emits it, and does not keep a process alive", () => {
  const script = `
    import { compileSource, createExecutable } from "./compiler/index.js";
    import { completeInputs } from "./compiler/node/run.js";
    const { program } = compileSource({ file: "gpt.sq", text: ${JSON.stringify(read("gpt.sq"))}, target: "wasm", dims: { B: 2 } });
    const executable = await createExecutable(program, "wasm", { threads: 2, shareFrom: 0 });
    const inputs = completeInputs(program, program.entries.step, undefined, 1).all;
    for (let time = 0; time < 3; time += 1) await executable.run("step", inputs);
    await new Promise((soon) => setTimeout(soon, 50));
    await executable.run("step", inputs);
    console.log(executable.backend);`;
  const cwd = builtCompiler();
  expect(execFileSync(process.execPath, ["--input-type=module", "-e", script], { cwd, encoding: "utf8", timeout: 60_000 })).toBe("wasm (2 threads)\n");
});
