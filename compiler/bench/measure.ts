/** @file Takes times: subjects in turns, round by round, so that whatever else the machine does meets all of them. */

export interface Subject {
  readonly run: () => void | Promise<void>;
  /** Seconds on a clock that runs at least while it computes. */
  readonly now: () => number;
  /** Seconds that a sample takes at least; 0.01 unless given, below which the clock and the call weigh too much. */
  readonly least?: number;
  /** In place of that of the options. */
  readonly warmup?: number;
}

export interface MeasureOptions {
  /** Calls of each subject before anything counts, at least; engines compile again what has run for a while. */
  readonly warmup: number;
  /** Rounds. */
  readonly repeat: number;
  /** Seconds on a steady clock that always runs: it bounds how long warming up may take. */
  readonly wall: () => number;
}

export interface Measured {
  /** Seconds of one call, a number a round. */
  readonly samples: readonly number[];
  /** Calls that each of these is the mean of. */
  readonly calls: number;
}

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

/** How many calls a sample needs: what the subject's own clock says, unless that takes much longer on the wall. */
const warmUp = async (subject: Subject, { wall, ...options }: MeasureOptions): Promise<number> => {
  const started = wall();
  const { least = SAMPLE, warmup = options.warmup } = subject;
  let [own, whole] = [least, WARM];
  for (let done = 0; done < warmup || (warmup > 0 && wall() - started < WARM); done++) {
    const before = wall();
    own = Math.min(own, await timeOf(subject, 1));
    whole = Math.min(whole, wall() - before);
  }
  const wanted = Math.ceil(least / Math.max(own, least / MOST_CALLS));
  return Math.max(1, Math.min(wanted, Math.floor(WARM / Math.max(whole, WARM / MOST_CALLS))));
};
