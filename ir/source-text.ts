/** @file A source file as lines: from offsets to lines and columns, and how many terminal cells a text takes. */

export interface Position {
  /** Both count from 1; the column counts UTF-16 units, as editors and the language server do. */
  readonly line: number;
  readonly column: number;
}

export interface SourceText {
  readonly file: string;
  readonly text: string;
  /** Line `n` (from 1) without its end. */
  readonly line: (n: number) => string;
  readonly position: (offset: number) => Position;
}

/** Splits once; `\n`, `\r\n` and `\r` all end a line. */
export const sourceText = (file: string, text: string): SourceText => {
  const starts = [0];
  for (const match of text.matchAll(/\r\n?|\n/g)) starts.push(match.index + match[0].length);
  const lineIndex = (offset: number): number => {
    let [low, high] = [0, starts.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  };
  return {
    file,
    text,
    line: (n) => text.slice(starts[n - 1] ?? text.length, starts[n] ?? text.length).replace(/\r\n?$|\n$/, ""),
    position: (offset) => {
      const clamped = Math.max(0, Math.min(offset, text.length));
      const index = lineIndex(clamped);
      return { line: index + 1, column: clamped - (starts[index] ?? 0) + 1 };
    },
  };
};

const WIDE = /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]$/u;
const NO_CELL = /^[\p{Mn}\p{Me}\p{Cf}]$/u;

const TAB = "    ";

/** One character as it is shown, and the cells it takes: tabs become blanks, control characters a visible sign. */
const shown = (character: string): { readonly text: string; readonly width: number } => {
  if (character === "\t") return { text: TAB, width: TAB.length };
  if (/^[\x00-\x1f\x7f-\x9f]$/.test(character)) return { text: "\ufffd", width: 1 };
  if (NO_CELL.test(character)) return { text: character === "\u200d" || /\p{Cf}/u.test(character) ? "" : character, width: 0 };
  return { text: character, width: WIDE.test(character) ? 2 : 1 };
};

/** Cells that `text` takes in a terminal, tabs expanded. */
export const cells = (text: string): number => [...text].reduce((width, character) => width + shown(character).width, 0);

/** `text` with tabs expanded and without characters that would disturb a terminal. */
export const displayed = (text: string): string => [...text].map((character) => shown(character).text).join("");
