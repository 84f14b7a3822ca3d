/** @file Checks a program: names, then dims, then every layer instance with its shapes. Mistakes are collected; nothing throws. */

import type { Diagnostic } from "../../ir/diagnostic.ts";
import type { Overrides } from "./declare-dims.ts";
import { declareDims } from "./declare-dims.ts";
import { elaborateProgram } from "./elaborate.ts";
import { givenRules, withoutPlace } from "./given-rules.ts";
import type { GivenRule } from "./given-rules.ts";
import { checkNames } from "./names.ts";
import type { TypedProgram } from "./program.ts";
import { reportRecursion } from "./recursion.ts";
import { Reporter } from "./report.ts";
import { dimDeclarations, loadProgram } from "./sources.ts";
import type { ReadImport } from "./sources.ts";

export type { TypedProgram } from "./program.ts";
export type { ReadImport } from "./sources.ts";
export type { GivenRule } from "./given-rules.ts";

export interface CheckOptions {
  /** Values of dims, over those the program writes. */
  readonly dims?: Overrides;
  /** How the gradient of every attention is computed, over the program's `backward { … }`: `sus:c=25`. */
  readonly attentionBackward?: string;
  /** Rules for the gradient of attention, over those of the program's `backward { … }` and `attentionBackward`; the last that matches wins. */
  readonly backward?: readonly GivenRule[];
  /** How `import` reads a file; absent: imports are errors. */
  readonly readImport?: ReadImport;
}

export interface Checked {
  readonly diagnostics: readonly Diagnostic[];
  /** Null where there are errors. */
  readonly program: TypedProgram | null;
  /** The text of every file that was read, the standard library's included. */
  readonly sources: ReadonlyMap<string, string>;
}

export const checkSource = (text: string, file: string, options: CheckOptions = {}): Checked => {
  const reporter = new Reporter();
  const program = loadProgram(text, file, options.readImport, reporter);
  checkNames(program, reporter);
  reportRecursion(program, reporter);
  const dims = declareDims(dimDeclarations(program), options.dims ?? {}, reporter);
  const typed = elaborateProgram(program, dims, reporter, givenRules(rulesOf(options), reporter));
  const sources = new Map(program.units.map((unit) => [unit.file, unit.text]));
  return { diagnostics: inSourceOrder(reporter.diagnostics.map(withoutPlace), [...sources.keys()]), program: reporter.failed ? null : typed, sources };
};

const rulesOf = ({ attentionBackward, backward = [] }: CheckOptions): readonly GivenRule[] =>
  attentionBackward === undefined ? backward : [{ pattern: "**", policy: attentionBackward }, ...backward];

/** By file, as they were read, then by place; what has no place comes first. */
const inSourceOrder = (diagnostics: readonly Diagnostic[], files: readonly string[]): readonly Diagnostic[] => {
  const keyOf = (d: Diagnostic): readonly [number, number] => {
    const span = d.labels[0]?.span;
    return span === undefined ? [-1, 0] : [files.indexOf(span.file), span.start];
  };
  return diagnostics.toSorted((a, b) => {
    const [[fileA, startA], [fileB, startB]] = [keyOf(a), keyOf(b)];
    return fileA - fileB || startA - startB;
  });
};
