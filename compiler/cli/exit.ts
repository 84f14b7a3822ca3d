/** @file Exit codes, and which failure gives which. */

import { CommanderError } from "commander";
import { DiagnosticError } from "../../ir/diagnostic.ts";
import { RuntimeError } from "../../runtime/errors.ts";

export const EXIT = {
  ok: 0,
  /** The input has mistakes; diagnostics say which. */
  diagnostics: 1,
  /** The command line has. */
  usage: 2,
  /** The backend that was asked for cannot run here. */
  backend: 3,
  /** A numeric comparison that was asked for failed. */
  numeric: 4,
  /** The compiler is at fault; a reproducer was written. */
  internal: 70,
} as const;

/** A mistake in how a command was called. */
export class UsageError extends Error {
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.name = "UsageError";
    this.hint = hint;
  }
}

/** A comparison against the interpreter or against central differences that came out wrong. */
export class NumericError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "NumericError";
  }
}

export const exitCodeOf = (error: unknown): number => {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof UsageError) return EXIT.usage;
  if (error instanceof NumericError) return EXIT.numeric;
  if (error instanceof DiagnosticError) return EXIT.diagnostics;
  if (error instanceof RuntimeError) return error.code.startsWith("SQ07") ? EXIT.backend : EXIT.diagnostics;
  return EXIT.internal;
};
