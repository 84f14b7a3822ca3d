/** @file Parameters and optimizer state that stay in memory from run to run. What an entry point replaces has two places: the entry
 *  reads one and writes the other, and the next run finds them changed over. Nothing is copied. */

import type { Entry, Kept, Tensors } from "../abi.ts";
import { RuntimeError } from "../errors.ts";
import { checkInputs, entryOf } from "../validate.ts";
import type { Call, Machine } from "./machine.ts";
import { offsetOf } from "./machine.ts";
import { isKeepable, type KeptPlace } from "./memory.ts";

export class Keeper {
  readonly #machine: Machine;
  readonly #places: ReadonlyMap<string, KeptPlace>;
  #current: Session | null = null;

  constructor(machine: Machine, places: ReadonlyMap<string, KeptPlace>) {
    this.#machine = machine;
    this.#places = places;
  }

  /** @throws RuntimeError as `checkInputs` does: only parameters and state are kept. */
  keep(tensors: Tensors): Promise<Kept> {
    const machine = this.#machine;
    return machine.inTurn(async () => {
      const inputs = [...this.#places.values()].flatMap(({ port }) => (Object.hasOwn(tensors, port.name) ? [port] : []));
      const data = checkInputs({ name: "keep", inputs, outputs: [], launches: [], values: [], arenaBytes: 0 }, tensors);
      const { floats } = machine;
      const places = inputs.map(({ name }) => this.#places.get(name) as KeptPlace);
      places.forEach(({ offsets }, at) => floats.set(data[at] ?? [], offsets[0]));
      const session: Session = new Session(machine, places, () => this.#current === session);
      this.#current = session;
      return session;
    });
  }
}

class Session implements Kept {
  readonly #machine: Machine;
  readonly #isCurrent: () => boolean;
  /** By name; the first of the offsets is where it is now. */
  readonly #kept: Map<string, KeptPlace>;

  constructor(machine: Machine, places: readonly KeptPlace[], isCurrent: () => boolean) {
    this.#machine = machine;
    this.#isCurrent = isCurrent;
    this.#kept = new Map(places.map((place) => [place.port.name, place]));
  }

  run(name: string, inputs: Tensors): Promise<Tensors> {
    const machine = this.#machine;
    return machine.inTurn(async () => {
      this.#check();
      const { call, replaced } = this.#callOf(entryOf(machine.program, name));
      const outputs = await machine.compute(call, inputs);
      for (const { place, value } of replaced) this.#replace(place, offsetOf(call, value));
      return outputs;
    });
  }

  read(): Tensors {
    this.#check();
    return Object.fromEntries([...this.#kept].map(([name, { port, offsets }]) => [name, this.#machine.read(port, offsets[0] ?? 0)]));
  }

  #check(): void {
    if (!this.#isCurrent()) throw new RuntimeError("SQ0708", "what was kept was replaced by a later call of `keep`");
  }

  #callOf(entry: Entry): { readonly call: Call; readonly replaced: readonly Replaced[] } {
    const moved = new Map<number, number>();
    const isKept = ({ name }: { readonly name: string }): boolean => this.#kept.has(name);
    const [held, inputs] = [entry.inputs.filter((port) => isKeepable(port) && isKept(port)), entry.inputs.filter((port) => !(isKeepable(port) && isKept(port)))];
    for (const { name, value } of held) moved.set(value, this.#kept.get(name)?.offsets[0] ?? 0);
    const replaced = entry.outputs.filter(isKept).map(({ name, value }) => ({ place: this.#kept.get(name) as KeptPlace, value }));
    // A value that goes to two places, or is an input, is computed once and copied.
    for (const { place, value } of replaced) if (!moved.has(value)) moved.set(value, place.offsets.at(-1) ?? 0);
    return { call: { entry, inputs, outputs: entry.outputs.filter((port) => !isKept(port)), moved }, replaced };
  }

  #replace({ port, elements, offsets }: KeptPlace, from: number): void {
    const [now = 0] = offsets;
    const next = offsets.at(-1) ?? now;
    if (from !== next) this.#machine.floats.copyWithin(next, from, from + elements);
    this.#kept.set(port.name, { port, elements, offsets: offsets.length === 1 ? offsets : [next, now] });
  }
}

interface Replaced {
  readonly place: KeptPlace;
  readonly value: number;
}
