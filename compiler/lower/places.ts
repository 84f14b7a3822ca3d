/** @file Spans to places in a file: line and column, counted from 1. */

import { sourceText } from "../../ir/source-text.ts";
import type { SourceText } from "../../ir/source-text.ts";
import type { Loc, Span } from "../../ir/span.ts";
import { UNKNOWN } from "../../ir/span.ts";

/** Places of spans in these files; a file is split into lines once. */
export const locator = (sources: ReadonlyMap<string, string>): ((span: Span) => Loc) => {
  const known = new Map<string, SourceText>();
  return ({ file, start }) => {
    const text = sources.get(file);
    if (text === undefined) return UNKNOWN;
    const lines = known.get(file) ?? sourceText(file, text);
    known.set(file, lines);
    return { kind: "file", file, ...lines.position(start) };
  };
};
