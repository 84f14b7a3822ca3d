/** @file Expected output that lives in the test file itself, below a line `// output:`, and is rewritten by BLESS=1. */

import { readFileSync, writeFileSync } from "node:fs";

export const BLESSING = process.env["BLESS"] === "1";

const MARK = "// output:";

/** What the file expects, null if it has no output block. */
export const expectedOutput = (text: string): string | null => {
  const at = text.indexOf(`\n${MARK}`);
  if (at < 0) return null;
  const lines = text.slice(at + 1).split("\n").slice(1);
  return lines.map((line) => line.replace(/^\/\/ ?/, "")).join("\n").trimEnd();
};

/** The file's text with its output block holding `output`. */
export const withOutput = (text: string, output: string): string => {
  const at = text.indexOf(`\n${MARK}`);
  const lines = output.trimEnd().split("\n").map((line) => `// ${line}`.trimEnd());
  return [text.slice(0, at + 1) + MARK, ...lines, ""].join("\n");
};

/** Rewrites a file that a test owns; `text` unchanged leaves it alone. */
export const bless = (file: string, text: string): void => {
  if (readFileSync(file, "utf8") !== text) writeFileSync(file, text);
};
