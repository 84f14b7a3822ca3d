/** @file `subquad compile`: a model file to kernels, IR and a manifest. */

import { Option } from "commander";
import type { AddCommand } from "../command.ts";
import type { Target } from "../../../passes/pipelines.ts";
import { pipelineOf, TARGETS } from "../../driver.ts";
import { compile } from "../../node/compile.ts";
import { examples, modelOptions, withModelFlags } from "../options.ts";
import type { ModelFlags } from "../options.ts";
import { printIrHook, printRemarks, printStats, printTimings, withPassFlags } from "../passes.ts";
import type { PassFlags } from "../passes.ts";
import { reportDiagnostics } from "../report.ts";

interface Flags extends ModelFlags, PassFlags {
  readonly output?: string;
  readonly target: Target;
  readonly dumpIr?: string;
  readonly locs?: boolean;
}

export const addCompile: AddCommand = (program, io) => {
  withPassFlags(withModelFlags(program.command("compile")))
    .description("compile a model to a typed module of gpu.js kernels, or to WebAssembly, with its IR and a manifest")
    .argument("<file>", "the model (.sq)")
    .option("-o, --output <dir>", "folder for the result; without it the model is only compiled")
    .addOption(new Option("--target <name>", "kernels for gpu.js, or a WebAssembly module, its text and a typed loader").choices(TARGETS).default("gpujs"))
    .option("--dump-ir <dir>", "one numbered IR file a pass, with an index")
    .option("--locs", "print places in the source in the IR")
    .addHelpText("after", examples("compile model.sq -o build", "compile model.sq -o build --target wasm", "compile model.sq --dim T=1024 --dump-ir dumps --timing", "compile model.sq --print-ir diff --stop-after differentiate"))
    .action(async (file: string, flags: Flags) => {
      const { output, target, dumpIr, passes, stopAfter } = flags;
      const result = await compile({
        ...modelOptions(file, flags),
        ...(output === undefined ? {} : { out: output }),
        target,
        ...(dumpIr === undefined ? {} : { dumpIr }),
        ...(passes === undefined ? {} : { passes }),
        ...(stopAfter === undefined ? {} : { stopAfter }),
        locs: flags.locs === true,
        observe: printIrHook(flags, pipelineOf(flags), io),
      });
      reportDiagnostics(result.warnings, flags, io);
      for (const path of result.written) io.out(`${path}\n`);
      const launches = Object.values(result.program?.entries ?? {}).map((entry) => `${entry.name} ${entry.launches.length}`);
      if (result.program === null) io.err("the passes ended before the kernel stage, so there are no kernels\n");
      else io.err(`${result.program.kernels.length} kernels; launches: ${launches.join(", ")}\n`);
      if (output === undefined && dumpIr === undefined) io.err("nothing was written; -o DIR writes kernels, IR and manifest\n");
      printRemarks(result.remarks, flags, io);
      printTimings(result.timings, flags, io);
      printStats(result.stats, flags, io);
    });
};
