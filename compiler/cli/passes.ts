/** @file Flags about passes, and what they print: IR between passes, times, counts, remarks. All of it goes to stderr. */

import { Option } from "commander";
import type { Command } from "commander";
import { fileLoc } from "../../ir/span.ts";
import { printModule } from "../../ir/print.ts";
import { matchesSite } from "../../ir/site-pattern.ts";
import type { Remark } from "../../passes/pass.ts";
import type { Pipeline, RunResult, Snapshot, Timing } from "../../passes/run.ts";
import { requirePass } from "../driver.ts";
import { passDiffs } from "../inspect/diff.ts";
import { table } from "../inspect/table.ts";
import { usageError } from "./exit.ts";
import type { Io } from "./io.ts";

export interface PassFlags {
  readonly passes?: string;
  readonly stopAfter?: string;
  readonly printIr?: string;
  readonly timing?: boolean;
  readonly stats?: boolean;
  readonly remarks?: boolean;
  /** True for every site. */
  readonly whyNot?: string | boolean;
}

export const withPassFlags = (command: Command): Command =>
  command
    .option("--passes <pipeline>", "passes to run, as `a,b{x=1}`, instead of the default ones")
    .option("--stop-after <pass>", "stop after this pass")
    .addOption(new Option("--print-ir <when>", "print the IR: after=PASS, changed (after every pass that changed it), diff"))
    .option("--timing", "print the time of every pass")
    .option("--stats", "print what the passes counted")
    .option("--remarks", "print what the passes say about places in the model")
    .option("--why-not [site]", "print what the passes could not do, and why: everywhere, or at sites that match, as Block.*.SelfAttention");

/** The observer behind `--print-ir`. Throws SQ0007, and SQ0408 where no pass that is run has the name. */
export const printIrHook = (flags: PassFlags, pipeline: Pipeline, io: Io): ((snapshot: Snapshot) => void) => {
  const when = flags.printIr;
  if (when === undefined) return () => {};
  const after = /^after=(.+)$/.exec(when)?.[1];
  if (after === undefined && when !== "changed" && when !== "diff")
    throw usageError(`\`--print-ir ${when}\` is not understood`, "use after=PASS, changed or diff");
  if (after !== undefined) requirePass(pipeline, after);
  let previous: Snapshot | null = null;
  return (snapshot) => {
    if (when === "diff" && previous !== null) io.err(passDiffs([previous, snapshot])[0]?.diff ?? "");
    else if (when === "changed" ? snapshot.changed : snapshot.pass === after)
      io.err(`// ${snapshot.index} after ${snapshot.pass}\n${printModule(snapshot.module)}`);
    previous = snapshot;
  };
};

export const printTimings = (timings: readonly Timing[], flags: PassFlags, io: Io): void => {
  if (flags.timing !== true) return;
  const ms = (value: number): string => value.toFixed(1);
  const right = "right" as const;
  const rows = timings.map(({ pass, runMs, verifyMs }) => [pass, ms(runMs), ms(verifyMs)]);
  const sum = (key: "runMs" | "verifyMs"): string => ms(timings.reduce((total, timing) => total + timing[key], 0));
  io.err(table([{ title: "pass" }, { title: "ms", align: right }, { title: "verify ms", align: right }], [...rows, ["total", sum("runMs"), sum("verifyMs")]]));
};

export const printStats = (stats: RunResult["stats"], flags: PassFlags, io: Io): void => {
  if (flags.stats !== true) return;
  const rows = Object.entries(stats).flatMap(([pass, counts]) =>
    Object.entries(counts).map(([what, count]) => [pass, what, String(count)]),
  );
  io.err(table([{ title: "pass" }, { title: "what" }, { title: "count", align: "right" }], rows));
};

export const printRemarks = (remarks: readonly Remark[], flags: PassFlags, io: Io): void => {
  const { whyNot } = flags;
  const asked = ({ kind, path }: Remark): boolean => kind === "missed" && (whyNot === true || (typeof whyNot === "string" && matchesSite(whyNot, path)));
  const shown = flags.remarks === true ? remarks : remarks.filter(asked);
  for (const { pass, kind, path, loc, message } of shown) {
    const at = fileLoc(loc);
    const place = at === null ? "" : `${at.file}:${at.line}:${at.column}: `;
    io.err(`${place}remark[${pass}] ${kind}${path === "" ? "" : ` at ${path}`}: ${message}\n`);
  }
  if (whyNot !== undefined && whyNot !== false && !remarks.some(asked)) io.err(`nothing was missed${whyNot === true ? "" : ` at ${whyNot}`}\n`);
};
