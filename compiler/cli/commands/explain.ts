/** @file `subquad explain`: the long form of a diagnostic code. */

import type { AddCommand } from "../command.ts";
import { examples } from "../options.ts";
import { CODES, diagnostic, explain } from "../../../ir/codes.ts";
import { DiagnosticError } from "../../../ir/diagnostic.ts";

export const addExplain: AddCommand = (program, io) => {
  program
    .command("explain")
    .description("explain a diagnostic code: what it means, a program that provokes it, the same put right")
    .argument("[code]", "`SQ0301`; without one, all codes with their titles")
    .addHelpText("after", examples("explain SQ0301", "explain"))
    .action((code: string | undefined) => {
      if (code === undefined) {
        for (const [name, { title }] of Object.entries(CODES)) io.out(`${name}  ${title}\n`);
        return;
      }
      const page = explain(code);
      if (page === null) {
        const hint = "`subquad explain` lists all codes";
        throw new DiagnosticError([diagnostic("SQ0012", `there is no code \`${code}\``, { hint })]);
      }
      io.out(page);
    });
};
