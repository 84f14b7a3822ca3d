/** @file Code frames: the source lines a diagnostic is about, with `^^^` under the primary label and `---` under the others.
 *
 *      --> gpt.sq:4:11
 *        |
 *      2 | layer F(x: [T, D]) -> [T, D] {
 *        |             ---- x has the shape [T, D]
 *      3 |   return x + x.T
 *        |            ^ [T=8, D=4] and [D=4, T=8]
 *
 *  Lines are shown once, in source order; a gap of several lines is `...`. */

import type { Diagnostic, Label } from "./diagnostic.ts";
import type { Sources } from "./render.ts";
import { cells, displayed } from "./source-text.ts";
import type { SourceText } from "./source-text.ts";

type Paint = (text: string) => string;

/** How the frame itself (gutter, arrows, secondary labels) and the primary label are coloured. */
export interface FrameStyle {
  readonly frame: Paint;
  readonly primary: Paint;
}

export interface Frames {
  readonly lines: readonly string[];
  /** Width of the line-number column; notes are aligned to it. */
  readonly gutter: number;
}

/** A label's part on one line, in UTF-16 columns from 0. */
interface Mark {
  readonly line: number;
  readonly start: number;
  readonly end: number;
  readonly text: string;
  readonly primary: boolean;
}

export const renderFrames = (d: Diagnostic, sources: Sources, style: FrameStyle, width: number): Frames => {
  const files = [...new Set(d.labels.map((label) => label.span.file))];
  const marked = files.map((file) => ({ file, source: sources(file), marks: marksOf(d.labels, file, sources(file)) }));
  const last = Math.max(1, ...marked.flatMap(({ marks }) => marks.map((mark) => mark.line)));
  const gutter = Math.max(2, `${last}`.length);
  const lines = marked.flatMap(({ file, source, marks }) => {
    const head = marks.find((mark) => mark.primary) ?? marks[0];
    const at = source === undefined || head === undefined ? file : `${file}:${head.line}:${head.start + 1}`;
    const opening = `${" ".repeat(gutter)}${style.frame(file === files[0] ? "-->" : ":::")} ${at}`;
    return source === undefined ? [opening] : [opening, bar(gutter, style), ...snippet(source, marks, gutter, style, width)];
  });
  return { lines, gutter };
};

const bar = (gutter: number, style: FrameStyle): string => style.frame(`${" ".repeat(gutter)} |`);

/** A label over several lines marks its first line to the end, and its last line from the beginning. */
const marksOf = (labels: readonly Label[], file: string, source: SourceText | undefined): readonly Mark[] =>
  labels.flatMap((label, i): readonly Mark[] => {
    if (label.span.file !== file) return [];
    if (source === undefined) return [{ line: 1, start: 0, end: 1, text: label.text, primary: i === 0 }];
    const start = source.position(label.span.start);
    const end = source.position(Math.max(label.span.start, label.span.end));
    const primary = i === 0;
    if (start.line === end.line) return [{ line: start.line, start: start.column - 1, end: end.column - 1, text: label.text, primary }];
    const lastLine = source.line(end.line).slice(0, end.column - 1);
    const from = lastLine.length - lastLine.trimStart().length;
    return [
      { line: start.line, start: start.column - 1, end: source.line(start.line).length, text: "", primary },
      { line: end.line, start: from, end: end.column - 1, text: label.text, primary },
    ];
  });

const snippet = (source: SourceText, marks: readonly Mark[], gutter: number, style: FrameStyle, width: number): readonly string[] => {
  const lines = [...new Set(marks.map((mark) => mark.line))].sort((a, b) => a - b);
  return lines.flatMap((line, i) => {
    const previous = lines[i - 1];
    const gap = previous === undefined || line - previous <= 1 ? [] : line - previous === 2 ? [sourceLine(source, line - 1, gutter, style, width)] : [style.frame("...")];
    return [...gap, ...markedLine(source, line, marks.filter((mark) => mark.line === line), gutter, style, width)];
  });
};

const numbered = (line: number, gutter: number, style: FrameStyle): string => style.frame(`${`${line}`.padStart(gutter)} |`);

const sourceLine = (source: SourceText, line: number, gutter: number, style: FrameStyle, width: number): string => {
  const room = width - gutter - 3;
  return `${numbered(line, gutter, style)} ${displayed(clip(source.line(line), 0, room).text)}`.trimEnd();
};

const markedLine = (source: SourceText, line: number, marks: readonly Mark[], gutter: number, style: FrameStyle, width: number): readonly string[] => {
  const text = source.line(line);
  const clipped = clip(text, Math.min(...marks.map((mark) => mark.start)), Math.max(40, width - gutter - 3));
  const head = `${numbered(line, gutter, style)} ${displayed(clipped.text)}`.trimEnd();
  const placed = marks.map((mark) => place(mark, clipped)).sort((a, b) => a.from - b.from || Number(b.mark.primary) - Number(a.mark.primary));
  const painter = (mark: Mark): Paint => (mark.primary ? style.primary : style.frame);
  return [head, ...underlines(placed, painter).map((row) => `${bar(gutter, style)} ${row}`.trimEnd())];
};

interface Placed {
  readonly mark: Mark;
  /** Cells from the beginning of the shown line. */
  readonly from: number;
  readonly width: number;
}

const place = (mark: Mark, clipped: Clipped): Placed => {
  const column = (at: number): number => {
    const inside = Math.max(0, Math.min(at - clipped.offset, clipped.kept));
    return cells(clipped.text.slice(0, clipped.lead + inside));
  };
  const from = column(mark.start);
  return { mark, from, width: Math.max(1, column(mark.end) - from) };
};

/** First a row with every underline and the text of the last; then each other text on a row of its own, right to left,
 *  under a `|` for every label still to come. */
const underlines = (placed: readonly Placed[], painter: (mark: Mark) => Paint): readonly string[] => {
  const rows: string[] = [];
  const last = placed.at(-1);
  if (last === undefined) return rows;
  const crowded = placed.some((p, i) => p !== last && p.from + p.width > (placed[i + 1]?.from ?? Infinity));
  const inline = crowded ? undefined : last;
  rows.push(underlineRow(placed, inline, painter));
  const waiting = placed.filter((p) => p !== inline && p.mark.text !== "");
  for (let i = waiting.length - 1; i >= 0; i--) {
    const current = waiting[i];
    if (current === undefined) continue;
    const hooks = waiting.slice(0, i).filter((p) => p.from < current.from);
    rows.push(hookRow(hooks, painter) + gapTo(current.from, hooks) + painter(current.mark)(current.mark.text));
  }
  return rows;
};

const underlineRow = (placed: readonly Placed[], inline: Placed | undefined, painter: (mark: Mark) => Paint): string => {
  // Where labels overlap, the primary one is drawn over the others.
  const owner: Placed[] = [];
  for (const p of [...placed].sort((a, b) => Number(a.mark.primary) - Number(b.mark.primary)))
    for (let i = p.from; i < p.from + p.width; i++) owner[i] = p;
  let row = "";
  for (let i = 0; i < owner.length; i++) {
    const p = owner[i];
    row += p === undefined ? " " : painter(p.mark)(p.mark.primary ? "^" : "-");
  }
  return inline === undefined || inline.mark.text === "" ? row : `${row} ${painter(inline.mark)(inline.mark.text)}`;
};

const hookRow = (hooks: readonly Placed[], painter: (mark: Mark) => Paint): string => {
  let row = "";
  let at = 0;
  for (const hook of hooks) {
    if (hook.from < at) continue;
    row += " ".repeat(hook.from - at) + painter(hook.mark)("|");
    at = hook.from + 1;
  }
  return row;
};

const gapTo = (column: number, hooks: readonly Placed[]): string => {
  const at = hooks.reduce((end, hook) => Math.max(end, hook.from + 1), 0);
  return " ".repeat(Math.max(0, column - at));
};

interface Clipped {
  readonly text: string;
  /** UTF-16 units dropped before, kept, and the length of the mark that stands for the dropped beginning. */
  readonly offset: number;
  readonly kept: number;
  readonly lead: number;
}

/** At most `room` cells of `text`, around `focus`; `…` stands for what is left out. Surrogate pairs stay whole. */
const clip = (text: string, focus: number, room: number): Clipped => {
  // Every character takes at most 4 cells, and few more than one: cheap bounds first, for lines of a megabyte.
  if (text.length <= room && cells(text) <= room) return { text, offset: 0, kept: text.length, lead: 0 };
  const fits = focus < room / 2;
  let start = fits ? 0 : Math.max(0, focus - Math.floor(room / 3));
  if (/[\udc00-\udfff]/.test(text[start] ?? "")) start++;
  let end = start;
  let used = fits ? 1 : 2;
  for (const character of text.slice(start, start + room)) {
    const width = cells(character);
    if (used + width > room) break;
    used += width;
    end += character.length;
  }
  const lead = start > 0 ? "…" : "";
  return { text: `${lead}${text.slice(start, end)}${end < text.length ? "…" : ""}`, offset: start, kept: end - start, lead: lead.length };
};
