/** @file Processor time of single functions, which other work on the machine disturbs less than time by the clock. */

import { createPeak } from "../compiler/bench/peak.ts";
import type { OwnName } from "../runtime/backends.ts";

export interface Timed {
  readonly name: string;
  /** Floating-point operations of one run. */
  readonly work: number;
  readonly run: () => void;
}

/** Of one run, the mean of as many as take `milliseconds` together; of one where that is 0. */
export const secondsOf = (run: () => void, milliseconds = 0): number => {
  const started = process.cpuUsage();
  let [runs, used] = [0, 0];
  do {
    run();
    runs += 1;
    const { user, system } = process.cpuUsage(started);
    used = user + system;
  } while (used < 1000 * milliseconds);
  return used / runs / 1e6;
};

/** The loop that only multiplies and adds in registers. */
export const inRegisters = (backend?: OwnName): Timed => {
  const peak = createPeak(backend);
  if (peak === null) throw new Error("no WebAssembly with vectors");
  return { name: "multiply-add in registers", work: peak.flops, run: peak.run };
};
