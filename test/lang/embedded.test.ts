/** @file The standard library inside the compiler is the one in the folder. `BLESS=1` writes it again. */

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";

const folder = new URL("../../compiler/std/", import.meta.url);

const generate = (): string => {
  const files = readdirSync(folder).filter((name) => name.endsWith(".sq")).sort();
  const entries = files.map((name) => {
    const text = readFileSync(new URL(name, folder), "utf8");
    const body = text.replaceAll("\\", "\\\\").replaceAll("`", "\\`").replaceAll("${", "\\${");
    return `  {\n    file: "std/${name}",\n    text: \`${body}\`,\n  },`;
  });
  return [
    "/** @file Generated from the `.sq` files of this folder by `npm run bless`. Do not edit.",
    " *  The compiler runs where there is no file system, so it carries its standard library with it. */",
    "",
    "export const STANDARD_LIBRARY: readonly { readonly file: string; readonly text: string }[] = [",
    ...entries,
    "];",
    "",
  ].join("\n");
};

test("embedded.ts holds the files of the standard library", () => {
  const target = new URL("embedded.ts", folder);
  const expected = generate();
  if (process.env["BLESS"] === "1") writeFileSync(target, expected);
  expect(readFileSync(target, "utf8")).toBe(expected);
});
