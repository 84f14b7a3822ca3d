/** @file `subquad new`: a starter project. */

import type { AddCommand } from "../command.ts";
import { examples } from "../options.ts";
import { createProject } from "../../node/new.ts";

export const addNew: AddCommand = (program, io) => {
  program
    .command("new")
    .description("write a starter model and a script that trains it")
    .argument("<dir>", "folder to make; it must not exist yet or be empty")
    .addHelpText("after", examples("new my-model"))
    .action((dir: string) => {
      for (const path of createProject(dir)) io.out(`${path}\n`);
      io.err(`next: cd ${dir} && npm install && npm start\n`);
    });
};
