/** @file Outcomes as tables: medians over rounds with their quartiles, and how many times as fast Subquad is, thread for thread. */

import { ACTIONS, type Action, type Task } from "./contract.ts";
import type { Outcome } from "./measure.ts";
import { median, quantile } from "../../compiler/bench/statistics.ts";
import { quotients } from "./statistics.ts";

const TITLES: Readonly<Record<Action, string>> = { forward: "forward, ms", gradient: "forward+backward, ms", step: "step, ms" };

const short = (value: number): string => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2));

const spread = (rounds: readonly number[], digits: (value: number) => string): string =>
  `${digits(median(rounds))} (${digits(quantile(rounds, 0.25))}-${digits(quantile(rounds, 0.75))})`;

const aligned = (rows: readonly (readonly string[])[]): string => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => row.map((cell, column) => (column === 0 || column === row.length - 1 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join("   ").trimEnd()).join("\n");
};

const timesTable = (task: Task, outcomes: readonly Outcome[]): string => {
  const actions = ACTIONS[task.kind];
  const trained = task.kind === "training";
  const head = ["", ...actions.map((action) => TITLES[action]), ...(trained ? ["tokens/s"] : []), "what ran"];
  const row = ({ name, rounds, runtime, failures }: Outcome): readonly string[] => {
    const cells = actions.map((action) => (rounds[action] === undefined ? "-" : spread(rounds[action], short)));
    const rate = trained ? [rounds.step === undefined ? "-" : short((1000 * task.length) / median(rounds.step))] : [];
    return [name, ...cells, ...rate, [runtime, ...reasonsOf(failures)].filter((part) => part !== "").join("; ")];
  };
  return aligned([head, ...outcomes.map(row)]);
};

/** The first line of every reason, once. */
const reasonsOf = (failures: Outcome["failures"]): readonly string[] => [...new Set(Object.values(failures).map((reason) => reason.split("\n")[0] ?? ""))];

export interface Ratio {
  readonly side: string;
  readonly peer: string;
  readonly action: Action;
  /** The peer's time over the side's, round by round: its median, and the quartiles. */
  readonly times: number;
  readonly quartiles: readonly [number, number];
}

/** Every form of Subquad against every peer, for the actions that both did. */
export const ratiosOf = (task: Task, outcomes: readonly Outcome[]): readonly Ratio[] =>
  outcomes.filter(({ form }) => form !== null).flatMap((side) =>
    outcomes.filter(({ form }) => form === null).flatMap((peer) =>
      ACTIONS[task.kind].flatMap((action): readonly Ratio[] => {
        const [own, others] = [side.rounds[action], peer.rounds[action]];
        if (own === undefined || others === undefined || own.length !== others.length) return [];
        const all = quotients(others, own);
        return [{ side: side.name, peer: peer.name, action, times: median(all), quartiles: [quantile(all, 0.25), quantile(all, 0.75)] }];
      }),
    ),
  );

const ratioLine = ({ side, peer, action, times, quartiles: [low, high] }: Ratio): string =>
  `${side} is ${times.toFixed(2)} times as fast as ${peer} (${low.toFixed(2)}-${high.toFixed(2)}): ${TITLES[action].replace(", ms", "")}`;

export const printCase = (task: Task, threads: number, outcomes: readonly Outcome[]): string => {
  const title = `${task.kind}, ${task.length} tokens, ${threads} thread${threads === 1 ? "" : "s"}`;
  return [title, timesTable(task, outcomes), ...ratiosOf(task, outcomes).map(ratioLine)].join("\n");
};
