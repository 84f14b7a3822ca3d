/** @file Every `.ir` file test of the repository, one case a file. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { parsePipeline } from "../../passes/parse-pipeline.ts";
import { runPipeline } from "../../passes/run.ts";
import { ROOT, filesBelow } from "../tools.ts";
import { BLESSING, bless } from "./bless.ts";
import { runFileTest } from "./runner.ts";

const files = filesBelow("test", ".ir").filter((file) => !file.startsWith(join("test", "golden")));

it.each(files)("%s", (file) => {
  const text = readFileSync(join(ROOT, file), "utf8");
  const { failures, blessed } = runFileTest(file, text, (module, pipeline) => runPipeline(module, parsePipeline(pipeline)).module);
  if (BLESSING) bless(join(ROOT, file), blessed);
  expect(BLESSING && blessed !== text ? [] : failures).toEqual([]);
});
