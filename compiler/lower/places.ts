/** @file Spans to places in a file: line and column, counted from 1. */

import type { Loc, Span } from "../../ir/span.ts";
import { UNKNOWN } from "../../ir/span.ts";

const lineStarts = (text: string): readonly number[] => {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
};

/** The last index whose start is not after `offset`. */
const lineOf = (starts: readonly number[], offset: number): number => {
  let [low, high] = [0, starts.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((starts[middle] ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
};

/** Places of spans in these files; the lines of a file are counted once. */
export const locator = (sources: ReadonlyMap<string, string>): ((span: Span) => Loc) => {
  const known = new Map<string, readonly number[]>();
  return ({ file, start }) => {
    const text = sources.get(file);
    if (text === undefined) return UNKNOWN;
    const starts = known.get(file) ?? lineStarts(text);
    known.set(file, starts);
    const line = lineOf(starts, start);
    return { kind: "file", file, line: line + 1, column: start - (starts[line] ?? 0) + 1 };
  };
};
