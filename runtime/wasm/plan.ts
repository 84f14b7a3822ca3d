/** @file An entry point as its threads read it: every launch with its pointers, how it is divided, and what its time counts for. */

import type { Entry, Launch, LaunchPart, PartSeconds, WasmKernel, WasmProgram } from "../abi.ts";

export interface Plan {
  /** Plans with equal numbers are equal. */
  readonly number: number;
  readonly launches: readonly PlannedLaunch[];
  /** Addresses of results and arguments, one launch after the other. */
  readonly pointers: Int32Array;
  /** Two words a launch, common to all threads: items taken, items done. */
  readonly counters: Int32Array;
  /** Milliseconds of the clock that all threads have: when each launch was complete that is the last of its part in a row, and behind
   *  them when the run began. */
  readonly stamps: Float64Array;
}

export interface PlannedLaunch {
  readonly kernel: number;
  /** Its pointers: `count` from `first` on. */
  readonly first: number;
  readonly count: number;
  readonly items: number;
  readonly grain: number;
  /** Between all threads, or for the leader alone. */
  readonly shared: boolean;
  /** Index into PARTS. */
  readonly part: number;
}

/** In the order of their numbers. */
export const PARTS: readonly (LaunchPart | "rest")[] = ["rest", "attention", "attention_vjp"];

/** Operations that take about as long as it takes to wake a thread (20 to 50 microseconds). */
export const SHARE_FROM = 2e5;

export function isWorthSharing({ items, grain, work }: WasmKernel, shareFrom: number): boolean {
  return items > grain && work >= shareFrom;
}

/** Is there anything in the entry that a second thread would help with? */
export function hasShared(program: WasmProgram, entry: Entry, shareFrom: number): boolean {
  return entry.launches.some(({ kernel }) => isWorthSharing(program.kernels[kernel] as WasmKernel, shareFrom));
}

/** Pieces of a launch that a thread takes, about: each costs a microsecond of getting there, the last one of waiting. */
const PIECES = 16;

/** How launches are shared. */
export interface Sharing {
  readonly threads: number;
  /** Estimated operations. */
  readonly from: number;
}

/** @param addressOf bytes, by value. @param sharing null: everything is the leader's. */
export function planEntry(program: WasmProgram, entry: Entry, number: number, addressOf: (value: number) => number, sharing: Sharing | null): Plan {
  const pointers: number[] = [];
  const launches = entry.launches.map((launch): PlannedLaunch => {
    const kernel = program.kernels[launch.kernel] as WasmKernel;
    const { items } = kernel;
    const first = pointers.length;
    pointers.push(...[launch.result, ...(launch.also ?? []), ...launch.args].map(addressOf));
    const shared = sharing !== null && isWorthSharing(kernel, sharing.from);
    const grain = kernel.grain * Math.ceil(items / (kernel.grain * PIECES * (sharing?.threads ?? 1)));
    return { kernel: launch.kernel, first, count: pointers.length - first, items, grain, shared, part: partOf(launch) };
  });
  return { number, launches, pointers: Int32Array.from(pointers, (address) => address | 0), counters: words(2 * launches.length, sharing !== null), stamps: numbers(launches.length + 1, sharing !== null) };
}

const partOf = ({ part }: Launch): number => PARTS.indexOf(part ?? "rest");

/** Zeros; where threads share them, in memory that a page without isolation has not. */
export function words(count: number, shared: boolean): Int32Array {
  return new Int32Array(shared ? new SharedArrayBuffer(4 * count) : new ArrayBuffer(4 * count));
}

/** The same for floating-point numbers. */
export function numbers(count: number, shared: boolean): Float64Array {
  return new Float64Array(shared ? new SharedArrayBuffer(8 * count) : new ArrayBuffer(8 * count));
}

export function secondsOf(seconds: Float64Array): PartSeconds {
  return Object.fromEntries(PARTS.map((part, at) => [part, seconds[at] ?? 0])) as PartSeconds;
}
