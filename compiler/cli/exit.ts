/** @file Exit codes, and which failure gives which. */

import { CommanderError } from "commander";
import { diagnostic } from "../../ir/codes.ts";
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

/** Diagnostics about how a command was called: flag values, `--dim`, pipelines, names of backends. */
const USAGE_CODES: readonly string[] = ["SQ0007", "SQ0008", "SQ0408", "SQ0409", "SQ0701"];

/** SQ07xx about the program rather than the machine. */
const PROGRAM_CODES: readonly string[] = ["SQ0706"];

/** A mistake in how a command was called. */
export const usageError = (message: string, hint?: string): DiagnosticError => new DiagnosticError([diagnostic("SQ0007", message, { hint })]);

/** A comparison against the interpreter or against central differences that came out wrong. */
export class NumericError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "NumericError";
  }
}

export const exitCodeOf = (error: unknown): number => {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof NumericError) return EXIT.numeric;
  if (error instanceof DiagnosticError) return exitCodeOfAll(error.diagnostics.map(({ code }) => code));
  if (error instanceof RuntimeError) return exitCodeOfAll([error.code]);
  return EXIT.internal;
};

const exitCodeOfAll = (codes: readonly string[]): number => {
  if (codes.every((code) => USAGE_CODES.includes(code))) return EXIT.usage;
  return codes.some((code) => code.startsWith("SQ07") && !PROGRAM_CODES.includes(code)) ? EXIT.backend : EXIT.diagnostics;
};
