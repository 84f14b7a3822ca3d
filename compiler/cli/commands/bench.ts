/** @file `subquad bench`: how fast is it here? */

import { InvalidArgumentError } from "commander";
import { ATTENTION } from "../../bench/attention-model.ts";
import { changeTable, compareBench, slower } from "../../bench/compare.ts";
import type { Change, Comparison } from "../../bench/compare.ts";
import { splitForms } from "../../bench/forms.ts";
import { benchPage } from "../../bench/page.ts";
import { duration, printBench, printTable } from "../../bench/print.ts";
import { readBench } from "../../node/bench-file.ts";
import { bench } from "../../node/bench.ts";
import type { BenchOptions } from "../../node/bench.ts";
import { TIMED } from "../../node/bench-point.ts";
import type { Timed } from "../../node/bench-point.ts";
import { writeText } from "../../node/files.ts";
import type { AddCommand } from "../command.ts";
import { NumericError, usageError } from "../exit.ts";
import { examples, modelOptions, positiveNumber, positiveWhole, THREADS_HELP, wholeNumber, withModelFlags } from "../options.ts";
import type { ModelFlags } from "../options.ts";

interface Flags extends ModelFlags {
  readonly entries?: readonly Timed[];
  readonly sweep?: NonNullable<BenchOptions["sweep"]>;
  readonly forms?: readonly string[];
  readonly backend: string;
  readonly threads?: number;
  readonly repeat?: number;
  readonly warmup?: number;
  readonly seed: number;
  readonly json?: string;
  readonly html?: string;
  readonly baseline?: string;
  readonly failSlower?: number;
}

const entries = (text: string): readonly Timed[] =>
  text.split(",").map((name) => {
    const found = TIMED.find((timed) => timed === name.trim());
    if (found === undefined) throw new InvalidArgumentError(`it must be a list of ${TIMED.join(", ")}.`);
    return found;
  });

/** `T=512,1024` */
const sweep = (text: string, previous?: BenchOptions["sweep"]): BenchOptions["sweep"] => {
  if (previous !== undefined) throw new InvalidArgumentError("one dimension is swept at a time.");
  const [, dim, list] = /^\s*([A-Za-z_]\w*)\s*=\s*(\d+(?:\s*,\s*\d+)*)\s*$/.exec(text) ?? [];
  if (dim === undefined || list === undefined) throw new InvalidArgumentError("it must be a dimension and its sizes, such as T=512,1024,2048.");
  return { dim, sizes: list.split(",").map(Number) };
};

export const addBench: AddCommand = (program, io) => {
  withModelFlags(program.command("bench"))
    .description("measure how fast a model is: its entry points and its attention, over sizes and forms of the gradient")
    .argument("<file>", `the model (.sq), or \`${ATTENTION}\`: causal attention by itself, with the dims B, H, G, T, K, E`)
    .option("--entries <list>", `what to time: ${TIMED.join(", ")} (default: all but loss)`, entries)
    .option("--sweep <NAME=list>", "sizes of one dimension to repeat everything at, as T=512,1024,2048", sweep)
    .option("--forms <policies...>", "gradients of all attention to try, as exact 'sus(c: 25)' lowrank:degree=2 (default: what the model declares)")
    .option("--backend <name>", "auto (the fastest there is), wasm, wasm:relaxed, wasm:wide, gpujs, gpujs:cpu, … or interpreter", "auto")
    .option("--threads <n>", THREADS_HELP, positiveWhole)
    .option("--repeat <n>", "rounds; each measures everything once, and the peak of the machine (default: 9)", positiveWhole)
    .option("--warmup <n>", "calls before anything counts, at least (default: 2)", wholeNumber)
    .option("--seed <n>", "seed of parameters and arguments", wholeNumber, 0)
    .option("--json <file>", "write everything as JSON there; - for stdout, in place of the tables")
    .option("--html <file>", "write one page with tables and charts there")
    .option("--baseline <file>", "print beside the times of an earlier --json, and which changed by more than they scatter")
    .option("--fail-slower <ratio>", "exit with 4 where a time is more than so many times that of the baseline", positiveNumber)
    .addHelpText("after", examples("bench model.sq", `bench ${ATTENTION} --dim K=32 --sweep T=1024,2048,4096 --forms exact 'sus(c: 25)' --html bench.html`, "bench model.sq --entries step --json now.json --baseline before.json --fail-slower 1.2"))
    .action(async (file: string, flags: Flags) => {
      const { json, html, baseline, failSlower } = flags;
      if (html === "-") throw usageError("`--html -` is no file", "name the page: `--html bench.html`");
      if (failSlower !== undefined && baseline === undefined) throw usageError("`--fail-slower` needs a baseline", "name an earlier `--json` file: `--baseline before.json`");
      const then = baseline === undefined ? null : readBench(baseline);
      const report = await bench({ ...benchOptions(file, flags), onProgress: (message) => io.err(`${message}\n`) });
      const comparison = then === null ? null : compareBench(report, then);
      const text = `${JSON.stringify(report, null, 1)}\n`;
      if (json === "-") io.out(text);
      else io.out(`${printBench(report)}${comparison === null ? "" : `\n${printComparison(comparison, report.sweep)}`}`);
      if (json !== undefined && json !== "-") writeText(json, text);
      if (html !== undefined) writeText(html, benchPage(report, comparison));
      if (comparison !== null && failSlower !== undefined) refuseSlower(slower(comparison, failSlower), failSlower);
    });
};

const benchOptions = (file: string, { entries: some, sweep: along, forms, backend, threads, repeat, warmup, seed, ...flags }: Flags): BenchOptions => ({
  ...modelOptions(file, flags),
  ...(some === undefined ? {} : { entries: some }),
  ...(along === undefined ? {} : { sweep: along }),
  ...(forms === undefined ? {} : { forms: forms.flatMap(splitForms) }),
  ...(threads === undefined ? {} : { threads }),
  ...(repeat === undefined ? {} : { repeat }),
  ...(warmup === undefined ? {} : { warmup }),
  backend,
  seed,
});

const printComparison = (comparison: Comparison, along: string | null): string => {
  const notes = comparison.notes.map((note) => `note: ${note}\n`).join("");
  return `${comparison.changes.length === 0 ? "" : printTable(changeTable(comparison, along))}${notes === "" ? "" : `\n${notes}`}`;
};

const refuseSlower = (changes: readonly Change[], limit: number): void => {
  if (changes.length === 0) return;
  const lines = changes.map(({ result: { size, form, entry, seconds }, before, ratio }) =>
    `  ${size === null ? "" : `${size}, `}${form}: ${entry} ${duration(before.seconds.median)} -> ${duration(seconds.median)}, ${ratio.toFixed(2)} times`);
  throw new NumericError(`${changes.length === 1 ? "a time is" : `${changes.length} times are`} more than ${limit} times the baseline's\n${lines.join("\n")}`);
};
