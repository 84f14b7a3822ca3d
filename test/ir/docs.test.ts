/** @file `ir/OPS.md` says what the op records say. BLESS=1 writes it. */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { opsReference } from "../../ir/docs.ts";
import { OPS } from "../../ir/ops/index.ts";
import { parseModule } from "../../ir/parse.ts";
import { errorText, verify } from "../../ir/verify.ts";
import { BLESSING } from "../filetest/bless.ts";
import { ROOT } from "../tools.ts";

/** What the verifier says of the texts in `verify/`. */
const rejections = (): ReadonlyMap<string, readonly string[]> =>
  new Map(
    OPS.map(({ mnemonic }) => {
      const { module } = parseModule(readFileSync(join(ROOT, "test/ir/verify", `${mnemonic}.ir`), "utf8"));
      return [mnemonic, verify(module, "gradient").map(errorText)];
    }),
  );

it("ir/OPS.md is up to date", () => {
  const file = join(ROOT, "ir/OPS.md");
  const text = opsReference(rejections());
  if (BLESSING) writeFileSync(file, text);
  expect(existsSync(file) ? readFileSync(file, "utf8") : "").toBe(text);
});
