/** @file How many threads compute, and why not more; the crews of one thread and of all, the latter started when first needed. */

import type { WasmProgram } from "../abi.ts";
import { reasonOf, RuntimeError } from "../errors.ts";
import { crewOf, crewOfOne, type Crew, type CrewSetup } from "./crew.ts";
import { hasShared } from "./plan.ts";
import { threadHost, type ThreadHost } from "./workers.ts";

const MOST_THREADS = 128;

export interface Threads {
  readonly count: number;
  readonly host: ThreadHost;
  /** Why there is but one though more were wanted; null where that is not so. */
  readonly missing: string | null;
}

/** @throws RuntimeError SQ0007. */
export async function threadsFor(program: WasmProgram, asked: number | undefined, shareFrom: number): Promise<Threads> {
  if (asked !== undefined && !(Number.isSafeInteger(asked) && asked >= 1 && asked <= MOST_THREADS)) {
    throw new RuntimeError("SQ0007", `threads is ${asked}, but must be a whole number from 1 to ${MOST_THREADS}`);
  }
  const host = await threadHost();
  const wanted = asked ?? Math.min(host.parallelism, MOST_THREADS);
  const useful = Object.values(program.entries).some((entry) => hasShared(program, entry, shareFrom));
  if (wanted === 1 || !useful) return { count: 1, host, missing: null };
  return { count: host.missing === null ? wanted : 1, host, missing: host.missing };
}

export interface Chosen {
  readonly crew: Crew;
  /** Are launches shared? */
  readonly together: boolean;
}

export class Crews {
  readonly #setup: CrewSetup;
  readonly #threads: Threads;
  readonly #one: Crew;
  #many: Promise<Crew | null> | null = null;
  #missing: string | null;
  #ended = false;

  constructor(setup: CrewSetup, threads: Threads) {
    this.#setup = setup;
    this.#threads = threads;
    this.#missing = threads.missing;
    this.#one = crewOfOne(setup);
  }

  /** Threads, where all of them start. */
  get count(): number {
    return this.#threads.count;
  }

  /** `2 threads`. */
  get name(): string {
    if (this.#missing !== null) return `1 thread: ${this.#missing}`;
    return this.#threads.count === 1 ? "1 thread" : `${this.#threads.count} threads`;
  }

  one(): Chosen {
    return { crew: this.#one, together: false };
  }

  /** All threads; one, and `name` says why, where they do not start. */
  async many(): Promise<Chosen> {
    if (this.#threads.count === 1) return this.one();
    this.#many ??= this.#start();
    const crew = await this.#many;
    return crew === null ? this.one() : { crew, together: true };
  }

  end(): void {
    this.#ended = true;
    void this.#many?.then((crew) => crew?.end());
  }

  async #start(): Promise<Crew | null> {
    const { count, host } = this.#threads;
    try {
      const crew = await crewOf(count, host, this.#setup);
      if (this.#ended) crew.end();
      return crew;
    } catch (thrown) {
      this.#missing = `its workers did not start: ${reasonOf(thrown)}`;
      return null;
    }
  }
}
