/** @file `subquad opt`: IR in, IR out. */

import type { AddCommand } from "../command.ts";
import { pipelineOf } from "../../driver.ts";
import { readSource, writeText } from "../../node/files.ts";
import { opt } from "../../node/opt.ts";
import { examples, withOutputFlags } from "../options.ts";
import type { OutputFlags } from "../options.ts";
import { printIrHook, printRemarks, printStats, printTimings } from "../passes.ts";
import type { PassFlags } from "../passes.ts";
import { withPassFlags } from "../passes.ts";

interface Flags extends OutputFlags, PassFlags {
  readonly output?: string;
  readonly locs?: boolean;
}

export const addOpt: AddCommand = (program, io) => {
  withPassFlags(withOutputFlags(program.command("opt")))
    .description("run passes on a module in textual form")
    .argument("<file>", "an .ir file, or - for standard input")
    .option("-o, --output <file>", "write the result there instead of to stdout")
    .option("--locs", "print places in the source")
    .addHelpText("after", examples("opt build/model.model.ir --passes 'canonicalize,differentiate{of=loss,to=grad}'", "opt - --passes dce < module.ir"))
    .action((file: string, flags: Flags) => {
      const source = file === "-" ? { file: "<stdin>", text: io.input() } : readSource(file);
      const { passes, stopAfter, locs } = flags;
      const result = opt({
        ...source,
        ...(passes === undefined ? {} : { passes }),
        ...(stopAfter === undefined ? {} : { stopAfter }),
        locs: locs === true,
        observe: printIrHook(flags, pipelineOf({ ...flags, passes: passes ?? "" }), io),
      });
      if (flags.output === undefined) io.out(result.text);
      else writeText(flags.output, result.text);
      printRemarks(result.remarks, flags, io);
      printTimings(result.timings, flags, io);
      printStats(result.stats, flags, io);
    });
};
