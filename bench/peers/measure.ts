/** @file One comparison: every side opened, checked, and then timed in rounds, one side after the other, so that a slower minute of
 *  the machine is everyone's. */

import { ACTIONS, type Action, type Task } from "./contract.ts";
import { checkAttention, checkLosses, firstLosses, passes, referencesFor, type Check, type References } from "./checks.ts";
import type { Clock } from "./serve.ts";
import { openSide, type Opened, type Side } from "./sides.ts";
import { median } from "../../compiler/bench/statistics.ts";

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
  /** Empty for a side that did not start. */
  readonly runtime: string;
  readonly checks: readonly Check[];
  /** Milliseconds of an action: the median of every round. */
  readonly rounds: Readonly<Partial<Record<Action, readonly number[]>>>;
  /** Why an action has no times. */
  readonly failures: Readonly<Partial<Record<Action, string>>>;
  /** A check that did not hold. */
  readonly wrong: boolean;
}

interface Entrant {
  readonly side: Side;
  opened: Opened;
  readonly checks: Check[];
  readonly rounds: Partial<Record<Action, number[]>>;
  readonly failures: Partial<Record<Action, string>>;
}

const reasonOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown)).trim();

/** Does nothing for an action that failed before; one that fails now is out, with its reason, and all else goes on. What else the side
 *  does it does in a new process: the memory of the old one may be full. */
const attempt = async (entrant: Entrant, task: Task, action: Action, { say }: MeasureOptions, work: () => Promise<void>): Promise<void> => {
  const { side, failures } = entrant;
  if (failures[action] !== undefined) return;
  try {
    await work();
  } catch (thrown) {
    failures[action] = reasonOf(thrown);
    say(`${side.name}: ${action}: ${failures[action]}`);
    await entrant.opened.host.close();
    if (ACTIONS[task.kind].some((other) => failures[other] === undefined)) entrant.opened = await openSide(side, task);
  }
};

const outcomeOf = ({ side: { name, form, threads }, opened: { runtime }, checks, rounds, failures }: Entrant): Outcome =>
  ({ name, form, threads, runtime, checks, rounds, failures, wrong: !checks.every(passes) });

const notStarted = ({ name, form, threads }: Side, kind: Task["kind"], reason: string): Outcome =>
  ({ name, form, threads, runtime: "", checks: [], rounds: {}, failures: Object.fromEntries(ACTIONS[kind].map((action) => [action, reason])), wrong: false });

/** Throws nothing for what a side does: its outcome tells. */
export const measure = async (task: Task, sides: readonly Side[], options: MeasureOptions): Promise<readonly Outcome[]> => {
  const started: (Entrant | Outcome)[] = [];
  for (const side of sides) {
    try {
      started.push({ side, opened: await openSide(side, task), checks: [], rounds: {}, failures: {} });
    } catch (thrown) {
      options.say(`${side.name}: ${reasonOf(thrown)}`);
      started.push(notStarted(side, task.kind, reasonOf(thrown)));
    }
  }
  const entrants = started.filter((one): one is Entrant => "opened" in one);
  try {
    await check(task, entrants, options);
    await time(task, entrants, options);
  } finally {
    for (const { opened } of entrants) await opened.host.close();
  }
  return started.map((one) => ("opened" in one ? outcomeOf(one) : one));
};

const tell = (side: Side, found: readonly Check[], { say }: MeasureOptions): void => {
  for (const { what, error, limit } of found) say(`${side.name}: ${what} is off by ${error.toExponential(1)}${limit === null ? ", which was asked for" : ""}`);
};

/** @throws Error for the checks that do not hold. */
const demand = (found: readonly Check[]): void => {
  const wrong = found.filter((one) => !passes(one));
  if (wrong.length > 0) throw new Error(`wrong: ${wrong.map(({ what, error, limit }) => `${what} is off by ${error.toExponential(1)}, more than ${limit}`).join("; ")}`);
};

const check = async (task: Task, entrants: readonly Entrant[], options: MeasureOptions): Promise<void> => {
  const compare = task.kind === "attention" ? againstLoops(referencesFor(task)) : againstEachOther(options);
  for (const entrant of [...entrants].sort((a, b) => Number(b.side.form === "exact") - Number(a.side.form === "exact")))
    for (const action of ACTIONS[task.kind])
      await attempt(entrant, task, action, options, async () => {
        const found = await compare(entrant, action);
        entrant.checks.push(...found);
        tell(entrant.side, found, options);
        demand(found);
      });
};

type Compare = (entrant: Entrant, action: Action) => Promise<readonly Check[]>;

const againstLoops = (references: References): Compare => ({ opened }, action) => checkAttention(opened, action, references);

/** The first side that trains is what the others are held against. */
const againstEachOther = ({ checkSteps, say }: MeasureOptions): Compare => {
  let expected: readonly number[] | null = null;
  return async ({ side, opened }) => {
    const losses = await firstLosses(opened, checkSteps);
    say(`${side.name}: loss ${losses[0]?.toFixed(4)} to ${losses.at(-1)?.toFixed(4)} in ${checkSteps} steps`);
    if (expected !== null) return [checkLosses(side, losses, expected)];
    expected = losses;
    return [];
  };
};

/** The first round warms up: engines compile a second time what runs often. */
const time = async (task: Task, entrants: readonly Entrant[], options: MeasureOptions): Promise<void> => {
  const { milliseconds, clock } = options;
  for (let round = 0; round <= options.rounds; round += 1)
    for (const entrant of entrants)
      for (const action of ACTIONS[task.kind])
        await attempt(entrant, task, action, options, async () => {
          const runs = await entrant.opened.host.call<"run">({ call: "run", action, times: 1, milliseconds, clock });
          if (round > 0) (entrant.rounds[action] ??= []).push(median(runs.milliseconds));
        });
};
