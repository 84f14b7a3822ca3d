/** @file One comparison: every side opened, checked, and then timed in rounds, one side after the other, so that a slower minute of
 *  the machine is everyone's. */

import { ACTIONS, type Action, type Task } from "./contract.ts";
import { checkAttention, checkLosses, firstLosses, passes, referencesFor, type Check } from "./checks.ts";
import type { Clock } from "./serve.ts";
import { openSide, type Opened, type Side } from "./sides.ts";
import { median } from "./statistics.ts";

export interface MeasureOptions {
  readonly rounds: number;
  /** What a side runs an action for in a round, at least; always once. */
  readonly milliseconds: number;
  readonly clock: Clock;
  /** Steps of training whose losses are compared. */
  readonly checkSteps: number;
  readonly say: (line: string) => void;
}

export interface Outcome {
  readonly name: string;
  readonly form: string | null;
  readonly threads: number;
  readonly runtime: string;
  readonly checks: readonly Check[];
  /** Milliseconds of an action: the median of every round. */
  readonly rounds: Readonly<Partial<Record<Action, readonly number[]>>>;
  /** Why there are no times. */
  readonly failure: string | null;
}

const reasonOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown)).trim();

interface Entrant {
  readonly side: Side;
  opened: Opened | null;
  checks: readonly Check[];
  failure: string | null;
  readonly rounds: Partial<Record<Action, number[]>>;
}

/** Runs `work` for a side that still runs; a side that fails is out, with its reason, and the others go on. */
const attempt = async (entrant: Entrant, say: MeasureOptions["say"], work: (opened: Opened) => Promise<void>): Promise<void> => {
  if (entrant.opened === null || entrant.failure !== null) return;
  try {
    await work(entrant.opened);
  } catch (thrown) {
    entrant.failure = reasonOf(thrown);
    say(`${entrant.side.name}: ${entrant.failure}`);
    await entrant.opened.host.close();
  }
};

/** @throws nothing for what a side does: its outcome tells. */
export const measure = async (task: Task, sides: readonly Side[], options: MeasureOptions): Promise<readonly Outcome[]> => {
  const { say } = options;
  const entrants = sides.map((side): Entrant => ({ side, opened: null, checks: [], failure: null, rounds: {} }));
  for (const entrant of entrants) {
    try {
      entrant.opened = await openSide(entrant.side, task);
    } catch (thrown) {
      entrant.failure = reasonOf(thrown);
      say(`${entrant.side.name}: ${entrant.failure}`);
    }
  }
  try {
    await check(task, entrants, options);
    await time(task, entrants, options);
  } finally {
    for (const { opened } of entrants) await opened?.host.close();
  }
  return entrants.map(({ side: { name, form, threads }, opened, checks, failure, rounds }) => ({ name, form, threads, runtime: opened?.runtime ?? "", checks, rounds, failure }));
};

const check = async (task: Task, entrants: readonly Entrant[], { checkSteps, say }: MeasureOptions): Promise<void> => {
  const references = task.kind === "attention" ? referencesFor(task) : null;
  let expected: readonly number[] | null = null;
  for (const entrant of [...entrants].sort((a, b) => Number(b.side.form === "exact") - Number(a.side.form === "exact"))) {
    await attempt(entrant, say, async (opened) => {
      if (references !== null) entrant.checks = await checkAttention(opened, references);
      else {
        const losses = await firstLosses(opened, checkSteps);
        say(`${entrant.side.name}: loss ${losses[0]?.toFixed(4)} to ${losses.at(-1)?.toFixed(4)} in ${checkSteps} steps`);
        entrant.checks = expected === null ? [] : [checkLosses(entrant.side, losses, expected)];
        expected ??= losses;
      }
      say(`${entrant.side.name}: ${entrant.checks.map(({ what, error, limit }) => `${what} ${error.toExponential(1)}${limit === null ? " (approximate)" : ""}`).join(", ") || "what the others are held against"}`);
      const wrong = entrant.checks.filter((found) => !passes(found));
      if (wrong.length > 0) throw new Error(`wrong: ${wrong.map(({ what, error, limit }) => `${what} is off by ${error.toExponential(1)}, more than ${limit}`).join("; ")}`);
    });
  }
};

const time = async (task: Task, entrants: readonly Entrant[], { rounds, milliseconds, clock, say }: MeasureOptions): Promise<void> => {
  const turn = (entrant: Entrant, keep: boolean): Promise<void> =>
    attempt(entrant, say, async ({ host }) => {
      for (const action of ACTIONS[task.kind]) {
        const runs = await host.call<"run">({ call: "run", action, times: 1, milliseconds, clock });
        if (keep) (entrant.rounds[action] ??= []).push(median(runs.milliseconds));
      }
    });
  for (let round = 0; round <= rounds; round += 1)
    for (const entrant of entrants) await turn(entrant, round > 0);
};
