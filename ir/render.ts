/** @file Diagnostics as text for people (code frames), as JSON lines for tools, and as GitHub workflow commands. */

import type { Diagnostic, Severity } from "./diagnostic.ts";
import { renderFrames } from "./render-frame.ts";
import type { Span } from "./span.ts";
import { sourceText } from "./source-text.ts";
import type { SourceText } from "./source-text.ts";

type Paint = (text: string) => string;

/** The colours that are used. Injected (picocolors fits), so that this floor depends on no terminal library. */
export interface Colors {
  readonly red: Paint;
  readonly yellow: Paint;
  readonly cyan: Paint;
  readonly blue: Paint;
  readonly bold: Paint;
}

const same: Paint = (text) => text;

export const PLAIN: Colors = { red: same, yellow: same, cyan: same, blue: same, bold: same };

export type DiagnosticFormat = "human" | "json" | "github";

/** The text of a file that spans point into; null where it cannot be had. */
export type SourceOf = (file: string) => { readonly text: string } | null;

export interface RenderOptions {
  readonly sourceOf: SourceOf;
  /** "human" unless given. */
  readonly format?: DiagnosticFormat | undefined;
  /** None unless given. */
  readonly colors?: Colors | undefined;
  /** Cells of a line; longer source lines are clipped around what they are shown for. */
  readonly width?: number | undefined;
}

/** The version of the JSON form. Fields may be added under the same number. */
export const JSON_SCHEMA = 1;

/** All diagnostics in one of the three forms; ends with a newline unless empty. */
export const renderDiagnostics = (diagnostics: readonly Diagnostic[], options: RenderOptions): string => {
  const sources = cachedSources(options.sourceOf);
  const format = options.format ?? "human";
  if (format === "json") return diagnostics.map((d) => `${JSON.stringify(toJson(d, sources))}\n`).join("");
  if (format === "github") return diagnostics.map((d) => `${toGithub(d, sources)}\n`).join("");
  return diagnostics.map((d) => `${toHuman(d, sources, options.colors ?? PLAIN, options.width ?? 110)}\n`).join("\n");
};

export type Sources = (file: string) => SourceText | undefined;

const cachedSources = (sourceOf: SourceOf): Sources => {
  const cache = new Map<string, SourceText | undefined>();
  return (file) => {
    if (!cache.has(file)) {
      const source = sourceOf(file);
      cache.set(file, source === null ? undefined : sourceText(file, source.text));
    }
    return cache.get(file);
  };
};

const painted = (colors: Colors, severity: Severity): Paint => {
  const colour = severity === "error" ? colors.red : severity === "warning" ? colors.yellow : colors.cyan;
  return (text) => colors.bold(colour(text));
};

const toHuman = (d: Diagnostic, sources: Sources, colors: Colors, width: number): string => {
  const paint = painted(colors, d.severity);
  const head = `${paint(`${d.severity}[${d.code}]`)}${colors.bold(`: ${d.message}`)}`;
  const frames = renderFrames(d, sources, { frame: (text) => colors.bold(colors.blue(text)), primary: paint }, width);
  const notes = d.notes.map((note) => tailLine("note", note, frames.gutter, colors));
  const hint = d.hint === undefined ? [] : [tailLine("help", d.hint, frames.gutter, colors)];
  const bar = frames.lines.length > 0 && notes.length + hint.length > 0 ? [colors.bold(colors.blue(`${" ".repeat(frames.gutter)} |`))] : [];
  return [head, ...frames.lines, ...bar, ...notes, ...hint].join("\n");
};

const tailLine = (word: "note" | "help", text: string, indent: number, colors: Colors): string => {
  const lead = " ".repeat(indent);
  const body = text.split("\n").join(`\n${lead}   ${" ".repeat(word.length + 2)}`);
  return `${lead} ${colors.bold(colors.blue("="))} ${colors.bold(`${word}:`)} ${body}`;
};

const place = (span: Span, sources: Sources) => {
  const source = sources(span.file);
  const start = source?.position(span.start) ?? { line: 1, column: 1 };
  const end = source?.position(span.end) ?? start;
  return { file: span.file, line: start.line, column: start.column, endLine: end.line, endColumn: end.column };
};

/** Fields: schema, code, severity, message, file, line, column, endLine, endColumn (of the primary label, null without
 *  one), labels (each the same and `text`, the primary first), notes, hint (null without one). */
const toJson = (d: Diagnostic, sources: Sources): object => {
  const labels = d.labels.map((label) => ({ text: label.text, ...place(label.span, sources) }));
  const primary = labels[0];
  return {
    schema: JSON_SCHEMA,
    code: d.code,
    severity: d.severity,
    message: d.message,
    file: primary?.file ?? null,
    line: primary?.line ?? null,
    column: primary?.column ?? null,
    endLine: primary?.endLine ?? null,
    endColumn: primary?.endColumn ?? null,
    labels,
    notes: d.notes,
    hint: d.hint ?? null,
  };
};

/** Workflow commands escape `%`, CR and LF in messages, and `:` and `,` too in properties. */
const escapeData = (text: string): string => text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
const escapeProperty = (text: string): string => escapeData(text).replaceAll(":", "%3A").replaceAll(",", "%2C");

const toGithub = (d: Diagnostic, sources: Sources): string => {
  const command = d.severity === "note" ? "notice" : d.severity;
  const [primary] = d.labels;
  const at = primary === undefined ? null : place(primary.span, sources);
  const where = at === null ? [] : [`file=${escapeProperty(at.file)}`, `line=${at.line}`, `endLine=${at.endLine}`, ...columns(at)];
  const properties = [...where, `title=${escapeProperty(d.code)}`].join(",");
  const facts = [primary === undefined || primary.text === "" ? [] : [primary.text], d.notes, d.hint === undefined ? [] : [`help: ${d.hint}`]].flat();
  return `::${command} ${properties}::${escapeData([d.message, ...facts].join("\n"))}`;
};

/** GitHub accepts columns only for a range within one line. */
const columns = (at: { readonly line: number; readonly endLine: number; readonly column: number; readonly endColumn: number }): readonly string[] =>
  at.line === at.endLine ? [`col=${at.column}`, `endColumn=${Math.max(at.column, at.endColumn)}`] : [];
