/** @file What a pass changed, as a unified diff of the printed IR. */

import { createTwoFilesPatch } from "diff";
import { printModule } from "../../ir/print.ts";
import type { Snapshot } from "../../passes/run.ts";

export interface PassDiff {
  readonly index: number;
  readonly pass: string;
  /** Unified diff; empty where the pass changed nothing. */
  readonly diff: string;
}

/** One diff a pass, in order; `only` keeps the passes of that name. Only functions named in `funcs` are shown, if given. */
export const passDiffs = (snapshots: readonly Snapshot[], only?: string, funcs?: readonly string[]): PassDiff[] => {
  const text = ({ module }: Snapshot): string =>
    printModule(funcs === undefined ? module : { ...module, funcs: module.funcs.filter(({ name }) => funcs.includes(name)) });
  return snapshots.flatMap((snapshot, i): PassDiff[] => {
    const before = snapshots[i - 1];
    if (before === undefined || (only !== undefined && snapshot.pass !== only)) return [];
    return [{ index: snapshot.index, pass: snapshot.pass, diff: snapshot.changed ? unified(before, snapshot, text) : "" }];
  });
};

const unified = (before: Snapshot, after: Snapshot, text: (snapshot: Snapshot) => string): string => {
  const label = (snapshot: Snapshot): string => `${String(snapshot.index).padStart(2, "0")}-${snapshot.pass}.ir`;
  const [a, b] = [text(before), text(after)];
  return a === b ? "" : createTwoFilesPatch(label(before), label(after), a, b, undefined, undefined, { context: 2 });
};
