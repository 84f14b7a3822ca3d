/** @file Code in the documents is right: model files check, TypeScript type-checks against the sources. */

import { join } from "node:path";
import { Project, ts } from "ts-morph";
import { describe, expect, it } from "vitest";
import { ROOT } from "../tools.ts";
import { blocksOf, DOCUMENTS } from "./markdown.ts";
import type { Block } from "./markdown.ts";
import { complaints, kindOf, sqBlocks } from "./snippets.ts";

const named = (block: Block): [string, Block] => [`${block.document}:${block.line}`, block];

describe("model files in the documents", () => {
  it.each(sqBlocks.filter((block) => kindOf(block) !== "wrong").map(named))("%s is accepted", (_, block) => {
    expect(complaints(block)).toEqual([]);
  });

  it.each(sqBlocks.filter((block) => kindOf(block) === "wrong").map(named))("%s is refused as it says", (_, block) => {
    expect(complaints(block).map((line) => line.split(" ")[0])).toEqual(block.words);
  });
});

describe("TypeScript in the documents", () => {
  const blocks = DOCUMENTS.flatMap((path) => blocksOf(path)).filter(({ language }) => language === "ts");

  it("type-checks", { timeout: 300_000 }, () => {
    const project = new Project({
      tsConfigFilePath: join(ROOT, "tsconfig.json"),
      skipAddingFilesFromTsConfig: true,
      compilerOptions: {
        paths: {
          subquad: [join(ROOT, "compiler/index.ts")],
          "subquad/ir": [join(ROOT, "ir/index.ts")],
          "subquad/runtime": [join(ROOT, "runtime/index.ts")],
        },
        noUnusedLocals: false,
      },
    });
    const sources = blocks.map((block, i) => project.createSourceFile(join(ROOT, `test/docs/block-${i}.ts`), `${block.text}\nexport {};\n`));
    const wrong = sources.flatMap((source, i) =>
      source.getPreEmitDiagnostics().map((d) => {
        const text = ts.flattenDiagnosticMessageText(d.compilerObject.messageText, "\n");
        return `${blocks[i]?.document ?? ""}:${(blocks[i]?.line ?? 0) + (d.getLineNumber() ?? 0)} ${text}`;
      }),
    );
    expect(blocks.length).toBeGreaterThan(0);
    expect(wrong).toEqual([]);
  });
});
