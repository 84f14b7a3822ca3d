/** @file `subquad fmt`: one layout for model files. */

import type { AddCommand } from "../command.ts";
import { format } from "../../format.ts";
import { readSource, writeText } from "../../node/files.ts";
import { EXIT } from "../exit.ts";
import { examples, withOutputFlags } from "../options.ts";
import type { OutputFlags } from "../options.ts";
import { reportDiagnostics } from "../report.ts";

interface Flags extends OutputFlags {
  readonly check?: boolean;
  readonly stdout?: boolean;
}

export const addFmt: AddCommand = (program, io, done) => {
  withOutputFlags(program.command("fmt"))
    .description("format model files in place; comments are kept, a file with syntax errors is left alone")
    .argument("<files...>", "model files (.sq)")
    .option("--check", "write nothing; exit with 1 if a file is not formatted")
    .option("--stdout", "write the formatted text to stdout instead of the file")
    .addHelpText("after", examples("fmt model.sq", "fmt --check examples/*.sq"))
    .action((files: readonly string[], flags: Flags) => {
      let code: number = EXIT.ok;
      for (const file of files) {
        const { text } = readSource(file);
        const formatted = format(text, file);
        reportDiagnostics(formatted.diagnostics, flags, io);
        const broken = formatted.diagnostics.some((d) => d.severity === "error");
        const differs = !broken && formatted.text !== text;
        if (broken || (flags.check === true && differs)) code = EXIT.diagnostics;
        if (flags.check === true && differs) io.err(`${file}: not formatted\n`);
        else if (flags.stdout === true && !broken) io.out(formatted.text);
        else if (differs && flags.check !== true) writeText(file, formatted.text);
      }
      done(code);
    });
};
