/** @file The only doors to the outside that commands use: tests give them an in-memory pair, `bin.ts` the process. */

import { readFileSync } from "node:fs";
import pc from "picocolors";

export interface Io {
  /** Data: what a program downstream may read. */
  readonly out: (text: string) => void;
  /** Notes, progress and diagnostics. */
  readonly err: (text: string) => void;
  /** Is stderr a terminal (may lines be rewritten)? */
  readonly terminal: boolean;
  readonly columns: number;
  /** All of standard input. */
  readonly input: () => string;
  /** Calls back at Ctrl-C, once; gives what stops listening. A second Ctrl-C ends the process as ever. */
  readonly onInterrupt: (act: () => void) => () => void;
}

export const processIo: Io = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  terminal: process.stderr.isTTY === true,
  // A terminal of unknown size says 0.
  columns: process.stderr.columns || 100,
  input: () => readFileSync(0, "utf8"),
  onInterrupt: (act) => {
    process.once("SIGINT", act);
    return () => void process.off("SIGINT", act);
  },
};

export type ColorChoice = "auto" | "always" | "never";

export type Colors = ReturnType<typeof pc.createColors>;

/** `auto` follows the terminal and the NO_COLOR and FORCE_COLOR conventions. */
export const colorsFor = (choice: ColorChoice, io: Io): Colors =>
  pc.createColors(choice === "always" || (choice === "auto" && pc.isColorSupported && io.terminal));
