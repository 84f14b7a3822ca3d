/** @file The generated sections of the documents are what the registries say. BLESS=1 rewrites them. */

import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PASSES } from "../../passes/registry.ts";
import { STANDARD_LIBRARY } from "../../compiler/std/embedded.ts";
import { BLESSING, bless } from "../filetest/bless.ts";
import { ROOT } from "../tools.ts";
import { DOCUMENTS, fillSections, readDocument, sectionsOf } from "./markdown.ts";
import { makeSection, SECTIONS } from "./sections.ts";

const GENERATED = DOCUMENTS.filter((path) => sectionsOf(readDocument(path)).length > 0);

describe("generated sections", () => {
  it.each(GENERATED)("%s is up to date", async (path) => {
    const text = readDocument(path);
    const filled = await fillSections(text, makeSection);
    if (BLESSING) bless(join(ROOT, path), filled);
    else expect(text, "run `npm run bless`").toBe(filled);
  });

  const specs = GENERATED.flatMap((path) => sectionsOf(readDocument(path)));

  it("every section is in some document", () => {
    expect(Object.keys(SECTIONS).filter((name) => !specs.some((spec) => spec.split(" ")[0] === name))).toEqual([]);
  });

  it("every command has its help in docs/cli.md", async () => {
    const commands = [...(await makeSection("help")).matchAll(/^ {2}([a-z]+) .*[<[]/gm)].map((match) => match[1] ?? "");
    expect(commands.length).toBeGreaterThan(8);
    const sections = sectionsOf(readDocument("docs/cli.md"));
    expect(commands.filter((name) => name !== "help" && !sections.includes(`help ${name}`))).toEqual([]);
  });

  it("every file of the standard library is in docs/language.md", () => {
    const sections = sectionsOf(readDocument("docs/language.md"));
    const names = STANDARD_LIBRARY.map(({ file }) => /(\w+)\.sq$/.exec(file)?.[1] ?? file);
    expect(names.filter((name) => !sections.includes(`library ${name}`))).toEqual([]);
  });

  it("every pass is described by more than its name", () => {
    expect(PASSES.filter(({ summary }) => summary.length < 20).map(({ name }) => name)).toEqual([]);
  });
});
