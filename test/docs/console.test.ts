/** @file What the documents say a command prints is what it prints. ` ```console ` blocks are run; those marked `shown`
 *  (training, and what depends on the machine) are not. BLESS=1 rewrites the output. */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { BLESSING, bless } from "../filetest/bless.ts";
import { ROOT } from "../tools.ts";
import { commandsOf, replay, wordsOf } from "./console.ts";
import { blocksOf, DOCUMENTS, mapBlocks, readDocument } from "./markdown.ts";
import type { Block } from "./markdown.ts";

const folder = mkdtempSync(join(tmpdir(), "subquad-docs-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const isRun = (block: Block): boolean => block.language === "console" && !block.words.includes("shown");

/** Rounding errors are as large as the machine's arithmetic makes them. */
const steady = (text: string): string => text.replace(/\b\d\.\d\de-\d+ \(.*?\)/g, "(a rounding error)");

const documents = DOCUMENTS.filter((path) => blocksOf(path).some(isRun));

describe.skipIf(process.platform === "win32")("console blocks", () => {
  it.each(documents)("%s", { timeout: 300_000 }, async (document) => {
    const text = readDocument(document);
    const replayed = await mapBlocks(document, text, (block) => (isRun(block) ? replay(block.text, folder) : Promise.resolve(block.text)));
    if (BLESSING && steady(text) !== steady(replayed)) bless(join(ROOT, document), replayed);
    if (!BLESSING) expect(steady(text), "run `npm run bless`").toBe(steady(replayed));
  });

  it("the README shows the commands that `npm start` runs", () => {
    const shown = blocksOf("README.md").filter((block) => block.words.includes("shown")).flatMap(({ text }) => commandsOf(text));
    const script = readFileSync(join(ROOT, "examples/start.ts"), "utf8");
    for (const name of ["train", "sample"]) {
      const command = shown.find((line) => line.startsWith(`npx subquad ${name} `)) ?? "";
      expect(wordsOf(command).slice(2).filter((word) => !script.includes(`"${word}"`))).toEqual([]);
      expect(wordsOf(command).length).toBeGreaterThan(6);
    }
  });

  it("every console block has a command", () => {
    const blocks = DOCUMENTS.flatMap((path) => blocksOf(path)).filter(({ language }) => language === "console");
    expect(blocks.length).toBeGreaterThan(0);
    expect(blocks.filter(({ text }) => commandsOf(text).length === 0)).toEqual([]);
  });
});
