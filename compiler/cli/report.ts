/** @file What went wrong, to stderr, in the format that was asked for; and a reproducer when it was our fault. */

import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CommanderError } from "commander";
import { DiagnosticError } from "../../ir/diagnostic.ts";
import type { Diagnostic } from "../../ir/diagnostic.ts";
import { isCode, diagnostic } from "../../ir/codes.ts";
import { renderDiagnostics } from "../../ir/render.ts";
import { RuntimeError } from "../../runtime/errors.ts";
import { readSourceIfAny } from "../node/files.ts";
import { exitCodeOf, NumericError } from "./exit.ts";
import { colorsFor } from "./io.ts";
import type { Io } from "./io.ts";
import type { OutputFlags } from "./options.ts";
import { VERSION } from "../version.ts";

/** Writes diagnostics; code frames are read from the files that their labels name. */
export const reportDiagnostics = (diagnostics: readonly Diagnostic[], flags: OutputFlags, io: Io): void => {
  if (diagnostics.length === 0) return;
  io.err(renderDiagnostics(diagnostics, { format: flags.format, colors: colorsFor(flags.color, io), sourceOf: readSourceIfAny }));
};

/** Reports a failure of a command and gives its exit code. */
export const reportFailure = (thrown: unknown, flags: OutputFlags, argv: readonly string[], io: Io): number => {
  const error = understood(thrown);
  const code = exitCodeOf(error);
  if (error instanceof CommanderError) return code; // commander has written its message
  if (error instanceof DiagnosticError) reportDiagnostics(error.diagnostics, flags, io);
  else if (error instanceof RuntimeError) reportDiagnostics([fromRuntime(error)], flags, io);
  else if (error instanceof NumericError) io.err(`error: ${error.message}\n`);
  else io.err(internalMessage(error, argv));
  return code;
};

/** What engines throw where a model does not fit into memory. */
const NO_MEMORY = /allocation failed|invalid (typed )?array (buffer )?length/i;

const understood = (error: unknown): unknown =>
  error instanceof RangeError && NO_MEMORY.test(error.message)
    ? new RuntimeError("SQ0707", `there is not enough memory: ${error.message}`, "try smaller dimensions")
    : error;

const fromRuntime = ({ code, message, hint }: RuntimeError): Diagnostic =>
  isCode(code)
    ? diagnostic(code, message, hint === undefined ? {} : { hint })
    : { code, severity: "error", message, labels: [], notes: [], ...(hint === undefined ? {} : { hint }) };

const internalMessage = (error: unknown, argv: readonly string[]): string => {
  const message = error instanceof Error ? error.message : String(error);
  const first = message.split("\n")[0] ?? "";
  return `internal error: ${first}\nThis is a fault of subquad, not of your model. ${reproducer(error, argv)}\n`;
};

/** Where the reproducer is; the error itself where none can be written. */
const reproducer = (error: unknown, argv: readonly string[]): string => {
  try {
    return `What is needed to repeat it is in\n  ${writeReproducer(error, argv)}`;
  } catch {
    return `No reproducer could be written; the error was\n${error instanceof Error ? error.stack ?? error.message : String(error)}`;
  }
};

/** The command line, the versions, the sources that were named, and the whole error with the failing IR. */
const writeReproducer = (error: unknown, argv: readonly string[]): string => {
  const path = join(mkdtempSync(join(tmpdir(), "subquad-")), "reproducer.json");
  const sources = Object.fromEntries(
    argv.filter((arg) => /\.(sq|ir)$/.test(arg)).map((file) => [file, readSourceIfAny(file)?.text ?? null]),
  );
  const report = {
    version: 1,
    subquad: VERSION,
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    argv,
    error: error instanceof Error ? { name: error.name, message: error.message, stack: error.stack } : String(error),
    sources,
  };
  writeFileSync(path, `${JSON.stringify(report, null, 2)}\n`);
  return path;
};
