/** @file One thread at work: it follows the launches of a plan, beside others that follow the same plan on the same memory.
 *
 *  A launch is shared or solo. Of a shared one every thread takes `grain` items at a time, from a counter, until none is left; who
 *  completes the last of them lets all go on to the next launch. A solo one is the leader's. Nobody waits for a thread that holds no
 *  items: one that the system does not run costs nothing but its help.
 *
 *  The class runs here and, as its own text, in workers, so that no bundler has to know of a second file. It may name nothing
 *  outside of itself: no static members either, which tsc reaches through a variable of the module. */

import type { Plan, PlannedLaunch } from "./plan.ts";

export interface ThreadSetup {
  /** By number: every kernel takes (pointers…, begin, end, scratch), and ignores what it does not need. */
  readonly kernels: readonly ((...numbers: readonly number[]) => void)[];
  /** Address of memory of this thread's own. */
  readonly scratch: number;
  readonly leads: boolean;
  /** CONTROL_WORDS words, common to all threads, zero at first. */
  readonly control: Int32Array;
  /** Seconds by part, which the leader counts; zero at first. */
  readonly seconds: Float64Array;
}

export const CONTROL_WORDS = 512;

export class Thread {
  // Words of `control`, in cache lines of their own.
  /** Number of the run · 512 + open · 256 + workers that take part. */
  readonly #RUN = 0;
  /** Launches before this one are complete. */
  readonly #PHASE = 32;
  /** 0, or 1 + the length of the reason why a thread failed, whose characters follow. */
  readonly #FAILED = 64;
  readonly #OPEN = 256;
  /** Turns of waiting before the system is asked to wake this thread: some tenths of a millisecond. Threads of a shared launch end about
   *  as far apart; to be woken takes longer than a small kernel, which a step of a model has hundreds of. */
  readonly #SPINS = 200_000;

  readonly #setup: ThreadSetup;
  /** By plan, the arguments of every launch; begin and end are filled in before each call. */
  readonly #arguments = new Map<number, readonly number[][]>();

  constructor(setup: ThreadSetup) {
    this.#setup = setup;
  }

  /** Lets the threads that are told of the run take part in it: before they are told. Returns the run's number. */
  open({ launches, counters, stamps }: Plan): number {
    const { control } = this.#setup;
    stamps[launches.length] = performance.timeOrigin + performance.now();
    const run = (Atomics.load(control, this.#RUN) >>> 9) + 1 & 0x3fffff;
    counters.fill(0);
    Atomics.store(control, this.#PHASE, 0);
    Atomics.store(control, this.#RUN, run * 512 + this.#OPEN);
    return run;
  }

  /** The leader's share of a run; it ends when all is done, or has failed. */
  lead(plan: Plan): void {
    const { control } = this.#setup;
    this.#walk(plan);
    Atomics.and(control, this.#RUN, ~this.#OPEN);
    this.#until(this.#RUN, (word) => (word & (this.#OPEN - 1)) === 0);
    this.#count(plan);
  }

  /** A worker's share of a run, none where the run is over. */
  follow(plan: Plan, run: number): void {
    const { control } = this.#setup;
    for (let joined = false; !joined; ) {
      const word = Atomics.load(control, this.#RUN);
      if (word >>> 9 !== run || (word & this.#OPEN) === 0) return;
      joined = Atomics.compareExchange(control, this.#RUN, word, word + 1) === word;
    }
    this.#walk(plan);
    Atomics.sub(control, this.#RUN, 1);
    Atomics.notify(control, this.#RUN);
  }

  /** Why a thread failed; null where none did. */
  failure(): string | null {
    const { control } = this.#setup;
    const length = Atomics.load(control, this.#FAILED) - 1;
    if (length < 0) return null;
    const first = this.#FAILED + 1;
    return String.fromCharCode(...control.subarray(first, first + length));
  }

  #walk(plan: Plan): void {
    const { control, leads } = this.#setup;
    const { launches } = plan;
    try {
      const all = this.#argumentsOf(plan);
      for (let at = 0; at < launches.length && Atomics.load(control, this.#FAILED) === 0; at += 1) {
        const [launch, args] = [launches[at] as PlannedLaunch, all[at] as number[]];
        if (launch.shared) this.#share(plan, at, args);
        else {
          if (leads) {
            this.#call(launch, args, 0, launch.items);
            this.#stamp(plan, at);
          }
          // One word for a row of solo launches: nobody looks before the next shared one.
          if (launches[at + 1]?.shared !== true) continue;
          if (leads) this.#reach(at + 1);
          else this.#until(this.#PHASE, (phase) => phase > at);
        }
      }
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  #share(plan: Plan, at: number, args: number[]): void {
    const { counters, launches } = plan;
    const launch = launches[at] as PlannedLaunch;
    const { items, grain } = launch;
    while (Atomics.load(this.#setup.control, this.#FAILED) === 0) {
      const begin = Atomics.add(counters, 2 * at, grain);
      if (begin >= items) break;
      const end = Math.min(items, begin + grain);
      this.#call(launch, args, begin, end);
      if (Atomics.add(counters, 2 * at + 1, end - begin) + end - begin < items) continue;
      this.#stamp(plan, at);
      this.#reach(at + 1);
    }
    this.#until(this.#PHASE, (phase) => phase > at);
  }

  #call({ kernel }: PlannedLaunch, args: number[], begin: number, end: number): void {
    args[args.length - 3] = begin;
    args[args.length - 2] = end;
    this.#setup.kernels[kernel]?.(...args);
  }

  #argumentsOf({ number, launches, pointers }: Plan): readonly number[][] {
    const known = this.#arguments.get(number);
    if (known !== undefined) return known;
    const made = launches.map(({ first, count }) => [...pointers.subarray(first, first + count), 0, 0, this.#setup.scratch]);
    this.#arguments.set(number, made);
    return made;
  }

  #reach(phase: number): void {
    Atomics.store(this.#setup.control, this.#PHASE, phase);
    Atomics.notify(this.#setup.control, this.#PHASE);
  }

  #until(word: number, done: (value: number) => boolean): void {
    const { control } = this.#setup;
    for (let spin = 0; spin < this.#SPINS; spin += 1) if (done(Atomics.load(control, word))) return;
    for (let seen = Atomics.load(control, word); !done(seen); seen = Atomics.load(control, word)) Atomics.wait(control, word, seen);
  }

  /** Tells the first reason, and lets everybody go. */
  #fail(thrown: unknown): void {
    const { control } = this.#setup;
    if (Atomics.compareExchange(control, this.#FAILED, 0, 1) !== 0) return;
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    const length = Math.min(reason.length, control.length - this.#FAILED - 1);
    for (let at = 0; at < length; at += 1) control[this.#FAILED + 1 + at] = reason.charCodeAt(at);
    Atomics.store(control, this.#FAILED, 1 + length);
    this.#reach(0x7fffffff);
  }

  #stamp({ launches, stamps }: Plan, at: number): void {
    if (launches[at]?.part !== launches[at + 1]?.part) stamps[at] = performance.timeOrigin + performance.now();
  }

  /** From one change of part to the next. */
  #count({ launches, stamps }: Plan): void {
    const { seconds } = this.#setup;
    let since = stamps[launches.length] as number;
    launches.forEach(({ part }, at) => {
      if (part === launches[at + 1]?.part) return;
      const stamp = Math.max(since, stamps[at] as number);
      seconds[part] = (seconds[part] as number) + (stamp - since) / 1000;
      since = stamp;
    });
  }
}
