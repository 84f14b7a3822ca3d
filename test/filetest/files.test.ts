/** @file Every `.ir` file test of the repository, one case a file. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { InternalError } from "../../ir/diagnostic.ts";
import { ROOT, filesBelow } from "../tools.ts";
import { BLESSING, bless } from "./bless.ts";
import { runFileTest } from "./runner.ts";

const files = filesBelow("test", ".ir").filter((file) => !file.startsWith(join("test", "golden")));

it.each(files)("%s", (file) => {
  const text = readFileSync(join(ROOT, file), "utf8");
  const { failures, blessed } = runFileTest(file, text, () => { throw new InternalError("no passes"); });
  if (BLESSING) bless(join(ROOT, file), blessed);
  expect(BLESSING && blessed !== text ? [] : failures).toEqual([]);
});
