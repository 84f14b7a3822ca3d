/** @file The console blocks of the README: commands after `$ `, each followed by what it prints. `npx subquad …` runs in
 *  process; filters behind a pipe, and other commands, run in a shell, as the reader would run them. */

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { main } from "../../compiler/cli/main.ts";
import { ROOT } from "../tools.ts";

/** Where the commands of the documents write; replaced by a folder of the test's own. */
const BUILD = "build/";

/** The words of a command line; quotes group. */
export const wordsOf = (line: string): string[] =>
  [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2] ?? match[3] ?? "");

/** A filter that has read enough (`tail -n 0`, `head`) may close the pipe before all of the input is written: no error. */
const shell = (command: string, input: string): string => {
  const { status, stdout, stderr, error } = spawnSync("sh", ["-c", command], { cwd: ROOT, input, encoding: "utf8" });
  if (status !== 0) throw new Error(`${command}: ${error?.message ?? `exit ${status}`}\n${stderr}`);
  return stdout;
};

export interface Printed {
  readonly exit: number;
  readonly out: string;
  readonly err: string;
  /** Both, in the order they came. */
  readonly all: string;
}

/** What `subquad ARGV` prints, run in process. */
export const runSubquad = async (argv: readonly string[]): Promise<Printed> => {
  const printed = { out: "", err: "", all: "" };
  const writing = (stream: "out" | "err") => (text: string): void => {
    printed[stream] += text;
    printed.all += text;
  };
  const doors = { terminal: false, columns: 100, input: () => "", onInterrupt: () => () => {} };
  const exit = await main(argv, { ...doors, out: writing("out"), err: writing("err") });
  return { exit, ...printed };
};

const TOGETHER = / 2>&1$/;

/** With filters, stderr comes first and then stdout through them; both go through them after `2>&1`. */
const runFiltered = async (line: string): Promise<string> => {
  const [command = "", ...filters] = line.split(" | ");
  const { out, err, all } = await runSubquad(wordsOf(command.replace(TOGETHER, "")).slice(2));
  if (filters.length === 0) return all;
  return TOGETHER.test(command) ? shell(filters.join(" | "), all) : err + shell(filters.join(" | "), out);
};

/** What one command prints, with `folder` in the place of `build/`, and without blanks at the ends of lines. */
export const runCommand = async (command: string, folder: string): Promise<string> => {
  const line = command.replaceAll(BUILD, join(folder, "/"));
  const printed = line.startsWith("npx subquad ") ? await runFiltered(line) : shell(line, "");
  return printed.replaceAll(join(folder, "/"), BUILD).replace(/[ \t]+$/gm, "").trimEnd();
};

export const commandsOf = (block: string): string[] =>
  block.split("\n").filter((line) => line.startsWith("$ ")).map((line) => line.slice(2));

/** The block as running its commands makes it. */
export const replay = async (block: string, folder: string): Promise<string> => {
  const parts: string[] = [];
  for (const command of commandsOf(block)) {
    const printed = await runCommand(command, folder);
    parts.push(`$ ${command}\n${printed === "" ? "" : `${printed}\n`}`);
  }
  return parts.join("");
};
