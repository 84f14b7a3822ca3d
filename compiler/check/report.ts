/** @file Collects what checking has to say. A layer may be elaborated a hundred times: a mistake in it is said once. */

import type { Code } from "../../ir/codes.ts";
import type { Diagnostic, Label, Severity } from "../../ir/diagnostic.ts";
import type { Span } from "../../ir/span.ts";

export interface Details {
  /** What to write under the primary span. */
  readonly here?: string;
  readonly labels?: readonly Label[];
  readonly notes?: readonly string[];
  readonly hint?: string;
}

const sameSpan = (a: Span, b: Span): boolean => a.file === b.file && a.start === b.start && a.end === b.end;

export class Reporter {
  readonly diagnostics: Diagnostic[] = [];
  readonly #said = new Set<string>();

  get failed(): boolean {
    return this.diagnostics.some((d) => d.severity === "error");
  }

  error(code: Code, message: string, span: Span | null, details: Details = {}): void {
    this.#report("error", code, message, span, details);
  }

  warning(code: Code, message: string, span: Span | null, details: Details = {}): void {
    this.#report("warning", code, message, span, details);
  }

  #report(severity: Severity, code: Code, message: string, span: Span | null, details: Details): void {
    const key = span === null ? `${code} ${message}` : `${code} ${span.file}:${span.start}:${span.end}`;
    if (this.#said.has(key)) return;
    this.#said.add(key);
    const primary = span === null ? [] : [{ span, text: details.here ?? "" }];
    const labels = [...primary, ...(details.labels ?? [])];
    const unique = labels.filter((label, i) => labels.findIndex((other) => sameSpan(other.span, label.span)) === i);
    this.diagnostics.push({
      code,
      severity,
      message,
      labels: unique,
      notes: details.notes ?? [],
      ...(details.hint === undefined ? {} : { hint: details.hint }),
    });
  }
}
