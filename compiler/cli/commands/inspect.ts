/** @file `subquad inspect`: a compiled model from the side one asks for: cost, memory, kernels, what a pass changed. */

import { Argument, Option } from "commander";
import type { AddCommand } from "../command.ts";
import type { Target } from "../../../passes/pipelines.ts";
import { TARGETS } from "../../driver.ts";
import { inspect, VIEWS } from "../../node/inspect.ts";
import type { View } from "../../node/inspect.ts";
import { examples, modelOptions, withModelFlags } from "../options.ts";
import type { ModelFlags } from "../options.ts";

interface Flags extends ModelFlags {
  readonly json?: boolean;
  readonly pass?: string;
  readonly entry?: readonly string[];
  readonly target: Target;
  readonly source?: string;
  readonly each?: boolean;
}

export const addInspect: AddCommand = (program, io) => {
  withModelFlags(program.command("inspect"))
    .description("cost (FLOPs and bytes), memory (static plan), kernels, or diff (IR before and after passes)")
    .argument("<file>", "the model (.sq)")
    .addArgument(new Argument("<view>", "what to look at").choices(Object.keys(VIEWS)))
    .option("--json", "as JSON")
    .option("--each", "cost: list every operation of every function")
    .option("--pass <name>", "diff: only this pass")
    .option("--entry <names...>", "cost, diff: only these functions (forward, loss, grad, step)")
    .addOption(new Option("--target <name>", "memory, kernels: of the program for gpu.js or for WebAssembly").choices(TARGETS).default("gpujs"))
    .option("--source <name>", "kernels: print the sources of the kernels whose names contain this")
    .addHelpText("after", examples("inspect model.sq cost", "inspect model.sq cost --each --entry grad --dim T=4096", "inspect model.sq memory --json", "inspect model.sq kernels --source attention", "inspect model.sq diff --pass decompose --entry loss"))
    .action(async (file: string, view: View, flags: Flags) => {
      const report = await inspect({
        ...modelOptions(file, flags),
        view,
        target: flags.target,
        each: flags.each === true,
        ...(flags.pass === undefined ? {} : { pass: flags.pass }),
        ...(flags.entry === undefined ? {} : { entries: flags.entry }),
        ...(flags.source === undefined ? {} : { source: flags.source }),
      });
      io.out(flags.json === true ? `${JSON.stringify({ version: 1, view, ...report.data }, null, 2)}\n` : report.text);
    });
};
