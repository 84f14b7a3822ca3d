/** @file The command line: one file a command, each a thin shell around the API function of the same name. */

import { Command } from "commander";
import type { AddCommand } from "./command.ts";
import { EXIT } from "./exit.ts";
import type { Io } from "./io.ts";
import type { OutputFlags } from "./options.ts";
import { reportFailure } from "./report.ts";
import { VERSION } from "../version.ts";
import { addAudit } from "./commands/audit.ts";
import { addBench } from "./commands/bench.ts";
import { addCheck } from "./commands/check.ts";
import { addCompile } from "./commands/compile.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addExplain } from "./commands/explain.ts";
import { addFmt } from "./commands/fmt.ts";
import { addInspect } from "./commands/inspect.ts";
import { addNew } from "./commands/new.ts";
import { addOpt } from "./commands/opt.ts";
import { addRun } from "./commands/run.ts";
import { addSample } from "./commands/sample.ts";
import { addTrain } from "./commands/train.ts";

const COMMANDS: readonly AddCommand[] = [
  addNew, addCheck, addCompile, addOpt, addRun, addTrain, addSample, addInspect, addAudit, addBench, addFmt, addExplain, addDoctor,
];

/** Runs one command line (without `node` and the script) and gives its exit code. Never throws. */
export const main = async (argv: readonly string[], io: Io): Promise<number> => {
  let code: number = EXIT.ok;
  const program = createProgram(io, (given) => (code = given));
  try {
    await program.parseAsync([...argv], { from: "user" });
    return code;
  } catch (error) {
    return reportFailure(error, outputFlags(argv), argv, io);
  }
};

const createProgram = (io: Io, done: (code: number) => void): Command => {
  const program = new Command("subquad")
    .description("A compiler for transformer models: .sq files to typed IR, gradients and kernels.")
    .version(VERSION)
    .showHelpAfterError("(add --help for the flags of a command)")
    .addHelpText("after", "\nExit codes: 0 ok, 1 diagnostics, 2 usage, 3 backend not available, 4 numeric check failed, 70 internal error.");
  for (const add of COMMANDS) add(program, io, done);
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput({ writeOut: io.out, writeErr: io.err });
  }
  return program;
};

/** How to report a failure, read from the raw arguments: the failure may be that they do not parse. */
const outputFlags = (argv: readonly string[]): OutputFlags => {
  const valueOf = (flag: string): string | undefined => {
    const at = argv.findIndex((arg) => arg === flag || arg.startsWith(`${flag}=`));
    return at < 0 ? undefined : argv[at] === flag ? argv[at + 1] : argv[at]?.slice(flag.length + 1);
  };
  const [format, color] = [valueOf("--format"), valueOf("--color")];
  return {
    format: format === "json" || format === "github" ? format : "human",
    color: color === "always" || color === "never" ? color : "auto",
  };
};
