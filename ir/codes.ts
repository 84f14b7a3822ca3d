/** @file The catalogue of stable codes: every complaint the compiler can make, with a title and a long explanation.
 *  Codes go by hundreds, one file each in `codes/`. A code is never reused for something else. */

import type { CodeEntry } from "./codes/entry.ts";
import { FILE_CODES } from "./codes/files.ts";
import { GRADIENT_CODES } from "./codes/gradients.ts";
import { IR_CODES } from "./codes/ir.ts";
import { NAME_CODES } from "./codes/names.ts";
import { BACKEND_CODES } from "./codes/backends.ts";
import { RUN_CODES } from "./codes/run.ts";
import { SHAPE_CODES } from "./codes/shapes.ts";
import { SYNTAX_CODES } from "./codes/syntax.ts";
import type { Diagnostic, Label, Severity } from "./diagnostic.ts";

export const CODES = {
  ...FILE_CODES,
  ...SYNTAX_CODES,
  ...NAME_CODES,
  ...SHAPE_CODES,
  ...IR_CODES,
  ...GRADIENT_CODES,
  ...RUN_CODES,
  ...BACKEND_CODES,
} as const satisfies Record<string, CodeEntry>;

export type Code = keyof typeof CODES;

export const isCode = (text: string): text is Code => Object.hasOwn(CODES, text);

/** The parts of a diagnostic that most complaints do not need. */
export interface DiagnosticDetails {
  /** "error" unless given. */
  readonly severity?: Severity;
  /** The primary label first. */
  readonly labels?: readonly Label[];
  readonly notes?: readonly string[];
  readonly hint?: string | undefined;
}

/** A diagnostic whose code is in the catalogue; an unknown code does not compile. */
export const diagnostic = (code: Code, message: string, details: DiagnosticDetails = {}): Diagnostic => ({
  code,
  severity: details.severity ?? "error",
  message,
  labels: details.labels ?? [],
  notes: details.notes ?? [],
  ...(details.hint === undefined ? {} : { hint: details.hint }),
});

const indented = (text: string): string =>
  text
    .split("\n")
    .map((line) => (line === "" ? "" : `    ${line}`))
    .join("\n");

/** The page of one code (`SQ0301`, also `sq0301`, `301` or `0301`), or null if there is no such code. */
export const explain = (text: string): string | null => {
  const digits = /^(?:SQ)?(\d{1,4})$/i.exec(text.trim())?.[1];
  const code = digits === undefined ? "" : `SQ${digits.padStart(4, "0")}`;
  if (!isCode(code)) return null;
  const { title, explanation, bad, good } = CODES[code];
  return `${code}: ${title}\n\n${explanation}\n\nWrong:\n\n${indented(bad)}\n\nRight:\n\n${indented(good)}\n`;
};
