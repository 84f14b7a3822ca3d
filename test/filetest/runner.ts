/** @file Runs one `.ir` file test in process. The header says what is done to the file:
 *
 *    // test: parse                          read it; print what was read
 *    // test: verify[=model|gradient|kernel] read it; verify it (at stage gradient unless said)
 *    // test: passes=differentiate,cse       read it, verify it, run the passes (which verify), print the result
 *
 *  The rest of the file says what is expected: CHECK lines on what is printed, an exact copy of it below `// output:`
 *  (rewritten by BLESS=1), or `// expected-error@+1 {{text}}` for each mistake, and no other mistakes. */

import type { Module } from "../../ir/core.ts";
import { DiagnosticError } from "../../ir/diagnostic.ts";
import type { Diagnostic } from "../../ir/diagnostic.ts";
import { parseModule } from "../../ir/parse.ts";
import { printModule } from "../../ir/print.ts";
import { STAGE_NAMES } from "../../ir/stages.ts";
import type { StageName } from "../../ir/stages.ts";
import { verify, verifyDiagnostics } from "../../ir/verify.ts";
import { expectedOutput, withOutput } from "./bless.ts";
import { fileCheck, hasChecks } from "./filecheck.ts";

export type Command =
  | { readonly kind: "parse" }
  | { readonly kind: "verify"; readonly stage: StageName }
  | { readonly kind: "passes"; readonly pipeline: string };

export interface FileTestResult {
  /** Everything that is not as the file says; empty where the test passes. */
  readonly failures: readonly string[];
  /** The file with its output block brought up to date. */
  readonly blessed: string;
}

/** How `passes=` runs: given so that this file depends on no pass. */
export type RunPasses = (module: Module, pipeline: string) => Module;

export const commandOf = (text: string): Command | null => {
  const header = /^\/\/ test: *(\S.*)$/m.exec(text)?.[1]?.trim() ?? "";
  if (header === "parse") return { kind: "parse" };
  if (header.startsWith("passes=")) return { kind: "passes", pipeline: header.slice("passes=".length) };
  const [verb, stage = "gradient"] = header.split("=");
  const known = STAGE_NAMES.find((name) => name === stage);
  return verb === "verify" && known !== undefined ? { kind: "verify", stage: known } : null;
};

export const runFileTest = (file: string, text: string, runPasses: RunPasses): FileTestResult => {
  const command = commandOf(text);
  if (command === null) return { failures: ["no header: the file needs a line `// test: …`"], blessed: text };
  const { module, diagnostics, spans } = parseModule(text, file);
  const mistakes = [...diagnostics];
  if (command.kind !== "parse" && diagnostics.length === 0)
    mistakes.push(...verifyDiagnostics(verify(module, command.kind === "verify" ? command.stage : "gradient"), spans));
  const output = mistakes.length > 0 ? null : outputOf(command, module, runPasses, mistakes);
  const failures = compareMistakes(text, mistakes);
  return output === null || failures.length > 0 ? { failures, blessed: text } : compareOutput(text, output);
};

/** The text after the command; null, and the reasons among `mistakes`, where a pass refuses the module. */
const outputOf = (command: Command, module: Module, runPasses: RunPasses, mistakes: Diagnostic[]): string | null => {
  try {
    return printModule(command.kind === "passes" ? runPasses(module, command.pipeline) : module);
  } catch (error) {
    if (!(error instanceof DiagnosticError)) throw error;
    mistakes.push(...error.diagnostics);
    return null;
  }
};

const compareOutput = (text: string, output: string): FileTestResult => {
  const failures: string[] = [];
  const exact = expectedOutput(text);
  if (exact !== null && exact !== output.trimEnd()) failures.push(`the output differs (BLESS=1 accepts it):\n${output}`);
  if (hasChecks(text)) {
    const failure = fileCheck(output, text);
    if (failure !== null) failures.push(failure);
  }
  return { failures, blessed: exact === null ? text : withOutput(text, output) };
};

interface Expectation {
  readonly line: number;
  readonly text: string;
}

const EXPECTED = /expected-error(?:@([+-]\d+))? *\{\{(.*?)\}\}/g;

const expectations = (text: string): Expectation[] =>
  text.split("\n").flatMap((line, i) =>
    [...line.matchAll(EXPECTED)].map((match) => ({ line: i + 1 + Number(match[1] ?? 0), text: match[2] ?? "" })),
  );

/** Every mistake must be expected on its line (anywhere, if it has no place), and every expectation met by one mistake. */
const compareMistakes = (text: string, mistakes: readonly Diagnostic[]): string[] => {
  const open = expectations(text);
  const failures: string[] = [];
  for (const { code, message, labels } of mistakes) {
    const line = labels[0] === undefined ? null : text.slice(0, labels[0].span.start).split("\n").length;
    const met = open.findIndex((expected) => (line ?? expected.line) === expected.line && says(code, message, expected.text));
    if (met < 0) failures.push(`line ${line ?? "?"}: unexpected ${code}: ${message}`);
    else open.splice(met, 1);
  }
  return [...failures, ...open.map((expected) => `line ${expected.line}: no error says {{${expected.text}}}`)];
};

/** A constraint's label (`C1`) is the whole label; other text may be any part of the message. */
const says = (code: string, message: string, expected: string): boolean =>
  /^C\d+$/.test(expected) ? message.startsWith(`${expected}:`) : `${code}: ${message}`.includes(expected);
