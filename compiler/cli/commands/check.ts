/** @file `subquad check`: everything that is wrong with model files, without building anything. */

import { watch } from "node:fs";
import { basename, dirname } from "node:path";
import { DiagnosticError } from "../../../ir/diagnostic.ts";
import type { AddCommand } from "../command.ts";
import { check } from "../../node/compile.ts";
import { EXIT, exitCodeOf } from "../exit.ts";
import type { Io } from "../io.ts";
import { examples, modelOptions, withModelFlags } from "../options.ts";
import type { ModelFlags } from "../options.ts";
import { reportDiagnostics, reportFailure } from "../report.ts";

interface Flags extends ModelFlags {
  readonly watch?: boolean;
}

export const addCheck: AddCommand = (program, io, done) => {
  withModelFlags(program.command("check"))
    .description("check names, types and shapes of model files")
    .argument("<files...>", "model files (.sq)")
    .option("--watch", "check again whenever a file changes")
    .addHelpText("after", examples("check model.sq", "check model.sq --dim T=1024 --format github", "check examples/*.sq --watch"))
    .action((files: readonly string[], flags: Flags) => {
      const codes = files.map((file) => checkOne(file, flags, io));
      if (flags.watch === true) return watchFiles(files, (file) => checkOne(file, flags, io), io);
      done(Math.max(...codes));
      return undefined;
    });
};

const checkOne = (file: string, flags: Flags, io: Io): number => {
  try {
    const { diagnostics, ok } = check(modelOptions(file, flags));
    reportDiagnostics(diagnostics, flags, io);
    if (ok && flags.format === "human") io.err(`${file}: ok\n`);
    return ok ? EXIT.ok : exitCodeOf(new DiagnosticError(diagnostics.filter(({ severity }) => severity === "error")));
  } catch (error) {
    return reportFailure(error, flags, ["check", file], io);
  }
};

/** Until it is interrupted. Editors replace files rather than write them, so folders are watched; events come in bursts,
 *  so they are gathered. */
const watchFiles = (files: readonly string[], again: (file: string) => void, io: Io): Promise<void> =>
  new Promise((resolve) => {
    const watchers = files.map((file) => {
      let timer: NodeJS.Timeout | undefined;
      return watch(dirname(file), (_event, name) => {
        if (name !== basename(file)) return;
        clearTimeout(timer);
        timer = setTimeout(() => again(file), 50);
      });
    });
    const forget = io.onInterrupt(() => {
      for (const watcher of watchers) watcher.close();
      forget();
      resolve();
    });
    io.err("watching; stop with Ctrl-C\n");
  });
