/** @file The modules the compiler goes through on the examples: as lowered, and after every pass of the exact pipeline. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { checkSource } from "../../compiler/check/index.ts";
import { lowerProgram } from "../../compiler/lower/index.ts";
import type { Module } from "../../ir/core.ts";
import { PIPELINES } from "../../passes/pipelines.ts";
import { runPipeline } from "../../passes/run.ts";
import { ROOT, filesBelow } from "../tools.ts";

export const EXAMPLES = filesBelow("examples", ".sq");

/** Every different module on the way, in order. */
export const dumpsOf = (example: string): Module[] => {
  const { program } = checkSource(readFileSync(join(ROOT, example), "utf8"), example);
  if (program === null) throw new Error(`${example} has errors`);
  const { snapshots } = runPipeline(lowerProgram(program), PIPELINES.exact, { snapshots: true });
  return snapshots.filter((snapshot) => snapshot.changed).map((snapshot) => snapshot.module);
};
