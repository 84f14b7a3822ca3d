/** @file Links between the documents lead somewhere: the file is there, and so is the heading. */

import { existsSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, it } from "vitest";
import { ROOT } from "../tools.ts";
import { anchorsOf, DOCUMENTS, readDocument, withoutCode } from "./markdown.ts";

/** Why a link of a document is broken; null where it is not. */
const objection = (document: string, target: string): string | null => {
  if (/^https?:/.test(target)) return null;
  const [path = "", anchor = ""] = target.split("#");
  const file = path === "" ? document : relative(ROOT, join(ROOT, dirname(document), path));
  if (!existsSync(join(ROOT, file))) return `${target}: there is no ${file}`;
  if (anchor === "" || !file.endsWith(".md")) return null;
  return anchorsOf(readDocument(file)).has(anchor) ? null : `${target}: ${file} has no such heading`;
};

describe("links", () => {
  it.each(DOCUMENTS)("%s", (document) => {
    const text = withoutCode(readDocument(document));
    const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? "");
    expect(targets.map((target) => objection(document, target)).filter((wrong) => wrong !== null)).toEqual([]);
  });

  it("a document that does not exist, and a heading that does not, are noticed", () => {
    expect(objection("README.md", "docs/nothing.md")).toContain("there is no");
    expect(objection("README.md", "docs/language.md#no-such-heading")).toContain("no such heading");
  });
});
