/** @file `subquad doctor`: what this machine can run, what it cannot and why, and how to add it. */

import type { AddCommand } from "../command.ts";
import { examples } from "../options.ts";
import { doctor } from "../../node/doctor.ts";

export const addDoctor: AddCommand = (program, io) => {
  program
    .command("doctor")
    .description("say which backends this machine has, and how to add the others")
    .option("--json", "as JSON")
    .addHelpText("after", examples("doctor", "doctor --json"))
    .action(async (flags: { readonly json?: boolean }) => {
      const report = await doctor();
      if (flags.json === true) {
        io.out(`${JSON.stringify(report, null, 2)}\n`);
        return;
      }
      io.out(`subquad ${report.subquad}, Node ${report.node}, ${report.platform}, ${report.cores} cores, gpu.js ${report.gpujs}\n\n`);
      for (const { name, available, reason, hint } of report.backends) {
        io.out(`${available ? "yes" : "no "}  ${name}\n       ${reason}\n${hint === "" ? "" : `       to add it: ${hint}\n`}`);
      }
    });
};
