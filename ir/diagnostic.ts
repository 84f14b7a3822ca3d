/** @file What the compiler says to its user, as data. Rendering is `render.ts`; the catalogue of codes is `codes.ts`. */

import type { Span } from "./span.ts";

export type Severity = "error" | "warning" | "note";

export interface Label {
  readonly span: Span;
  readonly text: string;
}

export interface Diagnostic {
  /** Stable: `SQ0301`. The catalogue holds its title and a long explanation. */
  readonly code: string;
  readonly severity: Severity;
  readonly message: string;
  /** The first label is the primary one. Empty where there is no source (a missing file, a flag). */
  readonly labels: readonly Label[];
  /** Further facts, one line each. */
  readonly notes: readonly string[];
  readonly hint?: string;
}

/** The user's mistakes, as an exception for API users who asked for a result and cannot have one. */
export class DiagnosticError extends Error {
  readonly diagnostics: readonly Diagnostic[];

  constructor(diagnostics: readonly Diagnostic[]) {
    super(diagnostics.map((d) => `${d.code}: ${d.message}`).join("\n"));
    this.name = "DiagnosticError";
    this.diagnostics = diagnostics;
  }
}

/** A fault of the compiler itself: never the user's. The command line exits with 70 and writes a reproducer. */
export class InternalError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "InternalError";
  }
}
