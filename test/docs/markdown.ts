/** @file The documents of the repository and their parts: fenced blocks, headings, links, generated sections. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../tools.ts";

/** Every document a reader is sent to. */
export const DOCUMENTS = [
  "README.md",
  "ARCHITECTURE.md",
  "CONTRIBUTING.md",
  "passes/README.md",
  "ir/OPS.md",
  "docs/language.md",
  "docs/ir.md",
  "docs/auto.md",
  "docs/runtime.md",
  "docs/lowrank.md",
  "docs/cli.md",
  "docs/errors.md",
  "docs/backward.md",
  "docs/bench.md",
  "docs/hybrid.md",
  "docs/sus.md",
] as const;

export const readDocument = (path: string): string => readFileSync(join(ROOT, path), "utf8");

export interface Block {
  readonly document: string;
  /** Line of the opening fence, from 1. */
  readonly line: number;
  /** The first word after the fence, and the others. */
  readonly language: string;
  readonly words: readonly string[];
  readonly text: string;
}

const FENCED = /^```([^\n`]*)\n([\s\S]*?)^```$/gm;

export const blocksOf = (document: string, text = readDocument(document)): Block[] =>
  [...text.matchAll(FENCED)].map((match) => {
    const [language = "", ...words] = (match[1] ?? "").trim().split(/\s+/);
    return { document, line: text.slice(0, match.index).split("\n").length, language, words, text: match[2] ?? "" };
  });

/** `text` with the contents of every block of `language` replaced by what `change` makes of it. */
export const mapBlocks = async (
  document: string,
  text: string,
  change: (block: Block) => Promise<string>,
): Promise<string> => {
  let result = "";
  let end = 0;
  for (const match of text.matchAll(FENCED)) {
    const [block] = blocksOf(document, match[0]);
    if (block === undefined) continue;
    const line = text.slice(0, match.index).split("\n").length;
    result += `${text.slice(end, match.index)}\`\`\`${match[1] ?? ""}\n${await change({ ...block, line })}\`\`\``;
    end = match.index + match[0].length;
  }
  return result + text.slice(end);
};

/** The text without what stands between fences and backticks. */
export const withoutCode = (text: string): string => text.replace(FENCED, "").replace(/`[^`\n]*`/g, "");

/** Anchors as GitHub makes them from headings, repeated ones numbered. */
export const anchorsOf = (text: string): Set<string> => {
  const seen = new Map<string, number>();
  const headings = [...text.replace(FENCED, "").matchAll(/^#{1,6} +(.+)$/gm)].map((match) => match[1] ?? "");
  return new Set(
    headings.map((heading) => {
      const plain = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
      const slug = plain.replace(/[^\p{L}\p{N}\s_-]/gu, "").trim().replace(/\s/g, "-");
      const count = seen.get(slug) ?? 0;
      seen.set(slug, count + 1);
      return count === 0 ? slug : `${slug}-${count}`;
    }),
  );
};

const GENERATED = /^<!-- generated: (.+?) -->\n[\s\S]*?^<!-- end -->$/gm;

/** `text` with every generated section filled by `make`. */
export const fillSections = async (text: string, make: (spec: string) => Promise<string>): Promise<string> => {
  let result = "";
  let end = 0;
  for (const match of text.matchAll(GENERATED)) {
    const spec = match[1] ?? "";
    result += `${text.slice(end, match.index)}<!-- generated: ${spec} -->\n${await make(spec)}\n<!-- end -->`;
    end = match.index + match[0].length;
  }
  return result + text.slice(end);
};

/** What the generated sections of a text are. */
export const sectionsOf = (text: string): string[] => [...text.matchAll(GENERATED)].map((match) => match[1] ?? "");
