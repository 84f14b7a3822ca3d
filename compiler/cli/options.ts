/** @file Flags that several commands share, and how their text becomes values of the API's option types. */

import { InvalidArgumentError, Option } from "commander";
import type { Command } from "commander";
import { diagnostic } from "../../ir/codes.ts";
import { DiagnosticError } from "../../ir/diagnostic.ts";
import type { GivenRule } from "../check/index.ts";
import { usageError } from "./exit.ts";
import type { ColorChoice } from "./io.ts";

export type Format = "human" | "json" | "github";

export interface OutputFlags {
  readonly format: Format;
  readonly color: ColorChoice;
}

export const withOutputFlags = (command: Command): Command =>
  command
    .addOption(new Option("--format <how>", "how diagnostics are written to stderr").choices(["human", "json", "github"]).default("human"))
    .addOption(new Option("--color <when>", "colours").choices(["auto", "always", "never"]).default("auto"));

/** The end of a command's help. */
export const examples = (...lines: readonly string[]): string => `\nExamples:\n${lines.map((line) => `  subquad ${line}`).join("\n")}`;

export interface ModelFlags extends OutputFlags {
  readonly dim?: readonly string[];
  readonly attentionBackward?: string;
  readonly backward?: readonly string[];
  readonly statistics?: string;
}

const collect = (value: string, previous: readonly string[] | undefined): readonly string[] => [...(previous ?? []), value];

export const withModelFlags = (command: Command): Command =>
  withOutputFlags(command)
    .option("--dim <NAME=SIZE>", "override a dimension of the model; may be repeated", collect)
    .option("--attention-backward <policy>", "how the gradient of every attention is computed: exact, sus:c=25, lowrank:degree=2, hybrid:c=8,degree=0 or auto:error=0.01")
    .option("--backward <PATH=policy>", "the same for the attention in layers that match, as Block.*.SelfAttention=sus:c=25; may be repeated", collect)
    .option("--statistics <file>", "what `audit --json` measured of the attention heads: auto chooses by it, a refusal cites it");

/** `--dim T=4096 --dim B=2` as `{ T: 4096, B: 2 }`. Throws SQ0008 for anything else. */
export const parseDims = (flags: readonly string[] = []): Record<string, number> =>
  Object.fromEntries(
    flags.flatMap((flag) => flag.split(",")).map((flag): [string, number] => {
      const match = /^\s*([A-Za-z_]\w*)\s*=\s*(\d+)\s*$/.exec(flag);
      if (match === null) {
        const hint = "write a name of the model and a whole number: `--dim T=4096`";
        throw new DiagnosticError([diagnostic("SQ0008", `\`--dim ${flag}\` is not NAME=SIZE`, { hint })]);
      }
      return [match[1] ?? "", Number(match[2])];
    }),
  );

/** `--backward Block.0.SelfAttention=sus:c=25` as a rule. Throws SQ0007 for anything without `=`. */
export const parseBackward = (flags: readonly string[] = []): GivenRule[] =>
  flags.map((flag) => {
    const at = flag.indexOf("=");
    if (at < 1) throw usageError(`\`--backward ${flag}\` is not PATH=policy`, "name a site and a policy: `--backward Block.0.SelfAttention=exact`");
    return { pattern: flag.slice(0, at), policy: flag.slice(at + 1) };
  });

/** The language options that the shared flags stand for. */
export const modelOptions = (file: string, flags: ModelFlags) => ({
  file,
  dims: parseDims(flags.dim),
  backward: parseBackward(flags.backward),
  ...(flags.attentionBackward === undefined ? {} : { attentionBackward: flags.attentionBackward }),
  ...(flags.statistics === undefined ? {} : { statistics: flags.statistics }),
});

const numeric =
  (what: string, accept: (value: number) => boolean) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() === "" || !accept(value)) throw new InvalidArgumentError(`it must be ${what}.`);
    return value;
  };

/** Beside `--backend`. */
export const THREADS_HELP = "threads that compute, on wasm (default: as many as the machine runs at once)";

export const wholeNumber = numeric("a whole number, 0 or more", (value) => Number.isSafeInteger(value) && value >= 0);
export const positiveWhole = numeric("a whole number, 1 or more", (value) => Number.isSafeInteger(value) && value >= 1);
export const positiveNumber = numeric("a number above 0", (value) => Number.isFinite(value) && value > 0);
export const share = numeric("a number from 0 to 1", (value) => value >= 0 && value <= 1);
