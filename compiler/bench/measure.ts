/** @file Takes times: subjects in turns, round by round, so that whatever else the machine does meets all of them. */

export interface Subject {
  readonly run: () => void | Promise<void>;
  /** Seconds on a clock that runs at least while it computes. */
  readonly now: () => number;
}

export interface MeasureOptions {
  /** Calls of each subject before anything counts, at least; engines compile again what has run for a while. */
  readonly warmup: number;
  /** Rounds. */
  readonly repeat: number;
}

export interface Measured {
  /** Seconds of one call, a number a round. */
  readonly samples: readonly number[];
  /** Calls that each of these is the mean of. */
  readonly calls: number;
}

/** A sample takes at least so many seconds, else the clock and the call weigh too much. */
const SAMPLE = 0.01;
/** Seconds of warm-up: an engine's optimizing compiler works beside short calls. */
const WARM = 0.1;
const MOST_CALLS = 100_000;

/** Times in the order of `subjects`. */
export const measure = async (subjects: readonly Subject[], options: MeasureOptions): Promise<readonly Measured[]> => {
  const calls: number[] = [];
  for (const subject of subjects) calls.push(await warmUp(subject, options));
  const samples = subjects.map((): number[] => []);
  for (let round = 0; round < options.repeat; round++) {
    for (const [i, subject] of subjects.entries()) samples[i]?.push(await timeOf(subject, calls[i] ?? 1));
  }
  return samples.map((each, i) => ({ samples: each, calls: calls[i] ?? 1 }));
};

/** Seconds of one call. */
const timeOf = async ({ run, now }: Subject, calls: number): Promise<number> => {
  const started = now();
  for (let i = 0; i < calls; i++) await run();
  return (now() - started) / calls;
};

/** How many calls a sample needs. */
const warmUp = async (subject: Subject, { warmup }: MeasureOptions): Promise<number> => {
  const { now } = subject;
  const started = now();
  let best = SAMPLE;
  for (let done = 0; done < MOST_CALLS && (done < warmup || (warmup > 0 && now() - started < WARM)); done++) best = Math.min(best, await timeOf(subject, 1));
  return Math.min(MOST_CALLS, Math.ceil(SAMPLE / Math.max(best, SAMPLE / MOST_CALLS)));
};
