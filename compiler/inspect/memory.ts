/** @file The static memory plan of each entry point: its arena, what fills it, and the moment it is fullest. */

import { BYTES_PER_ELEMENT } from "../../ir/core.ts";
import type { AnyProgram, Entry } from "../../runtime/abi.ts";
import { bytes, table } from "./table.ts";

export interface MemoryReport {
  readonly entries: readonly EntryMemory[];
}

export interface EntryMemory {
  readonly name: string;
  /** Size of the arena with reuse, and what it would be were every value to have a buffer of its own. */
  readonly arenaBytes: number;
  readonly withoutReuseBytes: number;
  readonly inputBytes: number;
  readonly outputBytes: number;
  /** The launch at which most bytes are alive, and the values alive there, largest first. */
  readonly peak: { readonly launch: number; readonly path: string; readonly aliveBytes: number; readonly alive: readonly Alive[] };
}

interface Alive {
  readonly value: number;
  readonly bytes: number;
  /** The kernel that made it, or the input it is. */
  readonly from: string;
}

export const memoryReport = (program: AnyProgram): MemoryReport => ({
  entries: Object.values(program.entries).map((entry) => entryMemory(entry, program)),
});

const entryMemory = (entry: Entry, program: AnyProgram): EntryMemory => {
  const size = (value: number): number => (entry.values[value]?.elements ?? 0) * BYTES_PER_ELEMENT;
  const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + size(value), 0);
  const { launch, alive } = fullest(entry, size);
  const origin = originOf(entry, program);
  const alivePeak = [...alive].map((value): Alive => ({ value, bytes: size(value), from: origin(value) })).sort((a, b) => b.bytes - a.bytes);
  return {
    name: entry.name,
    arenaBytes: entry.arenaBytes,
    withoutReuseBytes: entry.values.reduce((total, _, value) => total + size(value), 0),
    inputBytes: sum(entry.inputs.map((port) => port.value)),
    outputBytes: sum(new Set(entry.outputs.map((port) => port.value))),
    peak: { launch, path: entry.launches[launch]?.path ?? "", aliveBytes: sum(alive), alive: alivePeak },
  };
};

const originOf = (entry: Entry, program: AnyProgram): ((value: number) => string) => {
  const names = new Map<number, string>(entry.inputs.map((port) => [port.value, port.name]));
  for (const { kernel, result, also = [], path } of entry.launches)
    for (const value of [result, ...also]) names.set(value, `${program.kernels[kernel]?.name ?? ""}${path === "" ? "" : ` in ${path}`}`);
  return (value) => names.get(value) ?? "";
};

/** Walks the launches with the set of values that are defined and still needed. */
const fullest = (entry: Entry, size: (value: number) => number): { launch: number; alive: ReadonlySet<number> } => {
  const last = new Map<number, number>();
  entry.launches.forEach(({ args, result, also = [] }, at) => [...args, result, ...also].forEach((value) => last.set(value, at)));
  for (const port of [...entry.inputs, ...entry.outputs]) last.set(port.value, entry.launches.length);
  const alive = new Set(entry.inputs.map((port) => port.value));
  let now = [...alive].reduce((total, value) => total + size(value), 0);
  let best = { launch: 0, bytes: -1, alive: new Set(alive) };
  entry.launches.forEach(({ args, result, also = [] }, at) => {
    for (const value of [result, ...also]) {
      if (!alive.has(value)) now += size(value);
      alive.add(value);
    }
    if (now > best.bytes) best = { launch: at, bytes: now, alive: new Set(alive) };
    for (const value of new Set([...args, result, ...also])) {
      if (last.get(value) === at && alive.delete(value)) now -= size(value);
    }
  });
  return best;
};

export const printMemory = (report: MemoryReport): string => {
  const right = "right" as const;
  const summary = table(
    [{ title: "entry" }, ...["arena", "without reuse", "inputs", "outputs", "peak alive"].map((title) => ({ title, align: right }))],
    report.entries.map((entry) => [
      entry.name,
      ...[entry.arenaBytes, entry.withoutReuseBytes, entry.inputBytes, entry.outputBytes, entry.peak.aliveBytes].map(bytes),
    ]),
  );
  const peaks = report.entries.map(({ name, peak }) => {
    const where = peak.path === "" ? "" : ` (${peak.path})`;
    const largest = peak.alive.slice(0, 10).map(({ bytes: size, from }) => [bytes(size), from]);
    const list = table([{ title: "bytes", align: right }, { title: "value" }], largest);
    return `${name}: fullest at launch ${peak.launch}${where}, ${peak.alive.length} values alive; the largest:\n${list}`;
  });
  return `${summary}\n${peaks.join("\n")}`;
};
