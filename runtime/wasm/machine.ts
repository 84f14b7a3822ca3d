/** @file A program in memory, and calls of its entry points, one after the other. */

import type { Entry, ExecutableOptions, HostTensor, InputPort, Port, Tensors, WasmProgram } from "../abi.ts";
import { reasonOf, RuntimeError } from "../errors.ts";
import { checkInputs, outputTensor } from "../validate.ts";
import { Crews, threadsFor } from "./crews.ts";
import { allocate, FLOAT, layOut, type KeptPlace, type Layout } from "./memory.ts";
import { hasShared, numbers, PARTS, planEntry, SHARE_FROM, type Plan } from "./plan.ts";

/** What is written to memory and read from it around a run, and which values lie elsewhere than their entry says. */
export interface Call {
  readonly entry: Entry;
  /** Of the entry's inputs, those that are given. */
  readonly inputs: readonly InputPort[];
  readonly outputs: readonly Port[];
  /** Offsets in elements, by value. */
  readonly moved: ReadonlyMap<number, number>;
}

type Kernels = readonly ((...numbers: readonly number[]) => void)[];

export async function createMachine(program: WasmProgram, options: ExecutableOptions): Promise<Machine> {
  const { shareFrom = SHARE_FROM } = options;
  const threads = await threadsFor(program, options.threads, shareFrom);
  const layout = layOut(program, threads.count);
  const memory = allocate(program.model, layout.bytes);
  const { module, kernels } = await instantiate(program, memory);
  const seconds = numbers(PARTS.length, threads.count > 1);
  const names = program.kernels.map(({ name }) => name);
  const crews = new Crews({ model: program.model, module, memory, layout, names, kernels, seconds }, threads);
  return new Machine(program, layout, memory, crews, shareFrom, seconds);
}

/** The kernels by number. */
async function instantiate(program: WasmProgram, memory: WebAssembly.Memory): Promise<{ readonly module: WebAssembly.Module; readonly kernels: Kernels }> {
  try {
    const { module, instance } = await WebAssembly.instantiate(program.wasm as Uint8Array<ArrayBuffer>, { env: { memory } });
    return { module, kernels: program.kernels.map(({ name }) => instance.exports[name] as Kernels[number]) };
  } catch (thrown) {
    throw new RuntimeError("SQ0704", `the kernels of \`${program.model}\` did not compile: ${reasonOf(thrown)}`, undefined, thrown);
  }
}

export class Machine {
  /** By part of a model: see PARTS. */
  readonly seconds: Float64Array;
  /** Where tensors can be kept from run to run; null where there is no room for them. */
  readonly places: ReadonlyMap<string, KeptPlace> | null;
  readonly program: WasmProgram;
  readonly #memory: WebAssembly.Memory;
  readonly #crews: Crews;
  readonly #shareFrom: number;
  readonly #plans = new Map<string, Plan>();
  #destroyed = false;
  #busy: Promise<void> | null = null;

  constructor(program: WasmProgram, layout: Layout, memory: WebAssembly.Memory, crews: Crews, shareFrom: number, seconds: Float64Array) {
    this.program = program;
    this.#memory = memory;
    this.#crews = crews;
    this.#shareFrom = shareFrom;
    this.places = layout.kept;
    this.seconds = seconds;
  }

  /** `2 threads`. */
  get threads(): string {
    return this.#crews.name;
  }

  /** All memory, in elements. */
  get floats(): Float32Array {
    return new Float32Array(this.#memory.buffer);
  }

  /** One after the other, at once where nothing is going on.
   *  @throws RuntimeError SQ0708 when destroyed. */
  async inTurn<T>(task: () => Promise<T>): Promise<T> {
    while (this.#busy !== null) await this.#busy;
    if (this.#destroyed) throw new RuntimeError("SQ0708", "this executable was destroyed; create another one");
    const mine = task();
    const over = (): void => void (this.#busy = null);
    this.#busy = mine.then(over, over);
    return mine;
  }

  /** @throws RuntimeError as `checkInputs` does; as `Crew.run` does, after which this is destroyed. */
  call(call: Call, inputs: Tensors): Promise<Tensors> {
    return this.inTurn(() => this.compute(call, inputs));
  }

  /** For who has the turn. */
  async compute(call: Call, inputs: Tensors): Promise<Tensors> {
    const { entry } = call;
    const data = checkInputs({ ...entry, inputs: call.inputs }, inputs);
    const { floats } = this;
    call.inputs.forEach((port, at) => floats.set(data[at] ?? [], offsetOf(call, port.value)));
    const { crew, together } = hasShared(this.program, entry, this.#shareFrom) ? await this.#crews.many() : this.#crews.one();
    try {
      const running = crew.run(this.#planOf(call, together));
      if (running !== undefined) await running;
    } catch (thrown) {
      this.destroy();
      throw thrown;
    }
    return Object.fromEntries(call.outputs.map((port) => [port.name, this.read(port, offsetOf(call, port.value))]));
  }

  /** A copy of what lies there. */
  read(port: Port, offset: number): HostTensor {
    const elements = port.shape.reduce((product, size) => product * size, 1);
    return outputTensor(port, this.floats.slice(offset, offset + elements));
  }

  destroy(): void {
    this.#destroyed = true;
    this.#plans.clear();
    this.#crews.end();
  }

  #planOf(call: Call, together: boolean): Plan {
    const key = [call.entry.name, together, ...[...call.moved].flat()].join();
    const known = this.#plans.get(key);
    if (known !== undefined) return known;
    const addressOf = (value: number): number => FLOAT * offsetOf(call, value);
    const plan = planEntry(this.program, call.entry, this.#plans.size, addressOf, together ? { threads: this.#crews.count, from: this.#shareFrom } : null);
    this.#plans.set(key, plan);
    return plan;
  }
}

export function offsetOf({ entry, moved }: Call, value: number): number {
  return moved.get(value) ?? entry.values[value]?.offset ?? 0;
}
