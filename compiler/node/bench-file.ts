/** @file Reads the file of an earlier benchmark. */

import { diagnostic } from "../../ir/codes.ts";
import { DiagnosticError } from "../../ir/diagnostic.ts";
import { readJson } from "../../ir/read-json.ts";
import { benchReport } from "../bench/schema.ts";
import type { BenchReport } from "../bench/schema.ts";
import { readSource } from "./files.ts";

/** What `subquad bench --json` wrote. Throws SQ0001, SQ0002 for a file that cannot be read, SQ0615 for one that is none. */
export const readBench = (path: string): BenchReport => {
  const { file, text } = readSource(path);
  const report = readJson(text, benchReport);
  if (typeof report !== "string") return report;
  throw new DiagnosticError([diagnostic("SQ0615", `\`${file}\` is no benchmark: ${report}`)]);
};
